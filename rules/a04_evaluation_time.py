"""Evaluation takes at most 600 s.

Law    No submissions that take more than 10 minutes on 8xH100 to evaluate (README, 2026-03-18).
       Adaptation on validation tokens before the scored pass counts as evaluation (organiser on #1972).
Look   The time of the evaluation that gave the claimed number in each claimed log, and adaptation on
       validation tokens that was finished before it. Over 600 s: fail. The sum of the passes after
       quantisation, or work outside the timer, over 600 s: a ruling is needed.
Blind  Evaluation that the log does not time. Diagnostics before quantisation do not count.
"""

from __future__ import annotations

from collections.abc import Iterator

from golf_audit import specimen
from golf_audit.law import EVAL_INCLUDES_ADAPTATION, EVAL_TIME, EVAL_TOTAL
from golf_audit.model import (
    Assessment,
    Certainty,
    Cite,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Track,
    Unmet,
    Verdict,
)
from golf_audit.premises import logs_of_the_claim, name_of, on_record
from golf_audit.submission import Case
from golf_audit.trainlog import EvalTime, Final, PhaseTime, Run

LIMIT_S = 600.0
PRECEDENTS = (
    Precedent(1972, "closed", "115 s + 523 s of adaptation before quantisation"),
    Precedent(2041, "accepted practice", "hint computation inside the timer"),
    Precedent(1967, "contested", "about 150 s outside the timer"),
)


def check(case: Case) -> Assessment:
    findings: list[Finding] = []
    unmet = list(logs_of_the_claim(case))
    timed: list[tuple[float, Evidence]] = []
    for line in case.submission.support.lines:
        time = line.run.seconds_of(line.final)
        if time is None:
            unmet.append(Unmet(f"{name_of(line.run)}: the claimed evaluation is not timed", "log eval_time"))
        else:
            timed.append((time.seconds, _evidence(line.run, time)))
        findings += _judge(case, line.run, line.final, time)
    if not timed:
        return Assessment(tuple(findings), tuple(unmet))
    longest = max(timed, key=lambda pair: pair[0])
    return Assessment(tuple(findings), tuple(unmet), basis=(longest[1],))


def _judge(case: Case, run: Run, final: Final, time: EvalTime | None) -> Iterator[Finding]:
    """At most one finding per claimed run: the evaluation itself, then adaptation before it, then the sum."""
    own = time.seconds if time is not None else 0.0
    adapted = [phase for phase in run.adaptation if _before_the_artifact(run, phase, final)]
    spent = own + sum(phase.seconds for phase in adapted)
    chain = _chain(run, final)
    total = max(sum(t.seconds for t in chain), run.total_eval.seconds if run.total_eval is not None else 0.0)
    total += sum(phase.seconds for phase in run.of_kind("precompute"))
    facts = tuple(_evidence(run, fact) for fact in ([time] if time is not None else []))
    if time is not None and own > LIMIT_S:
        yield _finding(
            f"{name_of(run)}: the claimed evaluation took {own:.1f} s", on_record(EVAL_TIME, case), facts
        )
    elif spent > LIMIT_S and adapted:
        facts += tuple(_evidence(run, phase) for phase in adapted)
        before = f"{spent - own:.1f} s of adaptation on validation tokens"
        message = f"{name_of(run)}: {own:.1f} s of evaluation and {before}"
        yield _finding(message, on_record(EVAL_INCLUDES_ADAPTATION, case), facts)
    elif total > LIMIT_S:
        parts: list[EvalTime | PhaseTime] = [
            *chain,
            *run.of_kind("precompute"),
            *([run.total_eval] if run.total_eval is not None else []),
        ]
        facts = tuple(_evidence(run, part) for part in parts)
        message = f"{name_of(run)}: {total:.1f} s of evaluation together, {own:.1f} s for the claimed number"
        yield _finding(message, EVAL_TOTAL, facts)


def _finding(message: str, law: Cite, evidence: tuple[Evidence, ...]) -> Finding:
    return Finding(
        message, Certainty.SHOWN, law, evidence, "evaluate within 600 s, everything included", PRECEDENTS
    )


def _evidence(run: Run, time: EvalTime | PhaseTime) -> Evidence:
    what = time.tag if isinstance(time, EvalTime) else time.name
    return Evidence(Kind.LOG, f"{name_of(run)}: {what} took {time.seconds:.1f} s", time.where(run.file))


def _before_the_artifact(run: Run, phase: PhaseTime, final: Final) -> bool:
    """True for adaptation that ended before the artifact was written; later the evaluation times it."""
    return any(phase.line < size.line < final.line for size in run.sizes)


def _chain(run: Run, final: Final) -> list[EvalTime]:
    """The timed evaluations of the quantised model, up to the one that gave the number."""
    before = {f.line for f in run.finals if f.stage == "pre"}
    written = min((size.line for size in run.sizes), default=run.first_line)
    return [t for t in run.evals if written < t.line <= final.line and t.line not in before]


_ADAPTED = ("prequant_ttt:start epochs=21", "prequant_ttt:done total_time=523.6s")
RULE = Rule(
    id="A04",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="L",
    check=check,
    cites=(EVAL_TIME, EVAL_INCLUDES_ADAPTATION, EVAL_TOTAL),
    precedents=PRECEDENTS,
    tracks=(Track.RECORD, Track.UNKNOWN),
    examples=(
        Example("412 s for the claimed number.", specimen.folder(specimen.log()), Verdict.PASS, "412.0 s"),
        Example(
            "A long diagnostic before quantisation does not count.",
            specimen.folder(
                specimen.log(
                    after_stop=("pre-quantization post-ema val_loss:2.80 val_bpb:1.0839 eval_time:700000ms",)
                )
            ),
            Verdict.PASS,
            "412.0 s",
        ),
        Example("617 s is over.", specimen.folder(specimen.log(eval_ms=617_000)), Verdict.FAIL, "617.0 s"),
        Example(
            "Adaptation on validation tokens before the artifact is evaluation time.",
            specimen.folder(specimen.log(eval_ms=115_000, after_stop=_ADAPTED)),
            Verdict.FAIL,
            "523.6 s of adaptation",
        ),
        Example(
            "Two passes of 310 s each.",
            specimen.folder(specimen.log(quantized_ms=310_000, eval_ms=311_000)),
            Verdict.NEEDS_RULING,
            "621.0 s of evaluation together",
        ),
        Example("No log, no time.", specimen.folder(), Verdict.UNDETERMINED, "no training log"),
        Example(
            "Off the record track the limit does not bind.",
            specimen.folder(specimen.log(eval_ms=3_000_000)),
            Verdict.NOT_APPLICABLE,
            track=Track.NON_RECORD,
        ),
    ),
)
