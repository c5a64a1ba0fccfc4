"""Broken and hostile JSON: one readable sentence with a position, never an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golf_audit.jsontext import DEPTH_CAP, parse
from golf_audit.text import Text, decode

# (text, part of the message, line, whether a value can still be read): the kinds found in the field first.
BROKEN = {
    "text after the closing brace": ('{"a": 1}\n```', "after the closing brace", 2, True),
    "a second object": ('{"a": 1}\n{"a": 2}', "a second object", 2, True),
    "an object that is never closed": ('{\n"a": 1\n', "never closed", 3, True),
    "a trailing comma": ('{\n"a": 1,\n\n}', "a comma before the closing }", 2, True),
    "an unterminated string": ('{"a": "2026-03', "a string that is never closed", 1, False),
    "a raw line break in a string": ('{"a": "one\ntwo"}', "raw line break", 1, False),
    "residue of a Markdown fence": ('json{\n"a": 1}', "Markdown code fence", 1, False),
    "a Markdown fence": ('```json\n{"a": 1}\n```', "Markdown code fence", 1, False),
    "a shell here-document": ("cat > submission.json <<'EOF'\n{}\nEOF", "here-document", 1, False),
    "a missing comma": ('{"a": 1\n"b": 2}', "a missing comma", 2, False),
    "an unescaped quote": ('{"a": "so "quoted" text"}', "a quote inside a string", 1, False),
    "an underscore in a number": ('{"a": 388_800}', "underscores", 1, False),
    "NaN": ('{"a": NaN}', "NaN is not a JSON number", 1, False),
    "negative infinity": ('{"a": -Infinity}', "Infinity is not a JSON number", 1, False),
    "single quotes": ("{'a': 1}", "single quotes", 1, False),
    "a comment": ('{\n// note\n"a": 1}', "a comment", 2, False),
    "an empty file": ("", "empty", 1, False),
    "only blanks": ("\n \n", "empty", 1, False),
    "prose": ("see the README", "not with an object", 1, False),
    "a merge conflict": ('<<<<<<< HEAD\n{"a": 1}', "merge conflict", 1, False),
    "a number with leading zeros": ('{"a": 007}', "not a JSON number", 1, False),
    "a number of a thousand digits": ('{"a": ' + "9" * 1000 + "}", "1,000 characters", 1, False),
    "a hundred thousand brackets": ("[" * 100_000, f"deeper than {DEPTH_CAP}", 1, False),
    "a list that is never closed": ('{"a": [1, 2', "a list that is never closed", 1, True),
    "a broken escape": (r'{"a": "\q"}', "broken escape", 1, False),
    "a missing colon": ('{"a" 1}', "a colon", 1, False),
    "the end where a value is expected": ('{"a":', "the file ends", 1, False),
}


@pytest.mark.parametrize(("text", "says", "line", "readable"), BROKEN.values(), ids=BROKEN)
def test_each_kind_of_broken_json_is_named(text: str, says: str, line: int, readable: bool) -> None:
    """Protects R02's messages: what is wrong and where, in one sentence."""
    document = parse(Text(text, "utf-8"))
    assert [p for p in document.problems if says in p.message and p.line == line and p.invalid]
    assert document.readable is readable


def test_what_can_be_read_past_a_slip_is_read() -> None:
    """A trailing comma must not hide the claims from every other rule."""
    assert parse(Text('{"val_bpb": 1.1,\n}', "utf-8")).value == {"val_bpb": 1.1}
    assert parse(Text('{"val_bpb": 1.1', "utf-8")).value == {"val_bpb": 1.1}


def test_a_byte_order_mark_is_a_note_and_not_an_error() -> None:
    document = parse(decode(b"\xef\xbb\xbf" + b'{"a": 1}'))
    assert document.value == {"a": 1}
    assert [p.invalid for p in document.problems] == [False]


def test_a_doubled_name_is_a_note_and_the_last_one_counts() -> None:
    document = parse(Text('{"a": 1,\n"a": 2}', "utf-8"))
    assert document.value == {"a": 2}
    assert [(p.line, p.invalid) for p in document.problems] == [(2, False)]


def test_every_value_knows_its_line_and_column() -> None:
    text = '{\n  "seeds": {\n    "42": {"val_bpb": 1.0610}},\n  "a/b": [1,\n 2]}'
    document = parse(Text(text, "utf-8"))
    inner = document.at("/seeds/42/val_bpb")
    assert (inner.line, inner.column, inner.text) == (3, 23, "1.0610")
    assert (document.at("/a~1b/1").line, document.at("/a~1b/1").column) == (5, 2)
    assert document.at("/seeds/42/missing").line == 3  # the nearest parent


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES, st.booleans())
def test_valid_json_is_read_as_the_standard_library_reads_it(value: object, indented: bool) -> None:
    text = json.dumps(value, indent=2 if indented else None)
    document = parse(Text(text, "utf-8"))
    assert document.problems == ()
    assert document.value == json.loads(text)


@given(st.text(alphabet="{}[]\",:\\ \n019.eE-+truefalsn/*#'", max_size=60))
def test_garbage_never_raises_and_agrees_with_the_standard_library_on_what_is_valid(text: str) -> None:
    document = parse(Text(text, "utf-8"))
    try:
        expected = json.loads(text, parse_constant=_reject)
    except ValueError:
        assert any(p.invalid for p in document.problems)
    else:
        assert not [p for p in document.problems if p.invalid]
        assert document.value == expected


def _reject(name: str) -> None:
    raise ValueError(name)
