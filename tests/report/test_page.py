"""The page: one file under its own policy, whose structure no string of a submission can change."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from golf_audit.cli import cli
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from golf_audit import checking, registry
from golf_audit.errors import AuditError
from golf_audit.load import load_folder, load_pull_request
from golf_audit.model import Report
from golf_audit.report import jsonreport, page, readback
from golf_audit.schema import load

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "track_10min_16mb"
ILLEGAL = EXAMPLES / "2026-04-21_PolishBeforeQuantising"
WithText = Callable[[str], Report]
Sample = Callable[[str], Report]

_VOID = {"meta", "input", "br", "hr", "link", "img", "col"}
_OPENS_BY_ITSELF = ("https://github.com/openai/parameter-golf/", "#")
"""Where links of a page may lead."""


class Tree(HTMLParser):
    """Elements in order with their attributes, the text of each kind, and whether tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"{tag} is closed out of order"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("style", "script"):
            self.inside.setdefault(self._open[-1], []).append(data)
        else:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:40]}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data[:40]}")

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Tags in order with the names of their attributes."""
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]


@pytest.fixture(scope="module")
def checked() -> Report:
    """The illegal example as `check` reports it, figures included."""
    cases = checking.cases([load_folder(ILLEGAL)], None, None)
    (report,) = checking.reports(cases, registry.rules(), figures=True)
    assert report.figures.problems == ()
    return report


@pytest.fixture(scope="module")
def tree(checked: Report) -> Tree:
    return Tree(page.render([checked]))


def test_the_policy_allows_this_style_and_this_script_and_nothing_else(tree: Tree) -> None:
    (policy,) = [a["content"] for t, a in tree.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for kind in ("style", "script"):
        (text,) = ["".join(tree.inside[kind])]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert [t for t, _ in tree.elements].count("script") == 1


def test_nothing_is_loaded_and_links_lead_to_the_page_or_the_challenge(tree: Tree) -> None:
    for tag, attributes in tree.elements:
        assert tag not in {"img", "link", "iframe", "object", "embed", "form", "base", "use", "image"}
        assert not {"src", "style", "srcset", "action", "xlink:href"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        if "href" in attributes:
            assert str(attributes["href"]).startswith(_OPENS_BY_ITSELF), attributes
            assert tag == "a"


def test_every_link_inside_the_page_has_its_target_and_ids_are_unique(tree: Tree) -> None:
    ids = [a["id"] for _, a in tree.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for _, a in tree.elements if str(a.get("href", "")).startswith("#")}
    assert targets <= set(ids), targets - set(ids)
    assert len(targets) > 40


def test_the_verdict_comes_first_then_what_decides_it(tree: Tree) -> None:
    body = tree.text.partition("in which order")[2]
    order = [
        "2026-04-21_PolishBeforeQuantising",
        "FAIL",
        "GPT learns from validation tokens (line 147) before they are scored (line 67)",
        "To change: ",
        "Timeline, as read",
        "Artifact, bytes",
        "Rulings",
        "The code that is cited",
        "Configuration as run",
    ]
    places = [body.index(words) for words in order]
    assert places == sorted(places)


def test_the_offending_pair_is_joined_and_leads_to_code_and_ruling(tree: Tree) -> None:
    marks = [a for t, a in tree.elements if t == "a" and str(a.get("class", "")).startswith("mark")]
    learned = next(a for a in marks if "GPT learns: validation tokens" in str(a["aria-label"]))
    line = next(a for t, a in tree.elements if f"#{a.get('id')}" == learned["href"])
    assert line["id"].endswith("-147") and "cited" in str(line["class"])
    joined = [a for t, a in tree.elements if t == "a" and str(a.get("class", "")).startswith("tag fail")]
    assert [a["href"] for a in joined] == ["#T01"]


def test_a_report_read_back_from_json_gives_the_same_page_again(checked: Report) -> None:
    told = jsonreport.render([checked])
    first = page.render([checked])
    assert page.render_documents(readback.parse(told)) == first == page.render([checked])


def test_a_report_of_an_earlier_version_has_no_figures_and_is_rendered(sample: Sample) -> None:
    for name in ("failing", "disputed", "packed", "passing", "crashed"):
        report = sample(name)
        told = jsonreport.render([report])
        assert "figures" not in json.loads(told)
        made = Tree(page.render_documents(readback.parse(told)))
        assert all(r.rule.title in made.text for r in report.rulings)


def test_several_reports_and_none_are_one_page(sample: Sample, checked: Report) -> None:
    made = Tree(page.render([checked, sample("disputed"), checked]))
    ids = [a["id"] for _, a in made.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert "FAIL: 3 submissions" in made.text
    empty = jsonreport.render([])
    assert "No submission in this pull request" in page.render_documents(readback.parse(empty))


PIECES = [
    "<script>alert(1)</script>", "</script>", "</style>", "]]>", "<!--", "-->", "<![CDATA[", '"', "'", "&lt;",
    "javascript:alert(1)", "\u202e", "\u200b", "\x00", "\x1b[31m", "\udcff", "\ud800", "##[error]",
    "\n::error::x", "</svg>", "<img src=x onerror=alert(1)>", "' onload='x", '" href="//a"', "{{7*7}}", "/",
    "..", " ", "#12",
]  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=()), min_size=1, max_size=30) | st.lists(
    st.sampled_from(PIECES), min_size=1, max_size=6
).map("".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
@example("<script>alert(1)</script>")
@example("</script></style></svg>]]>-->")
@example('"><a href="javascript:alert(1)" onclick=x>')
def test_no_string_of_a_submission_becomes_markup(with_text: WithText, hostile: str) -> None:
    told = page.render([with_text(hostile)])
    told.encode("utf-8")
    unseen = [c for c in told if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert unseen == [] and "##[" not in told
    assert not [line for line in told.splitlines() if re.match(r"\s*::", line)]
    made = Tree(told)
    assert made.shape == Tree(page.render([with_text("word")])).shape
    for _, attributes in made.elements:
        assert str(attributes.get("href", "#")).startswith(_OPENS_BY_ITSELF)
    assert "".join(made.inside["script"]) == (Path(page.__file__).parent / "page.js").read_text("utf-8")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
def test_figures_of_any_text_follow_the_schema(with_text: WithText, hostile: str) -> None:
    told = json.loads(jsonreport.render([with_text(hostile)]))
    errors = [e.message for e in Draft202012Validator(load("report")).iter_errors(told)]
    assert errors == []


def test_the_largest_figures_stay_under_a_megabyte(checked: Report) -> None:
    """As many lines, events and settings as a report can hold."""
    told = jsonreport.to_dict(checked)
    figures: dict[str, Any] = told["figures"]
    (excerpt, *_) = figures["code"]
    figures["code"] = [{**excerpt, "lines": ["x" * 240] * 1_500}]
    (moment, *_) = figures["predicted"]["moments"]
    figures["predicted"]["moments"] = [{**moment, "id": n} for n in range(400)]
    told["configuration"] = told["configuration"] * 40
    assert len(page.render_documents([told]).encode()) < 1_000_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "no report of golf-audit"),
        ("{", "not JSON"),
        ('{"schema": "golf-audit/report/1"}', "is a required property"),
        ('{"schema": "golf-audit/timeline/1"}', "no report of golf-audit"),
        ('{"schema": NaN}', "no JSON number"),
        ('{"schema": 1e999}', "too large a number"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_is_no_report_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    with pytest.raises(AuditError, match=says):
        readback.read(file)
    done = CliRunner().invoke(cli, ["report", str(file), "-o", str(tmp_path / "page.html")])
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_the_command_makes_the_page_of_a_folder_and_of_its_json(tmp_path: Path) -> None:
    run = CliRunner().invoke
    one, two, three = (tmp_path / name for name in ("one.html", "two.html", "three.html"))
    kept = tmp_path / "report.json"
    assert run(cli, ["report", str(ILLEGAL), "-o", str(one)]).exit_code == 0
    assert run(cli, ["check", str(ILLEGAL), "--format", "json", "-o", str(kept)]).exit_code == 1
    assert run(cli, ["report", str(kept), "-o", str(two)]).exit_code == 0
    assert run(cli, ["check", str(ILLEGAL), "--format", "html", "-o", str(three)]).exit_code == 1
    assert one.read_bytes() == two.read_bytes() == three.read_bytes()


def test_a_json_report_takes_no_options_of_a_check(tmp_path: Path) -> None:
    kept = tmp_path / "report.json"
    kept.write_text("{}")
    done = CliRunner().invoke(cli, ["report", str(kept), "--as-of", "2026-05-01"])
    assert done.exit_code == 2 and "stands as it is" in done.output


@pytest.mark.corpus
@pytest.mark.parametrize("pr", [1855, 1958, 1493, 1458, 1416])
def test_pages_of_real_pull_requests_stay_small_and_whole(pr: int) -> None:
    clone = os.environ["GOLF_AUDIT_CLONE"]
    cases = checking.cases(load_pull_request(clone, pr), None, None)
    made = checking.reports(cases, registry.rules(), figures=True)
    told = page.render(made)
    assert len(told.encode()) < 1_000_000
    assert all(report.figures.problems == () for report in made)
    text = Tree(told).text
    assert all(ruling.rule.title in text for report in made for ruling in report.rulings)
