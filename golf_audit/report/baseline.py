"""What changed between an earlier JSON report and this one: rulings, and findings by their fingerprints.

Both sides are read in the form of schemas/report.schema.json, so that a report of any version 1 compares.
Hints decide nothing and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit.model import Report
from golf_audit.report import jsonreport, readback

Object = Mapping[str, Any]
_SPEAKING = ("fail", "needs-ruling", "undetermined")


@dataclass(frozen=True)
class Moved:
    """A rule whose verdict is another one now; "" where one side did not ask it."""

    rule: str
    was: str
    now: str
    reason: str


@dataclass(frozen=True)
class Difference:
    """One finding that only one of two reports holds, as its JSON object."""

    rule: str
    verdict: str
    finding: Object


@dataclass(frozen=True)
class Changes:
    """One folder now against the baseline; `was` is None for a folder that the baseline does not hold."""

    was: Object | None
    now: Object
    moved: tuple[Moved, ...]
    new: tuple[Difference, ...]
    gone: tuple[Difference, ...]
    same: int  # rules that say what they said


def read_baseline(path: Path) -> tuple[Object, ...]:
    """The reports of an earlier `check --format json`. Raises AuditError with one clear line."""
    return tuple(readback.read(path, f"{path} is no baseline"))


def compare(baseline: Sequence[Object], reports: Sequence[Report], require_run: bool) -> tuple[Changes, ...]:
    """Each report against that of the same folder; one against one whatever their folders are called."""
    before = {told["submission"]["folder"]: told for told in baseline}
    out = []
    for report in reports:
        now = jsonreport.to_dict(report, require_run=require_run)
        was = before.get(now["submission"]["folder"])
        if was is None and len(baseline) == len(reports) == 1:
            was = baseline[0]
        out.append(_changes(was, now))
    return tuple(out)


def _changes(was: Object | None, now: Object) -> Changes:
    before = {r["rule"]: r for r in was["rulings"]} if was is not None else {}
    after = {r["rule"]: r for r in now["rulings"]}
    rules = [*after, *(rule for rule in before if rule not in after)]
    moved = [_moved(rule, before.get(rule), after.get(rule)) for rule in rules]
    told = tuple(m for m in moved if m is not None)
    both = [rule for rule in rules if rule in before and rule in after]
    asked = both if was is not None else list(after)  # a rule that one side did not ask has no lost findings
    new = _only_in(after, before, asked)
    gone = _only_in(before, after, both)
    loud = {m.rule for m in told} | {d.rule for d in (*new, *gone)}
    return Changes(was, now, told, new, gone, sum(rule not in loud for rule in both))


def _moved(rule: str, was: Object | None, now: Object | None) -> Moved | None:
    one, other = _word(was), _word(now)
    if one == other:
        return None
    if was is None and now is not None and now["verdict"] not in _SPEAKING:
        return None  # a new rule that holds is no news
    return Moved(rule, one, other, now["reason"] if now is not None else "not asked this time")


def _word(ruling: Object | None) -> str:
    if ruling is None:
        return ""
    return str(ruling["verdict"]) + (" (waived)" if ruling.get("waived") else "")


def _only_in(
    one: Mapping[str, Object], other: Mapping[str, Object], rules: Sequence[str]
) -> tuple[Difference, ...]:
    """Findings of one side beyond those that the other holds too, equal fingerprints counted."""
    out = []
    for rule in rules:
        known = Counter(f["fingerprint"] for f in _findings(other.get(rule)))
        for finding in _findings(one.get(rule)):
            known[finding["fingerprint"]] -= 1
            if known[finding["fingerprint"]] < 0:
                out.append(Difference(rule, _word(one[rule]), finding))
    return tuple(out)


def _findings(ruling: Object | None) -> list[Object]:
    return [f for f in ruling["findings"] if f["certainty"] != "hint"] if ruling is not None else []
