"""Small words that lineage and its reports share."""

from __future__ import annotations

from collections.abc import Sequence


def listed(words: Sequence[str], cap: int = 8) -> str:
    """ "a", "a and b", "a, b and 3 more"."""
    told = list(words[:cap])
    if len(words) > cap:
        return f"{', '.join(told)} and {len(words) - cap} more"
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
