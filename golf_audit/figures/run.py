"""A run in miniature for a picture: the losses of the claimed number along the stream, and the probes."""

from __future__ import annotations

from golf_audit.figures.model import Probe, Run
from golf_audit.observation import Observation


def run(seen: Observation) -> Run:
    """What the trace shows of the claimed number."""
    result = seen.result
    curve = result.curve if result is not None else None
    return Run(
        ending=seen.ending,
        reason=seen.reason,
        sandboxed=seen.sandboxed,
        device=seen.device,
        probes=seen.probes,
        attested=result is not None and result.attested,
        text=result.text if result is not None else "",
        block=curve.block if curve is not None else 0,
        losses=curve.means if curve is not None else (),
        late=result.late if result is not None else (),
        words=tuple(
            Probe(outcome.probe, outcome.word.value, outcome.says, outcome.rules, outcome.figures)
            for outcome in seen.outcomes
            if seen.concerns(outcome)
        ),
    )
