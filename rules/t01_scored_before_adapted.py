"""Validation tokens are scored before anything that outlives the scoring call adapts on them.

Law    Test-time training is allowed only on validation tokens that have already been evaluated
       (README, restrictions on evaluation, since 2026-03-20). An organiser applied it to adaptation
       before quantisation as well (#1972, 2026-05-02).
Look   Follow the events behind the reported number: for each score, no parameter, adapter, cache or
       bias that it depends on may have changed as a function of the tokens it scores. Several
       epochs over a chunk that is already scored are legal (#549). Targets that count 0 bytes (the
       next document's BOS) are exempt and noted.
Blind  State that is kept outside the process; native code that the static reading cannot enter.
"""

from golf_audit.joining import joined
from golf_audit.law import SCORE_FIRST
from golf_audit.model import Assessment, Evidence, Example, Finding, Kind, Precedent, Rule, Severity, Verdict
from golf_audit.static.asking import basis, certainty, conditions_of, dormant, place, premises, witness
from golf_audit.static.example import (
    POLISH,
    SCORED_THEN_TRAINED,
    STEP_BEFORE_SUM,
    SWITCH_ON,
    SWITCHED_POLISH,
    TOLD_POLISH,
    TRAIN_FIRST,
    claiming,
    files,
    told,
)
from golf_audit.static.leaks import Kind as Leaking
from golf_audit.static.leaks import Leak, leaks
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Score

PRECEDENTS = (
    Precedent(1376, "closed", "adapted on the validation stream before quantisation"),
    Precedent(1972, "closed", "the same, told to be score after adapt"),
    Precedent(549, "accepted", "three epochs on each chunk, after it was scored"),
    Precedent(1413, "accepted"),
)

TO_CHANGE = "score each chunk, add it to the sums, and only then train on it (#549, #1413)"


@whichever
def check(case: Case) -> Assessment:
    found = leaks(case.timeline)
    findings = tuple(_finding(case, leak) for leak in found if leak.kind is Leaking.BEFORE)
    others = {leak.kind.value for leak in found if leak.kind is not Leaking.BEFORE}
    elsewhere = tuple(
        Evidence(Kind.COMPUTED, f"adaptation and scores meet in another way: see {rule}")
        for rule in sorted(others)
    )
    notes = (*elsewhere, *dormant(case, "T01", _learns))
    read = Assessment(findings, premises(case), notes, basis(case))
    return joined(case, "T01", read, SCORE_FIRST, TO_CHANGE, PRECEDENTS)


def _learns(score: Score, adapt: Adapt) -> str:
    return (
        f"{adapt.parameters} learns from validation tokens ({place(adapt.where)}) before they are scored "
        f"({place(score.where)})"
    )


def _finding(case: Case, leak: Leak) -> Finding:
    score, adapt = leak.score, leak.adapt
    report = case.timeline.reported
    evidence = [
        *witness(f"{adapt.parameters} changes by validation tokens", adapt),
        *conditions_of(case, adapt),
        *witness("these tokens are scored afterwards", score),
    ]
    if report is not None:
        evidence.append(Evidence(Kind.SOURCE, "the claimed number is printed", report.where))
    return Finding(
        f"{_learns(score, adapt)} for the claimed number",
        certainty(case.timeline, score, adapt, leak.overlap),
        SCORE_FIRST,
        tuple(evidence),
        TO_CHANGE,
        PRECEDENTS,
    )


RULE = Rule(
    id="T01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(SCORE_FIRST,),
    precedents=PRECEDENTS,
    examples=(
        Example("A fixed model is scored.", files(), Verdict.PASS, "scored here"),
        Example(
            "Each chunk is scored, then trained on for three epochs.",
            files(SCORED_THEN_TRAINED),
            Verdict.PASS,
            "adapts",
        ),
        Example(
            "A step before the addition of a loss that was computed earlier.",
            files(STEP_BEFORE_SUM),
            Verdict.PASS,
        ),
        Example(
            "Adaptation behind a switch that is off: a note names the switch.",
            files(before=SWITCHED_POLISH),
            Verdict.PASS,
            "EXTRA_ENABLED=0 in this run: turned on, GPT learns from validation tokens",
        ),
        Example(
            "The README's command turns it on.",
            files(before=SWITCHED_POLISH, readme=SWITCH_ON),
            Verdict.FAIL,
            "learns from",
        ),
        Example(
            "One epoch on the validation stream before saving.",
            files(before=POLISH),
            Verdict.FAIL,
            "learns from",
        ),
        Example(
            "Each chunk is trained on, then scored.",
            files(TRAIN_FIRST),
            Verdict.FAIL,
            "before they are scored",
        ),
        Example(
            "The log's result is not what is claimed: what it rests on is told, and is not shown.",
            claiming(files(TRAIN_FIRST), 1.0203),
            Verdict.UNDETERMINED,
            "learns from",
        ),
        Example(
            "A branch that is on by default, and the log shows it.",
            told(
                files(before=TOLD_POLISH, **{'"EXTRA_ENABLED", "0"': '"EXTRA_ENABLED", "1"'}),
                "artifact: about to be written",
                "polish: starts on the stream",
            ),
            Verdict.FAIL,
            "learns from",
        ),
        Example(
            "The same, and the log holds what stands beside the branch but nothing of what it prints.",
            told(
                files(before=TOLD_POLISH, **{'"EXTRA_ENABLED", "0"': '"EXTRA_ENABLED", "1"'}),
                "artifact: about to be written",
            ),
            Verdict.UNDETERMINED,
            "learns from",
        ),
        Example(
            "A log with a result that the script cannot have written.",
            told(files(), "ema:diagnostic val_loss:4.21370000 val_bpb:2.52740000 eval_time:8624ms"),
            Verdict.UNDETERMINED,
            "which script ran?",
        ),
    ),
)
