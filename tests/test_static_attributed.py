"""What a log proves of the run behind it: lines that no print writes, and exceptions that were not raised."""

from __future__ import annotations

from golf_audit.model import Example, Verdict
from golf_audit.static import example as programs
from golf_audit.timeline import Timeline
from tests.rule_harness import submission_of

_REFUSED = """
def main():
    if EXTRA == 0 and os.environ.get("EXTRA_MODE", "plain") == "plain":
        raise RuntimeError("EXTRA_MODE=plain needs EXTRA_ENABLED=1")
"""


def timeline_of(folder: dict[str, str]) -> Timeline:
    return submission_of(Example("", folder, Verdict.PASS)).timeline


def test_a_summary_added_by_hand_stands_for_the_line_with_the_same_number() -> None:
    folder = programs.files()
    log = folder["train_log_1.txt"] + "=== summary ===\nval_bpb:          1.08010000\n"
    submission = submission_of(Example("", {**folder, "train_log_1.txt": log}, Verdict.PASS))
    assert submission.support.lines[0].final.text.startswith("val_bpb:   ")
    assert not submission.timeline.blocking_gaps()
    assert submission.timeline.scores()


def test_a_log_with_results_says_that_no_exception_ended_the_program() -> None:
    folder = programs.files(**{"def main():\n": _REFUSED.lstrip("\n")})
    timeline = timeline_of(folder)
    assert not timeline.blocking_gaps()
    assert timeline.scores()


def test_without_a_log_the_exception_stands() -> None:
    folder = programs.files(**{"def main():\n": _REFUSED.lstrip("\n")})
    del folder["train_log_1.txt"]
    assert any("exception" in gap.reason for gap in timeline_of(folder).blocking_gaps())
