"""The artifact is at most 16,000,000 bytes.

Law    Code bytes plus compressed model bytes, at most 16,000,000 decimal (README). Organisers added the
       code size that the log prints (#1835, #1959); #1412 was merged after its code was packed later.
Look   Two counts over all claimed seeds: the largest total that the logs print, and the logged model
       plus the script as committed. Over in both: fail. Only the log over: a ruling is needed. Only the
       committed script over (it is counted compressed): a note. A logged total that counts no code decides
       nothing: with the committed script over, a ruling is needed. Executed siblings are A02's.
Blind  The weights are almost never in the folder: the model's size is the log's word.
"""

from __future__ import annotations

from golf_audit import specimen
from golf_audit.artifact import CAP, Count, count
from golf_audit.law import LOGGED_SIZE, SIZE_CAP
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
from golf_audit.submission import Case

PRECEDENTS = (
    Precedent(1412, "accepted", "logs at 16.05 MB, code packed afterwards"),
    Precedent(1835, "closed", "log at 16,071,321"),
    Precedent(1959, "closed", "16,042,632 as logged"),
    Precedent(542, "accepted", "non-record, 16,638,468"),
)


def check(case: Case) -> Assessment:
    counts = [count(case.submission, run) for run in training_runs(case)]
    silent = [c for c in counts if c.logged is None]
    counted = [c for c in counts if c.logged is not None]
    unmet = [*logs_of_the_claim(case), *without_training(case)]
    unmet += [Unmet(f"{c.run.file} prints no artifact size", "log the artifact's size") for c in silent]
    if not counted:
        return Assessment(unmet=(*unmet, *_admitted(case)))
    findings, notes = [], []
    unpacked = [c for c in counted if (c.logged or 0) <= CAP < (c.committed or 0) and not c.codeless]
    if unpacked:
        notes.append(_committed(max(unpacked, key=lambda c: c.committed or 0), len(unpacked)))
    for c in counted:
        over_log, over_committed = (c.logged or 0) > CAP, (c.committed or 0) > CAP
        if over_log:
            findings.append(_over(case, c, both=over_committed))
        elif over_committed and c.codeless:
            findings.append(_uncounted(c))
        if c.odd_sum:
            notes.append(_odd(c))
    largest = max(counted, key=lambda c: c.logged or 0)
    findings.sort(key=lambda f: f.law.disputed)
    return Assessment(tuple(findings), tuple(unmet), tuple(notes), (_logged(largest, len(counted)),))


def _logged(c: Count, of: int) -> Evidence:
    assert c.logged is not None
    which = f"largest of {of} seeds ({name_of(c.run)})" if of > 1 else name_of(c.run)
    margin = CAP - c.logged
    side = f"{margin:,} under" if margin >= 0 else f"{-margin:,} over"
    line = c.run.total_size or c.run.model_size
    where = line.where(c.run.file) if line is not None else None
    return Evidence(Kind.LOG, f"{c.logged:,} bytes as logged, {which}: {side} the cap", where)


def _committed(c: Count, of: int = 1) -> Evidence:
    told = f", logged as {c.code:,}" if c.code is not None else ""
    which = f"largest of {of} seeds ({name_of(c.run)})" if of > 1 else name_of(c.run)
    says = f"{which}: {c.committed:,} bytes with the script as committed ({c.script:,}{told})"
    return Evidence(Kind.COMPUTED, says, Where(c.run.file))


def _odd(c: Count) -> Evidence:
    parts = f"its model {c.model:,} plus its code {c.code:,}"
    says = f"{name_of(c.run)}: the log's total {c.logged:,} is not {parts}"
    line = c.run.total_size
    return Evidence(Kind.LOG, says, line.where(c.run.file) if line is not None else Where(c.run.file))


def _admitted(case: Case) -> tuple[Unmet, ...]:
    """The author's own word that the artifact is over the cap, where no log tells the size."""
    stated = case.submission.claims.bytes_total
    if stated is None or stated.value <= CAP:
        return ()
    return (
        Unmet(
            f"submission.json itself states {stated.value:,} bytes, over the cap", "log the artifact's size"
        ),
    )


def _uncounted(c: Count) -> Finding:
    return Finding(
        f"{name_of(c.run)}: the logged total of {c.logged:,} bytes is the model alone; with the script as "
        f"committed ({c.script:,}) it is {c.committed:,}, over {CAP:,}",
        Certainty.SHOWN,
        LOGGED_SIZE,
        (_logged(c, 1), _committed(c)),
        "let the log count the code in the form in which it is handed in",
        PRECEDENTS,
    )


def _over(case: Case, c: Count, *, both: bool) -> Finding:
    evidence = [_logged(c, 1)]
    if c.committed is not None:
        evidence.append(_committed(c))
    agree = "and with the script as committed" if both else "though not with the script as committed"
    if c.committed is None:
        agree = "and the log does not tell the model from the code"
    return Finding(
        f"{name_of(c.run)}: {c.logged:,} bytes as logged, over {CAP:,}, {agree}",
        Certainty.SHOWN,
        on_record(SIZE_CAP, case) if both else LOGGED_SIZE,
        tuple(evidence),
        "quantise further or pack the code before the run, so that the log itself stays under the cap",
        PRECEDENTS,
    )


_CODE = len(specimen.SCRIPT.encode())
RULE = Rule(
    id="A01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="L T",
    check=check,
    cites=(SIZE_CAP, LOGGED_SIZE),
    precedents=PRECEDENTS,
    examples=(
        Example(
            "A few bytes under the cap is under the cap.",
            specimen.folder(specimen.log(model=CAP - _CODE - 8)),
            Verdict.PASS,
            "15,999,992 bytes as logged",
        ),
        Example(
            "Code counted compressed in the log, committed readable: a note.",
            specimen.folder(specimen.log(model=15_999_900, code=60)),
            Verdict.PASS,
            "with the script as committed",
        ),
        Example(
            "A total that counts no code, with a script that does not fit beside it.",
            specimen.folder(
                specimen.log(model=15_999_900).replace(
                    f"quantized+brotli: {15_999_900 + _CODE} bytes", "quantized+brotli: 15999900 bytes"
                )
            ),
            Verdict.NEEDS_RULING,
            "is the model alone",
        ),
        Example(
            "A total that its own log does not add up to is noted.",
            specimen.folder(
                specimen.log(model=15_900_000).replace(
                    f"quantized+brotli: {15_900_000 + _CODE} bytes", "quantized+brotli: 15912345 bytes"
                )
            ),
            Verdict.PASS,
            "is not its model 15,900,000 plus its code",
        ),
        Example(
            "The same artifact packed after the run: only the log is over.",
            specimen.folder(specimen.log(model=15_990_000, code=78_000)),
            Verdict.NEEDS_RULING,
            "though not with the script as committed",
        ),
        Example(
            "Over by every count.",
            specimen.folder(specimen.log(model=16_002_000)),
            Verdict.FAIL,
            "and with the script as committed",
        ),
        Example(
            "Over by every count off the record track: one such entry was listed.",
            specimen.folder(specimen.log(model=16_002_000)),
            Verdict.NEEDS_RULING,
            "as logged",
            track=Track.NON_RECORD,
        ),
        Example(
            "One of three seeds over is over.",
            specimen.folder(
                specimen.log(42, 1.0800),
                specimen.log(7, 1.0801, model=16_100_000),
                specimen.log(314, 1.0802),
                submission=specimen.claim(1.0801, {42: 1.0800, 7: 1.0801, 314: 1.0802}),
            ),
            Verdict.FAIL,
            "seed 7",
        ),
        Example(
            "The author's own word for too many bytes is told, and is no log.",
            specimen.folder(submission=specimen.claim(bytes_total=16_855_808)),
            Verdict.UNDETERMINED,
            "itself states 16,855,808 bytes",
        ),
        Example(
            "Without a log nothing shows the size.",
            specimen.folder(),
            Verdict.UNDETERMINED,
            "no training log",
        ),
    ),
)
