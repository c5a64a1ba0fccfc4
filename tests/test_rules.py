"""Every rule's examples are its tests: verdict and phrase as the rule's own page says.

Protects the catalogue: a rule cannot be written without law, look and blind spots, nor without an example
that must not fire and, where the law lets it fire, one that does.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from golf_audit.model import Assessment, Example, Head, Rule, Severity, Track, Verdict
from golf_audit.registry import rules
from golf_audit.submission import Case, Change, Diff, Submission
from tests.rule_harness import judge, tree_of

ROOT = Path(__file__).resolve().parents[1]
BUILT = [rule for rule in rules() if rule.examples]
CASES = [
    pytest.param(rule, example, id=f"{rule.id} {example.title}")
    for rule in BUILT
    for example in rule.examples
]
ADVICE = {"H01", "H02", "N02", "S01", "S02"}  # what these find needs a person, never a fail
BY_READING = {
    *("A01", "A02", "A03", "A04", "A05", "B02", "B03", "B04", "V04", "H01", "H02", "N02"),
    *("R01", "R02", "R03", "R04", "R05", "S01", "S02"),
}


def everything_said(reason: str, assessment: Assessment) -> str:
    """The reason, messages, notes and missing premises, as a report would print them."""
    said = [reason, *(f.message for f in assessment.findings), *(u.missing for u in assessment.unmet)]
    return "\n".join([*said, *(e.says for e in assessment.notes), *(e.says for e in assessment.basis)])


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_an_example_gets_its_verdict_for_its_reason(rule: Rule, example: Example) -> None:
    verdict, reason, assessment = judge(rule, example)
    said = everything_said(reason, assessment)
    assert verdict is example.verdict, said
    assert example.expects in said


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_every_finding_can_be_acted_on(rule: Rule, example: Example) -> None:
    """A finding says what to change and cites a law that the rule names; a pass says what it rests on."""
    verdict, reason, assessment = judge(rule, example)
    cited = {(cite.source, cite.since) for cite in rule.cites}
    for finding in assessment.findings:
        assert finding.to_change
        assert (finding.law.source, finding.law.since) in cited
    if verdict is Verdict.PASS:
        assert assessment.basis and reason


@pytest.mark.parametrize("rule", BUILT, ids=lambda rule: rule.id)
def test_a_rule_shows_both_sides_of_its_border(rule: Rule) -> None:
    if rule.id == "R04":  # an example is a folder; test_diffs below shows R04's sides
        return
    if rule.id == "M01":  # reading fails it or leaves it to a run; a trace shows the other side
        return
    verdicts = [example.verdict for example in rule.examples]
    assert Verdict.PASS in verdicts
    assert {Verdict.FAIL, Verdict.NEEDS_RULING, Verdict.UNDETERMINED} & set(verdicts)
    if rule.id in ADVICE:
        assert Verdict.FAIL not in verdicts


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_a_rule_states_law_look_and_blind_spots_under_its_own_name(rule: Rule) -> None:
    paragraphs = re.findall(r"^(Law|Look|Blind) ", rule.doc, flags=re.MULTILINE)
    assert paragraphs == ["Law", "Look", "Blind"]
    assert list(ROOT.glob(f"rules/{rule.id.lower()}_*.py")), f"the file of {rule.id} starts with its id"
    assert rule.doc.strip().splitlines()[0].endswith(".")


def test_every_rule_of_reading_is_built() -> None:
    assert {rule.id for rule in BUILT} >= BY_READING


@pytest.mark.parametrize(
    "rule", [r for r in BUILT if r.severity is Severity.DISQUALIFYING], ids=lambda r: r.id
)
def test_no_evidence_is_never_a_verdict_on_the_author(rule: Rule) -> None:
    """An empty folder neither passes nor fails a rule that can disqualify."""
    verdict, reason, _ = judge(rule, Example("An empty folder.", {}, Verdict.UNDETERMINED))
    assert verdict is Verdict.UNDETERMINED, reason


@pytest.mark.parametrize("path", sorted(ROOT.glob("rules/*.py")), ids=lambda path: path.stem)
def test_no_verdict_depends_on_a_pull_requests_number(path: Path) -> None:
    """Precedents are cited; `head.pr` is read by nothing but the order of records."""
    assert not re.search(r"\.pr\b", path.read_text(encoding="utf-8"))


INSIDE = "records/track_10min_16mb/2026-04-20_Example"


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        pytest.param(
            [("A", f"{INSIDE}/train_gpt.py"), ("A", f"{INSIDE}/README.md")], Verdict.PASS, id="one folder"
        ),
        pytest.param([("A", f"{INSIDE}/logs/a.txt")], Verdict.PASS, id="a folder inside it"),
        pytest.param([("A", f"{INSIDE}/a.py"), ("M", "README.md")], Verdict.FAIL, id="the root README too"),
        pytest.param(
            [("A", f"{INSIDE}/a.py"), ("A", f"{INSIDE}_2/a.py")], Verdict.FAIL, id="a second folder"
        ),
        pytest.param([("M", f"{INSIDE}/a.py")], Verdict.FAIL, id="an existing record is modified"),
        pytest.param([("A", f"{INSIDE}/a.py"), ("D", "data/x.py")], Verdict.FAIL, id="a file is deleted"),
    ],
)
def test_diffs(changes: list[tuple[str, str]], verdict: Verdict) -> None:
    """R04: what a pull request touches besides its new folder."""
    from golf_audit.audit import decide

    rule = next(rule for rule in rules() if rule.id == "R04")
    diff = Diff("0" * 40, tuple(Change(status, path) for status, path in changes), (INSIDE,))
    example = rule.examples[0]
    tree = tree_of(dict(example.files))
    submission = Submission(Head(INSIDE, tree.fingerprint), Track.RECORD, example.as_of, tree, diff)
    assessment = rule.check(Case(submission, example.as_of))
    assert decide(rule, assessment, example.as_of)[0] is verdict
