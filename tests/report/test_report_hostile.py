"""A submission may put any text into any place of a report; no format lets it do more than be read."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from golf_audit.model import Report
from golf_audit.report import escape, explain, github, jsonreport, markdown, sarif, text

ROOT = Path(__file__).resolve().parents[2]
WithText = Callable[[str], Report]
MARKDOWN = MarkdownIt("commonmark").enable("table")
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PIECES = [
    "\x1b[31m", "\x1b]8;;http://a\x07", "\x9b", "\r", "\n", "\t", "\x00", "\u202e", "\u200b",
    "\udcff", "\ud800", "\n::error file=a::b", "::add-mask::x", "##[error]", "%0A", "@everyone",
    "#1", "a/b#2", "```", "`", "|", "</details>", "<script>alert(1)</script>", "<!--", "-->",
    "![x](y)", "[x](y)", "https://a.b", "../..", "/etc", "C:\\", " ", "{0}", "[bold red]",
    ":smile:", "[/]", "\u8bad",
]  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=()), max_size=30) | st.lists(
    st.sampled_from(PIECES), max_size=6
).map("".join)


def quiet(told: str) -> None:
    """No character that a reader cannot see, no command of old runners, nothing that cannot be written."""
    told.encode("utf-8")
    seen = [c for c in told if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert seen == []
    assert "##[" not in told


def commands(told: str) -> list[str]:
    """The lines that a GitHub runner would take for commands, by the test that it applies."""
    return [line for line in told.splitlines() if re.match(r"\s*::.*?::", line)]


@SETTINGS
@given(TEXT)
@pytest.mark.parametrize("width", [60, 120])
def test_terminal(with_text: WithText, width: int, hostile: str) -> None:
    report = with_text(hostile)
    told = text.render([report], width=width, color=False, verbose=True)
    quiet(told)
    assert [line for line in commands(told) if re.match(r"\s*::[A-Za-z-]+( |::)", line)] == []
    quiet(explain.render(report, "T01", width=width, color=False))


@SETTINGS
@given(TEXT)
def test_colours_in_a_terminal_are_only_ours(with_text: WithText, hostile: str) -> None:
    told = text.render([with_text(hostile)], color=True)
    quiet(re.sub(r"\x1b\[[0-9;]*m", "", told))


@SETTINGS
@given(TEXT)
def test_github_commands_are_only_ours(with_text: WithText, hostile: str) -> None:
    told = github.render([with_text(hostile)])
    quiet(told)
    plain = github.render([with_text("word")])
    levels = [re.split(r"[ :]", line[2:])[0] for line in commands(told)]
    assert levels == [re.split(r"[ :]", line[2:])[0] for line in commands(plain)]
    assert len(told.splitlines()) == len(plain.splitlines())


OURS = re.compile(r"<!-- golf-audit/report -->|</?details>|</?summary>|</?code>|<br>")


@SETTINGS
@given(TEXT)
def test_nothing_comes_to_life_in_a_comment(with_text: WithText, hostile: str) -> None:
    told = markdown.render([with_text(hostile), with_text(hostile)])
    quiet(told)
    for token in MARKDOWN.parse(told):
        link = False
        for part in [token, *(token.children or [])]:
            if part.type in ("html_block", "html_inline"):
                rest = re.sub(r"<code>.*?</code>", "", part.content)
                assert not re.search(r"[<>@]", OURS.sub("", rest)), part.content
            assert part.type != "image"
            if part.type in ("link_open", "link_close"):
                link = part.type == "link_open"
                assert str(part.attrs.get("href", escape._ISSUES)).startswith(escape._ISSUES)
            if part.type == "text" and not link:
                assert not re.search(r"@[A-Za-z0-9]|#\d|[A-Za-z]://|www\.\w", part.content), part.content


@SETTINGS
@given(TEXT.filter(lambda t: bool(t.strip())))
def test_the_structure_of_a_comment_does_not_depend_on_the_submission(
    with_text: WithText, hostile: str
) -> None:
    def blocks(report: Report) -> list[str]:
        return [t.type for t in MARKDOWN.parse(markdown.render([report]))]

    assert blocks(with_text(hostile)) == blocks(with_text("word"))


REPORT_SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "schemas/report.schema.json").read_text(encoding="utf-8"))
)
SARIF_SCHEMA = jsonschema.Draft4Validator(
    json.loads((ROOT / "tests/data/sarif/sarif-2.1.0-rtm.4.json").read_text(encoding="utf-8"))
)


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for item in value.values() for s in strings(item)]
    if isinstance(value, list):
        return [s for item in value for s in strings(item)]
    return [value] if isinstance(value, str) else []


@SETTINGS
@given(TEXT)
def test_json_stays_valid_and_inert(with_text: WithText, hostile: str) -> None:
    told = jsonreport.render([with_text(hostile)])
    assert told.isascii() and "<" not in told and "##[" not in told and commands(told) == []
    parsed = json.loads(told)
    REPORT_SCHEMA.validate(parsed)
    for one in strings(parsed):
        one.encode("utf-8")


@SETTINGS
@given(TEXT)
def test_sarif_stays_valid_and_inside_the_repository(with_text: WithText, hostile: str) -> None:
    told = sarif.render([with_text(hostile)])
    assert told.isascii() and "<" not in told and commands(told) == []
    parsed = json.loads(told)
    SARIF_SCHEMA.validate(parsed)
    for uri in re.findall(r'"uri": "([^"]*)"', told):
        assert not re.match(r"/|[A-Za-z][A-Za-z0-9+.-]*:", uri) and ".." not in uri.split("/")
    for result in parsed["runs"][0]["results"]:
        assert not re.search(r"(?<!\\)(?:\\\\)*\[", result["message"]["text"])
        for location in result["locations"]:
            assert location["physicalLocation"].get("region", {}).get("startColumn", 1) >= 1
