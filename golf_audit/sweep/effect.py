"""What a change to the tool does to a corpus: two sweeps of one clone, before and after, held together.

Only folders in the same state are compared; what one sweep alone holds is counted and not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golf_audit.errors import AuditError
from golf_audit.sweep.row import read_lines

Row = Mapping[str, Any]
Step = tuple[str, str, str]
"""(rule, verdict before, verdict after); the rule is "" for the verdict on the whole folder."""

_SHOWN = 20
_CRASHED, _ABSENT = "crashed", "not asked"


@dataclass
class Effect:
    """Folders by what moved in them; a folder is (pull request, folder)."""

    compared: int = 0
    heads: int = 0
    moved: set[tuple[int, str]] = field(default_factory=set)
    steps: dict[Step, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    reworded: set[tuple[int, str]] = field(default_factory=set)  # another reason for the same verdicts
    before_only: list[int] = field(default_factory=list)
    after_only: list[int] = field(default_factory=list)


def read_sweep(path: Path) -> list[dict[str, Any]]:
    """The rows of a sweep's JSON lines. Raises AuditError."""
    try:
        rows = read_lines(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"cannot read {path}: {error}") from None
    if not rows:
        raise AuditError(f"{path} holds no row of `golf-audit sweep`")
    return rows


def effect(before: Sequence[Row], after: Sequence[Row]) -> Effect:
    """Compare the folders that both sweeps hold in the same state."""
    found = Effect()
    old, new = _folders(before), _folders(after)
    found.before_only = sorted({pr for pr, *_ in old.keys() - new.keys()})
    found.after_only = sorted({pr for pr, *_ in new.keys() - old.keys()})
    both = sorted(old.keys() & new.keys())
    found.compared, found.heads = len(both), len({pr for pr, *_ in both})
    for key in both:
        _compare(found, key[:2], old[key], new[key])
    return found


def page(found: Effect) -> str:
    """The effect in words: how many folders move, then rule by rule from which verdict to which."""
    return "\n".join(_lines(found)) + "\n"


def _folders(rows: Sequence[Row]) -> dict[tuple[int, str, str], Row]:
    return {(row["pr"], e["folder"], e["fingerprint"]): e for row in rows for e in row["submissions"]}


def _compare(found: Effect, where: tuple[int, str], old: Row, new: Row) -> None:
    steps = [("", old["verdict"], new["verdict"])]
    rules = sorted(_asked(old) | _asked(new))
    steps += [(rule, _word(old, rule), _word(new, rule)) for rule in rules]
    moved = [step for step in steps if step[1] != step[2]]
    for step in moved:
        found.steps[step].append(where)
    if moved:
        found.moved.add(where)
    elif old["reasons"] != new["reasons"]:
        found.reworded.add(where)


def _asked(entry: Row) -> set[str]:
    return {*entry["rulings"], *entry["crashes"]}


def _word(entry: Row, rule: str) -> str:
    return _CRASHED if rule in entry["crashes"] else str(entry["rulings"].get(rule, _ABSENT))


def _lines(found: Effect) -> Iterator[str]:
    of = f"{found.compared:,} folders ({found.heads:,} pull requests)"
    yield f"this edit moves {len(found.moved):,} of {of}"
    for (rule, old, new), places in sorted(found.steps.items(), key=_order):
        name = rule or "verdict"
        yield f"  {name:<8} {old:>14} -> {new:<14} {len(places):>5}   {_numbers([pr for pr, _ in places])}"
    if found.reworded:
        yield f"{len(found.reworded):,} more keep their verdicts and give another reason"
    for what, numbers in (("first", found.before_only), ("second", found.after_only)):
        if numbers:
            yield f"not compared, in the {what} sweep alone or in another state: {_numbers(numbers)}"


def _order(step: tuple[Step, list[tuple[int, str]]]) -> tuple[str, int, Step]:
    """The whole folder first, then rule by rule, the most frequent move first."""
    (rule, *_), places = step
    return rule, -len(places), step[0]


def _numbers(numbers: Sequence[int]) -> str:
    told = list(dict.fromkeys(numbers))
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return " ".join(f"#{n}" for n in told[:_SHOWN]) + more
