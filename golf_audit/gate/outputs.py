"""Files that the runner of GitHub Actions reads: step outputs and the step summary."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from golf_audit.errors import InternalError

SUMMARY_CAP = 1 << 20
"""Bytes of a step summary that GitHub takes."""


def set_outputs(values: Mapping[str, str]) -> None:
    """Append name=value lines to GITHUB_OUTPUT, if there is one. A value is one line, by its making."""
    for name, value in values.items():
        if "\n" in value or "\r" in value:
            raise InternalError(f"the output {name} has a line break")
    _append("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in values.items()))


def add_summary(page: str) -> None:
    """Append Markdown to GITHUB_STEP_SUMMARY, if there is one."""
    data = page.encode("utf-8", "backslashreplace")[:SUMMARY_CAP]
    _append("GITHUB_STEP_SUMMARY", data.decode("utf-8", "ignore"))


def _append(variable: str, text: str) -> None:
    place = os.environ.get(variable)
    if not place:
        return
    try:
        with Path(place).open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError as error:
        raise InternalError(f"cannot write {variable}: {error.strerror}") from None
