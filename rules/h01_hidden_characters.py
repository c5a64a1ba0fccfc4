"""Sources hold no hidden or bidirectional characters.

Law    None of the challenge. Characters that reorder or hide text make a source read differently from
       how it runs (CVE-2021-42574), so a reviewer has to know where they are.
Look   Every Python layer, peeled ones too, and every shell, C, C++, CUDA and Rust file is searched for
       bidirectional controls, zero-width characters and other invisible formatting. In a string or
       comment they are listed; anywhere else they need a ruling.
Blind  Letters that merely look alike (Cyrillic a); native sources are told apart line by line only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from golf_audit import specimen
from golf_audit.law import READABLE
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Rule,
    Severity,
    Verdict,
    Where,
)
from golf_audit.source import Layer
from golf_audit.submission import Case

HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f]"
)
OTHER_SOURCES = (".sh", ".c", ".h", ".cpp", ".cc", ".cu", ".cuh", ".rs")
_CAP = 50  # positions listed; a file of 10,000 zero-width spaces is one fact


def check(case: Case) -> Assessment:
    layers = [layer for module in case.submission.sources.modules.values() for layer in module.layers]
    others = [
        Layer(file.path, 0, file.text.text)
        for file in case.submission.tree.matching(*OTHER_SOURCES)
        if file.text is not None
    ]
    findings, notes = [], []
    for layer in (*layers, *others):
        for where, name, harmless in _occurrences(layer):
            evidence = Evidence(Kind.SOURCE, f"{name} in {harmless or 'code'}", where)
            if harmless:
                notes.append(evidence)
            else:
                findings.append(
                    Finding(f"{name} in code", Certainty.SHOWN, READABLE, (evidence,), "remove it")
                )
    basis = Evidence(Kind.SOURCE, f"no hidden character in the code of {len(layers) + len(others)} sources")
    return Assessment(tuple(findings[:_CAP]), notes=tuple(notes[:_CAP]), basis=(basis,))


def _occurrences(layer: Layer) -> Iterator[tuple[Where, str, str]]:
    """Position and name of each hidden character, and what it lies in ("" for code)."""
    if layer.text.isascii():
        return
    # Python refuses these characters outside strings and comments, so a tree proves where they are.
    parsed = layer.file.endswith(".py") and layer.parsed.tree is not None
    start = 1 if layer.text.startswith("\ufeff") else 0
    for number, line in enumerate(layer.lines, start=1):
        for match in HIDDEN.finditer(line, start if number == 1 else 0):
            harmless = "a string or comment" if parsed else _quoted(line[: match.start()])
            name = unicodedata.name(match.group(), f"U+{ord(match.group()):04X}")
            yield layer.at(number, match.start() + 1), name, harmless


def _quoted(before: str) -> str:
    """Where a character of another language lies, by what stands before it on its line; "" in code."""
    if before.count('"') % 2 or before.count("'") % 2:
        return "a string"
    return "a comment" if re.search(r"#|//|/\*", before) else ""


_PLAIN = specimen.SCRIPT
RULE = Rule(
    id="H01",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="T",
    check=check,
    cites=(READABLE,),
    examples=(
        Example(
            "Plain sources are legal.", specimen.folder(specimen.log()), Verdict.PASS, "no hidden character"
        ),
        Example(
            "A zero-width space inside a printed string is listed and legal.",
            specimen.folder(files={"train_gpt.py": _PLAIN + 'print("score\u200b")\n'}),
            Verdict.PASS,
        ),
        Example(
            "A byte order mark at the start of a file is an encoding, not a hidden character.",
            specimen.folder(files={"train_gpt.py": "\ufeff" + _PLAIN}),
            Verdict.PASS,
        ),
        Example(
            "Accented letters in a comment are ordinary text.",
            specimen.folder(files={"train_gpt.py": _PLAIN + "# d\u00e9j\u00e0 vu\n"}),
            Verdict.PASS,
        ),
        Example(
            "A right-to-left override in a line of shell code needs a ruling.",
            specimen.folder(files={"run.sh": "torchrun \u202etrain_gpt.py\n"}),
            Verdict.NEEDS_RULING,
            "RIGHT-TO-LEFT OVERRIDE in code",
        ),
    ),
)
