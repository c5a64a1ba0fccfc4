"""Bytes of unknown origin: whatever real submissions hold is read, nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golf_audit.text import LINE_CAP, decode, lines, strip_ansi

SAMPLE = "seed:42\nval_bpb:1.08 \u2581\n"

ENCODINGS = [
    ("plain UTF-8", SAMPLE.encode(), SAMPLE),
    ("UTF-8 with a byte order mark", b"\xef\xbb\xbf" + SAMPLE.encode(), SAMPLE),
    ("UTF-16 as PowerShell redirects it", SAMPLE.encode("utf-16"), SAMPLE),
    ("UTF-16 little endian without a mark", "seed:42\n".encode("utf-16-le"), "seed:42\n"),
    ("UTF-16 big endian without a mark", "seed:42\n".encode("utf-16-be"), "seed:42\n"),
    ("UTF-8 with a single NUL stays UTF-8", b"seed:42\x00\n", "seed:42\x00\n"),
    ("nothing", b"", ""),
    ("one byte", b"x", "x"),
]


@pytest.mark.parametrize(("data", "expected"), [pytest.param(d, e, id=i) for i, d, e in ENCODINGS])
def test_encodings_of_real_submissions_are_read(data: bytes, expected: str) -> None:
    found = decode(data)
    assert found.text == expected
    assert not found.lossy


def test_undecodable_bytes_are_replaced_and_said_so() -> None:
    found = decode(b"seed:42 \xff\xfe\n")
    assert found.text.startswith("seed:42 ")
    assert found.lossy


@given(st.binary(max_size=2000))
def test_no_bytes_raise(data: bytes) -> None:
    for number, line in lines(decode(data).text):
        assert number >= 1
        assert len(line) <= LINE_CAP


LINES = [
    ("CRLF ends one line", "a\r\nb\r\n", [(1, "a"), (2, "b"), (3, "")]),
    (
        "a progress bar keeps its line number",
        "10%\r50%\r100%\ndone",
        [(1, "10%"), (1, "50%"), (1, "100%"), (2, "done")],
    ),
    ("colours are taken off", "\x1b[31mseed:42\x1b[0m", [(1, "seed:42")]),
    ("a terminal title is taken off", "\x1b]0;title\x07seed:42", [(1, "seed:42")]),
    ("a form feed does not end a line", "a\x0cb", [(1, "a\x0cb")]),
    ("a Unicode line separator does not end a line", "a\u2028b", [(1, "a\u2028b")]),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(t, e, id=i) for i, t, e in LINES])
def test_line_numbers_agree_with_an_editor(text: str, expected: list[tuple[int, str]]) -> None:
    assert lines(text) == expected


def test_text_without_escapes_is_returned_as_it_is() -> None:
    assert strip_ansi("val_bpb:1.08") == "val_bpb:1.08"
