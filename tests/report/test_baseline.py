"""`check --baseline REPORT` prints what changed and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from golf_audit.cli import cli

from golf_audit.errors import AuditError
from golf_audit.model import Report, Verdict
from golf_audit.report import changes, jsonreport
from golf_audit.report.baseline import compare, read_baseline

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "schemas" / "changes.schema.json").read_text(encoding="utf-8"))
)
Sample = Callable[[str], Report]
FORMS = ("text", "json", "markdown", "github", "sarif")


def told(*reports: Report) -> list[dict[str, Any]]:
    return [jsonreport.to_dict(report) for report in reports]


def repaired(report: Report) -> Report:
    """The same folder with its first rule passing and nothing found by it."""
    first, *rest = report.rulings
    held = replace(
        first, verdict=Verdict.PASS, reason="holds", assessment=replace(first.assessment, findings=())
    )
    return replace(report, rulings=(held, *rest))


def moved_down(report: Report) -> Report:
    """The same findings forty lines lower."""
    first, *rest = report.rulings

    def lower(evidence: Any) -> Any:
        where = evidence.where
        return replace(evidence, where=where and replace(where, line=where.line and where.line + 40))

    findings = tuple(
        replace(f, evidence=tuple(lower(e) for e in f.evidence)) for f in first.assessment.findings
    )
    return replace(
        report, rulings=(replace(first, assessment=replace(first.assessment, findings=findings)), *rest)
    )


@pytest.mark.parametrize("form", FORMS)
def test_moved_lines_are_no_change(sample: Sample, form: str) -> None:
    report = sample("failing")
    page = changes.render(form, told(report), [moved_down(report)])
    assert "optimizer.step" not in page or form == "sarif"
    if form == "sarif":
        states = [r["baselineState"] for r in json.loads(page)["runs"][0]["results"]]
        assert "unchanged" in states and page.count('"new"') == states.count("new")
    else:
        assert "::error" not in page and "new " not in page and "->" not in page


def test_a_new_finding_a_gone_one_and_the_moved_verdict(sample: Sample) -> None:
    report = sample("failing")
    (worse,) = compare(told(repaired(report)), [report], False)
    (better,) = compare(told(report), [repaired(report)], False)
    assert [(m.rule, m.was, m.now) for m in worse.moved] == [("T01", "pass", "fail")]
    assert [(m.rule, m.was, m.now) for m in better.moved] == [("T01", "fail", "pass")]
    assert ([d.rule for d in worse.new], worse.gone) == (["T01"], ())
    assert (better.new, [d.rule for d in better.gone]) == ((), ["T01"])


def test_a_second_finding_with_the_same_text_is_new(sample: Sample) -> None:
    report = sample("packed")
    (ruling,) = report.rulings
    twice = replace(ruling, assessment=replace(ruling.assessment, findings=ruling.assessment.findings * 2))
    (found,) = compare(told(report), [replace(report, rulings=(twice,))], False)
    assert len(found.new) == 1 and not found.moved


def test_pages_name_what_changed_and_the_line(sample: Sample) -> None:
    report = sample("failing")
    before = told(repaired(report))
    page = changes.render("text", before, [report], color=False)
    assert "FAIL, was OPEN" in page and "changed  T01  pass -> fail" in page
    assert "train_gpt.py:3677" in page and "rules as before" in page and "exit 1" in page
    assert "A01" not in page  # what did not change is not repeated
    first = changes.render("github", before, [report]).splitlines()[0]
    assert first.startswith(
        f"::error file={report.head.folder}/train_gpt.py,line=3677,col=17,title=T01 fail%2C new"
    )
    assert "| new | T01 |" in changes.render("markdown", before, [report])


def test_nothing_changed_is_said(sample: Sample) -> None:
    report = sample("failing")
    for form in ("text", "markdown"):
        assert "othing changed since the baseline" in changes.render(
            form, told(report), [report], color=False
        )


def test_a_folder_that_the_baseline_lacks_shows_what_speaks(sample: Sample) -> None:
    page = changes.render(
        "text", told(sample("failing"), sample("packed")), [sample("disputed")], color=False
    )
    assert "not in the baseline" in page and "not asked -> needs-ruling" in page and "T01" not in page


def test_json_is_valid_by_its_schema(sample: Sample) -> None:
    for before, now in (("failing", "failing"), ("failing", "disputed"), ("packed", "passing")):
        SCHEMA.validate(json.loads(changes.render("json", told(sample(before)), [sample(now)])))


def test_hostile_text_of_a_baseline_and_of_a_report_stays_text(with_text: Callable[[str], Report]) -> None:
    for hostile in ("\x1b[31m::error::x", "<img src=x>@someone", "a\n::warning::b|c`d"):
        report = with_text(hostile)
        for form in FORMS:
            page = changes.render(form, told(repaired(report)), [report], color=False)
            assert "\x1b" not in page
            assert form != "markdown" or "<img" not in page.replace("`<img", "")
            assert not [line for line in page.splitlines() if line.startswith(("::error::x", "::warning::b"))]


BROKEN = {
    "no JSON": "{",
    "no report": "{}",
    "a list": "[]",
    "another schema": '{"schema": "golf-audit/report/1"}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_report_is_one_clear_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AuditError, match="is no baseline"):
        read_baseline(path)


def test_the_command(tmp_path: Path) -> None:
    folder = str(ROOT / "examples" / "track_10min_16mb" / "2026-04-22_OverTheLimits")
    base = tmp_path / "base.json"
    before = ["check", folder, "--rule", "A01", "--format", "json", "--output", str(base)]
    assert CliRunner().invoke(cli, before).exit_code == 1
    done = CliRunner().invoke(cli, ["check", folder, "--rule", "A01", "--baseline", str(base)])
    assert done.exit_code == 1  # a baseline changes what is printed, not what holds
    assert "nothing changed since the baseline" in done.output and "Total submission size" not in done.output
