"""One rule's assessment of what was read, joined with what was run."""

from __future__ import annotations

from dataclasses import replace

from golf_audit.joining.counted import with_counts
from golf_audit.joining.readers import seen
from golf_audit.joining.seen import Seen, Violation, silent
from golf_audit.joining.settle import more_probes, obstacles
from golf_audit.model import Assessment, Certainty, Cite, Evidence, Finding, Kind, Precedent, Unmet
from golf_audit.observation import Observation, Word
from golf_audit.submission import Case

TRACE = "golf-audit trace FOLDER"
"""What supplies a premise before anything was run."""
STANDS = frozenset({"V01", "M02"})
"""A few steps need not reach every file of a loader, nor a few documents every border between two: a run that
does not show such a thing is no reason to doubt what was read."""


def joined(
    case: Case,
    rule: str,
    read: Assessment,
    law: Cite,
    to_change: str = "",
    precedents: tuple[Precedent, ...] = (),
) -> Assessment:
    """The assessment of both engines and of instrumented reruns; what was read when nothing was run."""
    found = read if case.observation is None else _traced(case, rule, read, law, to_change, precedents)
    return with_counts(case, rule, found, law, to_change, precedents)


def _traced(
    case: Case, rule: str, read: Assessment, law: Cite, to_change: str, precedents: tuple[Precedent, ...]
) -> Assessment:
    """Joined with the run in miniature."""
    assert case.observation is not None
    run = seen(case, rule)
    if not case.submission.support.lines:
        run = _untied(run)
    if run.violations:
        return _violated(read, run, law, to_change, precedents)
    if not run.clean:
        return _silent(case.observation, rule, read, run)
    if any(f.certainty is Certainty.SHOWN or f.proof for f in read.findings):
        return _told_beside(read, run) if rule in STANDS else _contradicted(read, run)
    return _clean(case, read, run)


def _untied(run: Seen) -> Seen:
    """Without a log line behind the claim, the result that the run looks at is a guess: the last one."""
    unknown = "no log line tells which result is claimed"
    if run.violations:
        doubtful = (replace(v, says=f"{v.says}; {unknown}", sure=False) for v in run.violations)
        return replace(run, violations=tuple(doubtful))
    if not run.clean:
        return run
    return replace(run, clean="", missing=(f"the last result shows no violation, but {unknown}",))


def _violated(
    read: Assessment, run: Seen, law: Cite, to_change: str, precedents: tuple[Precedent, ...]
) -> Assessment:
    """An observed violation stands, whatever was read."""
    findings = tuple(_finding(v, law, to_change, precedents) for v in run.violations)
    return replace(
        read, findings=(*findings, *read.findings), notes=(*read.notes, *run.notes), not_applicable=""
    )


def _finding(violation: Violation, law: Cite, to_change: str, precedents: tuple[Precedent, ...]) -> Finding:
    certainty = Certainty.SHOWN if violation.sure else Certainty.LIKELY
    return Finding(violation.says, certainty, law, violation.evidence, to_change, precedents)


def _silent(observation: Observation, rule: str, read: Assessment, run: Seen) -> Assessment:
    """The run does not speak: what was read stays, and a rule that waited for it says why."""
    supply = _more(observation, rule)
    if any(u.awaits is not None for u in read.unmet):
        says = run.missing or tuple(e.says for e in run.notes) or ("no probe of this trace asks it",)
        notes = tuple(e for e in run.notes if e.says not in says)
        return replace(read, unmet=tuple(Unmet(s, supply) for s in says), notes=(*read.notes, *notes))
    unmet = tuple(_run_already(u, supply) for u in read.unmet)
    if read.unmet or read.findings:
        missing = tuple(Evidence(Kind.TRACE, says) for says in run.missing)
        notes = tuple(e for e in run.notes if e.says not in run.missing)
        return replace(read, unmet=unmet, notes=(*read.notes, *notes, *missing))
    return replace(read, notes=(*read.notes, *run.notes))


def _run_already(unmet: Unmet, supply: str) -> Unmet:
    """A premise that a trace was to supply, now that there is one."""
    return replace(unmet, supply=supply) if unmet.supply == TRACE else unmet


def _more(observation: Observation, rule: str) -> str:
    """The command that may make the run speak: nothing more is to be asked where a probe saw a violation, or
    where the run says nothing of the number at all."""
    seen_already = any(o.word is Word.VIOLATION for o in observation.about(rule))
    return "" if seen_already or silent(observation) else more_probes(observation)


def _told_beside(read: Assessment, run: Seen) -> Assessment:
    """What was read stands; the run is a note."""
    says = f"the run in miniature does not show it: {run.clean}"
    return replace(read, notes=(*read.notes, *run.notes, Evidence(Kind.TRACE, says)))


def _contradicted(read: Assessment, run: Seen) -> Assessment:
    """A predicted violation that the run does not show: both are told, and a person has to look."""
    shown = Evidence(Kind.TRACE, f"the run in miniature does not show it: {run.clean}")
    findings = tuple(
        replace(
            f,
            message=f"{f.message}; the run in miniature does not show it",
            certainty=Certainty.LIKELY if f.certainty is Certainty.SHOWN else f.certainty,
            evidence=(*f.evidence, shown),
            proof=False,
        )
        for f in read.findings
    )
    return replace(read, findings=findings, notes=(*read.notes, *run.notes))


def _clean(case: Case, read: Assessment, run: Seen) -> Assessment:
    """The run speaks for the submission; it settles what was open only where nothing stands in the way."""
    basis = (*read.basis, Evidence(Kind.TRACE, f"the run in miniature: {run.clean}"))
    noted = replace(read, notes=(*read.notes, *run.notes), basis=basis)
    if not read.unmet and not read.findings:
        return noted
    standing = obstacles(case)
    if standing:
        unmet = tuple(_run_already(u, "") for u in read.unmet if u.awaits is None)
        more = tuple(replace(u, missing=f"the run shows no violation, but {u.missing}") for u in standing)
        return replace(noted, unmet=(*unmet, *more))
    doubts = tuple(
        Evidence(Kind.TRACE, f"read as possible and not seen in the run: {f.message}") for f in read.findings
    )
    settled = Evidence(Kind.TRACE, f"settled by the run in miniature: {run.clean}")
    return replace(noted, findings=(), unmet=(), notes=(*noted.notes, *doubts), basis=(settled, *read.basis))
