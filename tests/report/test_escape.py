"""Escaping: what a string of a submission may do in each target. Nothing but be read."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from golf_audit.report import escape

ANY = st.text(st.characters(exclude_categories=()), max_size=80)
"""Surrogates, controls and bidi marks included."""
PIECES = [
    "\x1b[31m", "\x9b", "\x07", "\r", "\n", "::error", " ", "::", "##[", "@everyone", "#1", "`",
    "```", "``", "|", "<b>", "![x](y)", "https://a.b", "\u202e", "\udcff", "\ud800", "..", "/",
    "\\", "%", ",", "]", "(", "*", "_", "-", "=", "1.", "+", "#", ">", "~~~", "www.a.b", "a/b#2",
    "GH-1", "&lt;", "$x$",
]  # fmt: skip
NASTY = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
TEXT = ANY | NASTY

TERMINAL = {
    "a colour is shown, not obeyed": ("\x1b[31mred", r"\x1b[31mred"),
    "a window title is shown": ("\x1b]0;pwned\x07", r"\x1b]0;pwned\x07"),
    "the one-byte CSI is shown": ("\x9b2J", r"\x9b2J"),
    "a line break stays on the line": ("a\nb\r\n", r"a\nb\r\n"),
    "text that would run right to left is shown in order": ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
    "a zero-width space is shown": ("a\u200bb", r"a\u200bb"),
    "an undecodable byte of a file name is shown as that byte": ("a\udcffb", r"a\xffb"),
    "a lone surrogate is shown": ("a\ud800", r"a\ud800"),
    "a letter drawn as nothing is shown": ("a\u3164b", r"a\u3164b"),
    "a command to the CI runner is broken": ("::error file=a::b", r":\x3aerror file=a:\x3ab"),
    "a command that ends the text is broken": ("::endgroup", r":\x3aendgroup"),
    "the runner's older commands are broken": ("x ##[add-mask]y", r"x #\x23[add-mask]y"),
}
UNTOUCHED = {
    "a slice with a step": "x = val_tokens[::2]",
    "a sentence with signs": "588.1 s + 12.7 s = 600.8 s, p < 0.01 & more",
    "a name in Greek": "σχέδιο.py",
    "a name in Chinese": "训练.log",
    "an emoji": "fast 🚀",
    "a Windows path": "C:\\logs\\train.log",
    "a namespace inside a word": "std::vector<int>",
    "a percentage": "0.3 % of 151.08 M",
}


@pytest.mark.parametrize(("raw", "shown"), TERMINAL.values(), ids=TERMINAL.keys())
def test_what_would_act_is_shown_instead(raw: str, shown: str) -> None:
    assert escape.terminal(raw) == shown


@pytest.mark.parametrize("text", UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_what_is_only_text_stays_as_it_is(text: str) -> None:
    assert escape.terminal(text) == text


def test_a_long_text_is_cut_and_says_so() -> None:
    assert escape.terminal("x" * 5000) == "x" * escape.PROSE_CAP + " ..."


def inert(text: str) -> bool:
    """Printable, on one line, and without a command that a runner would find at the start of a line."""
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    quiet = not any(unicodedata.category(c) in unseen for c in text)
    return quiet and "##[" not in text and not re.search(r"::[A-Za-z-]+(?: |::|$)", text)


@given(TEXT)
def test_no_text_moves_the_cursor_or_commands_the_runner(text: str) -> None:
    assert inert(escape.terminal(text))
    assert inert(escape.code(text))
    escape.terminal(text).encode("utf-8")


MARKDOWN = MarkdownIt("commonmark").enable("table")


def live(source: str) -> list[str]:
    """What GitHub would bring to life in a Markdown text: HTML, images, mentions, references, links."""
    found = []
    for token in MARKDOWN.parse(source):
        parts = [token, *(token.children or [])]
        inside_link = False
        for part in parts:
            if part.type == "link_open":
                inside_link = True
                found += (
                    [str(part.attrs["href"])]
                    if not str(part.attrs["href"]).startswith(escape._ISSUES)
                    else []
                )
            elif part.type == "link_close":
                inside_link = False
            elif part.type in ("html_block", "html_inline", "image"):
                found.append(part.content)
            elif part.type == "text" and not inside_link:
                found += re.findall(
                    r"@[A-Za-z0-9]|#\d|[A-Za-z]://|www\.\w|GH-\d", part.content, re.IGNORECASE
                )
    return found


@given(TEXT)
def test_no_prose_comes_to_life_in_a_comment(text: str) -> None:
    for source in (escape.markdown(text), f"- {escape.markdown(text)}", f"x {escape.code(text)} y"):
        assert live(source) == []


@given(TEXT)
def test_prose_starts_no_list_heading_table_or_code_block(text: str) -> None:
    tokens = MARKDOWN.parse("- " + (escape.markdown(text) or "x"))
    assert [t.type for t in tokens if t.nesting >= 0] == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
        "inline",
    ]


@given(TEXT)
def test_a_table_cell_stays_one_cell(text: str) -> None:
    row = f"| a | b |\n|---|---|\n| {escape.markdown(text)} | {escape.code(text, in_table=True)} |\n"
    cells = [t for t in MARKDOWN.parse(row) if t.type == "td_open"]
    assert len(cells) == 2
    assert live(row) == []


@given(TEXT)
def test_a_quoted_line_cannot_close_its_block(text: str) -> None:
    tokens = MARKDOWN.parse(escape.fence(text, "python"))
    assert [t.type for t in tokens] == ["fence"]


PROSE = {
    "a mention becomes code": ("ping @cocohearts now", "ping `@cocohearts` now"),
    "a reference becomes a link that leaves no trace": ("see #12.", f"see [#12]({escape._ISSUES}12)."),
    "a reference to another repository becomes code": ("a/b#3", "`a/b#3`"),
    "an address becomes code": ("(https://x.y/z)", "(`https://x.y/z`)"),
    "an image becomes code": ("![a](b)", "`![a](b)`"),
    "HTML becomes code": ("<img/src=x>", "`<img/src=x>`"),
    "an arrow is an arrow": ("a <- b", "a &lt;- b"),
    "a name becomes code": ("the val_loss, twice", "the `val_loss`, twice"),
    "emphasis is literal": ("*not* bold", r"\*not\* bold"),
    "a pipe is literal": ("a | b", r"a \| b"),
    "a number is not a list": ("1. first", r"1\. first"),
    "a dash after blanks is not a list": ("  - x", r"\- x"),
    "a figure at the start stays a figure": ("0.0030 nats", "0.0030 nats"),
    "a sum stays a sum": ("588.1 s + 12.7 s", "588.1 s + 12.7 s"),
}


@pytest.mark.parametrize(("raw", "shown"), PROSE.values(), ids=PROSE.keys())
def test_prose_in_a_comment(raw: str, shown: str) -> None:
    assert escape.markdown(raw) == shown


@given(TEXT)
def test_an_annotation_is_one_line_and_its_properties_end_where_they_should(text: str) -> None:
    told = escape.annotation([text, text]) + escape.attribute(text)
    assert "\n" not in told and "\r" not in told and "\x1b" not in told
    assert not set(":,") & set(escape.attribute(text))
    assert all(re.match(r"%(25|0A|3A|2C)", told[m.start() :]) for m in re.finditer("%", told))


def test_line_breaks_of_our_own_are_kept_in_an_annotation() -> None:
    assert escape.annotation(["a", "50 %"]) == "a%0A50 %25"


PATHS = {
    "a relative path stays": ("records/x/train_gpt.py", "records/x/train_gpt.py"),
    "a parent step is dropped": ("../../etc/passwd", "etc/passwd"),
    "an absolute path keeps what follows records": ("/home/me/pg/records/x/y", "records/x/y"),
    "another absolute path keeps its name": ("/home/me/mine", "mine"),
    "a drive letter is absolute": ("C:\\work\\records\\x", "records/x"),
    "dots and doubled slashes go": ("./a//b/./c", "a/b/c"),
    "the folder itself": (".", "."),
}


@pytest.mark.parametrize(("raw", "shown"), PATHS.values(), ids=PATHS.keys())
def test_paths_are_relative_and_stay_inside(raw: str, shown: str) -> None:
    assert escape.path(raw) == shown


@given(TEXT)
def test_no_uri_is_absolute_or_climbs(text: str) -> None:
    uri = escape.uri(text)
    assert re.fullmatch(r"[A-Za-z0-9/\-._~%]+", uri)
    assert not uri.startswith("/") and ".." not in uri.split("/")


@given(TEXT)
def test_json_text_parses_to_the_same_and_is_inert(text: str) -> None:
    told = escape.json_text(json.dumps(escape.data(text)))
    assert told.isascii() and "<" not in told and "##[" not in told
    parsed = json.loads(told)
    parsed.encode("utf-8")
    if not any(unicodedata.category(c) == "Cs" for c in text):
        assert parsed == text


def test_brackets_make_no_link_in_sarif() -> None:
    assert escape.message("[x](https://a.b)") == r"\[x\](https://a.b)"
