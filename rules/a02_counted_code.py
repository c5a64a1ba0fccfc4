"""All code that runs is counted.

Law    All counted code should live in train_gpt.py (README). Records whose script executes helper files
       were accepted all the same (#1514, #2135), so what a larger count means needs a ruling.
Look   The files of the folder that the script imports, executes or names as native sources, added to the
       smaller of A01's two counts. If that fits, a note; if only the narrow count fits, a ruling.
Blind  Files reached by a computed name; data files and tokenizers, which nobody counts (#43).
"""

from __future__ import annotations

from golf_audit import specimen
from golf_audit.artifact import CAP, Count, count, siblings
from golf_audit.law import COUNTED_CODE
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
    Where,
)
from golf_audit.premises import logs_of_the_claim, name_of, training_runs
from golf_audit.submission import Case

PRECEDENTS = (
    Precedent(1514, "accepted", "executes ngram_tilt.py and a C++ kernel"),
    Precedent(2135, "accepted", "executes online_ngram_tilt.py"),
)


def check(case: Case) -> Assessment:
    sources = case.submission.sources
    if sources.entry is None:
        return Assessment(
            unmet=(Unmet("no script, so nothing is known of what it executes", "add train_gpt.py"),)
        )
    beside = siblings(case.submission)
    if not beside:
        return Assessment(
            basis=(Evidence(Kind.SOURCE, f"{sources.entry} executes no other file of the folder"),)
        )
    counts = [count(case.submission, run) for run in training_runs(case)]
    sized = [c for c in counts if c.wide is not None]
    if not sized:
        missing = logs_of_the_claim(case) or (
            Unmet("the logs print no artifact size", "log the artifact's size"),
        )
        return Assessment(unmet=missing, notes=_files(case, beside))
    largest = max(sized, key=lambda c: c.wide or 0)
    if (largest.wide or 0) <= CAP:
        says = (
            f"{largest.wide:,} bytes with {', '.join(beside)} counted ({name_of(largest.run)}): under the cap"
        )
        return Assessment(notes=_files(case, beside), basis=(Evidence(Kind.COMPUTED, says),))
    narrow = min(way for way in (largest.logged, largest.committed) if way is not None)
    if narrow > CAP:
        says = f"over the cap before {', '.join(beside)} are counted: see A01"
        return Assessment(notes=_files(case, beside), basis=(Evidence(Kind.COMPUTED, says),))
    return Assessment((_finding(case, largest, narrow, beside),))


def _files(case: Case, paths: tuple[str, ...]) -> tuple[Evidence, ...]:
    tree = case.submission.tree
    return tuple(
        Evidence(Kind.FILE, f"{p}: {tree.files[p].size or 0:,} bytes, executed", Where(p)) for p in paths
    )


def _finding(case: Case, c: Count, narrow: int, beside: tuple[str, ...]) -> Finding:
    return Finding(
        f"{c.wide:,} bytes with {', '.join(beside)} counted ({name_of(c.run)}), {narrow:,} without: only the "
        "narrow count fits",
        Certainty.SHOWN,
        COUNTED_CODE,
        _files(case, beside),
        "move the code into train_gpt.py and let the log count it",
        PRECEDENTS,
    )


_LAUNCHER = "import helper\n" + specimen.SCRIPT


def _with(model: int, **files: str) -> dict[str, str]:
    return specimen.folder(
        specimen.log(model=model, code=len(_LAUNCHER)), files={"train_gpt.py": _LAUNCHER, **files}
    )


RULE = Rule(
    id="A02",
    doc=__doc__,
    severity=Severity.INCOMPLETE,
    evidence="T L",
    check=check,
    cites=(COUNTED_CODE,),
    precedents=PRECEDENTS,
    examples=(
        Example(
            "One script, nothing else executed.",
            specimen.folder(specimen.log(), files={"prepare_data.py": "print('not part of the run')\n"}),
            Verdict.PASS,
            "executes no other file",
        ),
        Example(
            "A helper that fits with everything counted.",
            _with(15_900_000, **{"helper.py": "X = 1\n" * 2000}),
            Verdict.PASS,
            "under the cap",
        ),
        Example(
            "A helper that fits only while it is not counted.",
            _with(15_995_000, **{"helper.py": "X = 1\n" * 2000}),
            Verdict.NEEDS_RULING,
            "only the narrow count fits",
        ),
        Example(
            "A log whose code size already holds the helper.",
            specimen.folder(
                specimen.log(model=15_985_000, code=len(_LAUNCHER) + 12_000),
                files={"train_gpt.py": _LAUNCHER, "helper.py": "X = 1\n" * 2000},
            ),
            Verdict.PASS,
            "under the cap",
        ),
        Example(
            "A helper, and no log that prints a size.",
            specimen.folder(files={"train_gpt.py": _LAUNCHER, "helper.py": "X = 1\n"}),
            Verdict.UNDETERMINED,
            "no training log",
        ),
    ),
)
