"""Every part of the submission could be read.

Law    The artifact must be fully self-contained and reproducible (README); what cannot be read cannot
       be reviewed. Rules on the order of events cannot pass where they depend on an unread part.
Look   Payloads that could not be peeled, Python that could not be parsed, compiled code (by name or first
       bytes), pickles, native sources (C, C++, CUDA, Rust), links, absent or oversized files.
Blind  What a readable file does with data that is not in the folder.
"""

from __future__ import annotations

from golf_audit import specimen
from golf_audit.filetree import File, Sort
from golf_audit.law import SELF_CONTAINED
from golf_audit.model import Assessment, Evidence, Example, Fault, Kind, Rule, Severity, Unmet, Verdict, Where
from golf_audit.submission import Case

COMPILED = (".so", ".pyc", ".pyd", ".dll", ".dylib", ".o", ".a", ".exe", ".whl", ".egg", ".jar", ".wasm")
EXECUTABLE = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe", b"\0asm")
"""First bytes of a program for Linux, macOS (three forms) and WebAssembly."""
PICKLED = (".pkl", ".pickle", ".joblib", ".dill")
NATIVE = (".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".cuh", ".rs", ".go", ".zig")
READ = (".py", ".json", ".md", ".sh", ".log", ".txt", ".out", ".stdout", ".toml", ".yml", ".yaml")


def check(case: Case) -> Assessment:
    tree = case.submission.tree
    unmet: list[Unmet] = []
    notes: list[Evidence] = []
    for file in tree.files.values():
        what = _obstacle(file)
        if what:
            unmet.append(Unmet(f"{file.path}: {what}"))
        elif file.data is None:
            size = f"{file.size:,} bytes" if file.size is not None else "of unknown size"
            notes.append(Evidence(Kind.FILE, f"{file.path}: data, {size}, not read", Where(file.path)))
    unmet += [Unmet(f"{_place(fault)}: {fault.what}") for fault in case.submission.sources.faults]
    read = sum(file.data is not None for file in tree.files.values())
    basis = Evidence(Kind.FILE, f"{read} of {len(tree.files)} files read, every one that holds code")
    return Assessment(unmet=tuple(dict.fromkeys(unmet)), notes=tuple(notes), basis=(basis,))


def _obstacle(file: File) -> str:
    """Why this file cannot be read as code or text; "" for what was read and for plain data."""
    if file.sort is not Sort.FILE:
        return f"a {file.sort.value}, not followed"
    if file.suffix in COMPILED or _is_program(file.data or b""):
        return "compiled code"
    if file.suffix in PICKLED:
        return "a pickle, never loaded"
    if file.suffix in NATIVE:
        return "native code, which is not analysed"
    if file.suffix in READ and file.data is None:
        return "absent from the clone or too large to read"
    return ""


def _is_program(data: bytes) -> bool:
    return data.startswith(EXECUTABLE) or (data.startswith(b"MZ") and b"\0" in data[:64])


def _place(fault: Fault) -> str:
    line = f":{fault.where.line}" if fault.where.line is not None else ""
    return f"{fault.where.file}{line}"


def _with(**files: str) -> dict[str, str]:
    return specimen.folder(specimen.log(), files=files)


RULE = Rule(
    id="H02",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="T",
    check=check,
    cites=(SELF_CONTAINED,),
    examples=(
        Example(
            "A folder of Python, JSON and logs is read in full.",
            _with(),
            Verdict.PASS,
            "every one that holds code",
        ),
        Example(
            "A tokenizer model is data, not code.",
            _with(**{"fineweb_8192_bpe.model": "binary"}),
            Verdict.PASS,
        ),
        Example("A picture is data.", _with(**{"curve.png": "binary"}), Verdict.PASS),
        Example(
            "A compiled helper is named.",
            _with(**{"fast_scorer.so": "binary"}),
            Verdict.UNDETERMINED,
            "fast_scorer.so: compiled code",
        ),
        Example(
            "A program is named by its first bytes, whatever it is called.",
            _with(**{"runtime/score": "\x7fELF\x02\x01\x01\0"}),
            Verdict.UNDETERMINED,
            "runtime/score: compiled code",
        ),
        Example("A note that begins with MZ is text.", _with(**{"notes": "MZ is not a zip\n"}), Verdict.PASS),
        Example(
            "A scorer in C is named: the engines follow Python.",
            _with(**{"ngram_state.c": "int tilt(int t) { return t; }\n"}),
            Verdict.UNDETERMINED,
            "native code",
        ),
        Example(
            "A script with a syntax error cannot be followed.",
            _with(**{"train_gpt.py": "def main(:\n    pass\n"}),
            Verdict.UNDETERMINED,
            "train_gpt.py",
        ),
    ),
)
