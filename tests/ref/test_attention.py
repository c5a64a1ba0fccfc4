"""Segments are what the documents say, and every backend equals the per-segment loop, gradients included."""

import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from golf_ref.attention import (
    Segments,
    attend_loop,
    attention,
    exclude_self,
    pick_backend,
    rotary_table,
    rotate,
)

BOS = 1


def boundaries(*values: int, max_len: int) -> Segments:
    return Segments(torch.tensor(values, dtype=torch.int32), max_len)


def random_qkv(T: int, H: int = 4, K: int = 2, d: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return tuple(torch.randn(T, heads, d, requires_grad=True) for heads in (H, K, K))


@pytest.mark.parametrize(
    ("ids", "max_len", "expected"),
    [
        ([1, 5, 5, 1, 5], 8, [0, 3, 5]),
        ([5, 5, 1, 5], 8, [0, 2, 4]),
        ([5, 5, 5, 5, 5], 2, [0, 2, 4, 5]),
        ([1, 5, 5, 5, 1, 5, 5, 5, 5], 3, [0, 3, 4, 7, 9]),
        ([1, 1, 5], 8, [0, 1, 3]),
        ([5, 5, 5, 1], 8, [0, 3, 4]),
    ],
    ids=[
        "one segment per document",
        "a buffer that starts inside a document",
        "a long document is cut from its start",
        "the cut restarts with each document",
        "a document may be BOS alone",
        "a document may begin at the last token",
    ],
)
def test_segments_follow_the_documents(ids: list[int], max_len: int, expected: list[int]) -> None:
    assert Segments.from_bos(torch.tensor(ids), BOS, max_len).cu_seqlens.tolist() == expected


def test_padding_of_boundaries_adds_empty_segments_only() -> None:
    segments = Segments.from_bos(torch.tensor([1, 5, 1, 5, 5]), BOS, 8, pad_to=4)
    assert segments.cu_seqlens.tolist() == [0, 2, 5, 5]


def test_positions_restart_with_each_segment() -> None:
    number, position = boundaries(0, 3, 4, 4, 6, 6, max_len=4).locate(6)
    assert position.tolist() == [0, 1, 2, 0, 0, 1]
    assert number.tolist() == [0, 0, 0, 1, 3, 3]


SHAPES = [
    pytest.param(Segments.rows(3, 8), id="equal rows"),
    pytest.param(boundaries(0, 5, 6, 14, 24, max_len=10), id="ragged documents"),
    pytest.param(boundaries(0, 1, 24, 24, 24, max_len=23), id="one token, and empty segments at the end"),
    pytest.param(boundaries(0, 24, max_len=64), id="one segment shorter than the cap"),
]


@pytest.mark.parametrize("segments", SHAPES)
def test_sdpa_equals_the_loop_with_gradients(segments: Segments) -> None:
    qkv = random_qkv(24)
    weight = torch.randn(24, 4, 8)
    outputs, gradients = [], []
    for backend in ("loop", "sdpa"):
        y = attention(*qkv, segments, backend)
        outputs.append(y)
        gradients.append(torch.autograd.grad((y * weight).sum(), qkv))
    torch.testing.assert_close(*outputs)
    for loop_grad, sdpa_grad in zip(*gradients, strict=True):
        torch.testing.assert_close(loop_grad, sdpa_grad)


def test_the_loop_is_softmax_attention_over_earlier_tokens() -> None:
    q, k, v = random_qkv(6, H=2, K=1)
    y = attend_loop(q, k, v, Segments.rows(1, 6))
    keys, values = k[:, 0], v[:, 0]
    weight = torch.softmax(q[4, 1] @ keys[:5].T / 8**0.5, 0)
    torch.testing.assert_close(y[4, 1], weight @ values[:5])


@pytest.mark.parametrize("backend", ["loop", "sdpa"])
def test_nothing_is_seen_of_later_tokens_or_of_other_segments(backend: str) -> None:
    segments = boundaries(0, 4, 9, max_len=5)
    q, k, v = (x.detach() for x in random_qkv(9))
    before = attention(q, k, v, segments, backend)
    k[6], v[6] = 9.0, 9.0
    changed = (attention(q, k, v, segments, backend) - before).abs().sum((1, 2)) > 0
    assert changed.tolist() == [False] * 6 + [True] * 3


class FakeFlash(ModuleType):
    """A module with flash-attn's contract: packed tensors, int32 boundaries, grouped heads, causal=True."""

    def __init__(self, name: str, returns_tuple: bool):
        super().__init__(name)
        self.returns_tuple = returns_tuple

    def flash_attn_varlen_func(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        cu_q: Tensor,
        cu_k: Tensor,
        max_q: int,
        max_k: int,
        causal: bool,
    ) -> Tensor | tuple[Tensor, Tensor]:
        assert causal
        assert cu_q.dtype == cu_k.dtype == torch.int32
        assert max_q == max_k >= int(cu_q.diff().max())
        y = attend_loop(q, k, v, Segments(cu_q, max_q))
        return (y, torch.zeros(())) if self.returns_tuple else y


@pytest.mark.parametrize(
    ("module", "returns_tuple"),
    [("flash_attn", False), ("flash_attn_interface", False), ("flash_attn_interface", True)],
)
def test_flash_attention_is_called_as_its_contract_says(
    module: str, returns_tuple: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, FakeFlash(module, returns_tuple))
    segments, qkv = boundaries(0, 5, 12, max_len=7), random_qkv(12)
    torch.testing.assert_close(attention(*qkv, segments, module), attend_loop(*qkv, segments))


def test_torch_varlen_is_called_as_its_contract_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_varlen_attn(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        cu_q: Tensor,
        cu_k: Tensor,
        max_q: int,
        max_k: int,
        *,
        window_size: tuple[int, int],
        enable_gqa: bool,
    ) -> Tensor:
        assert window_size == (-1, 0)  # torch's way of saying causal
        assert enable_gqa
        assert cu_q.dtype == torch.int32
        return attend_loop(q, k, v, Segments(cu_q, max_q))

    fake = ModuleType("torch.nn.attention.varlen")
    fake.varlen_attn = fake_varlen_attn
    monkeypatch.setitem(sys.modules, "torch.nn.attention.varlen", fake)
    segments, qkv = boundaries(0, 5, 12, max_len=7), random_qkv(12)
    torch.testing.assert_close(attention(*qkv, segments, "varlen"), attend_loop(*qkv, segments))


def test_torch_varlen_has_the_arguments_that_are_passed() -> None:
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no varlen attention")
    import inspect

    names = list(inspect.signature(varlen.varlen_attn).parameters)
    assert names[:7] == ["query", "key", "value", "cu_seq_q", "cu_seq_k", "max_q", "max_k"]
    assert {"window_size", "enable_gqa"} <= set(names)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", ["sdpa", "varlen", "flash_attn", "flash_attn_interface"])
@pytest.mark.parametrize("segments", SHAPES)
def test_gpu_backends_equal_the_loop_in_half_precision(backend: str, segments: Segments) -> None:
    if backend.startswith("flash"):
        pytest.importorskip(backend, reason=f"{backend} is not installed")
    qkv = [x.detach().cuda().bfloat16().requires_grad_() for x in random_qkv(24, d=64)]
    segments = segments.to("cuda")
    weight = torch.randn(24, 4, 64, device="cuda")
    gradients = []
    for name in ("loop", backend):
        y = attention(*qkv, segments, name)
        gradients.append((y, *torch.autograd.grad((y * weight).sum(), qkv)))
    for reference, other in zip(*gradients, strict=True):
        torch.testing.assert_close(other.float(), reference.float(), atol=3e-2, rtol=3e-2)


def test_auto_is_sdpa_where_flash_kernels_cannot_run() -> None:
    assert pick_backend("cpu", torch.bfloat16) == "sdpa"
    assert pick_backend("cuda", torch.float32) == "sdpa"


def test_an_unknown_backend_is_an_error() -> None:
    with pytest.raises(ValueError, match="flash5"):
        attention(*random_qkv(2), Segments.rows(1, 2), "flash5")


def test_rotary_scores_depend_on_distance_only() -> None:
    # why a document scores the same wherever it lies in a packed buffer
    q, k = torch.randn(2, 1, 1, 16, dtype=torch.float64)
    scores = []
    for shift in (0, 37):
        cos, sin = rotary_table(torch.tensor([3 + shift, 9 + shift]), 8, 10000.0)
        rotated_q, rotated_k = (
            rotate(q, cos[1:].double(), sin[1:].double()),
            rotate(k, cos[:1].double(), sin[:1].double()),
        )
        scores.append((rotated_q * rotated_k).sum())
    torch.testing.assert_close(scores[0], scores[1], atol=1e-5, rtol=0)


def test_partial_rotary_turns_the_first_dims_and_keeps_the_rest() -> None:
    x = torch.randn(5, 2, 12)
    y = rotate(x, *rotary_table(torch.arange(5), 4, 10000.0))
    torch.testing.assert_close(y[..., 4:], x[..., 4:])
    torch.testing.assert_close(y[0], x[0])
    torch.testing.assert_close(y.norm(dim=-1), x.norm(dim=-1))
    # dim 0 pairs with dim 2, angle = position * 1
    torch.testing.assert_close(
        y[1, 0, 0], x[1, 0, 0] * torch.tensor(1.0).cos() + x[1, 0, 2] * torch.tensor(1.0).sin()
    )


def test_xsa_leaves_nothing_along_the_value_of_the_same_position() -> None:
    y, v = torch.randn(7, 4, 8), torch.randn(7, 2, 8)
    z = exclude_self(y, v)
    v_hat = normalize(v, dim=-1).repeat_interleave(2, 1)
    torch.testing.assert_close((z * v_hat).sum(-1), torch.zeros(7, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(z + (y * v_hat).sum(-1, keepdim=True) * v_hat, y)
