"""Transformed text is charged by its original bytes.

Law    Changes to tokenizer or dataset must prove that val_bpb is correctly calculated (README). CaseOps
       with a byte sidecar was accepted (#1729); whether lossy casefolding or NFKC may be charged by its
       own bytes is open (issue #1604).
Look   Signs of CaseOps or casefolding in the claimed logs' paths and settings and in the folder's names;
       then the bytes that were counted. A counted factor of 1.0895 is reported by B02. Where the count is
       not that of the FineWeb split, the byte sidecar that the log names.
Blind  Transformations that no path, setting or name speaks of; a sidecar that is named and not read.
"""

from __future__ import annotations

import re

from golf_audit import specimen
from golf_audit.bpb import CANONICAL_BYTES, factor_of, implied_bytes, near
from golf_audit.law import CASEFOLD, ORIGINAL_BYTES
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
from golf_audit.premises import logs_of_the_claim, loss_beside, name_of
from golf_audit.submission import Case
from golf_audit.trainlog import Final, Reading, Run

CASEFOLD_PRECEDENTS = (
    Precedent(1578, "contested"),
    Precedent(1585, "contested"),
    Precedent(1707, "contested"),
)
CASEOPS_PRECEDENTS = (
    Precedent(1729, "accepted", "CaseOps with a byte sidecar"),
    Precedent(2138, "withdrawn"),
)
_CASEOPS = re.compile(r"case_?ops|lossless_?caps", re.IGNORECASE)
_LOSSY = re.compile(r"case_?fold|nfkc|lower_?case", re.IGNORECASE)
_SIDECAR = re.compile(r"sidecar|bytes_files?$", re.IGNORECASE)
_ON = {"1", "true", "yes", "on"}
_OFF = {"0", "false", "no", "off"}


def check(case: Case) -> Assessment:
    missing = logs_of_the_claim(case)
    lossy, caseops = _sign(case, _LOSSY), _sign(case, _CASEOPS)
    if lossy is None and caseops is None:
        if not case.submission.support.runs:
            return Assessment(unmet=missing)
        return Assessment(
            not_applicable="no sign of transformed text in the claimed logs or the folder's names"
        )
    if lossy is not None:
        return Assessment((_lossy(case, lossy),), missing)
    assert caseops is not None
    return _caseops(case, caseops, missing)


def _sign(case: Case, pattern: re.Pattern[str]) -> Evidence | None:
    """The first place that names such a transformation: a claimed log's paths and switches, then the
    folder's names."""
    for run in case.submission.support.runs:
        for reading in (run.tokenizer, run.train_files, run.val_files):
            if reading is not None and pattern.search(reading.value):
                return Evidence(Kind.LOG, reading.value, reading.where(run.file))
        for name, reading in run.hyperparameters.items():
            if pattern.search(name) and reading.value.lower() in _ON:
                return Evidence(Kind.LOG, f"{name}: {reading.value}", reading.where(run.file))
    for path in case.submission.tree.files:
        if path.endswith((".model", ".vocab", ".json")) and pattern.search(path):
            return Evidence(Kind.FILE, path, Where(path))
    name = case.submission.name
    return Evidence(Kind.FILE, f"the folder's name: {name}") if pattern.search(name) else None


def _lossy(case: Case, sign: Evidence) -> Finding:
    figures = []
    for line in case.submission.support.lines:
        pair = loss_beside(line.run, line.final)
        counted = _counted(line.run, pair)
        if pair is not None and counted is not None:
            by_text = pair.bpb * counted / CANONICAL_BYTES
            own = f"{pair.bpb:.5f} over its own {counted / 1e6:.2f} million bytes"
            says = f"{name_of(line.run)}: {own}, {by_text:.5f} over the original 151.08"
            figures.append(Evidence(Kind.COMPUTED, says, pair.where(line.run.file)))
    return Finding(
        "the validation text is normalised lossily; no ruling says by which bytes it is charged"
        + (f" ({figures[0].says})" if figures else ""),
        Certainty.SHOWN,
        CASEFOLD,
        (sign, *figures),
        "use a lossless transformation and count the original bytes",
        CASEFOLD_PRECEDENTS,
    )


def _counted(run: Run, pair: Final | None) -> float | None:
    if pair is None or pair.loss is None or run.val_tokens is None:
        return None
    return implied_bytes(pair.loss, pair.bpb, run.val_tokens.value)


def _caseops(case: Case, sign: Evidence, missing: tuple[Unmet, ...]) -> Assessment:
    findings: list[Finding] = []
    unmet = list(missing)
    basis: list[Evidence] = []
    for line in case.submission.support.lines:
        run, counted = line.run, _counted(line.run, loss_beside(line.run, line.final))
        switch = run.hyperparameters.get("caseops_enabled")
        if counted is not None:
            rests_on = _charged(run, counted)
            if isinstance(rests_on, Evidence):
                basis.append(rests_on)
            else:
                unmet.append(rests_on)
        elif switch is not None and switch.value.lower() in _OFF:
            evidence = Evidence(Kind.LOG, f"caseops_enabled: {switch.value}", switch.where(run.file))
            message = f"{name_of(run)}: CaseOps text is scored with its byte sidecar switched off"
            change = "read the byte sidecar and score again"
            findings.append(
                Finding(
                    message, Certainty.SHOWN, ORIGINAL_BYTES, (evidence, sign), change, CASEOPS_PRECEDENTS
                )
            )
        else:
            unmet.append(
                Unmet(f"{name_of(run)}: loss, bpb and token count are not all printed", "log val_tokens")
            )
    return Assessment(tuple(findings), tuple(unmet), basis=tuple(basis))


def _charged(run: Run, counted: float) -> Evidence | Unmet:
    """What shows that these bytes are the original's: their number, or the sidecar that the log names. A
    known wrong factor is B02's finding and not repeated here."""
    says = f"{name_of(run)}: {counted / 1e6:.2f} million bytes counted"
    if near(counted, CANONICAL_BYTES):
        return Evidence(Kind.COMPUTED, f"{says}, the original's", Where(run.file))
    if factor_of(counted / CANONICAL_BYTES) is not None:
        return Evidence(Kind.COMPUTED, f"{says}; see B02", Where(run.file))
    sidecar = _sidecar(run)
    if sidecar is None:
        return Unmet(f"{says}, not the FineWeb split's, and no byte sidecar is named", "log val_bytes_files")
    return Evidence(Kind.LOG, f"{says}, by the byte sidecar {sidecar.value[:80]}", sidecar.where(run.file))


def _sidecar(run: Run) -> Reading[str] | None:
    """The setting that names the byte sidecar which the run reads."""
    for name, reading in run.hyperparameters.items():
        if _SIDECAR.search(name) and reading.value and reading.value.lower() not in _OFF:
            return reading
    return None


_DATA = "./data/datasets/fineweb10B_sp8192_lossless_caps_caseops_v1_reserved"


def _run(ratio: float, **changed: object) -> dict[str, str]:
    text = specimen.log(ratio=ratio, tokens=47_851_520, data=_DATA, settings=changed)
    return specimen.folder(text)


def _elsewhere(**settings: object) -> dict[str, str]:
    """A small text of one's own, in a folder whose path says nothing."""
    return specimen.folder(specimen.log(ratio=2.0, tokens=24_064, data="data", settings=settings))


RULE = Rule(
    id="B03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T L",
    check=check,
    cites=(ORIGINAL_BYTES, CASEFOLD),
    precedents=(*CASEOPS_PRECEDENTS, *CASEFOLD_PRECEDENTS),
    examples=(
        Example(
            "Plain text has nothing to charge.",
            specimen.folder(specimen.log()),
            Verdict.NOT_APPLICABLE,
            "no sign",
        ),
        Example(
            "CaseOps with its sidecar.", _run(2.18837, caseops_enabled=True), Verdict.PASS, "the original's"
        ),
        Example(
            "CaseOps counted by its own bytes is named by B02.",
            _run(2.18837 * 1.0895),
            Verdict.PASS,
            "see B02",
        ),
        Example(
            "CaseOps over another text than FineWeb, by its sidecar.",
            _elsewhere(caseops_enabled=True, val_bytes_files="data/fineweb_val_bytes_*.bin"),
            Verdict.PASS,
            "by the byte sidecar data/",
            track=Track.NON_RECORD,
        ),
        Example(
            "CaseOps over another text, and no word of a sidecar.",
            _elsewhere(caseops_enabled=True),
            Verdict.UNDETERMINED,
            "no byte sidecar is named",
            track=Track.NON_RECORD,
        ),
        Example(
            "A switch that is off is no sign of CaseOps.",
            _elsewhere(caseops_enabled=False),
            Verdict.NOT_APPLICABLE,
            "no sign",
            track=Track.NON_RECORD,
        ),
        Example(
            "CaseOps text with the sidecar switched off, and no token count to check by.",
            specimen.folder(specimen.log(tokens=None, data=_DATA, settings={"caseops_enabled": False})),
            Verdict.FAIL,
            "switched off",
        ),
        Example(
            "Casefolded text needs a ruling, with both denominators.",
            specimen.folder(
                specimen.log(tokens=36_286_464, ratio=2.886, data="./data/datasets/fineweb10B_casefold_8192")
            ),
            Verdict.NEEDS_RULING,
            "over the original",
        ),
    ),
)
