"""No rule is raised to pass by a run unless every condition holds (DESIGN section 2): asked of each rule."""

from __future__ import annotations

import datetime as dt
import textwrap
from dataclasses import replace

import pytest

from golf_audit import registry
from golf_audit.joining import join
from golf_audit.joining.reaching import reaching
from golf_audit.joining.readers import READERS, seen
from golf_audit.joining.seen import Seen
from golf_audit.model import Assessment, Certainty, Evidence, Finding, Kind, Unmet, Verdict
from golf_audit.observation import Observation, Word
from golf_audit.static.example import POLISH, files
from golf_audit.submission import Case, Submission
from rules.t01_scored_before_adapted import SCORE_FIRST
from tests.dynamic.fake import Story
from tests.dynamic.test_joining import (
    ALL,
    CLEAN_ORDER,
    HONEST,
    MOVED,
    PREFIX,
    TAG,
    observation,
    scored_once,
    submission,
    verdicts,
)

RULES = sorted(READERS)
OPEN = Assessment((), (Unmet("reading leaves it open"),))
BRANCH = "    if os.path.exists('/tmp/marker'):\n" + textwrap.indent(POLISH.strip("\n"), "    ") + "\n"


def raised(of: Submission, watched: Observation, rule: str) -> bool:
    """True when nothing stands in the way of a pass after both engines have spoken."""
    case = Case(of, dt.date(2026, 5, 1), observation=watched)
    said = join.joined(case, rule, OPEN, SCORE_FIRST)
    return not said.unmet and not said.findings


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the question is, the run answers that nothing was seen."""
    monkeypatch.setattr(join, "seen", lambda case, rule: Seen(clean="nothing was seen"))


def complete() -> Observation:
    return observation(submission(HONEST), scored_once(), CLEAN_ORDER, PREFIX)


WITHOUT = {
    "a check without hooks": (HONEST, replace(complete(), outcomes=(CLEAN_ORDER,))),
    "its agreement": (HONEST, replace(complete(), outcomes=(replace(PREFIX, word=Word.VOID),))),
    "its word on this very result": (HONEST, replace(complete(), outcomes=(replace(PREFIX, line=9),))),
    "the declared configuration": (HONEST, replace(complete(), problems=("SEED is not told",))),
    "a log": ({k: v for k, v in HONEST.items() if not k.startswith("train_log")}, complete()),
    "a branch": (files(before=BRANCH), complete()),
    "a recorder left alone": (files(before="    import gc\n    gc.get_objects()\n"), complete()),
}


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("rule", RULES)
def test_with_every_condition_met_a_clean_run_settles(rule: str) -> None:
    assert raised(submission(HONEST), complete(), rule)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("missing", WITHOUT)
def test_without_one_of_them_nothing_is_settled(rule: str, missing: str) -> None:
    made, watched = WITHOUT[missing]
    assert not raised(submission(made), watched, rule)


@pytest.mark.parametrize("rule", RULES)
def test_a_run_whose_number_is_not_attested_is_silent_on_every_rule(rule: str) -> None:
    honest = submission(HONEST)
    story = Story()
    story.report([story.score(ALL)], tag=TAG, off=-0.2)
    watched = observation(honest, story, CLEAN_ORDER, PREFIX)
    assert not raised(honest, watched, rule)
    said = seen(Case(honest, dt.date(2026, 5, 1), observation=watched), rule)
    assert not said.clean
    if rule == "P03":  # the number itself is in doubt
        assert [v.sure for v in said.violations] == [False]
    else:
        assert not said.violations and said.missing


def test_a_number_that_its_scores_do_not_give_is_no_pass_of_p03() -> None:
    """Reading sees that a score feeds it; the run sees that it is another number."""
    honest = submission(HONEST)
    assert verdicts(honest, None)("P03").verdict is Verdict.PASS
    story = Story()
    story.report([story.score(ALL)], tag=TAG, off=-0.2)
    judged = verdicts(honest, observation(honest, story, CLEAN_ORDER, PREFIX))("P03")
    assert judged.verdict is Verdict.UNDETERMINED and "not attested" in judged.reason
    failed = verdicts(honest, observation(honest, story, ending="failed", reason="no"))("P03")
    assert failed.verdict is Verdict.PASS, "a run that did not end says nothing against it"


@pytest.mark.parametrize(
    "line",
    [
        "import gc; gc.get_objects()",
        "from gc import get_referrers",
        "print.__closure__[0].cell_contents",
        "sys._getframe(1).f_back",
        "getattr(gc, 'get_objects')()",
        "import golf_audit.dynamic.child",
        "importlib.import_module('golf_audit.dynamic')",
        "torch._C.DisableTorchFunction()",
        "open('/proc/self/mem', 'r+b')",
    ],
)
def test_reaching_into_the_recorder_is_seen_wherever_it_is_written(line: str) -> None:
    """Forged books look clean to every probe, the one without hooks too: 0.9 of all losses, say."""
    names = [name for name, _ in reaching(submission(files(before=f"    {line}\n")))]
    assert names, line
    assert not list(reaching(submission(files(before="    import gc; gc.collect(); model.__dict__\n"))))


@pytest.mark.parametrize("outcomes", [(CLEAN_ORDER, PREFIX), (MOVED, PREFIX), (CLEAN_ORDER,), ()])
def test_no_rule_leaves_fail_for_pass(outcomes: tuple[object, ...]) -> None:
    """What reading shows to be broken is at most opened by a run that does not show it."""
    guilty = submission(files(before=POLISH))
    before = verdicts(guilty, None)
    after = verdicts(guilty, observation(guilty, scored_once(), *outcomes))  # type: ignore[arg-type]
    for rule in registry.pick(["T01", "T02", "P01", "P03", "Q01", "Q02", "Q03", "M01"]):
        if before(rule.id).verdict is Verdict.FAIL:
            assert after(rule.id).verdict is not Verdict.PASS


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(("rule", "stays"), [("V01", True), ("M02", True), ("T01", False), ("V02", False)])
def test_what_a_few_steps_need_not_reach_takes_nothing_back(rule: str, stays: bool) -> None:
    """golf_ref with validation shards in its loader: four steps on training tokens show nothing of them."""
    read = Assessment((Finding("read", Certainty.SHOWN, SCORE_FIRST, (Evidence(Kind.SOURCE, "here"),)),))
    case = Case(submission(HONEST), dt.date(2026, 5, 1), observation=complete())
    (finding,) = join.joined(case, rule, read, SCORE_FIRST).findings
    assert (finding.certainty is Certainty.SHOWN) is stays
