"""The runs were made on 8xH100.

Law    Records run on 8xH100, the SXM variant (README). Organisers refused single-GPU and 4xH100 runs
       (#2103, #1959).
Look   World size and GPU name in each claimed log. Another GPU or world size: fail. The same chip in
       another board (H100 NVL and PCIe, H200; #39 was accepted on H200): a ruling is needed. No GPU name
       but a world size of 8: pass with a note, unless README or submission.json name eight others.
Blind  71 % of logs print no GPU name; a log can be made on one machine and timed on another.
"""

from __future__ import annotations

import re

from golf_audit import specimen
from golf_audit.law import HARDWARE, disputed
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
    Where,
)
from golf_audit.premises import logs_of_the_claim, name_of, names, on_record, training_run
from golf_audit.submission import Case, Submission
from golf_audit.text import lines
from golf_audit.trainlog import Reading, Run

WORLD = 8
_OTHER_GPUS = re.compile(
    r"\b8 ?[xX\u00d7] ?(?:NVIDIA |AMD |Tesla )?(?:A10G?|A40|A100|A800|A6000|B[123]00|GB\d{2,3}|H20|H800|L4"
    r"|L20Z?|L40S?|V100|T4|P100|RTX ?\d{4}|MI\d{3}X?)\b"
)
PRECEDENTS = (
    Precedent(2103, "closed", "one H100"),
    Precedent(1959, "closed", "four H100"),
    Precedent(39, "accepted", "eight H200"),
)


def check(case: Case) -> Assessment:
    findings: list[Finding] = []
    unmet = list(logs_of_the_claim(case))
    unnamed: list[Run] = []
    runs = _runs(case)
    for run in runs:
        if run.world_size is None:
            unmet.append(Unmet(f"{run.file} prints no world size", "log world_size"))
        elif run.world_size.value != WORLD:
            message = f"{name_of(run)}: world size {run.world_size.value}, not {WORLD}"
            findings.append(_finding(message, on_record(HARDWARE, case), run, run.world_size))
        if run.gpu is None:
            unnamed.append(run)
        elif not _is_hopper(run.gpu.value):
            findings.append(
                _finding(f"{name_of(run)}: {run.gpu.value}", on_record(HARDWARE, case), run, run.gpu)
            )
        elif not _is_sxm(run.gpu.value):
            message = f"{name_of(run)}: {run.gpu.value}, not the H100 SXM"
            findings.append(_finding(message, disputed(HARDWARE), run, run.gpu))
    notes = []
    if unnamed:
        unmet += _elsewhere(case.submission)
        files = ", ".join(dict.fromkeys(run.file for run in unnamed))
        notes.append(Evidence(Kind.LOG, f"no GPU name in {files}", Where(unnamed[0].file)))
    if findings or not runs or any(run.world_size is None for run in runs):
        return Assessment(tuple(findings), tuple(unmet), tuple(notes))
    gpus = sorted({run.gpu.value for run in runs if run.gpu is not None})
    says = f"world size {WORLD}, {' and '.join(gpus) or 'GPU not named'}: {names(runs)}"
    return Assessment((), tuple(unmet), tuple(notes), (Evidence(Kind.LOG, says),))


def _elsewhere(submission: Submission) -> list[Unmet]:
    """The folder's own word for eight GPUs of another kind, where no log names them."""
    found = []
    for file in submission.tree.matching(".md", ".json"):
        for number, line in lines(file.text.text if file.text is not None else ""):
            match = _OTHER_GPUS.search(line)
            if match is not None:
                says = f"{file.path}:{number} says {match.group()}, and the logs do not name the GPU"
                found.append(Unmet(says, "log the GPU's name (nvidia-smi)"))
                break
    return found


def _runs(case: Case) -> tuple[Run, ...]:
    """The claimed runs and, for those that only evaluate, the runs that trained."""
    found: dict[int, Run] = {}
    for run in case.submission.support.runs:
        for one in (run, training_run(case, run)):
            if one is not None:
                found[id(one)] = one
    return tuple(found.values())


def _is_hopper(gpu: str) -> bool:
    return re.search(r"\b(?:H100|H200|GH200)\b", gpu) is not None


def _is_sxm(gpu: str) -> bool:
    """nvidia-smi calls the SXM board "H100 80GB HBM3"."""
    return "H100" in gpu and not re.search(r"GH|NVL|PCIe", gpu)


def _finding(message: str, law: Cite, run: Run, reading: Reading[int] | Reading[str]) -> Finding:
    evidence = Evidence(Kind.LOG, f"{name_of(run)}: {reading.value}", reading.where(run.file))
    return Finding(
        message, Certainty.SHOWN, law, (evidence,), "run the claimed seeds on 8xH100 SXM", PRECEDENTS
    )


RULE = Rule(
    id="A05",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="L",
    check=check,
    cites=(HARDWARE,),
    precedents=PRECEDENTS,
    tracks=(Track.RECORD, Track.UNKNOWN),
    examples=(
        Example("Eight H100.", specimen.folder(specimen.log()), Verdict.PASS, "NVIDIA H100 80GB HBM3"),
        Example(
            "World size 8 and no GPU name is accepted with a note.",
            specimen.folder(specimen.log(gpu=None)),
            Verdict.PASS,
            "GPU not named",
        ),
        Example(
            "Eight GPUs of another kind, by the folder's own word: the log has to name them.",
            specimen.folder(specimen.log(gpu=None), files={"README.md": "## Results (8x L20Z 80GB)\n"}),
            Verdict.UNDETERMINED,
            "README.md:1 says 8x L20Z",
        ),
        Example("One H100.", specimen.folder(specimen.log(world=1)), Verdict.FAIL, "world size 1"),
        Example(
            "Eight A100.", specimen.folder(specimen.log(gpu="NVIDIA A100-SXM4-80GB")), Verdict.FAIL, "A100"
        ),
        Example(
            "Eight H100 NVL are another form factor.",
            specimen.folder(specimen.log(gpu="NVIDIA H100 NVL")),
            Verdict.NEEDS_RULING,
            "not the H100 SXM",
        ),
        Example(
            "Eight H200: the same chip with other memory, and one record was accepted on it.",
            specimen.folder(specimen.log(gpu="NVIDIA H200")),
            Verdict.NEEDS_RULING,
            "not the H100 SXM",
        ),
        Example("No log, no hardware.", specimen.folder(), Verdict.UNDETERMINED, "no training log"),
        Example(
            "Any hardware is fine off the record track.",
            specimen.folder(specimen.log(world=1, gpu="NVIDIA GeForce RTX 4090")),
            Verdict.NOT_APPLICABLE,
            track=Track.NON_RECORD,
        ),
    ),
)
