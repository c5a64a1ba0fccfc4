"""Which findings has a child from its parent? It is inherited where the parent is found to do the same.

For code that is the same rule, the same statement up to names, and a function that is paired with the
child's; for a claim or a README the same words. A measurement (a time, a size) is never inherited: both
were measured, and the parent may break the same rule by a run of its own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from golf_audit.fingerprint import decisive, likeness
from golf_audit.lineage.code import Matching
from golf_audit.lineage.model import Difference, Gone, Kinship, State
from golf_audit.lineage.shapes import shape
from golf_audit.model import Certainty, Finding, Kind, Report, Ruling, Verdict, Where
from golf_audit.outcome import not_yet_run
from golf_audit.source import Layer
from golf_audit.submission import Submission

_BECAUSE = re.compile(r"\b(?:because|where)\b[^=]{0,80}?\b([A-Za-z_]\w{1,60})=")
_UNSETTLED = (Verdict.FAIL, Verdict.NEEDS_RULING, Verdict.UNDETERMINED)
_STATISTICS = "S"
_HOLDS = (Verdict.PASS, Verdict.NOT_APPLICABLE)
_OPEN = {
    Verdict.FAIL: "breaks it",
    Verdict.NEEDS_RULING: "needs a ruling on it",
    Verdict.UNDETERMINED: "leaves it open",
}


@dataclass(frozen=True)
class Sides:
    """Both submissions with their reports, and how their code and settings compare. `name` is the
    parent's."""

    ours: Submission
    theirs: Submission
    report: Report
    parents: Report
    code: Matching
    settings: Sequence[Difference]
    name: str


def kinships(sides: Sides) -> tuple[Kinship, ...]:
    """Every judged finding of a rule that is failed, disputed or undetermined, and every such rule without
    one."""
    return tuple(_of_report(sides))


def gone(sides: Sides) -> tuple[Gone, ...]:
    """Rules that the parent breaks or leaves open and that hold for the child."""
    ours = {ruling.rule.id: ruling for ruling in sides.report.rulings}
    found = []
    for theirs in sides.parents.rulings:
        mine = ours.get(theirs.rule.id)
        unsettled = theirs.verdict in _UNSETTLED and _comparable(theirs)
        if mine is not None and unsettled and mine.verdict in _HOLDS:
            found.append(Gone(theirs.rule.id, f"{theirs.verdict.value} for {sides.name}: {theirs.reason}"))
    return tuple(found)


def _of_report(sides: Sides) -> Iterator[Kinship]:
    theirs = {ruling.rule.id: ruling for ruling in sides.parents.rulings}
    for ruling in sides.report.rulings:
        if ruling.verdict not in _UNSETTLED or not _comparable(ruling):
            continue
        judged = _judged(ruling)
        other = theirs.get(ruling.rule.id)
        if other is None:
            yield Kinship(
                ruling.rule.id, None, State.UNKNOWN, f"{ruling.rule.id} failed to run on {sides.name}"
            )
        elif not judged:
            yield _without_finding(sides, ruling, other)
        else:
            for index, finding in enumerate(judged):
                yield _of_finding(sides, ruling, index, finding, other)


def _comparable(ruling: Ruling) -> bool:
    """False for what was not run, and for statistics: they compare a score with what came before it."""
    return not not_yet_run(ruling) and ruling.rule.id[0] != _STATISTICS


def _judged(ruling: Ruling) -> list[Finding]:
    return [f for f in ruling.assessment.findings if f.certainty is not Certainty.HINT]


def _without_finding(sides: Sides, ruling: Ruling, other: Ruling) -> Kinship:
    """An undetermined rule that found nothing: the parent may lack the same."""
    rule = ruling.rule.id
    if other.verdict in _HOLDS:
        return Kinship(rule, None, State.NEW, _holds(sides, other))
    if other.verdict is Verdict.UNDETERMINED:
        ours, theirs = ({u.missing for u in r.assessment.unmet} for r in (ruling, other))
        if ours & theirs:
            return Kinship(rule, None, State.INHERITED, f"{sides.name} lacks the same")
    return Kinship(rule, None, State.SHARED, f"{sides.name} {_OPEN[other.verdict]} too, for another reason")


def _of_finding(sides: Sides, ruling: Ruling, index: int, finding: Finding, other: Ruling) -> Kinship:
    rule = ruling.rule.id
    theirs = _judged(other)
    for candidate in theirs:
        how = _same(sides, rule, finding, candidate)
        if how:
            return Kinship(rule, index, State.INHERITED, f"{sides.name} {how}", decisive(candidate))
    if other.verdict in _HOLDS:
        return Kinship(rule, index, State.NEW, _why_new(sides, finding, other))
    if theirs and other.verdict in _OPEN:
        by = (
            "by runs of its own"
            if _measured(finding)
            else "by other code"
            if _in_code(finding)
            else "otherwise"
        )
        return Kinship(
            rule, index, State.SHARED, f"{sides.name} {_OPEN[other.verdict]} too, {by}", decisive(theirs[0])
        )
    return Kinship(rule, index, State.UNKNOWN, f"{rule} is undetermined for {sides.name}: {other.reason}")


# -- the same finding


def _same(sides: Sides, rule: str, ours: Finding, theirs: Finding) -> str:
    """How the parent is found to do the same; empty where it is not."""
    if _measured(ours) or _measured(theirs):
        return ""
    if not (_in_code(ours) and _in_code(theirs)):
        return "says the same" if likeness(rule, ours) == likeness(rule, theirs) else ""
    here, there = decisive(ours), decisive(theirs)
    if here is None or there is None:
        return ""
    mine, other = _place(sides.ours, here), _place(sides.theirs, there)
    if mine is None or other is None:
        return "has the same line" if likeness(rule, ours) == likeness(rule, theirs) else ""
    pair = sides.code.pair_at(mine.layer, mine.line)
    if pair is None or not pair.theirs.holds(other.layer, other.line):
        return ""
    if pair.same:
        return f"has the same code there, {pair.ours.name} is unchanged"
    alike = mine.loose == other.loose
    return f"has the same line there, {pair.ours.name} was changed around it" if alike else ""


@dataclass(frozen=True)
class _Place:
    """A position in a program that was read, with the digest of the statement there."""

    layer: Layer
    line: int
    loose: str


def _place(submission: Submission, where: Where) -> _Place | None:
    module = submission.sources.modules.get(where.file)
    layers = [layer for layer in module.layers if layer.index == where.layer] if module is not None else []
    if not layers or where.line is None or layers[0].parsed.tree is None:
        return None
    statement = _statement(layers[0].parsed.tree, where.line, (where.column or 1) - 1)
    return _Place(layers[0], where.line, shape([statement]).loose) if statement is not None else None


def _statement(tree: ast.AST, line: int, column: int) -> ast.stmt | None:
    """The innermost statement that covers a position; several may share a line."""
    best: ast.stmt | None = None
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            start = (node.lineno, node.col_offset)
            end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
            if not start <= (line, column) <= end:
                continue
            best = node
        stack += ast.iter_child_nodes(node)
    return best


# -- why it is new


def _why_new(sides: Sides, finding: Finding, other: Ruling) -> str:
    """The rule holds for the parent; where it has the same function, the settings tell why."""
    held = _holds(sides, other)
    where = decisive(finding)
    place = _place(sides.ours, where) if where is not None and _in_code(finding) else None
    if place is None:
        return held
    pair = sides.code.pair_at(place.layer, place.line)
    if pair is None:
        added = next((u for u in sides.code.added if u.holds(place.layer, place.line)), None)
        return f"{held}; {added.name} is not in it" if added is not None else held
    if not pair.same:
        return f"{held}; {pair.ours.name} was changed"
    for name in _switches(finding):
        change = next((d for d in sides.settings if d.name.lower() == name.lower()), None)
        if change is not None and change.theirs is not None:
            values = f"{name} {change.theirs} there, {change.ours} here"
            return f"{held}; it has the same code, switched otherwise: {values}"
    return f"{held}; {pair.ours.name} is the same there"


def _holds(sides: Sides, other: Ruling) -> str:
    word = "holds for" if other.verdict is Verdict.PASS else "does not concern"
    return f"{other.rule.id} {word} {sides.name}"


def _switches(finding: Finding) -> Iterator[str]:
    """The settings that a finding names as its reason."""
    for evidence in finding.evidence:
        for match in _BECAUSE.finditer(evidence.says):
            yield match[1]


def _first_kind(finding: Finding) -> Kind:
    return next((e.kind for e in finding.evidence if e.where is not None), finding.evidence[0].kind)


def _in_code(finding: Finding) -> bool:
    return _first_kind(finding) is Kind.SOURCE


def _measured(finding: Finding) -> bool:
    return _first_kind(finding) in (Kind.LOG, Kind.COMPUTED, Kind.TRACE, Kind.RUN, Kind.TABLE)
