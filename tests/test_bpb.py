"""Byte counting: three logged numbers give the bytes that were counted.

Protects B02 and B04: honest logs of every tokenizer imply the canonical count, known mistakes their factor.
"""

from __future__ import annotations

import pytest

from golf_audit import bpb
from golf_audit.bpb import (
    CANONICAL_BYTES,
    TOKENIZERS,
    factor_of,
    implied_bytes,
    near,
    text_bytes,
    tokenizer_of,
    tokenizers_with,
)


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


@pytest.mark.parametrize(
    ("vocab", "tokens", "ratio", "share"),
    [
        pytest.param(8192, 40_540_160, 2.5831, 1.0, id="the full split"),
        pytest.param(8192, 40_540_160, 2.5831 * 0.985, 1.0, id="a mixture's lower bpb is no smaller text"),
        pytest.param(8192, 40_540_160, 2.5831 * 1.177, 1.0, id="a wrong byte table is no larger text"),
        pytest.param(8192, 9_662_464, 2.149, 0.202, id="10,000 documents of CaseOps"),
        pytest.param(8192, 36_286_464, 2.886, 1.0, id="a tokenizer of one's own"),
        pytest.param(4096, 44_795_904, 2.3379, 1.0, id="4096 pieces, not the published ones"),
    ],
)
def test_the_text_behind_a_token_count(vocab: int, tokens: int, ratio: float, share: float) -> None:
    found = text_bytes(tokens, ratio, tokenizers_with(vocab))
    assert found is not None
    assert found / CANONICAL_BYTES == pytest.approx(share, abs=3e-3)


def test_a_tokenizers_own_ratio_is_no_other_ones_factor() -> None:
    """SP2048's constant is 1.184 times SP1024's, and SP8192's 1.180 times CaseOps'."""
    for tokenizer in TOKENIZERS:
        assert tokenizer_of(tokenizer.loss_per_bpb) == tokenizer
        found = text_bytes(1_000_000, tokenizer.loss_per_bpb, TOKENIZERS)
        assert found == pytest.approx(tokenizer.loss_per_bpb / 0.693147 * 1_000_000, rel=1e-5)


@pytest.mark.parametrize("ratio", [0.17, 0.6931, 6.2])
def test_a_ratio_of_two_metrics_tells_nothing(ratio: float) -> None:
    subwords = [t for t in TOKENIZERS if t.vocab > 1000]
    assert text_bytes(40_540_160, ratio, subwords) is None
