"""Containers lose nothing, in every codec and layout, and the cap is decimal."""

import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from golf_ref.artifact import check_cap, pack_artifact, similarity_order, unpack_artifact
from golf_ref.codecs import CODEC_TAGS, byte_shuffle, byte_unshuffle, compress, decompress

LRZIP = pytest.mark.skipif(shutil.which("lrzip") is None, reason="the program lrzip is not installed")
CODECS = [pytest.param(codec, marks=LRZIP if codec == "lrzip" else []) for codec in CODEC_TAGS]


def tensors() -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    made = {"tok_emb.weight.q": torch.randint(-60, 60, (40, 16), generator=g, dtype=torch.int8)}
    for layer in (0, 2, 10):
        for name, rows in {"attn.c_q": 16, "attn.c_k": 8, "attn.proj": 16, "mlp.fc": 24}.items():
            q_RC = torch.randint(-31, 31, (rows, 16), generator=g, dtype=torch.int8)
            made[f"blocks.{layer}.{name}.weight.q"] = q_RC
            made[f"blocks.{layer}.{name}.weight.scale"] = torch.rand(rows, generator=g).half()
    made["blocks.2.mlp.fc.weight.lqA_a"] = torch.randint(-2, 2, (24, 2), generator=g, dtype=torch.int8)
    made["skip_gates"] = torch.randn(3, 16, generator=g).bfloat16()
    made["smear_lambda"] = torch.tensor(0.25)
    made["empty"] = torch.empty(0, 4)
    made["step"] = torch.tensor([7], dtype=torch.int64)
    return made


@pytest.mark.parametrize("layout", ["flat", "pergroup"])
@pytest.mark.parametrize("codec", CODECS)
def test_a_container_returns_every_tensor_bit_for_bit(codec, layout):
    before, meta = tensors(), {"tok_emb.weight": "gptq (int7)"}
    after, meta_after = unpack_artifact(pack_artifact(before, meta, codec, layout))
    assert meta_after == meta and after.keys() == before.keys()
    for name in before:
        assert after[name].dtype == before[name].dtype and after[name].shape == before[name].shape
        assert torch.equal(after[name], before[name]), name


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256)) * 40], ids=["empty", "one byte", "10 kB"])
def test_codecs_invert(codec, data):
    assert decompress(compress(data, codec), codec) == data


@given(st.binary(max_size=50), st.integers(1, 5))
def test_byte_shuffle_inverts(data, stride):
    assert byte_unshuffle(byte_shuffle(data, stride), stride) == data


def test_byte_shuffle_puts_even_offsets_first():
    assert byte_shuffle(b"aAbBc", 2) == b"abcAB"


def test_similarity_order_is_a_permutation_that_chains_equal_rows():
    rows_RC = torch.tensor([[0, 0], [9, 9], [0, 1], [9, 8], [0, 0]], dtype=torch.int8)
    assert similarity_order(rows_RC).tolist() == [0, 4, 2, 3, 1]


@pytest.mark.parametrize(
    "blob", [b"PK\x03\x04....", b"\x80\x02}q\x00.", b"GREF\x02rest"], ids=["zip", "pickle", "other version"]
)
def test_other_files_are_refused_by_their_first_bytes(blob):
    with pytest.raises(ValueError, match="not a golf_ref artifact"):
        unpack_artifact(blob)


def test_unknown_codecs_and_layouts_are_refused_by_name():
    with pytest.raises(ValueError, match="unknown codec"):
        compress(b"", "zip")
    with pytest.raises(ValueError, match="unknown layout"):
        pack_artifact({}, {}, "zlib", "sorted")


def test_the_cap_is_sixteen_million_decimal_bytes():
    assert check_cap(15_968_001, 31_999) == 16_000_000
    with pytest.raises(ValueError, match="1 over the cap"):
        check_cap(15_968_002, 31_999)
