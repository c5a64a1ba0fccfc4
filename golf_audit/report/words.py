"""What every format says alike, not yet escaped: positions, laws, precedents, counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from golf_audit.filetree import OUTSIDE
from golf_audit.model import (
    Authority,
    Certainty,
    Cite,
    Finding,
    Kind,
    Precedent,
    Report,
    Rule,
    Ruling,
    Verdict,
    Waiver,
    WaiverState,
    Where,
)
from golf_audit.report import escape

SEVERITY = {"D": "disqualifying", "I": "incomplete", "A": "advisory"}

_LABEL = {Kind.SOURCE: "code", Kind.README: "README"}

_SPEAKER = {
    Authority.README: "",
    Authority.ORGANISER: "organiser on ",
    Authority.PRACTICE: "accepted practice, ",
    Authority.COMMUNITY: "community, ",
}

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def name(report: Report) -> str:
    """The submission folder's own name."""
    return escape.path(report.head.folder).rsplit("/", 1)[-1]


def label(kind: Kind) -> str:
    """What a piece of evidence is, in one word."""
    return _LABEL.get(kind, kind.value)


def position(where: Where) -> str:
    """file:line as an editor opens it; a packed layer and a JSON pointer are named."""
    out = escape.path(where.file)
    if where.layer:
        out += f" layer {where.layer}"
    if where.line is not None:
        out += f":{where.line}"
    if where.pointer:
        out += f" ({where.pointer})"
    return out


def in_repository(report: Report, where: Where) -> str:
    """The path of a position relative to the root of the repository."""
    if where.file.startswith(OUTSIDE):
        return escape.path(where.file.removeprefix(OUTSIDE))
    return escape.path(f"{escape.path(report.head.folder)}/{escape.path(where.file)}")


def outer(where: Where) -> tuple[int | None, int | None]:
    """Line and column in the file that the repository shows; in a packed layer, the line of its payload."""
    return (where.payload_line, None) if where.layer else (where.line, where.column)


def reason(ruling: Ruling) -> str:
    """The ruling's sentence; one that rests on a finding which is not shown says so."""
    unshown = ruling.verdict is Verdict.UNDETERMINED and judged(ruling)
    return f"likely, but not shown: {ruling.reason}" if unshown else ruling.reason


def judged(ruling: Ruling) -> list[Finding]:
    """The findings behind the verdict, the deciding one first: no hints and, unless all are, none waived."""
    told = [f for f in ruling.assessment.findings if f.certainty is not Certainty.HINT]
    return told if ruling.waived else [f for f in told if f.waived is None]


def waived(ruling: Ruling) -> list[tuple[Finding, Waiver]]:
    """The findings that a maintainer let stand, each with its waiver."""
    return [(f, f.waived) for f in ruling.assessment.findings if f.waived is not None]


def waivers(ruling: Ruling) -> list[str]:
    """What was waived by whom, a sentence each; the one finding of a ruling is not repeated."""
    told = waived(ruling)
    if ruling.waived and len(told) == 1:
        return [waiver(told[0][1])]
    return [f"{finding.message}; {waiver(one)}" for finding, one in told]


def waiver(one: Waiver) -> str:
    """Who waived it, until when, and why."""
    return f"by {one.who} until {one.expires}: {one.reason}"


def idle_waivers(report: Report) -> list[str]:
    """The waivers that name this folder and did nothing, in a sentence each."""
    said = {
        WaiverState.UNUSED: "no such finding is here now: take it out of the waiver file",
        WaiverState.EXPIRED: "expired on {day}: it waives nothing",
    }
    return [
        f"waiver {one.rule} {one.fingerprint} of {one.who}: {said[state].format(day=one.expires)}"
        for one, state in report.waivers
        if state in said
    ]


def law(cite: Cite) -> str:
    """Who says so, where and since when. A ruling gives its own day, and may bind from an earlier one."""
    since = "" if _DATE.search(cite.source) else f" ({cite.since})"
    return f"{_SPEAKER[cite.authority]}{cite.source}{since}{', disputed' if cite.disputed else ''}"


def laws(rule: Rule, finding: Finding) -> list[str]:
    """The finding's own law first, then what else the rule rests on."""
    return list(dict.fromkeys(law(cite) for cite in (finding.law, *rule.cites)))


def precedents(found: Sequence[Precedent]) -> str:
    """ "accepted: #1493 (12.7 s) #1019; closed: #593": grouped by outcome in order of appearance."""
    groups: dict[str, list[str]] = {}
    for one in found:
        note = f" ({one.note})" if one.note else ""
        groups.setdefault(one.outcome, []).append(f"#{one.pr}{note}")
    return "; ".join(f"{outcome}: {' '.join(prs)}" for outcome, prs in groups.items())


def precedents_of(ruling: Ruling) -> str:
    """Precedents that the findings name, else those of the rule; none where nothing was found."""
    if not judged(ruling):
        return ""
    named = [p for finding in judged(ruling) for p in finding.precedents]
    return precedents(list(dict.fromkeys(named)) or ruling.rule.precedents)


def missing(ruling: Ruling) -> list[str]:
    """Premises that could not be checked, each once, without those that the reason already names."""
    return list(dict.fromkeys(u.missing for u in ruling.assessment.unmet if u.missing not in ruling.reason))


def supply(ruling: Ruling) -> list[str]:
    """What would supply the missing premises, each once."""
    return list(dict.fromkeys(u.supply for u in ruling.assessment.unmet if u.supply))


def changes(ruling: Ruling) -> list[str]:
    """What to change, each once; the legal example where a failed rule's findings do not say."""
    told = list(dict.fromkeys(f.to_change for f in judged(ruling) if f.to_change))
    if not told and ruling.verdict is Verdict.FAIL:
        return [f"as in the legal example: golf-audit rules {ruling.rule.id}"]
    return told


def default(setting: Any) -> str | None:
    """The code's default of a runconfig.Setting, where the run departs from it."""
    found = next((s.value for s in setting.overridden if s.origin.value == "code"), None)
    return found if found != setting.value else None


def plural(count: int, noun: str) -> str:
    """ "1 rule", "2 rules"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
