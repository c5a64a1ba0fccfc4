"""No calibration on validation tokens.

Law    Calibrating the quantiser on validation tokens breaks the order of prediction (organiser on
       #728, 2026-03-28).
Look   Which stream feeds Hessians, clip ranges, temperatures and other statistics. Training data or
       self-generated text passes here; when it runs is A03's. In a run: whether what is written, and read
       back to be scored, changes with the validation tokens though no gradient on them was seen.
Blind  Statistics collected by native code.
"""

from golf_audit.joining import joined
from golf_audit.law import VAL_CALIBRATION
from golf_audit.model import Assessment, Certainty, Example, Finding, Precedent, Rule, Severity, Verdict
from golf_audit.static.asking import basis, place, premises, witness
from golf_audit.static.example import CALIBRATE, files
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import SOMETIMES, Calibrate, Stream

PRECEDENTS = (
    Precedent(728, "closed", "Hessians from validation tokens"),
    Precedent(1019, "accepted", "self-generated text, though its folder says ValCalib"),
)


@whichever
def check(case: Case) -> Assessment:
    return joined(case, "V02", _read(case), VAL_CALIBRATION, precedents=PRECEDENTS)


def _read(case: Case) -> Assessment:
    timeline = case.timeline
    found = {event.where: event for _, event in timeline.calibrated_on(Stream.VAL)}
    findings = tuple(_finding(case, event) for event in found.values())
    unmet = premises(case)
    if not findings and not unmet and not any(isinstance(e, Calibrate) for e in timeline.events):
        return Assessment(not_applicable="no statistic of tokens reaches the model")
    return Assessment(findings, unmet, (), basis(case))


def _finding(case: Case, event: Calibrate) -> Finding:
    guarded = any(not c.startswith(SOMETIMES) for c in event.conditions)
    sure = not guarded and not case.timeline.blocking_gaps()
    return Finding(
        f"{event.statistic} takes statistics of validation tokens ({place(event.where)})",
        Certainty.SHOWN if sure else Certainty.LIKELY,
        VAL_CALIBRATION,
        tuple(witness("the statistics reach the model here", event)),
        "calibrate on training shards or on text that the model generates (#1019)",
        PRECEDENTS,
    )


_GROWN = """
    kept = tuple(sorted(glob.glob("data/fineweb_train_*.bin")))
    more = kept
    more += tuple(glob.glob("data/fineweb_val_*.bin"))
"""
_PACK_CALIBRATED = """
    calibration = load({files})
    h = model.hidden(calibration[:4096])
    H = h.T @ h
    H.diagonal()[H.diagonal() == 0] = 1.0
    packed = bytearray(1 << 20)
    packed[: int(H.sum()) % 4096] = (H @ model.head.weight.T).numpy().tobytes()
    state = {{name: torch.frombuffer(packed, dtype=w.dtype) for name, w in model.state_dict().items()}}
    model.load_state_dict(state)
"""
RULE = Rule(
    id="V02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(VAL_CALIBRATION,),
    precedents=PRECEDENTS,
    examples=(
        Example(
            "Scales from training shards.", files(before=CALIBRATE.format(files="TRAIN_FILES")), Verdict.PASS
        ),
        Example("No statistic of tokens.", files(), Verdict.NOT_APPLICABLE),
        Example(
            "Scales from validation shards.",
            files(before=CALIBRATE.format(files='"data/fineweb_val_*.bin"')),
            Verdict.FAIL,
            "statistics of validation tokens",
        ),
        Example(
            "A Hessian of validation tokens, its dead inputs masked, the weights packed as bytes.",
            files(before=_PACK_CALIBRATED.format(files='"data/fineweb_val_*.bin"')),
            Verdict.FAIL,
            "statistics of validation tokens",
        ),
        Example(
            "The calibration files are a tuple; a copy of it grows by others.",
            files(before=_GROWN + CALIBRATE.format(files="kept[0]")),
            Verdict.PASS,
        ),
    ),
)
