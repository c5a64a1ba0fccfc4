"""Evaluation takes at most 600 s.

Law    No submissions that take more than 10 minutes on 8xH100 to evaluate (README, 2026-03-18).
       Adaptation on validation tokens before the scored pass counts as evaluation (organiser on #1972).
Look   The time of the evaluation that gave the claimed number in each claimed log, and adaptation on
       validation tokens that was finished before it. Over 600 s: fail. The sum of the passes after
       quantisation, or work outside the timer, over 600 s: a ruling is needed. Reruns of a ledger on 8xH100
       fill in what the claimed logs do not time; one over 600 s asks for a ruling.
Blind  Evaluation that the log does not time. Diagnostics before quantisation do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from golf_audit import specimen
from golf_audit.law import EVAL_INCLUDES_ADAPTATION, EVAL_TIME, EVAL_TOTAL, disputed
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
from golf_audit.reruns import logs_measured
from golf_audit.submission import Case
from golf_audit.text import lines
from golf_audit.trainlog import EvalTime, Final, PhaseTime, Run

LIMIT_S = 600.0
_REAL = re.compile(r"real\s{1,8}(\d{1,6}\.\d{1,3})\s{0,8}$")
PRECEDENTS = (
    Precedent(1972, "closed", "115 s + 523 s of adaptation before quantisation"),
    Precedent(2135, "accepted", "hint computation inside the timer"),
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
    reran, over = _measured(case)
    findings += over
    if reran and not over:
        unmet = []  # what the claimed logs do not tell was measured
    if not timed:
        return Assessment(tuple(findings), tuple(unmet), basis=reran)
    longest = max(timed, key=lambda pair: pair[0])
    return Assessment(tuple(findings), tuple(unmet), basis=(longest[1], *reran))


def _measured(case: Case) -> tuple[tuple[Evidence, ...], list[Finding]]:
    """The claimed evaluation in reruns on the rule's hardware: what was measured, and what took too long.

    Machines of one kind differ in speed, so that a rerun over the limit asks for a ruling."""
    said: list[Evidence] = []
    over: list[Finding] = []
    for rerun, run, final in logs_measured(case):
        time = run.seconds_of(final)
        if time is None:
            continue
        says = (
            f"rerun of seed {rerun.seed}: {time.tag} took {time.seconds:.1f} s (ledger entry {rerun.entry})"
        )
        said.append(Evidence(Kind.RUN, says))
        for found in _judge(case, run, final, time):
            message = f"rerun, ledger entry {rerun.entry}: {found.message}"
            over.append(replace(found, message=message, law=disputed(found.law)))
    return tuple(said), over


def _judge(case: Case, run: Run, final: Final, time: EvalTime | None) -> Iterator[Finding]:
    """At most one finding per claimed run: the evaluation itself, then adaptation before it, then the sum."""
    own = time.seconds if time is not None else 0.0
    measured = (
        f"{own:.1f} s for the claimed number" if time is not None else "the claimed number is not timed"
    )
    itself = tuple(_evidence(run, fact) for fact in ([time] if time is not None else []))
    adapted, late = _adaptation(run, final, own)
    spent = own + sum(phase.seconds for phase in adapted)
    parts: list[EvalTime | PhaseTime] = [*_chain(run, final), *late]
    parts += [*run.of_kind("precompute"), *_process_time(case, run, final)]
    total = sum(part.seconds for part in parts)
    if own > LIMIT_S:
        message = f"{name_of(run)}: the claimed evaluation took {own:.1f} s"
        yield _finding(message, on_record(EVAL_TIME, case), itself)
    elif spent > LIMIT_S:
        facts = (*itself, *(_evidence(run, phase) for phase in adapted))
        message = f"{name_of(run)}: {spent - own:.1f} s of adaptation on validation tokens, {measured}"
        yield _finding(message, on_record(EVAL_INCLUDES_ADAPTATION, case), facts)
    elif total > LIMIT_S:
        message = f"{name_of(run)}: {total:.1f} s of evaluation together, {measured}"
        yield _finding(message, EVAL_TOTAL, tuple(_evidence(run, part) for part in parts))


def _finding(message: str, law: Cite, evidence: tuple[Evidence, ...]) -> Finding:
    return Finding(
        message, Certainty.SHOWN, law, evidence, "evaluate within 600 s, everything included", PRECEDENTS
    )


def _evidence(run: Run, time: EvalTime | PhaseTime) -> Evidence:
    what = time.tag if isinstance(time, EvalTime) else time.name
    return Evidence(Kind.LOG, f"{name_of(run)}: {what} took {time.seconds:.1f} s", time.where(run.file))


def _adaptation(run: Run, final: Final, own: float) -> tuple[list[PhaseTime], list[PhaseTime]]:
    """Adaptation that the evaluation's own time does not hold, each once: before the artifact was written,
    and after it but longer than the whole evaluation."""
    before: list[PhaseTime] = []
    after: list[PhaseTime] = []
    for phase in run.adaptation:
        if phase.line > final.line or phase.data == "train":
            continue
        if any(abs(phase.seconds - other.seconds) < 0.1 for other in (*before, *after)):
            continue  # one phase told by its loop and by its caller
        if any(phase.line < size.line < final.line for size in run.sizes):
            before.append(phase)
        elif phase.seconds > own:
            after.append(phase)
    return before, after


def _chain(run: Run, final: Final) -> list[EvalTime]:
    """The timed evaluations of the quantised model, up to the one that gave the number; each once."""
    results = {f.line: f for f in run.finals}
    written = min((size.line for size in run.sizes), default=run.first_line)
    found: list[EvalTime] = []
    for time in run.evals:
        result = results.get(time.line)
        if not written < time.line <= final.line or (result is not None and result.stage == "pre"):
            continue
        if not any(_same(time, other, results) for other in found):
            found.append(time)
    return found


def _same(one: EvalTime, other: EvalTime, results: Mapping[int, Final]) -> bool:
    """True when two lines time one evaluation: the same score, or the same seconds where one has no score."""
    first, second = results.get(one.line), results.get(other.line)
    if first is not None and second is not None:
        return abs(first.bpb - second.bpb) < 1e-4
    return abs(one.seconds - other.seconds) <= 0.005 * other.seconds


def _process_time(case: Case, run: Run, final: Final) -> list[PhaseTime]:
    """The wall time of a process (`time -p`) that did nothing but evaluate, less what is timed."""
    file = case.submission.tree.get(run.file)
    if run.trained or file is None or file.text is None:
        return []
    timed = sum(time.seconds for time in _chain(run, final))
    return [
        PhaseTime(
            "precompute", "work of the process outside the timer", float(match[1]) - timed, number, line
        )
        for number, line in lines(file.text.text)
        if run.first_line <= number and (match := _REAL.match(line)) and float(match[1]) > timed
    ]


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
            "Adaptation told twice, 180 s before the artifact, is counted once.",
            specimen.folder(specimen.log(after_stop=("ttt_adamw:done elapsed=180.0s", "ttt:elapsed=180.0s"))),
            Verdict.PASS,
            "412.0 s",
        ),
        Example(
            "One evaluation told by its loop and by its result is one evaluation.",
            specimen.folder(
                specimen.log(extra=("ttt_sliding:done val_loss=2.790006 val_bpb=1.080100 elapsed=411.7s",))
            ),
            Verdict.PASS,
            "412.0 s",
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
