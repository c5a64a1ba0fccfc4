"""Training takes at most 600 s.

Law    Records run reproducibly in under 10 minutes on 8xH100 (README). The baseline's own clock runs one
       step over, so a second is tolerated. Calibration after the stop is disputed: refused on training
       data after 600 s (#593, #606), accepted with 12.7 s (#1493) and with 196 s of generated text (#1019).
Look   The training loop's time in each claimed log, and the calibration printed after its stop. Over
       601 s: fail. Stop plus calibration over 600 s: a ruling is needed. Reruns of a ledger on 8xH100 fill
       in what the claimed logs do not time; one over 601 s asks for a ruling.
Blind  Work that the log does not time: warm-up and compilation are outside the baseline's clock too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from golf_audit import specimen
from golf_audit.law import CALIBRATION_GENERATED, CALIBRATION_TRAIN_DATA, TRAIN_TIME, disputed
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
    Track,
    Unmet,
    Verdict,
    Where,
)
from golf_audit.premises import logs_of_the_claim, name_of, on_record, training_runs, without_training
from golf_audit.reruns import logs_measured
from golf_audit.submission import Case
from golf_audit.text import lines
from golf_audit.trainlog import Run

LIMIT_S = 600.0
TOLERATED_S = 601.0
PRECEDENTS = (
    Precedent(1493, "accepted", "588.1 s + 12.7 s of Hessians"),
    Precedent(1019, "accepted", "600 s + 196 s on self-generated text"),
    Precedent(593, "closed", "training data after 600 s"),
    Precedent(606, "closed", "training data after 600 s"),
)
_CALIBRATION = re.compile(r"calibrat|hessian", re.IGNORECASE)


def check(case: Case) -> Assessment:
    findings: list[Finding] = []
    notes: list[Evidence] = []
    timed: list[tuple[float, Run]] = []
    unmet = [*logs_of_the_claim(case), *without_training(case)]
    for run in training_runs(case):
        time = run.train_seconds
        if time is None:
            unmet.append(Unmet(f"{run.file} prints no training time", "log train_time"))
            continue
        timed.append((time.value, run))
        slack = run.steps.precision if run.stop is None and run.steps is not None else 0.0
        evidence = Evidence(
            Kind.LOG, f"{name_of(run)}: training took {time.value:.3f} s", time.where(run.file)
        )
        if time.value - slack > TOLERATED_S:
            message = f"{name_of(run)}: training took {time.value:.1f} s"
            change = "stop the training loop at 600 s"
            findings.append(
                Finding(message, Certainty.SHOWN, on_record(TRAIN_TIME, case), (evidence,), change)
            )
        elif time.value + slack > TOLERATED_S:
            unmet.append(Unmet(f"{name_of(run)}: {time.value:.0f} s is printed to {2 * slack:.0f} s only"))
        elif time.value > LIMIT_S:
            notes.append(replace(evidence, says=f"{evidence.says}, within the second that is tolerated"))
        findings += _calibration(case, run, time.value, evidence)
        unmet += _untimed(case, run, time.value)
    reran, over = _measured(case)
    findings += over
    if reran and not over:
        unmet = []  # what the claimed logs do not tell was measured
    if not timed:
        return Assessment(tuple(findings), tuple(unmet), basis=reran)
    longest, run = max(timed, key=lambda pair: pair[0])
    basis = Evidence(
        Kind.LOG, f"{longest:.1f} s of training, longest of {len(timed)} ({name_of(run)})", Where(run.file)
    )
    return Assessment(tuple(findings), tuple(unmet), tuple(notes), (basis, *reran))


def _measured(case: Case) -> tuple[tuple[Evidence, ...], list[Finding]]:
    """The training loop in reruns on the rule's hardware: what was measured, and what took too long.

    Machines of one kind differ in speed, so that a rerun over the limit asks for a ruling."""
    said: list[Evidence] = []
    over: list[Finding] = []
    for rerun, run, _ in logs_measured(case):
        time = run.train_seconds
        if time is None:
            continue
        says = f"rerun of seed {rerun.seed}: training took {time.value:.1f} s (ledger entry {rerun.entry})"
        said.append(Evidence(Kind.RUN, says))
        if time.value > TOLERATED_S:
            change = "stop the training loop at 600 s"
            over.append(Finding(says, Certainty.SHOWN, disputed(TRAIN_TIME), (said[-1],), change))
    return tuple(said), over


def _calibration(case: Case, run: Run, trained: float, stop: Evidence) -> Iterator[Finding]:
    """Calibration after the stop that leads beyond 600 s; its length may not be printed."""
    after = [phase for phase in run.calibration if run.stop is None or phase.line > run.stop.line]
    seconds = sum(phase.seconds for phase in after)
    facts = [Evidence(Kind.LOG, f"{p.name}: {p.seconds:.1f} s", p.where(run.file)) for p in after]
    facts = facts or list(_mentions(case, run))
    if trained + seconds <= LIMIT_S or not facts:
        return
    length = f"{seconds:.1f} s of calibration" if after else "calibration of a length that is not printed"
    sources = {phase.data for phase in after} - {"unknown"}
    generated = sources == {"self-generated"}
    on = f"on {' and '.join(sorted(sources))} data" if sources else "(its data is not named)"
    both = f"{trained + seconds:.1f} s together" if after else f"over {LIMIT_S:.0f} s together"
    yield Finding(
        f"{name_of(run)}: training {trained:.1f} s, then {length} {on}: {both}",
        Certainty.SHOWN,
        CALIBRATION_GENERATED if generated else CALIBRATION_TRAIN_DATA,
        (stop, *facts),
        "reserve the calibration's time inside the 600 s",
        PRECEDENTS,
    )


def _untimed(case: Case, run: Run, trained: float) -> list[Unmet]:
    """Calibration after the stop whose length nobody printed, while there was time left for it."""
    if run.calibration or trained >= LIMIT_S or not any(_mentions(case, run)):
        return []
    left = LIMIT_S - trained
    return [
        Unmet(
            f"{name_of(run)}: calibration after the stop is not timed, {left:.1f} s were left", "log its time"
        )
    ]


def _mentions(case: Case, run: Run) -> Iterator[Evidence]:
    """Lines after the stop that speak of calibration."""
    file = case.submission.tree.get(run.file)
    if file is None or file.text is None or run.stop is None:
        return
    for number, line in lines(file.text.text):
        if run.stop.line < number <= run.last_line and _CALIBRATION.search(line):
            yield Evidence(
                Kind.LOG, "calibration after the stop", Where(run.file, number, quote=line.strip()[:200])
            )


_TEN_SECONDS = ("GPTQ:collecting Hessians from calibration data...", "GPTQ:collected 67 Hessians in 10.0s")
RULE = Rule(
    id="A03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="L T",
    check=check,
    cites=(TRAIN_TIME, CALIBRATION_TRAIN_DATA, CALIBRATION_GENERATED),
    precedents=PRECEDENTS,
    tracks=(Track.RECORD, Track.UNKNOWN),
    examples=(
        Example(
            "Training stops at 588 s and leaves 12 s for the Hessians.",
            specimen.folder(specimen.log(train_ms=588_040, after_stop=_TEN_SECONDS)),
            Verdict.PASS,
            "588.0 s of training",
        ),
        Example(
            "One step over the clock, as the baseline itself.",
            specimen.folder(specimen.log(train_ms=600_130, after_stop=())),
            Verdict.PASS,
            "600.1 s",
        ),
        Example(
            "Two seconds over.", specimen.folder(specimen.log(train_ms=602_048)), Verdict.FAIL, "602.0 s"
        ),
        Example(
            "The whole budget and then ten seconds of Hessians on training data.",
            specimen.folder(specimen.log(train_ms=599_600, after_stop=_TEN_SECONDS)),
            Verdict.NEEDS_RULING,
            "10.0 s of calibration",
        ),
        Example(
            "Calibration on text that the model wrote itself, for which a longer precedent stands.",
            specimen.folder(
                specimen.log(train_ms=600_040, after_stop=("gptq:self-generated 64 sequences in 186.5s",))
            ),
            Verdict.NEEDS_RULING,
            "on self-generated data",
        ),
        Example(
            "Calibration after 600 s without a printed length.",
            specimen.folder(
                specimen.log(train_ms=600_078, after_stop=("gptq:calibrating with 256 batches...",))
            ),
            Verdict.NEEDS_RULING,
            "a length that is not printed",
        ),
        Example("No log, no time.", specimen.folder(), Verdict.UNDETERMINED, "no training log"),
        Example(
            "Off the record track the limit does not bind.",
            specimen.folder(specimen.log(train_ms=14_400_000)),
            Verdict.NOT_APPLICABLE,
            track=Track.NON_RECORD,
        ),
    ),
)
