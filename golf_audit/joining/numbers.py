"""What a trace says about numbers: bytes (B01, B02), distributions (Q01), the two forward passes (M03)."""

from __future__ import annotations

from dataclasses import replace

from golf_audit.joining.seen import Seen, by_outcomes, influence
from golf_audit.observation import Observation, Word
from golf_audit.static.tables import mixed_in
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Stream

_TABLES = (".npz", ".npy", ".model", ".vocab", "tokenizer.json")


def bytes_counted(case: Case, observation: Observation, rule: str) -> Seen:
    """B01: the miniature uses its own tokenizer, so a folder with a table of its own is not judged by it."""
    own = [f.path for f in case.submission.tree.files.values() if f.path.endswith(_TABLES)]
    found = by_outcomes(case, observation, rule)
    if own:
        says = f"the folder has {own[0]} of its own, which the miniature does not use"
        return Seen(notes=found.notes, missing=(says,))
    unsure = tuple(replace(v, sure=False) for v in found.violations)  # a constant of real text is no fault
    return replace(found, violations=unsure)


def bytes_logged(case: Case, observation: Observation, rule: str) -> Seen:
    """B02 is about the claimed logs: a run of other text is told beside them and settles nothing."""
    found = by_outcomes(case, observation, rule)
    return Seen(notes=found.notes)


def normalised(case: Case, observation: Observation, rule: str) -> Seen:
    """Q01: candidates that were scored again speak where no whole distribution was in sight."""
    found = by_outcomes(case, observation, rule)
    said = {o.word for o in observation.about(rule) if o.probe == "candidates"}
    if Word.CLEAN not in said and Word.VIOLATION not in said:
        return found
    timeline = case.submission.timeline
    if Word.CLEAN in said and any(mixed_in(timeline, score) for score in timeline.scores()):
        return Seen(notes=found.notes)  # what is mixed in needs a ruling though it sums to one
    told = [o for o in observation.about(rule) if o.probe != "normalisation" or o.word is not Word.VOID]
    found = by_outcomes(case, observation, rule, outcomes=tuple(told))
    if influence(observation) is not Word.VIOLATION or any(o.probe == "normalisation" for o in told):
        return found
    doubt = "scores know later tokens too, and a table that holds the target gives such a sum by itself"
    unsure = (replace(v, says=f"{v.says}; {doubt}", sure=False) for v in found.violations)
    return replace(found, violations=tuple(unsure))


def forwards(case: Case, observation: Observation, rule: str) -> Seen:
    """M03: no finding of it is more than a doubt, since no law is broken by it."""
    found = by_outcomes(case, observation, rule)
    return replace(found, violations=tuple(replace(v, sure=False) for v in found.violations))


def adapts(observation: Observation) -> bool:
    """True when the run learned from validation tokens at any time."""
    events = observation.timeline.events
    return any(isinstance(e, Adapt) and e.region.stream is Stream.VAL for e in events)
