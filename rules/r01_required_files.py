"""The required files are there and the script compiles.

Law    README.md, submission.json, a train log made by the script, and a train_gpt.py that compiles and
       runs within the folder; without them a submission is not accepted (README).
Look   The files by their names, the log by its content, the script by parsing it and by the modules
       that it imports. A script that trains stands in for train_gpt.py under another name, with a note.
Blind  Whether the script runs: packages, data and hardware are not here.
"""

from __future__ import annotations

import re

from golf_audit import specimen
from golf_audit.filetree import OUTSIDE
from golf_audit.law import COMPILES, FILES
from golf_audit.model import (
    Assessment,
    Certainty,
    Cite,
    Evidence,
    Example,
    Finding,
    Kind,
    Rule,
    Severity,
    Verdict,
    Where,
)
from golf_audit.packages import WELL_KNOWN, declared, executed_layers, outside_imports
from golf_audit.submission import Case

SCRIPT = "train_gpt.py"
_LISTED = 12  # file names in the evidence of a missing file
_GRADIENT = re.compile(r"\.backward\(|value_and_grad|\boptim|\bgrad\(")


def check(case: Case) -> Assessment:
    submission = case.submission
    findings: list[Finding] = []
    notes: list[Evidence] = []
    there = _listing(list(submission.tree.files))
    names = {path.lower() for path in submission.tree.files}
    if not any(name.rsplit("/", 1)[-1].startswith("readme") for name in names):
        findings.append(_missing("README.md", there, "explain the submission in a README.md"))
    if submission.claims.file is None:
        findings.append(_missing("submission.json", there, "add it, as in the example runs"))
    if not any(log.runs for log in submission.logs):
        change = "add the log that the script wrote, for each claimed seed"
        findings.append(_missing("a train log", there, change))
    entry = submission.sources.entry
    if entry is None or not (entry.rsplit("/", 1)[-1].startswith("train_gpt") or _trains(case)):
        findings.append(_missing(SCRIPT, there, "add the script that was run"))
    elif entry.startswith(OUTSIDE):
        findings.append(
            _missing(SCRIPT, f"the script lies outside the folder: {entry}", "move it into the folder")
        )
    else:
        findings += _script(case, entry)
        if entry != SCRIPT:
            notes.append(Evidence(Kind.FILE, f"{entry} stands in for {SCRIPT}", Where(entry)))
    if findings:
        return Assessment(tuple(findings), notes=tuple(notes))
    basis = Evidence(Kind.FILE, f"README, submission.json, a train log and {entry}, which compiles")
    return Assessment(notes=tuple(notes), basis=(basis,))


def _listing(paths: list[str]) -> str:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return f"the folder holds {', '.join(paths[:_LISTED]) or 'nothing'}{more}"


def _missing(what: str, there: str, to_change: str) -> Finding:
    evidence = Evidence(Kind.FILE, there)
    return Finding(f"{what} is missing", Certainty.SHOWN, FILES, (evidence,), to_change)


def _trains(case: Case) -> bool:
    """True when what a run executes takes gradients: a script that only prepares data is no train_gpt.py."""
    return any(_GRADIENT.search(layer.text) for layer in executed_layers(case.submission.sources))


def _script(case: Case, entry: str) -> list[Finding]:
    """What keeps the script from compiling or running within the folder."""
    file = case.submission.tree.files[entry]
    if file.size == 0:
        return [
            _broken(
                f"{entry} is empty", Certainty.SHOWN, Evidence(Kind.FILE, "0 bytes", Where(entry)), COMPILES
            )
        ]
    found = []
    for layer in executed_layers(case.submission.sources):
        if layer.parsed.tree is None:
            where = layer.at(layer.parsed.line) if layer.parsed.line else Where(layer.file, layer=layer.index)
            evidence = Evidence(Kind.SOURCE, layer.parsed.problem, where)
            found.append(
                _broken(
                    f"{layer.file} does not compile: {layer.parsed.problem}",
                    Certainty.SHOWN,
                    evidence,
                    COMPILES,
                )
            )
    for module in outside_imports(case.submission.sources):
        if module.optional or module.package in WELL_KNOWN or declared(module.package, case.submission.tree):
            continue
        message = (
            f"{module.package} is imported; it is neither in the folder, nor declared, nor a known package"
        )
        found.append(
            _broken(message, Certainty.LIKELY, Evidence(Kind.SOURCE, "imported", module.where), FILES)
        )
    return found


def _broken(message: str, certainty: Certainty, evidence: Evidence, law: Cite) -> Finding:
    return Finding(
        message, certainty, law, (evidence,), "hand in the script and every module as they were run"
    )


def _with(**files: str | None) -> dict[str, str]:
    return specimen.folder(specimen.log(), files=files)


RULE = Rule(
    id="R01",
    doc=__doc__,
    severity=Severity.INCOMPLETE,
    evidence="T G",
    check=check,
    cites=(FILES, COMPILES),
    examples=(
        Example("All four files are there.", _with(), Verdict.PASS, "which compiles"),
        Example(
            "A script with its size in the name stands in for train_gpt.py.",
            _with(**{SCRIPT: None, "train_gpt_binary.py": specimen.SCRIPT}),
            Verdict.PASS,
            "train_gpt_binary.py stands in",
        ),
        Example(
            "A README in another spelling counts.",
            _with(**{"README.md": None, "readme.txt": "text"}),
            Verdict.PASS,
        ),
        Example(
            "A helper module in the folder is found.",
            _with(**{SCRIPT: "import helper\n" + specimen.SCRIPT, "helper.py": "X = 1\n"}),
            Verdict.PASS,
        ),
        Example("No README.", _with(**{"README.md": None}), Verdict.FAIL, "README.md is missing"),
        Example(
            "No submission.json.",
            _with(**{"submission.json": None}),
            Verdict.FAIL,
            "submission.json is missing",
        ),
        Example("No log.", specimen.folder(), Verdict.FAIL, "train log is missing"),
        Example(
            "A script that trains stands in under any name.",
            _with(**{SCRIPT: None, "run_mdlm.py": specimen.SCRIPT + "OPT = torch.optim.AdamW([])\n"}),
            Verdict.PASS,
            "run_mdlm.py stands in",
        ),
        Example(
            "A script that only prepares data is no train_gpt.py.",
            _with(**{SCRIPT: None, "retokenize.py": "import sys\nprint(sys.argv)\n"}),
            Verdict.FAIL,
            "train_gpt.py is missing",
        ),
        Example("An empty script.", _with(**{SCRIPT: ""}), Verdict.FAIL, "train_gpt.py is empty"),
        Example(
            "A script that does not compile.",
            _with(**{SCRIPT: "def f(:\n"}),
            Verdict.FAIL,
            "does not compile",
        ),
        Example(
            "A module that nobody handed in leaves the question open.",
            _with(**{SCRIPT: "import env_settings_local\n" + specimen.SCRIPT}),
            Verdict.UNDETERMINED,
            "env_settings_local",
        ),
    ),
)
