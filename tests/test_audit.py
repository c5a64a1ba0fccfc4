"""From findings to the verdict: one pure function (DESIGN section 4)."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from golf_audit import registry
from golf_audit.audit import audit, decide
from golf_audit.errors import AuditError
from golf_audit.filetree import FileTree
from golf_audit.model import (
    Assessment,
    Authority,
    Certainty,
    Cite,
    Evidence,
    Finding,
    Head,
    Kind,
    Rule,
    Severity,
    Track,
    Unmet,
    Verdict,
)
from golf_audit.submission import Case, Submission

TODAY = dt.date(2026, 4, 1)
FACT = Evidence(Kind.LOG, "a line of the log")
README = Cite(Authority.README, "README", "a sentence", dt.date(2026, 3, 18))
LATER = replace(README, since=dt.date(2026, 4, 26))
DISPUTED = replace(README, disputed=True)
PRACTICE = replace(README, authority=Authority.PRACTICE)
ORGANISER = replace(README, authority=Authority.ORGANISER)


def finding(certainty: Certainty, law: Cite = README, proof: bool = False) -> Finding:
    return Finding("what was found", certainty, law, (FACT,), proof=proof)


def shown_by(law: Cite) -> Finding:
    return finding(Certainty.SHOWN, law)


SHOWN, LIKELY, HINT = (finding(c) for c in (Certainty.SHOWN, Certainty.LIKELY, Certainty.HINT))
MISSING = Unmet("no log", "add one")
RULE = Rule("A01", "A demand.\n", Severity.DISQUALIFYING, "L", lambda case: Assessment())

TABLE = [
    ("shown by evidence and settled by the README fails", Assessment((SHOWN,)), Verdict.FAIL),
    ("an organiser's ruling settles too", Assessment((finding(Certainty.SHOWN, ORGANISER),)), Verdict.FAIL),
    ("a named fingerprint is proof", Assessment((finding(Certainty.LIKELY, proof=True),)), Verdict.FAIL),
    ("a settled finding outweighs a missing premise", Assessment((SHOWN,), (MISSING,)), Verdict.FAIL),
    (
        "a settled finding outweighs a disputed one",
        Assessment((finding(Certainty.SHOWN, DISPUTED), SHOWN)),
        Verdict.FAIL,
    ),
    (
        "a disputed law needs a ruling",
        Assessment((finding(Certainty.SHOWN, DISPUTED),)),
        Verdict.NEEDS_RULING,
    ),
    (
        "practice alone settles nothing",
        Assessment((finding(Certainty.SHOWN, PRACTICE),)),
        Verdict.NEEDS_RULING,
    ),
    (
        "a law of a later date settles nothing",
        Assessment((finding(Certainty.SHOWN, LATER),)),
        Verdict.NEEDS_RULING,
    ),
    ("what is only likely is undetermined", Assessment((LIKELY,), basis=(FACT,)), Verdict.UNDETERMINED),
    ("a missing premise is undetermined", Assessment(unmet=(MISSING,), basis=(FACT,)), Verdict.UNDETERMINED),
    (
        "a hint beside a missing premise is undetermined",
        Assessment((HINT,), (MISSING,)),
        Verdict.UNDETERMINED,
    ),
    ("nothing found and nothing to rest on is undetermined", Assessment(), Verdict.UNDETERMINED),
    ("a hint passes when the premises are met", Assessment((HINT,), basis=(FACT,)), Verdict.PASS),
    ("nothing found and every premise met passes", Assessment(basis=(FACT,)), Verdict.PASS),
    ("notes decide nothing", Assessment(notes=(FACT,), basis=(FACT,)), Verdict.PASS),
    ("no subject is not applicable", Assessment(not_applicable="no training"), Verdict.NOT_APPLICABLE),
]


@pytest.mark.parametrize(("assessment", "expected"), [pytest.param(a, v, id=i) for i, a, v in TABLE])
def test_decide(assessment: Assessment, expected: Verdict) -> None:
    verdict, reason = decide(RULE, assessment, TODAY)
    assert verdict is expected
    assert reason, "every verdict has its sentence"


def test_the_law_of_a_later_day_decides_from_that_day() -> None:
    assessment = Assessment((finding(Certainty.SHOWN, LATER),))
    assert decide(RULE, assessment, dt.date(2026, 4, 25))[0] is Verdict.NEEDS_RULING
    assert decide(RULE, assessment, dt.date(2026, 4, 26))[0] is Verdict.FAIL


def test_a_finding_without_evidence_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="carries evidence"):
        Finding("nothing behind it", Certainty.SHOWN, README, ())


def a_case(track: Track = Track.RECORD) -> Case:
    return Case(Submission(Head("folder", "0" * 64), track, TODAY, FileTree({})), TODAY)


def test_a_rule_that_raises_is_named_and_the_others_still_speak() -> None:
    def explode(case: object) -> Assessment:
        raise RuntimeError("boom")

    fine = replace(RULE, id="A02", check=lambda case: Assessment(basis=(FACT,)))
    report = audit(a_case(), [replace(RULE, check=explode), fine])
    assert [(c.rule, c.error) for c in report.crashes] == [("A01", "RuntimeError: boom")]
    assert [(r.rule.id, r.verdict) for r in report.rulings] == [("A02", Verdict.PASS)]


def test_a_rule_of_another_track_is_not_asked() -> None:
    def never(case: object) -> Assessment:
        raise AssertionError("asked")

    report = audit(a_case(Track.NON_RECORD), [replace(RULE, check=never, tracks=(Track.RECORD,))])
    assert report.rulings[0].verdict is Verdict.NOT_APPLICABLE


def test_an_engine_that_is_not_built_never_passes() -> None:
    for rule in registry.rules():
        assessment = rule.check(a_case())
        if any(u.awaits is not None for u in assessment.unmet):
            assert decide(rule, assessment, TODAY)[0] is Verdict.UNDETERMINED


# --- the registry ------------------------------------------------------------------------------------------


def test_the_catalogue_is_whole_and_in_order() -> None:
    ids = [rule.id for rule in registry.rules()]
    assert len(ids) == len(set(ids))
    assert ids[:3] == ["T01", "T02", "P01"]
    assert ids[-1] == "S03"
    assert len(ids) == 38


@pytest.mark.parametrize(
    ("asked", "first", "count"),
    [(["t01"], "T01", 1), (["A"], "A01", 5), (["R02", "T"], "T01", 3)],
)
def test_rules_are_picked_by_id_or_family(asked: list[str], first: str, count: int) -> None:
    picked = registry.pick(asked)
    assert (picked[0].id, len(picked)) == (first, count)


def test_an_unknown_rule_is_one_line() -> None:
    with pytest.raises(AuditError, match="no rule Z9"):
        registry.pick(["Z9"])
