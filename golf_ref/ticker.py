"""A counter on standard error for plain loops, so that evaluations need no wrapper around their iterators."""

from __future__ import annotations

import sys


def tick(what: str, done: int, total: int) -> None:
    """Overwrite one line `what done/total`, where standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{what} {done}/{total}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
