"""No training data is read after the artifact is written.

Law    No access to training data during evaluation unless those bits are paid for inside the
       artifact (README, restrictions on evaluation, since 2026-03-18).
Look   What was learned, counted or calibrated on training tokens behind the reported score, and whether
       a file that the program writes holds it. What is not in any file and comes after the weights were
       written, or reaches the score as a table, was never paid for. Tables inside the written files
       pass, and so do Hessians that are collected before the quantised weights are written. A run exchanges
       the training shards once the artifact was read back; tokens kept in memory escape it.
Blind  Training data copied elsewhere under another name before the artifact is written; whether the file
       that holds a table is one of the counted ones.
"""

from golf_audit.joining import joined
from golf_audit.law import TRAIN_AT_EVAL
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Unmet,
    Verdict,
)
from golf_audit.static.asking import basis, conditions_of, place, premises, witness
from golf_audit.static.example import CALIBRATE, PREFILLED, STEP_ON_TRAIN, files
from golf_audit.static.unpaid import unpaid
from golf_audit.submission import Case
from golf_audit.timeline import SOMETIMES, Adapt, Calibrate, Save

PRECEDENTS = (
    Precedent(883, "closed", "a table of n-grams is filled from training shards when evaluation starts"),
    Precedent(925, "closed", "the same"),
    Precedent(962, "closed", "its table was packed into the artifact: closed for the mixture (Q01) alone"),
    Precedent(1060, "accepted", "Hessians from training data before the weights are written"),
)


def check(case: Case) -> Assessment:
    return joined(case, "V03", _read(case), TRAIN_AT_EVAL, precedents=PRECEDENTS)


def _read(case: Case) -> Assessment:
    timeline = case.timeline
    saves = [e for e in timeline.events if isinstance(e, Save)]
    found = {event.where: event for event in reversed(unpaid(timeline))}
    findings = tuple(_finding(case, event) for event in found.values())
    unmet = premises(case)
    if not saves:
        missing = "no file that holds the weights was seen to be written"
        unmet = (*unmet, Unmet(missing, "golf-audit trace FOLDER"))
    rests = tuple(
        Evidence(Kind.SOURCE, "the weights are written here, and no training token is used after it", e.where)
        for e in saves[-1:]
    )
    return Assessment(findings, unmet, (), (*rests, *basis(case)) if rests else ())


def _finding(case: Case, event: Adapt | Calibrate) -> Finding:
    guarded = any(not c.startswith(SOMETIMES) for c in event.conditions)
    sure = not guarded and not case.timeline.blocking_gaps()
    what = event.parameters if isinstance(event, Adapt) else event.statistic
    does = "is filled with" if isinstance(event, Adapt) and event.kind == "table" else "changes by"
    return Finding(
        f"{what} {does} training tokens ({place(event.where)}), the reported score depends on it, "
        "and no file that is written holds it",
        Certainty.SHOWN if sure else Certainty.LIKELY,
        TRAIN_AT_EVAL,
        (*witness("training tokens are used here", event), *conditions_of(case, event)),
        "make the table or the statistic before the artifact is written, and read it back from there",
        PRECEDENTS,
    )


RULE = Rule(
    id="V03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(TRAIN_AT_EVAL,),
    precedents=PRECEDENTS,
    examples=(
        Example("Training, then the weights are written.", files(), Verdict.PASS, "written here"),
        Example(
            "Scales from training shards, before the weights are written.",
            files(before=CALIBRATE.format(files="TRAIN_FILES")),
            Verdict.PASS,
        ),
        Example(
            "A step on training tokens after the weights are read back.",
            files(STEP_ON_TRAIN),
            Verdict.FAIL,
            "no file that is written holds it",
        ),
        Example(
            "A table is filled from training shards and mixed in.",
            files(PREFILLED),
            Verdict.FAIL,
            "is filled with training tokens",
        ),
        Example(
            "The same table, written with the weights and read back.",
            files(
                PREFILLED.replace(
                    "table = filled()", 'table = torch.load("model.pt", weights_only=False)["table"]'
                ),
                **{
                    "torch.save(model.state_dict(),": 'torch.save({**model.state_dict(), "table": filled()},',
                },
            ),
            Verdict.PASS,
        ),
    ),
)
