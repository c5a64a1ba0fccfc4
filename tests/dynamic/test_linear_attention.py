"""The layers of flash-linear-attention and Mamba 1 and 2 beside plain loops; what no later step may touch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402, N812

from golf_audit.dynamic.child.context import Context  # noqa: E402
from golf_audit.dynamic.child.shims.recurrent import (  # noqa: E402
    convolution,
    delta,
    mamba,
    mamba2,
    packages,
)
from golf_audit.dynamic.job import Job  # noqa: E402
from golf_audit.dynamic.messages import Message  # noqa: E402


def stepped(q: Any, k: Any, v: Any, g: Any, beta: Any, state: Any) -> tuple[Any, Any]:
    """One head of one row: read what the key gives, write the difference."""
    outputs = []
    for t in range(len(q)):
        state = torch.exp(g[t]) * state
        state = state + torch.outer(k[t], beta[t] * (v[t] - state.T @ k[t]))
        outputs.append(state.T @ q[t])
    return torch.stack(outputs), state


def delta_inputs(length: int = 9) -> list[Any]:
    torch.manual_seed(3)
    q, k = torch.randn(2, length, 2, 4), torch.randn(2, length, 2, 4)
    return [q, k, torch.randn(2, length, 4, 5), -torch.rand(2, length, 4), torch.rand(2, length, 4)]


def test_the_gated_delta_rule_is_its_recurrence_forwards_and_backwards() -> None:
    inputs = [one.requires_grad_() for one in delta_inputs()]
    first = torch.randn(2, 4, 4, 5)
    found, last = delta.gated_delta_rule(
        *inputs, initial_state=first, output_final_state=True, use_qk_l2norm_in_kernel=True
    )
    q, k, v, g, beta = inputs
    q, k = (F.normalize(one, dim=-1) for one in (q, k))
    rows = [
        [stepped(q[b, :, h // 2] / 2, k[b, :, h // 2], v[b, :, h], g[b, :, h], beta[b, :, h], first[b, h])
         for h in range(4)]
        for b in range(2)
    ]  # fmt: skip
    expected = torch.stack([torch.stack([y for y, _ in row], 1) for row in rows])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(last, torch.stack([torch.stack([s for _, s in row]) for row in rows]))
    weights = torch.randn_like(found)
    ours = torch.autograd.grad((found * weights).sum(), inputs)
    for one, other in zip(ours, torch.autograd.grad((expected * weights).sum(), inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_options_of_the_gated_delta_rule_say_the_same_in_other_words() -> None:
    q, k, v, g, beta = delta_inputs()
    a_log, bias = torch.randn(4), torch.randn(4)
    found, state = delta.gated_delta_rule(
        q, k, v, g, beta, 0.3, use_beta_sigmoid_in_kernel=True, allow_neg_eigval=True,
        use_gate_in_kernel=True, A_log=a_log, dt_bias=bias, state_v_first=True, output_final_state=True,
    )  # fmt: skip
    decay = -a_log.exp() * F.softplus(g + bias)
    rate = 2 * torch.sigmoid(beta)
    plain, other = delta.gated_delta_rule(q * 0.6, k, v, decay, rate, output_final_state=True)
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(state, other.mT)
    ungated, _ = delta.delta_rule(q, k, v, rate)
    torch.testing.assert_close(ungated, delta.gated_delta_rule(q, k, v, 0 * g, rate)[0])


@pytest.mark.parametrize(
    "layer",
    [
        lambda: delta.GatedDeltaNet(24, head_dim=4, num_heads=2, num_v_heads=4, expand_v=1.5),
        lambda: delta.GatedDeltaNet(24, head_dim=4, num_heads=2, use_gate=False, use_short_conv=False),
        lambda: delta.DeltaNet(d_model=24, num_heads=3, use_gate=True),
    ],
)
def test_no_step_of_a_delta_layer_sees_a_later_one_or_another_piece(layer: Any) -> None:
    torch.manual_seed(4)
    net, x = layer(), torch.randn(1, 80, 24)
    y = net(x)[0]
    changed = torch.cat((x[:, :70], torch.randn(1, 10, 24)), 1)
    other = net(changed)[0]
    assert torch.equal(other[:, :70], y[:, :70]) and not torch.equal(other[:, 70:], y[:, 70:])
    packed = net(x, cu_seqlens=torch.tensor([0, 7, 80], dtype=torch.int32))[0]
    torch.testing.assert_close(packed[:, :7], y[:, :7])
    torch.testing.assert_close(packed[:, 7:], net(x[:, 7:])[0], rtol=1e-4, atol=1e-5)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(net(x)[0][:, 40].sum(), x)
    assert (slope[:, 20:41] != 0).any(-1).all() and (slope[:, 41:] == 0).all()


def test_the_gated_delta_net_is_its_parts_and_has_the_real_parameters() -> None:
    torch.manual_seed(5)
    net = delta.GatedDeltaNet(24, expand_v=2, head_dim=4, num_heads=3)
    assert {name: tuple(p.shape) for name, p in net.named_parameters()} == {
        "q_proj.weight": (12, 24),
        "k_proj.weight": (12, 24),
        "v_proj.weight": (24, 24),
        "q_conv1d.weight": (12, 1, 4),
        "k_conv1d.weight": (12, 1, 4),
        "v_conv1d.weight": (24, 1, 4),
        "g_proj.weight": (24, 24),
        "o_norm.weight": (8,),
        "o_proj.weight": (24, 24),
        "a_proj.weight": (3, 24),
        "b_proj.weight": (3, 24),
        "A_log": (3,),
        "dt_bias": (3,),
    }
    x = torch.randn(2, 6, 24)

    def mixed(name: str) -> Any:
        y = torch.nn.functional.linear(x, getattr(net, f"{name}_proj").weight).mT
        weight = getattr(net, f"{name}_conv1d").weight
        return F.silu(F.conv1d(F.pad(y, (3, 0)), weight, groups=len(weight))).mT.unflatten(-1, (3, -1))

    q, k, v = mixed("q"), mixed("k"), mixed("v")
    g = -net.A_log.exp() * F.softplus(net.a_proj(x) + net.dt_bias)
    y, _ = delta.gated_delta_rule(
        F.normalize(q, dim=-1), F.normalize(k, dim=-1), v, g, net.b_proj(x).sigmoid()
    )
    y = F.rms_norm(y, (8,), eps=1e-5) * F.silu(net.g_proj(x).unflatten(-1, (3, 8)))
    found, *nothing = net(x)
    torch.testing.assert_close(found, net.o_proj(y.flatten(-2)), rtol=1e-4, atol=1e-5)
    assert nothing == [None, None]
    with pytest.raises(NotImplementedError):
        net(x, use_cache=True)


def test_the_scan_of_mamba2_is_its_recurrence() -> None:
    torch.manual_seed(6)
    x, dt, a = torch.randn(2, 7, 4, 5), torch.randn(2, 7, 4), -torch.rand(4)
    b, c, d, z = torch.randn(2, 7, 2, 3), torch.randn(2, 7, 2, 3), torch.randn(4, 5), torch.randn(2, 7, 4, 5)
    bias, first = torch.randn(4), torch.randn(2, 4, 5, 3)
    found, last = mamba2.chunk_scan(
        x, dt, a, b, c, 64, D=d, z=z, dt_bias=bias, initial_states=first, dt_softplus=True,
        dt_limit=(0.0, 1.0), return_final_states=True,
    )  # fmt: skip
    step = F.softplus(dt + bias).clamp(0, 1)
    for row in range(2):
        for head in range(4):
            state = first[row, head]
            for t in range(7):
                s = step[row, t, head]
                state = torch.exp(s * a[head]) * state + s * torch.outer(
                    x[row, t, head], b[row, t, head // 2]
                )
                y = state @ c[row, t, head // 2] + d[head] * x[row, t, head]
                torch.testing.assert_close(found[row, t, head], y * F.silu(z[row, t, head]))
            torch.testing.assert_close(last[row, head], state)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (
            lambda: mamba2.Mamba2(24, d_state=8, headdim=16),
            {
                "in_proj.weight": (2 * 48 + 2 * 8 + 3, 24),
                "conv1d.weight": (48 + 16, 1, 4),
                "conv1d.bias": (48 + 16,),
                "dt_bias": (3,),
                "A_log": (3,),
                "D": (3,),
                "norm.weight": (48,),
                "out_proj.weight": (24, 48),
            },
        ),
        (
            lambda: mamba.Mamba(24, d_state=8),
            {
                "in_proj.weight": (96, 24),
                "conv1d.weight": (48, 1, 4),
                "conv1d.bias": (48,),
                "x_proj.weight": (2 + 16, 48),
                "dt_proj.weight": (48, 2),
                "dt_proj.bias": (48,),
                "A_log": (48, 8),
                "D": (48,),
                "out_proj.weight": (24, 48),
            },
        ),
    ],
)
def test_mamba_layers_have_the_real_parameters_and_see_no_later_step(layer: Any, shapes: Any) -> None:
    torch.manual_seed(7)
    net, x = layer(), torch.randn(2, 9, 24, requires_grad=True)
    assert {name: tuple(p.shape) for name, p in net.named_parameters()} == shapes
    y = net(x)
    changed = torch.cat((x[:, :6], torch.randn(2, 3, 24)), 1)
    assert torch.equal(net(changed)[:, :6], y[:, :6])
    (slope,) = torch.autograd.grad(y[:, 5].sum(), x)
    assert (slope[:, :6] != 0).any(-1).all() and (slope[:, 6:] == 0).all()
    net(x).sum().backward()
    assert all((p.grad != 0).any() for p in net.parameters())


def test_mamba2_is_its_parts() -> None:
    torch.manual_seed(8)
    net, u = mamba2.Mamba2(24, d_state=8, headdim=16, d_ssm=32, ngroups=2), torch.randn(2, 6, 24)
    gate, beside, z, mixed, dt = net.in_proj(u).split([16, 16, 32, 64, 2], -1)
    mixed = F.silu(net.conv1d(mixed.mT)[..., :6]).mT
    x, b, c = mixed.split([32, 16, 16], -1)
    y = mamba2.chunk_scan(
        x.unflatten(-1, (2, 16)), F.softplus(dt + net.dt_bias), -net.A_log.exp(), b.unflatten(-1, (2, 8)),
        c.unflatten(-1, (2, 8)), 64, D=net.D,
    )  # fmt: skip
    y = y.flatten(-2) * F.silu(z)
    y = F.rms_norm(y.unflatten(-1, (2, 16)), (16,), eps=1e-5).flatten(-2)
    expected = net.out_proj(torch.cat((F.silu(gate) * beside, y), -1))
    torch.testing.assert_close(net(u), expected)
    torch.testing.assert_close(net(u.reshape(12, 24), seqlen=6), expected.reshape(12, 24))


def test_a_convolution_goes_on_from_its_states_and_stays_in_its_piece() -> None:
    torch.manual_seed(9)
    x, weight, bias = torch.randn(2, 3, 9), torch.randn(3, 4), torch.randn(3)
    whole, end = convolution.causal_conv(x, weight, bias, return_final_states=True, activation="silu")
    first, state = convolution.causal_conv(
        x[..., :2], weight, bias, return_final_states=True, activation="silu"
    )
    second = convolution.causal_conv(x[..., 2:], weight, bias, initial_states=state, activation="silu")
    torch.testing.assert_close(torch.cat((first, second), -1), whole)
    assert torch.equal(end, x[..., -3:])
    pieces = torch.tensor([[0] * 5 + [1] * 4, [0] * 2 + [3] * 7])
    packed = convolution.causal_conv(x, weight, bias, seq_idx=pieces)
    for row, cut in ((0, 5), (1, 2)):
        for part in (slice(0, cut), slice(cut, 9)):
            alone = convolution.causal_conv(x[row : row + 1, :, part], weight, bias)
            torch.testing.assert_close(packed[row : row + 1, :, part], alone)


@pytest.fixture
def offered() -> Iterator[list[Message]]:
    """The packages registered, and forgotten again."""
    if any(name.partition(".")[0] in ("mamba_ssm", "fla", "causal_conv1d") for name in sys.modules):
        pytest.fail("a real package is loaded already")
    before, told = set(sys.modules), []
    packages.install(Context(Job("t.py", "/s", "/d", "/w", "/d/v", 1024, 60.0), told.append))
    yield told
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_scripts_import_what_they_build_and_learn_what_is_missing(offered: list[Message]) -> None:
    """Each line stands in a real submission."""
    lines = [
        "from mamba_ssm import Mamba, Mamba2",
        "from mamba_ssm.modules.mamba3 import Mamba3",
        "from mamba_ssm.ops.selective_scan_interface import selective_scan_fn",
        "from mamba_ssm.ops.triton.mamba3.mamba3_siso_combined import mamba3_siso_combined",
        "from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined",
        "from causal_conv1d import causal_conv1d_fn",
        "from fla.layers import GatedDeltaNet, GatedDeltaProduct, Mamba2",
        "from fla.layers.delta_net import DeltaNet",
        "from fla.modules.convolution import causal_conv1d",
        "from fla.ops.delta_rule import chunk_delta_rule",
        "from fla.ops.gated_delta_rule import chunk_gated_delta_rule",
        "from fla.ops.gated_delta_rule.chunk import chunk_gated_delta_rule",
    ]
    for line in lines:
        exec(line, {})
    for missing in ("from fla.layers import RWKV7Attention", "import mamba_ssm.models.mixer_seq_simple"):
        with pytest.raises(ImportError):
            exec(missing, {})
    layers = importlib.import_module("fla.layers")
    with pytest.raises(NotImplementedError, match=r"fla\.layers\.GatedDeltaProduct"):
        layers.GatedDeltaProduct(hidden_size=8)
    assert not offered
    net = layers.GatedDeltaNet(hidden_size=8, head_dim=4, num_heads=2)
    assert isinstance(net, delta.GatedDeltaNet) and type(net).__module__ == "fla.layers.gated_deltanet"
    assert [(one.name, one.detail) for one in offered] == [("fla", "GatedDeltaNet step by step")]
