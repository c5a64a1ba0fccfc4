"""What a trace says of the rows behind the claimed number: each target once (P01), scores at all (P03)."""

from __future__ import annotations

from golf_audit.joining.owner import late_violation, owner_of, unseen_owner
from golf_audit.joining.seen import Seen, Violation, evidence_of, influence, influenced, quoted, share
from golf_audit.model import Evidence, Kind
from golf_audit.observation import Observation, Result, Word, count
from golf_audit.static.tables import filled_before
from golf_audit.submission import Case


def passes(case: Case, observation: Observation, rule: str) -> Seen:
    """P01: every target once. Repeats in the last window, or less than one missing at the end, are noted."""
    result = observation.result
    assert result is not None
    end, window = result.targets + 1, max(result.window, 1)
    repeated = tuple(s for s in result.repeated if s[0] < end - window)
    missing = tuple(s for s in result.missing if s[0] < end - window)
    notes = []
    for what, found in (("counted more than once", result.repeated), ("not counted", result.missing)):
        if found:
            says = f"{share(result, found)} are {what}, all within the last {window} (one window)"
            notes.append(Evidence(Kind.TRACE, says))
    if repeated:
        says = f"the claimed number counts {share(result, repeated)} more than once"
        twice = 2 * count(repeated) >= result.targets  # else perhaps the ends of documents
        return Seen((Violation(says, _counted(case, observation, result, says), sure=twice),))
    if missing:
        says = f"the claimed number leaves {share(result, missing)} out"
        return Seen((Violation(says, _counted(case, observation, result, says), sure=False),))
    unseen = influence(observation) is Word.VIOLATION and not result.late
    if unseen and unseen_owner(case, observation) == rule:
        return _second_pass(case, observation, result)
    owner = owner_of(case, observation) if result.late and influence(observation) is not Word.CLEAN else ""
    if owner == "P01":
        return Seen(
            (late_violation(case, observation, result, sure=influence(observation) is Word.VIOLATION),)
        )
    shared = [o for o in observation.about(rule) if o.probe == "two ranks"]
    doubtful = tuple(
        Violation(o.says, evidence_of(case, o), sure=False) for o in shared if o.word is Word.VIOLATION
    )
    notes += [e for o in shared if o.word is Word.NOTE for e in evidence_of(case, o)[:1]]
    counted = f"the claimed number counts each of {result.targets:,} targets once"
    moved = influence(observation)
    if moved is Word.VIOLATION:  # counting once is no answer to a second pass
        says = f"{counted}, but scores depend on later tokens, by a second pass or in another way"
        return Seen(doubtful, notes=tuple(notes), missing=(says,))
    if moved is not Word.CLEAN and filled_before(case.submission.timeline):
        says = f"{counted}; whether an earlier pass is in these scores, the run could not tell"
        return Seen(doubtful, notes=tuple(notes), missing=(says,))
    also = [o.says for o in shared if o.word is Word.CLEAN]
    return Seen(doubtful, "" if doubtful else "; ".join([counted, *also]), tuple(notes))


def _second_pass(case: Case, observation: Observation, result: Result) -> Seen:
    """P01: what the first pass saw, later tokens included, is in the scores of the second."""
    evidence = tuple(e for o in influenced(observation) for e in evidence_of(case, o))
    says = "scores depend on tokens that a pass before had already processed"
    if result.rescored:
        says = (
            f"the claimed number takes a second score of {share(result, result.rescored)}, and it depends on "
            "tokens that the first pass had only processed after them"
        )
    return Seen((Violation(says, (*evidence, *_counted(case, observation, result, says))),))


def _counted(case: Case, observation: Observation, result: Result, says: str) -> tuple[Evidence, ...]:
    report = observation.timeline.by_id[result.event]
    return (
        Evidence(Kind.TRACE, f"{result.rows:,} scores over {result.targets:,} targets"),
        Evidence(Kind.TRACE, "printed here", quoted(case, report.where)),
    )


def from_scores(case: Case, observation: Observation, rule: str) -> Seen:
    """P03: an attested number is computed from scores."""
    result = observation.result
    assert result is not None
    return Seen(clean=f"the mean of {result.rows:,} losses gives the printed number, to its digits")


def unattested(case: Case, observation: Observation, why: str) -> Seen:
    """P03: a number that no scores of the run give again is a doubt, where the run was to print it."""
    result = observation.result
    if observation.ending != "ok" or result is None:
        return Seen(missing=(why,))
    printed = quoted(case, observation.timeline.by_id[result.event].where)
    return Seen((Violation(why, (Evidence(Kind.TRACE, "printed here", printed),), sure=False),))
