"""CaseOps loses nothing, and every byte of the original is charged to exactly one piece of the encoding."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golf_ref.caseops import (
    ALLCAPS,
    CAPNEXT,
    ESC,
    OPERATORS,
    TITLE,
    CaseDecoder,
    caseops_decode,
    caseops_encode,
)

tricky_text = st.text(
    st.sampled_from("aAbBzZ 1\n" + "\u00e9\u00c9\uff21\u00bd\U0001f600" + OPERATORS), max_size=40
)


@given(tricky_text | st.text(max_size=40))
def test_every_string_comes_back(text: str) -> None:
    assert caseops_decode(caseops_encode(text)) == text


@given(tricky_text, st.lists(st.integers(0, 80), max_size=8))
def test_bytes_of_pieces_sum_to_the_text_wherever_the_cuts_are(text: str, cuts: list[int]) -> None:
    encoded = caseops_encode(text)
    bounds = [0, *sorted(min(cut, len(encoded)) for cut in cuts), len(encoded)]
    decoder = CaseDecoder()
    pieces = [encoded[a:b] for a, b in pairwise(bounds)]
    assert sum(len(decoder.feed(piece).encode()) for piece in pieces) == len(text.encode())


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("hello", "hello"),
        ("Hello World", f"{TITLE}hello {TITLE}world"),
        ("NASA", f"{ALLCAPS}nasa"),
        ("A", f"{TITLE}a"),
        ("iPhone", f"i{CAPNEXT}phone"),
        ("McDonald", f"{TITLE}mc{CAPNEXT}donald"),
        ("HTTPServer", f"{TITLE}h{CAPNEXT}t{CAPNEXT}t{CAPNEXT}p{CAPNEXT}server"),
        ("ABC1def", f"{ALLCAPS}abc1def"),
        ("\u00c9COLE", f"\u00c9{ALLCAPS}cole"),
        (f"x{TITLE}y", f"x{ESC}{TITLE}y"),
        (f"AB{ESC}cd", f"{ALLCAPS}ab{ESC}{ESC}cd"),
    ],
)
def test_the_rules_of_the_encoding(text: str, encoded: str) -> None:
    assert caseops_encode(text) == encoded
    assert caseops_decode(encoded) == text


@pytest.mark.parametrize(
    "encoded",
    [TITLE, f"ab{CAPNEXT}", ESC, f"{TITLE}1", f"{TITLE}{ALLCAPS}a", f"a{TITLE}b", f"{CAPNEXT} a"],
    ids=[
        "operator at the end",
        "capnext at the end",
        "escape at the end",
        "title before a digit",
        "two operators",
        "title inside a word",
        "capnext before a blank",
    ],
)
def test_what_no_text_encodes_to_is_an_error(encoded: str) -> None:
    with pytest.raises(ValueError, match="operator"):
        caseops_decode(encoded)
