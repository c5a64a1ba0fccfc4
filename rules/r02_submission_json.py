"""submission.json can be read and states a score.

Law    A submission.json with name, GitHub ID, val_bpb and related metadata (README). No schema exists,
       and accepted records leave out almost every field, so only two things are required here.
Look   That it is a JSON object and holds a bpb-like number, under any of the names in use. Everything
       else a person would want (author, date, types, placeholders) is a note with its position.
Blind  Whether the values are true: that is R03.
"""

from __future__ import annotations

from golf_audit import specimen
from golf_audit.claims import SchemaProblem
from golf_audit.law import METADATA
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Fault,
    Finding,
    Kind,
    Rule,
    Severity,
    Verdict,
    Where,
)
from golf_audit.submission import Case


def check(case: Case) -> Assessment:
    claims = case.submission.claims
    if claims.file is None:
        return Assessment(not_applicable="there is no submission.json; see R01")
    findings = [_unreadable(fault) for fault in claims.faults if claims.raw is None]
    findings += [_required(claims.file, problem) for problem in claims.problems if problem.required]
    notes = [_evidence(claims.file, problem) for problem in claims.problems if not problem.required]
    if findings:
        return Assessment(tuple(findings), notes=tuple(notes))
    basis = Evidence(Kind.CLAIM, f"{claims.file} is a JSON object and states a score", Where(claims.file))
    return Assessment(notes=tuple(notes), basis=(basis,))


def _evidence(file: str, problem: SchemaProblem) -> Evidence:
    return Evidence(
        Kind.CLAIM, problem.message, Where(file, problem.line, problem.column, pointer=problem.pointer)
    )


def _required(file: str, problem: SchemaProblem) -> Finding:
    return Finding(
        problem.message,
        Certainty.SHOWN,
        METADATA,
        (_evidence(file, problem),),
        'state the score as a number: "val_bpb": 1.0801',
    )


def _unreadable(fault: Fault) -> Finding:
    evidence = Evidence(Kind.CLAIM, fault.what, fault.where)
    return Finding(fault.what, Certainty.SHOWN, METADATA, (evidence,), "make it one valid JSON object")


def _stating(text: str) -> dict[str, str]:
    return specimen.folder(specimen.log(), submission=text)


RULE = Rule(
    id="R02",
    doc=__doc__,
    severity=Severity.INCOMPLETE,
    evidence="T",
    check=check,
    cites=(METADATA,),
    examples=(
        Example(
            "The keys of the baseline's example.", _stating(specimen.claim()), Verdict.PASS, "states a score"
        ),
        Example(
            "The mean under another name is a score.",
            _stating(specimen.claim(val_bpb=None, mean_val_bpb=1.0801)),
            Verdict.PASS,
        ),
        Example("No author is a note.", _stating(specimen.claim(author=None)), Verdict.PASS),
        Example("A byte order mark is read.", _stating("\ufeff" + specimen.claim()), Verdict.PASS),
        Example("Text after the closing brace.", _stating(specimen.claim() + "EOF\n"), Verdict.FAIL),
        Example("A trailing comma.", _stating('{"val_bpb": 1.0801,}\n'), Verdict.FAIL),
        Example("A list.", _stating("[1.0801]\n"), Verdict.FAIL),
        Example(
            "A placeholder instead of the score.",
            _stating('{"name": "x", "val_bpb": "TBD"}\n'),
            Verdict.FAIL,
            "val_bpb",
        ),
    ),
)
