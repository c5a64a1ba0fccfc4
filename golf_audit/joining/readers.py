"""Which question of which rule a trace answers, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from golf_audit.joining.data import (
    borders,
    calibrated,
    learned_in_training,
    order_of_documents,
    reached,
    unpaid_training_data,
)
from golf_audit.joining.numbers import bytes_counted, bytes_logged, forwards, normalised
from golf_audit.joining.order import future, order, warm_up
from golf_audit.joining.passes import from_scores, passes, unattested
from golf_audit.joining.seen import Seen, by_outcomes, evidence_of, silent
from golf_audit.model import Evidence, Kind
from golf_audit.observation import Observation
from golf_audit.submission import Case

READERS: Mapping[str, Callable[[Case, Observation, str], Seen]] = {
    "T01": order,
    "T02": order,
    "Q03": order,
    "P01": passes,
    "P03": from_scores,
    "M01": future,
    "Q02": future,
    "V05": warm_up,
    "V01": learned_in_training,
    "V02": calibrated,
    "V03": unpaid_training_data,
    "M02": borders,
    "V06": order_of_documents,
    "B01": bytes_counted,
    "B02": bytes_logged,
    "Q01": normalised,
    "M03": forwards,
    "N01": reached,
}
"""Other rules take the words of the probes as they are."""
DEFAULTS = "defaults"
"""The probe of this name runs the script as nobody claims it was run: a note, whatever it shows."""
_SHOWN = 4


def seen(case: Case, rule: str) -> Seen:
    """The run's word on one rule. The case holds an observation."""
    observation = case.observation
    assert observation is not None
    why = silent(observation)
    if why:
        return unattested(case, observation, why) if rule == "P03" else Seen(missing=(why,))
    found = READERS.get(rule, by_outcomes)(case, observation, rule)
    return replace(found, notes=(*found.notes, *_beside(case, observation, rule)))


def _beside(case: Case, observation: Observation, rule: str) -> Iterator[Evidence]:
    """What decides nothing and must be known all the same; told once, with the first rule of order."""
    yield from (evidence_of(case, o)[0] for o in observation.about(rule) if o.probe == DEFAULTS)
    if rule != "T01":
        return
    if observation.not_produced:
        more = len(observation.not_produced) - _SHOWN
        names = ", ".join(observation.not_produced[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield Evidence(Kind.TRACE, f"of the log's results the run in miniature never printed {names}")
    if not observation.sandboxed:
        says = "the run was made without a sandbox: the script could alter whatever its user may"
        yield Evidence(Kind.TRACE, says)
