"""Third-party packages are declared and bring no model or data with them.

Law    Any package may be imported with a requirements.txt and set-up instructions, as long as no
       extra compute, capability or code size comes with it (README, since 2026-03-20).
Look   The imports of every executed Python layer, against the standard library, the folder, the
       challenge's own requirements, the folder's requirements.txt and README. A package that brings
       language data or a pretrained model needs a ruling; an undeclared one is a note.
Blind  Packages imported by a computed name; what the installed version of a package holds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from golf_audit import specimen
from golf_audit.law import PACKAGES, disputed
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Rule,
    Severity,
    Unmet,
    Verdict,
)
from golf_audit.packages import OFFICIAL, WITH_DATA, declared, executed_layers, outside_imports
from golf_audit.source import Layer
from golf_audit.submission import Case


def check(case: Case) -> Assessment:
    sources = case.submission.sources
    if sources.entry is None:
        return Assessment(unmet=(Unmet("no script to read the imports of", "add train_gpt.py"),))
    imports = outside_imports(sources)
    findings = [
        _finding(
            f"{found.package} brings language data or a model with it",
            Evidence(Kind.SOURCE, "imported", found.where),
        )
        for found in imports
        if found.package in WITH_DATA
    ]
    findings += [
        _finding("a pretrained model or tokenizer is loaded from a package or hub", evidence)
        for layer in executed_layers(sources)
        for evidence in _pretrained(layer)
    ]
    undeclared = [
        Evidence(
            Kind.SOURCE,
            f"{found.package} is imported and neither requirements.txt nor README names it",
            found.where,
        )
        for found in imports
        if found.package not in OFFICIAL
        and not found.optional
        and not declared(found.package, case.submission.tree)
    ]
    names = ", ".join(sorted({found.package for found in imports})) or "none"
    basis = Evidence(Kind.SOURCE, f"packages from outside: {names}")
    unread = [
        Unmet(f"{layer.file} could not be parsed, so its imports are not known")
        for layer in executed_layers(sources)
        if layer.parsed.tree is None
    ]
    return Assessment(tuple(findings), unmet=tuple(unread), notes=tuple(undeclared), basis=(basis,))


def _finding(message: str, evidence: Evidence) -> Finding:
    return Finding(
        message,
        Certainty.SHOWN,
        disputed(PACKAGES),
        (evidence,),
        "count what the package brings in the artifact, or do without it",
    )


def _pretrained(layer: Layer) -> Iterator[Evidence]:
    for node in ast.walk(layer.parsed.tree) if layer.parsed.tree else ():
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "from_pretrained"
        ):
            yield Evidence(Kind.SOURCE, "from_pretrained", layer.where(node))


def _with(line: str, **files: str) -> dict[str, str]:
    return specimen.folder(specimen.log(), files={"train_gpt.py": line + "\n" + specimen.SCRIPT, **files})


RULE = Rule(
    id="N02",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="T",
    check=check,
    cites=(PACKAGES,),
    examples=(
        Example("torch alone is legal.", specimen.folder(specimen.log()), Verdict.PASS, "torch"),
        Example(
            "A declared attention kernel is legal.",
            _with("import flash_attn", **{"requirements.txt": "flash-attn==2.7\n"}),
            Verdict.PASS,
            "flash_attn",
        ),
        Example(
            "A package that only the README names is declared.",
            _with("import zstandard", **{"README.md": "pip install zstandard\n"}),
            Verdict.PASS,
        ),
        Example(
            "An undeclared compressor is a note, not a violation.",
            _with("import zstandard"),
            Verdict.PASS,
            "neither requirements.txt nor README",
        ),
        Example(
            "An import that may fail is no dependency.",
            _with("try:\n    import brotli\nexcept ImportError:\n    brotli = None"),
            Verdict.PASS,
        ),
        Example(
            "Word frequencies from a package need a ruling: nobody paid for those bytes.",
            _with("import wordfreq", **{"requirements.txt": "wordfreq\n"}),
            Verdict.NEEDS_RULING,
            "wordfreq brings language data",
        ),
        Example(
            "A pretrained model needs a ruling.",
            _with("import transformers\nM = transformers.AutoModel.from_pretrained('gpt2')"),
            Verdict.NEEDS_RULING,
            "pretrained model",
        ),
    ),
)
