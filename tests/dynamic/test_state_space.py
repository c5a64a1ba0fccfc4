"""State-space layers beside a dense computation of the same sums, and what no later step may touch."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402, N812

from golf_audit.dynamic.child.shims.recurrent import mamba3, norms, state  # noqa: E402

LENGTH, HEADS, GROUPS, STATES, DIM, ANGLES = 11, 4, 2, 8, 5, 3


def test_a_state_is_its_recurrence_over_stretches_and_the_delta_rule_too() -> None:
    """150 steps: two whole stretches and a part."""
    torch.manual_seed(1)
    decay, rate = -torch.rand(2, 150, 3), torch.rand(2, 150, 3)
    keys, values = torch.randn(2, 150, 3, 2, 4) / 2, torch.randn(2, 150, 3, 2, 5)
    queries, first = torch.randn(2, 150, 3, 4), torch.randn(2, 3, 4, 5)
    found, last = state.decayed(decay, keys, values, queries, first)
    moved, end = state.corrected(decay, keys[..., 0, :], values[..., 0, :], rate, queries, first)
    s = d = first
    for t in range(150):
        left = torch.exp(decay[:, t, :, None, None])
        s = left * s + keys[:, t].mT @ values[:, t]
        key, value = keys[:, t, :, :1].mT, values[:, t, :, :1]
        d = left * d
        d = d + key @ (rate[:, t, :, None, None] * (value - key.mT @ d))
        torch.testing.assert_close(found[:, t], (queries[:, t, :, None] @ s)[:, :, 0], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(moved[:, t], (queries[:, t, :, None] @ d)[:, :, 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(last, s, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(end, d, rtol=1e-4, atol=1e-4)


def siso_inputs(batch: int = 2, length: int = LENGTH) -> dict[str, Any]:
    torch.manual_seed(length)
    per_head = (batch, HEADS, length)
    return {
        "Q": torch.randn(batch, length, GROUPS, STATES),
        "K": torch.randn(batch, length, GROUPS, STATES),
        "V": torch.randn(batch, length, HEADS, DIM),
        "ADT": -torch.rand(per_head),
        "DT": torch.rand(per_head),
        "Trap": torch.randn(per_head),
        "Q_bias": torch.randn(HEADS, STATES),
        "K_bias": torch.randn(HEADS, STATES),
        "Angles": torch.randn(batch, length, HEADS, ANGLES),
        "D": torch.randn(HEADS),
        "Z": torch.randn(batch, length, HEADS, DIM),
    }


OVER_TIME = {"Q": 1, "K": 1, "V": 1, "Angles": 1, "Z": 1, "ADT": 2, "DT": 2, "Trap": 2}


def between(given: dict[str, Any], start: int, end: int) -> dict[str, Any]:
    return {
        name: x.narrow(OVER_TIME[name], start, end - start) if name in OVER_TIME else x
        for name, x in given.items()
    }


def siso_attention(g: dict[str, Any], b: int, h: int) -> Any:
    """One head as masked attention: exp(a[t] - a[s]) times what steps s and s + 1 took of V[s]."""
    trap, dt, group = torch.sigmoid(g["Trap"][b, h]), g["DT"][b, h], h // (HEADS // GROUPS)
    turn = (torch.tanh(g["Angles"][b, :, h]) * math.pi * dt[:, None]).cumsum(0)
    turn = torch.polar(torch.ones(LENGTH, STATES // 2), F.pad(turn, (0, STATES // 2 - ANGLES)))
    q, k = (
        torch.view_as_complex((g[n][b, :, group] + g[f"{n}_bias"][h]).unflatten(-1, (-1, 2))) * turn
        for n in "QK"
    )
    scores = (
        q @ k.conj().T
    ).real  # a product of pairs is the real part of one number with the other's conjugate
    taken = trap * dt + F.pad(((1 - trap) * dt)[1:], (0, 1))
    since = g["ADT"][b, h].cumsum(0)
    weights = torch.tril(scores * taken * torch.exp(since[:, None] - since[None, :]))
    weights = weights - torch.diag(torch.diag(scores) * (taken - trap * dt))  # step s + 1 is not there yet
    v = g["V"][b, :, h]
    return (weights @ v + g["D"][h] * v) * F.silu(g["Z"][b, :, h])


def test_mamba3_is_its_attention_form_forwards_and_backwards() -> None:
    given = {name: x.requires_grad_() for name, x in siso_inputs().items()}
    found = mamba3.siso(**given)
    dense = torch.stack(
        [torch.stack([siso_attention(given, b, h) for h in range(HEADS)], 1) for b in range(2)]
    )
    torch.testing.assert_close(found, dense)
    weights = torch.randn_like(found)
    ours = torch.autograd.grad((found * weights).sum(), list(given.values()))
    theirs = torch.autograd.grad((dense * weights).sum(), list(given.values()))
    for name, one, other in zip(given, ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, msg=name)


def test_no_step_of_mamba3_sees_a_later_one() -> None:
    given = siso_inputs()
    changed = {
        name: torch.cat(
            (x.narrow(OVER_TIME[name], 0, 6), 2 * x.narrow(OVER_TIME[name], 6, 5)), OVER_TIME[name]
        )
        if name in OVER_TIME
        else x
        for name, x in given.items()
    }
    one, two = mamba3.siso(**given), mamba3.siso(**changed)
    assert torch.equal(one[:, :6], two[:, :6]) and not torch.equal(one[:, 6:], two[:, 6:])


def test_mamba3_goes_on_from_the_states_it_gave() -> None:
    given = siso_inputs()
    whole, *ends = mamba3.siso(**given, return_final_states=True)
    first, *states = mamba3.siso(**between(given, 0, 4), return_final_states=True)
    second, *last = mamba3.siso(**between(given, 4, LENGTH), Input_States=states, return_final_states=True)
    torch.testing.assert_close(torch.cat((first, second), 1), whole)
    for one, other in zip(last, ends, strict=True):
        torch.testing.assert_close(one, other)
    shapes = [(2, HEADS, ANGLES), (2, HEADS, DIM, STATES), (2, HEADS, STATES), (2, HEADS, DIM)]
    assert [tuple(one.shape) for one in ends] == shapes


def test_packed_pieces_of_mamba3_are_as_if_alone() -> None:
    given, cuts = siso_inputs(batch=1), (0, 2, 9, LENGTH)
    found, *ends = mamba3.siso(**given, cu_seqlens=torch.tensor(cuts), return_final_states=True)
    for i, (start, end) in enumerate(itertools.pairwise(cuts)):
        alone, *last = mamba3.siso(**between(given, start, end), return_final_states=True)
        torch.testing.assert_close(found[:, start:end], alone)
        for one, other in zip(ends, last, strict=True):
            torch.testing.assert_close(one[i : i + 1], other)


def test_the_mamba3_module_has_the_real_parameters_and_runs_them() -> None:
    """Submissions quantise, split and replace parameters by their names and shapes."""
    torch.manual_seed(0)
    layer = mamba3.Mamba3(32, d_state=8, headdim=16, is_outproj_norm=True)
    widths = [64, 64, 8, 8, 4, 4, 4, 2]
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "dt_bias": (4,),
        "B_bias": (4, 1, 8),
        "C_bias": (4, 1, 8),
        "D": (4,),
        "in_proj.weight": (sum(widths), 32),
        "B_norm.weight": (8,),
        "C_norm.weight": (8,),
        "norm.weight": (64,),
        "out_proj.weight": (32, 64),
    }
    step = F.softplus(layer.dt_bias)
    assert (step >= 0.00099).all() and (step <= 0.101).all()
    u = torch.randn(2, 6, 32, requires_grad=True)
    z, x, b, c, dt, a, trap, angles = layer.in_proj(u).split(widths, -1)
    dt = F.softplus(dt + layer.dt_bias)
    y = mamba3.siso(
        F.rms_norm(c, (8,), eps=1e-5)[:, :, None],
        F.rms_norm(b, (8,), eps=1e-5)[:, :, None],
        x.reshape(2, 6, 4, 16),
        (dt * -F.softplus(a)).mT,
        dt.mT,
        trap.mT,
        torch.ones(4, 8),
        torch.ones(4, 8),
        angles[:, :, None].repeat(1, 1, 4, 1),
        torch.ones(4),
    )
    expected = layer.out_proj(F.rms_norm(y, (16,), eps=1e-5).reshape(2, 6, 64) * F.silu(z))
    torch.testing.assert_close(layer(u), expected)
    (slope,) = torch.autograd.grad(layer(u)[:, 3].sum(), u)
    assert (slope[:, :4] != 0).any(-1).all() and (slope[:, 4:] == 0).all()
    with pytest.raises(NotImplementedError):
        mamba3.Mamba3(32, is_mimo=True)


def test_gated_norms_gate_before_or_after() -> None:
    x, z = torch.randn(3, 12), torch.randn(3, 12)
    grouped = F.rms_norm(x.reshape(3, 3, 4), (4,), eps=1e-5).reshape(3, 12)
    torch.testing.assert_close(norms.RMSNormGated(12, group_size=4)(x, z), grouped * F.silu(z))
    late = norms.RMSNormGated(12, norm_before_gate=False)
    torch.testing.assert_close(late(x, z), F.rms_norm(x * F.silu(z), (12,), eps=1e-5))
    torch.testing.assert_close(norms.RMSNorm(12)(x), F.rms_norm(x, (12,), eps=1e-5))
    fused = norms.FusedRMSNormGated(12, activation="sigmoid")
    torch.testing.assert_close(fused(x, z), F.rms_norm(x, (12,), eps=1e-5) * torch.sigmoid(z))
