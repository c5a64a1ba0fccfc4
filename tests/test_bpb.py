"""Byte counting: three logged numbers give the bytes that were counted.

Protects B02 and B04: honest logs of every tokenizer imply the canonical count, known mistakes their factor.
"""

from __future__ import annotations

import pytest

from golf_audit import bpb
from golf_audit.bpb import CANONICAL_BYTES, factor_of, implied_bytes, near, tokenizer_of, tokenizers_with


@pytest.mark.parametrize(
    ("loss", "score", "tokens"),
    [
        pytest.param(2.07269931, 1.22436570, 62_021_632, id="SP1024"),
        pytest.param(2.50909980, 1.09056680, 45_508_608, id="SP4096"),
        pytest.param(2.80192994, 1.08471430, 40_540_160, id="SP8192"),
        pytest.param(2.31944212, 1.05989454, 47_851_520, id="CaseOps with its sidecar"),
    ],
)
def test_honest_logs_imply_the_canonical_bytes(loss: float, score: float, tokens: int) -> None:
    assert near(implied_bytes(loss, score, tokens), CANONICAL_BYTES)


@pytest.mark.parametrize(
    ("ratio", "word"),
    [
        pytest.param(164_594_398 / 151_074_309, "sidecar", id="CaseOps without its sidecar"),
        pytest.param(1.1770, "leading space", id="a space counted twice"),
        pytest.param(1.233, "standalone space", id="no space piece"),
        pytest.param(1.334, "another rule", id="the two early logs"),
    ],
)
def test_known_mistakes_have_names(ratio: float, word: str) -> None:
    factor = factor_of(ratio)
    assert factor is not None
    assert word in factor.cause


@pytest.mark.parametrize("ratio", [0.20, 0.99, 1.0, 1.003, 1.05, 1.11, 1.21, 1.26, 1.31, 1.5, 6.0])
def test_other_ratios_have_no_name(ratio: float) -> None:
    """1.210 is B01's (a byte fallback table), 1.31 a split of another size: neither has a name here."""
    assert factor_of(ratio) is None


def test_named_factors_do_not_overlap() -> None:
    for lower, upper in zip(bpb.FACTORS, bpb.FACTORS[1:], strict=False):
        assert lower.low < lower.high < upper.low


@pytest.mark.parametrize(
    ("ratio", "name"),
    [
        (1.6884, "SP1024"),
        (2.3010, "SP4096"),
        (2.5830, "SP8192"),
        (2.1884, "SP8192 CaseOps"),
        (0.6931, "pure bytes"),
    ],
)
def test_a_ratio_names_its_tokenizer(ratio: float, name: str) -> None:
    found = tokenizer_of(ratio)
    assert found is not None
    assert found.name == name


def test_a_changed_byte_count_names_no_tokenizer() -> None:
    assert tokenizer_of(1.6884 * 1.09) is None


def test_the_path_tells_caseops_from_plain_pieces() -> None:
    assert [t.name for t in tokenizers_with(8192, "a/fineweb_8192_bpe_lossless_caps_caseops_v1.model")] == [
        "SP8192 CaseOps"
    ]
    assert [t.name for t in tokenizers_with(8192, "a/fineweb_8192_bpe.model")] == ["SP8192"]
    assert len(tokenizers_with(8192)) == 2
    assert tokenizers_with(16384) == tokenizers_with(None) == ()
