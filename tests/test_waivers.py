"""A waived finding stays visible and loses its effect; a waiver holds for nothing but what it names."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from golf_audit.cli import cli

from golf_audit.audit import audit
from golf_audit.fingerprint import fingerprint
from golf_audit.load import load_folder
from golf_audit.model import Report, Unmet, Verdict, Waiver, WaiverState
from golf_audit.outcome import exit_code
from golf_audit.registry import pick
from golf_audit.report import github, jsonreport, markdown, sarif, text
from golf_audit.submission import Case
from golf_audit.waiverfile import WaiverFileError, read_waivers
from golf_audit.waivers import apply

FOLDER = Path(__file__).parents[1] / "examples" / "track_10min_16mb" / "2026-04-22_OverTheLimits"
TODAY = dt.date(2026, 11, 1)


@pytest.fixture(scope="module")
def report() -> Report:
    """A01 fails on two seeds, A04 on three."""
    submission = load_folder(FOLDER)
    return audit(Case(submission, submission.date), pick(["A"]))


def waivers(report: Report, rule: str, expires: dt.date = TODAY) -> list[Waiver]:
    """One for every finding of a rule."""
    (ruling,) = [r for r in report.rulings if r.rule.id == rule]
    return [
        Waiver(rule, fingerprint(ruling.rule.id, f), "looked at", "an organiser", expires, report.head.folder)
        for f in ruling.assessment.findings
    ]


def verdicts(report: Report) -> dict[str, tuple[str, bool]]:
    return {r.rule.id: (r.verdict.value, r.waived) for r in report.rulings}


def test_when_every_finding_is_waived_the_ruling_stays_and_its_effect_is_gone(report: Report) -> None:
    told = apply(report, waivers(report, "A01") + waivers(report, "A04"), TODAY)
    assert exit_code([report]) == 1 and exit_code([told]) == 0
    assert verdicts(told)["A01"] == ("fail", True)
    assert {state for _, state in told.waivers} == {WaiverState.APPLIED}


def test_a_finding_that_is_not_waived_still_fails(report: Report) -> None:
    told = apply(report, waivers(report, "A01")[:1] + waivers(report, "A04"), TODAY)
    assert exit_code([told]) == 1
    (a01,) = [r for r in told.rulings if r.rule.id == "A01"]
    assert (a01.verdict, a01.waived) == (Verdict.FAIL, False)
    assert a01.reason.startswith("seed 999") and "more" not in a01.reason
    assert len(a01.assessment.findings) == 2  # the waived one has not disappeared


def test_a_waiver_holds_on_its_last_day_and_not_on_the_next(report: Report) -> None:
    own = waivers(report, "A01") + waivers(report, "A04")
    late = apply(report, own, TODAY + dt.timedelta(days=1))
    assert exit_code([apply(report, own, TODAY)]) == 0
    assert exit_code([late]) == 1 and {state for _, state in late.waivers} == {WaiverState.EXPIRED}


def test_a_waiver_of_another_rule_folder_or_state_waives_nothing(report: Report) -> None:
    for own in waivers(report, "A01"):
        for other, reported in (
            (replace(own, rule="A04"), [WaiverState.UNUSED]),
            (replace(own, fingerprint="0" * 16), [WaiverState.UNUSED]),
            (replace(own, submission="0" * 12), [WaiverState.UNUSED]),
            (replace(own, folder="records/x"), []),
            (replace(own, folder="", submission="0" * 12), []),
        ):
            told = apply(report, [other], TODAY)
            assert verdicts(told) == verdicts(report)
            assert [state for _, state in told.waivers] == reported


def test_what_was_not_asked_stays_open_behind_a_waived_finding(report: Report) -> None:
    """A waiver answers a finding; a premise that nobody could check is not answered by it."""
    (a01,) = [r for r in report.rulings if r.rule.id == "A01"]
    partly = replace(a01, assessment=replace(a01.assessment, unmet=(Unmet("seed 7 has no log"),)))
    told = apply(replace(report, rulings=(partly,)), waivers(report, "A01"), TODAY)
    assert verdicts(told) == {"A01": ("undetermined", False)}


def test_every_format_shows_what_is_waived_and_by_whom(report: Report) -> None:
    told = apply(report, [*waivers(report, "A01"), *waivers(report, "A04")], TODAY)
    pages = {
        "text": text.render([told], color=False, width=120),
        "markdown": markdown.render([told]),
        "github": github.render([told]),
        "sarif": sarif.render([told]),
        "json": jsonreport.render([told]),
    }
    for form, page in pages.items():
        assert "seed 999" in page and "looked at" in page and "an organiser" in page, form
    assert "WAIVED FAIL  A01" in pages["text"] and "0 failed, 0 open, 2 waived" in pages["text"]
    assert "::error" not in pages["github"] and pages["github"].count("::notice") == 5
    results = json.loads(pages["sarif"])["runs"][0]["results"]
    assert [r["suppressions"][0]["kind"] for r in results] == ["external"] * 5


def test_idle_waivers_are_reported(report: Report) -> None:
    stale = Waiver("A02", "0" * 16, "x", "an organiser", TODAY, report.head.folder)
    gone = Waiver("A03", "1" * 16, "x", "an organiser", TODAY - dt.timedelta(days=1), report.head.folder)
    told = apply(report, [stale, gone], TODAY)
    for page in (text.render([told], color=False), markdown.render([told]), github.render([told])):
        assert "no such finding is here now" in page.replace("\n", " ") and "expired on 2026-10-31" in page


# --- the file -------------------------------------------------------------------------------------------

GOOD = """
[[waiver]]
rule = "A04"
fingerprint = "0123456789abcdef"
folder = "records/track_10min_16mb/2026-04-22_Run/"
reason = "timed on another machine"
who = "an organiser"
expires = 2026-12-31
"""


def test_a_waiver_as_documented() -> None:
    (one,) = read_waivers(GOOD.encode(), "w.toml")
    assert (one.folder, one.expires) == ("records/track_10min_16mb/2026-04-22_Run", dt.date(2026, 12, 31))
    assert read_waivers(b"", "w.toml") == ()


ONE = "w.toml:2: waiver 1 (A04): "
FAULTS = {
    "not TOML": ("rule = ", "w.toml: not TOML: "),
    "not UTF-8": (b"\xff", "w.toml: not TOML: "),
    "no reason": (GOOD.replace("reason", "#"), f"{ONE}'reason' is a required"),
    "an empty reason": (GOOD.replace("timed on another machine", ""), f"{ONE}reason is empty"),
    "no rule": (GOOD.replace("A04", "time"), 'w.toml:2: waiver 1 (time): rule is "time"; a rule id'),
    "no day": (GOOD.replace("2026-12-31", '"soon"'), f"{ONE}expires is 'soon'; a day like 2026-12-31"),
    "a moment": (GOOD.replace("2026-12-31", "2026-12-31T10:00:00Z"), f"{ONE}expires is "),
    "a number for a day": (GOOD.replace("2026-12-31", "7"), f"{ONE}expires is 7; text is expected"),
    "nothing it is bound to": (GOOD.replace("folder", "#"), f"{ONE}it names neither a folder nor"),
    "an unknown key": (GOOD + 'author = "x"\n', f"{ONE}Additional properties"),
    "another table": ("[settings]\nstrict = true\n" + GOOD, "w.toml: Additional properties"),
    "not a list": ('waiver = "A04"', "w.toml: "),
    "a list of text": ('waiver = ["A04"]', "w.toml: waiver 1 (not a table)"),
}


@pytest.mark.parametrize(("content", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_a_file_with_a_fault_waives_nothing_and_says_why_in_a_line(content: str | bytes, says: str) -> None:
    data = content.encode() if isinstance(content, str) else content
    with pytest.raises(WaiverFileError) as caught:
        read_waivers(data, "w.toml")
    assert len(caught.value.details) == 1
    assert caught.value.details[0].startswith(says)


def test_every_fault_has_its_own_line() -> None:
    with pytest.raises(WaiverFileError) as caught:
        read_waivers((GOOD.replace("A04", "x") + GOOD.replace("2026-12-31", '"x"')).encode(), "w.toml")
    assert [line.split(":")[1] for line in caught.value.details] == ["2", "10"]


# --- the command ----------------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", str(FOLDER), "--rule", "A01", *arguments])


@pytest.fixture
def file(tmp_path: Path, report: Report) -> Path:
    path = tmp_path / "waivers.toml"
    path.write_text("".join(lines(waivers(report, "A01"))), encoding="utf-8")
    return path


def lines(told: list[Waiver]) -> Iterator[str]:
    for one in told:
        yield f'[[waiver]]\nrule = "{one.rule}"\nfingerprint = "{one.fingerprint}"\nfolder = "{one.folder}"\n'
        yield 'reason = "looked at"\nwho = "an organiser"\nexpires = 9999-12-31\n'


def test_check_takes_a_waiver_file(file: Path) -> None:
    assert run().exit_code == 1
    done = run("--waivers", str(file))
    assert done.exit_code == 0 and "by an organiser until 9999-12-31: looked at" in done.output


def test_check_names_the_faults_of_a_file(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("A01", "a"), encoding="utf-8")
    done = run("--waivers", str(file))
    assert done.exit_code == 2
    assert "waivers.toml:1: waiver 1 (a)" in done.output and "no waiver of it is honoured" in done.output


def test_a_submission_cannot_waive_its_own_findings(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / FOLDER.name
    folder.mkdir()
    for path in FOLDER.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "waivers.toml").write_bytes(file.read_bytes())
    done = CliRunner().invoke(cli, ["check", str(folder), "--waivers", str(folder / "waivers.toml")])
    assert done.exit_code == 2 and "nobody waives their own findings" in done.output
