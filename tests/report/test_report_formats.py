"""Whole reports in every format: snapshots, schemas, and what each reader relies on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from golf_audit.errors import AuditError
from golf_audit.model import Report, Ruling, Verdict
from golf_audit.report import explain, github, jsonreport, markdown, sarif, text

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ("failing", "disputed", "packed", "passing", "crashed")
Sample = Callable[[str], Report]
Snapshot = Callable[[str, str], None]


def render_text(width: int) -> Callable[[list[Report]], str]:
    return lambda reports: text.render(reports, width=width, color=False)


FORMATS: dict[str, Callable[[list[Report]], str]] = {
    "80.txt": render_text(80),
    "120.txt": render_text(120),
    "json": jsonreport.render,
    "comment": markdown.render,  # not .md: ruff would format the code blocks of the snapshots
    "sarif": sarif.render,
    "github": github.render,
}


def schema(path: str) -> Any:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


REPORT_SCHEMA = jsonschema.Draft202012Validator(schema("schemas/report.schema.json"))
SARIF_SCHEMA = jsonschema.Draft4Validator(schema("tests/data/sarif/sarif-2.1.0-rtm.4.json"))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", SAMPLES)
def test_whole_reports(sample: Sample, snapshot: Snapshot, name: str, form: str) -> None:
    snapshot(f"{name}.{form}", FORMATS[form]([sample(name)]))


@pytest.mark.parametrize("form", FORMATS)
def test_several_reports_in_one_answer(sample: Sample, snapshot: Snapshot, form: str) -> None:
    snapshot(f"several.{form}", FORMATS[form]([sample("disputed"), sample("failing")]))


@pytest.mark.parametrize("rule", ["T01", "A01", "P01", "R04"])
def test_explain(sample: Sample, snapshot: Snapshot, rule: str) -> None:
    snapshot(f"explain-{rule}.txt", explain.render(sample("failing"), rule, width=100, color=False))


def test_explain_says_why_it_has_no_ruling(sample: Sample) -> None:
    with pytest.raises(AuditError, match="not asked"):
        explain.render(sample("failing"), "Z99")
    with pytest.raises(AuditError, match="ValueError"):
        explain.render(sample("crashed"), "A01")


# --- terminal -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("name", SAMPLES)
def test_no_line_is_wider_than_the_terminal(sample: Sample, name: str, width: int) -> None:
    lines = text.render([sample(name)], width=width, color=False, verbose=True).splitlines()
    assert max(map(len, lines)) <= width


def test_colour_only_when_asked_for_or_on_a_terminal(sample: Sample) -> None:
    assert "\x1b[" in text.render([sample("failing")], color=True)
    assert "\x1b" not in text.render([sample("failing")], color=False)
    assert "\x1b" not in text.render([sample("failing")])  # under pytest stdout is no terminal


@pytest.mark.parametrize(
    ("options", "ending"),
    [
        pytest.param({}, "exit 3", id="open"),
        pytest.param({"strict": True}, "exit 1 (--strict)", id="open under --strict"),
        pytest.param({"exit_zero": True}, "exit 0 (--exit-zero)", id="open under --exit-zero"),
    ],
)
def test_the_last_line_states_the_exit_code(sample: Sample, options: dict[str, bool], ending: str) -> None:
    last = text.render([sample("disputed")], color=False, **options).splitlines()[-1]
    assert re.fullmatch(rf"0 failed, 1 open, 1 without effect on the exit code +{re.escape(ending)}", last)


def test_a_crash_is_not_hidden_by_exit_zero(sample: Sample) -> None:
    assert "exit 4" in text.render([sample("crashed")], color=False, exit_zero=True).splitlines()[-1]


def test_a_required_run_that_was_not_made_shows_in_word_and_code(sample: Sample) -> None:
    told = text.render([sample("passing")], color=False, require_run=True)
    assert told.splitlines()[0].endswith("OPEN")
    assert told.splitlines()[-1].startswith("0 failed, 2 open")


def test_every_rule_is_named_exactly_once_outside_its_details(sample: Sample) -> None:
    report = sample("failing")
    told = text.render([report], color=False, width=120)
    for ruling in report.rulings:
        assert re.search(rf"\b{ruling.rule.id}\b", told), ruling.rule.id


def test_verbose_lists_settings_and_what_each_pass_rests_on(sample: Sample) -> None:
    brief, verbose = (text.render([sample("failing")], color=False, verbose=v) for v in (False, True))
    for only in ("SLIDING_WINDOW_ENABLED=1", "151.07 million bytes behind the claimed line"):
        assert only in verbose and only not in brief


def test_no_submission_is_said_in_words() -> None:
    assert re.fullmatch(r"no submission in this pull request +exit 0\n", text.render([], color=False))


def test_an_unshown_finding_is_not_stated_as_a_fact(sample: Sample) -> None:
    report = sample("packed")
    doubtful = replace(report, rulings=tuple(map(undetermined, report.rulings)))
    for form in ("120.txt", "comment", "github"):
        said = FORMATS[form]([doubtful])
        assert "likely, but not shown" in said, form
    assert '"level": "note"' in sarif.render([doubtful])


def undetermined(ruling: Ruling) -> Ruling:
    from golf_audit.model import Certainty

    told = ruling.assessment
    unsure = tuple(replace(f, certainty=Certainty.LIKELY) for f in told.findings)
    return replace(ruling, verdict=Verdict.UNDETERMINED, assessment=replace(told, findings=unsure))


# --- JSON -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_json_is_valid_by_its_schema(sample: Sample, name: str) -> None:
    REPORT_SCHEMA.check_schema(REPORT_SCHEMA.schema)
    REPORT_SCHEMA.validate(json.loads(jsonreport.render([sample(name)])))


def test_none_and_several_reports_are_a_list(sample: Sample) -> None:
    none = json.loads(jsonreport.render([]))
    several = json.loads(jsonreport.render([sample("failing"), sample("passing")]))
    assert none == {"schema": "golf-audit/reports/1", "reports": []}
    assert [r["verdict"] for r in several["reports"]] == ["fail", "pass"]
    for told in (none, several):
        REPORT_SCHEMA.validate(told)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"schema": "golf-audit/report/2"}, id="an unknown version"),
        pytest.param({"verdict": "ok"}, id="an unknown verdict"),
        pytest.param({"as_of": "yesterday"}, id="a day that is no date"),
        pytest.param({"generated_at": "2026-05-01T00:00:00"}, id="a time"),
    ],
)
def test_the_schema_refuses(sample: Sample, broken: dict[str, str]) -> None:
    assert not REPORT_SCHEMA.is_valid({**jsonreport.to_dict(sample("failing")), **broken})


def test_the_schema_refuses_absolute_paths(sample: Sample) -> None:
    told = jsonreport.to_dict(sample("failing"))
    told["submission"]["folder"] = "/home/me/records/x"
    assert not REPORT_SCHEMA.is_valid(told)


def test_order_without_meaning_does_not_change_a_byte(sample: Sample) -> None:
    report = sample("failing")
    turned = replace(report, configuration=tuple(reversed(report.configuration)))
    assert jsonreport.render([turned]) == jsonreport.render([report])


def test_an_absolute_folder_never_reaches_the_report(sample: Sample) -> None:
    report = sample("failing")
    moved = replace(report, head=replace(report.head, folder="/home/somebody/pg/" + report.head.folder))
    assert jsonreport.render([moved]) == jsonreport.render([report])
    for form in ("comment", "sarif", "github"):
        assert "somebody" not in FORMATS[form]([moved])


# --- SARIF ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SAMPLES, "none"])
def test_sarif_is_valid_by_the_published_schema(sample: Sample, name: str) -> None:
    SARIF_SCHEMA.validate(json.loads(sarif.render([sample(name)] if name != "none" else [])))


def results(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(sarif.render([report]))["runs"][0]["results"]
    return found


def test_sarif_carries_the_witness_path_in_the_order_of_the_evidence(sample: Sample) -> None:
    first = results(sample("failing"))[0]
    steps = first["codeFlows"][0]["threadFlows"][0]["locations"]
    lines = [s["location"]["physicalLocation"]["region"]["startLine"] for s in steps]
    assert lines == [3677, 3766, 180]


def test_sarif_points_into_the_payload_of_a_packed_layer_and_quotes_the_inner_line(sample: Sample) -> None:
    (only,) = results(sample("packed"))
    assert only["locations"][0]["physicalLocation"]["region"] == {"startLine": 2}
    assert "layer 1:412: optimizer.step()" in only["message"]["text"]


def test_sarif_levels_follow_the_verdict(sample: Sample) -> None:
    told = {r["ruleId"]: r["level"] for name in ("failing", "disputed") for r in results(sample(name))}
    assert told == {"T01": "error", "P01": "note", "Q01": "note", "A03": "warning", "S01": "warning"}


def test_sarif_fingerprints_differ_and_survive_moved_lines(sample: Sample) -> None:
    report = sample("packed")
    (ruling,) = report.rulings
    (finding,) = ruling.assessment.findings
    where = finding.evidence[0].where
    assert where is not None
    lower = replace(finding.evidence[0], where=replace(where, line=where.line + 40 if where.line else None))
    moved = replace(finding, evidence=(lower, *finding.evidence[1:]))
    twice = replace(ruling, assessment=replace(ruling.assessment, findings=(finding, moved)))
    first, second = (
        r["partialFingerprints"]["primaryLocationLineHash"]
        for r in results(replace(report, rulings=(twice,)))
    )
    assert first.split(":")[0] == second.split(":")[0] and first != second


def test_sarif_reports_a_crash_as_the_tools_own_failure(sample: Sample) -> None:
    (invocation,) = json.loads(sarif.render([sample("crashed")]))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "A01" in invocation["toolExecutionNotifications"][0]["message"]["text"]


# --- GitHub ---------------------------------------------------------------------------------------------


def test_an_annotation_names_the_file_from_the_root_of_the_repository(sample: Sample) -> None:
    report = sample("failing")
    first = github.render([report]).splitlines()[0]
    assert first.startswith(f"::error file={report.head.folder}/train_gpt.py,line=3677,col=17,title=T01 fail")


def test_an_annotation_in_a_packed_layer_sits_on_the_payload_and_quotes_the_inner_line(
    sample: Sample,
) -> None:
    first = github.render([sample("packed")]).splitlines()[0]
    assert "train_gpt.py,line=2,title=" in first and "layer 1:412: optimizer.step()" in first


def test_no_more_than_ten_annotations_of_a_level_and_the_tenth_names_the_rest(sample: Sample) -> None:
    report = sample("failing")
    (failed, *_) = report.rulings
    many = replace(
        report, rulings=tuple(replace(failed, rule=replace(failed.rule, id=f"T{n:02}")) for n in range(14))
    )
    errors = [line for line in github.render([many]).splitlines() if line.startswith("::error")]
    assert len(errors) == 10
    assert "5 more: T09 T10 T11 T12 T13" in errors[-1]


def test_errors_come_before_warnings_over_all_folders(sample: Sample) -> None:
    told = github.render([sample("disputed"), sample("failing")]).splitlines()
    levels = [line.split(" ")[0] for line in told if line.startswith("::")]
    assert levels == ["::error", "::warning", "::warning", "::notice"]


# --- Markdown -------------------------------------------------------------------------------------------


def test_the_comment_starts_with_the_marker_that_lets_it_be_updated(sample: Sample) -> None:
    for reports in ([], [sample("failing")], [sample("failing"), sample("passing")]):
        assert markdown.render(reports).startswith(markdown.MARKER + "\n## golf-audit")


def test_the_comment_says_what_to_change_and_how_to_reproduce_it(sample: Sample) -> None:
    told = markdown.render([sample("failing")])
    assert "**To change (T01):** score each chunk first" in told
    assert "golf-audit check --repo . --pr 1958 --as-of 2026-05-01" in told


def test_a_comment_fits_into_what_github_accepts(sample: Sample) -> None:
    report = sample("failing")
    (failed, *_) = report.rulings
    (finding,) = failed.assessment.findings
    loud = replace(finding, message="x " * 900)
    many = replace(failed, reason="|" * 2000, assessment=replace(failed.assessment, findings=(loud,) * 60))
    told = markdown.render([replace(report, rulings=(many,) * 40)] * 3)
    assert len(told) < 65_536
    assert "do not fit" in told and told.rstrip().endswith("```")


ACCUSING = ("cheat", "fraud", "guilt", "illegal attempt", "!", "violat")


@pytest.mark.parametrize("form", ["80.txt", "comment", "github"])
@pytest.mark.parametrize("name", SAMPLES)
def test_reports_do_not_accuse(sample: Sample, name: str, form: str) -> None:
    told = FORMATS[form]([sample(name)]).replace(markdown.MARKER, "").lower()
    assert not [word for word in ACCUSING if word in told]
