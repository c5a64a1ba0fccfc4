"""Training and validation documents are disjoint.

Law    No access to validation data during training (README, 2026-03-20). Rows whose local data preparation
       put validation documents into training were removed (#2130, #2018; 2026-05-02).
Look   The number of training shards in each claimed log. 1499 shards of CaseOps text are the fingerprint of
       a preparation that holds out 10,000 of the 50,000 validation documents: proof on the record track.
       Any other count is stated. A preparation script with that default is a note, not proof of its use.
Blind  Overlap that leaves the shard count as published; documents are not compared here.
"""

from __future__ import annotations

import re

from golf_audit import specimen
from golf_audit.law import DISJOINT
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
from golf_audit.trainlog import Run

LEAKY_SHARDS = 1499
PUBLISHED_SHARDS = 80
PRECEDENTS = (
    Precedent(2130, "closed", "removed from the leaderboard"),
    Precedent(2018, "closed"),
    Precedent(1855, "accepted", "ships the same script, trained on the published shards"),
)
_CASEOPS = re.compile(r"case_?ops|lossless_?caps", re.IGNORECASE)
_LEAKY_DEFAULT = re.compile(r"val[-_]docs[^\n]{0,120}default\s*=\s*10_?000\b")


def check(case: Case) -> Assessment:
    findings: list[Finding] = []
    notes = list(_scripts(case))
    unmet = [*logs_of_the_claim(case), *without_training(case)]
    basis: list[Evidence] = []
    for run in training_runs(case):
        if run.train_shards is None:
            unmet.append(Unmet(f"{run.file} prints no number of training shards", "log train_shards"))
            continue
        path = run.train_files.value if run.train_files is not None else ""
        shards = run.train_shards.value
        says = f"{name_of(run)}: {shards} training shard{'s' * (shards != 1)}" + (
            f" of {path}" if path else ""
        )
        evidence = Evidence(Kind.LOG, says, run.train_shards.where(run.file))
        if run.train_shards.value == LEAKY_SHARDS and _is_caseops(run):
            findings.append(_finding(case, run, evidence))
            continue
        basis.append(evidence)
        if run.train_shards.value != PUBLISHED_SHARDS:
            notes.append(evidence)
    return Assessment(tuple(findings), tuple(unmet), tuple(notes), tuple(basis))


def _is_caseops(run: Run) -> bool:
    paths = (run.train_files, run.val_files, run.tokenizer)
    return any(reading is not None and _CASEOPS.search(reading.value) for reading in paths)


def _finding(case: Case, run: Run, evidence: Evidence) -> Finding:
    return Finding(
        f"{name_of(run)}: {LEAKY_SHARDS} shards of CaseOps text, the fingerprint of a preparation that "
        "trains on 40,000 of the 50,000 validation documents",
        Certainty.LIKELY,
        on_record(DISJOINT, case),
        (evidence,),
        "train on the published shards, or prepare with 50,000 held-out documents",
        PRECEDENTS,
        proof=True,
    )


def _scripts(case: Case) -> list[Evidence]:
    """Preparation scripts in the folder whose default holds out too few documents."""
    found = []
    for file in case.submission.tree.matching(".py", ".sh"):
        match = _LEAKY_DEFAULT.search(file.text.text) if file.text is not None else None
        if match is not None and file.text is not None:
            line = file.text.text.count("\n", 0, match.start()) + 1
            says = (
                "a preparation script that holds out 10,000 documents by default; the log says what was used"
            )
            found.append(Evidence(Kind.SOURCE, says, Where(file.path, line, quote=match.group()[:200])))
    return found


_LOCAL = "./data/datasets/datasets/fineweb10B_sp8192_lossless_caps_caseops_v1_reserved"
_SCRIPT = (
    'import argparse\np = argparse.ArgumentParser()\np.add_argument("--val-docs", type=int, default=10_000)\n'
)
RULE = Rule(
    id="V04",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="L T",
    check=check,
    cites=(DISJOINT,),
    precedents=PRECEDENTS,
    examples=(
        Example("The published shards.", specimen.folder(specimen.log()), Verdict.PASS, "80 training shards"),
        Example(
            "Fewer shards are stated.",
            specimen.folder(specimen.log(shards=39)),
            Verdict.PASS,
            "39 training shards",
        ),
        Example(
            "Shipping the preparation script is a note.",
            specimen.folder(specimen.log(data=_LOCAL), files={"prepare_caseops_data.py": _SCRIPT}),
            Verdict.PASS,
            "holds out 10,000",
        ),
        Example(
            "1499 shards of another text are only a number.",
            specimen.folder(specimen.log(shards=LEAKY_SHARDS)),
            Verdict.PASS,
        ),
        Example(
            "1499 shards of CaseOps text.",
            specimen.folder(specimen.log(shards=LEAKY_SHARDS, data=_LOCAL)),
            Verdict.FAIL,
            "fingerprint",
        ),
        Example(
            "The same off the record track.",
            specimen.folder(specimen.log(shards=LEAKY_SHARDS, data=_LOCAL)),
            Verdict.NEEDS_RULING,
            "fingerprint",
            track=Track.NON_RECORD,
        ),
        Example("No log, no shards.", specimen.folder(), Verdict.UNDETERMINED, "no training log"),
    ),
)
