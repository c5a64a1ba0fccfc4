"""The catalogue's pages say what a rule says: law, look, blind spots, examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from golf_audit import registry
from golf_audit.model import Example, Report, Rule, Verdict
from golf_audit.report import catalogue


def test_the_three_paragraphs_are_read_from_the_docstring(make_rule: Callable[..., Rule]) -> None:
    rule = make_rule("T01", "Scored first")
    assert catalogue.paragraph(rule, "Law") == "What the README says on it. In two lines."
    assert catalogue.paragraph(rule, "Blind") == "Elsewhere."
    assert catalogue.paragraph(rule, "Nothing") == ""


def test_a_page_holds_law_examples_and_precedents(sample: Callable[[str], Report]) -> None:
    told = catalogue.page(sample("failing").rulings[0].rule)
    for part in (
        "# T01: Validation tokens",
        "What the README says on it.",
        "organiser on #1972 (2026-05-02)",
        "legal shape: #1493",
        "pass: a loop that scores first",
        "adapt(x)",
    ):
        assert part in told


def test_an_example_that_holds_a_fence_stays_one_block(make_rule: Callable[..., Rule]) -> None:
    readme = Example("a README with a command", {"README.md": "```sh\nrun\n```"}, Verdict.PASS)
    told = catalogue.page(replace(make_rule("R01", "Files"), examples=(readme,)))
    assert "````markdown\n```sh\nrun\n```\n````" in told


def test_every_rule_of_the_registry_has_its_three_paragraphs() -> None:
    for rule in registry.rules():
        assert all(catalogue.paragraph(rule, name) for name in ("Law", "Look", "Blind")), rule.id


def test_the_table_and_the_readme_name_every_rule_and_what_is_not_checked() -> None:
    rules = registry.rules()
    for told in (catalogue.table(rules), catalogue.readme(rules)):
        assert all(rule.id in told and rule.title in told for rule in rules)
        assert all(what in told for what in catalogue.NOT_CHECKED)


def test_the_committed_page_is_the_generated_one() -> None:
    """rules/README.md is written by `make rules`; after a change to a rule, run it."""
    committed = (Path(__file__).resolve().parents[2] / "rules" / "README.md").read_text(encoding="utf-8")
    assert committed == catalogue.readme(registry.rules())
