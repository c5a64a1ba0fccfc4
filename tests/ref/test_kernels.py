"""The Triton kernels equal their eager definitions, forward and backward.

Without a GPU they run under Triton's interpreter (conftest.py), which checks the arithmetic and the masks,
not the speed or what a compiler makes of them.
"""

import pytest
import torch

import golf_ref.losses
import golf_ref.model
from golf_ref.attention import Segments
from golf_ref.kernels import fused_leaky_relu2_mlp, fused_softcap_nll, triton, triton_runs_on
from golf_ref.layers import mlp_activation
from golf_ref.losses import softcapped_nll
from tests.ref.small import small_cfg, small_model, small_stream

needs_triton = pytest.mark.skipif(
    triton is None, reason="triton is not installed (CPU builds of torch lack it)"
)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@needs_triton
@pytest.mark.parametrize(
    ("T", "V"), [(3, 40), (2, 1024), (5, 1500)], ids=["short row", "one block", "ragged block"]
)
def test_fused_loss_and_its_gradient_equal_eager_cross_entropy(T: int, V: int) -> None:
    torch.manual_seed(0)
    z = (20 * torch.randn(T, V, device=DEVICE)).requires_grad_()
    targets = torch.randint(V, (T,), device=DEVICE)
    weight = torch.rand(T, device=DEVICE)
    eager = softcapped_nll(z, targets, 30.0, fused=False)
    (eager_grad,) = torch.autograd.grad(eager @ weight, z)
    fused = fused_softcap_nll(z, targets, 30.0)
    (fused_grad,) = torch.autograd.grad(fused @ weight, z)
    torch.testing.assert_close(fused, eager, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(fused_grad, eager_grad, atol=1e-6, rtol=1e-4)


@needs_triton
@pytest.mark.parametrize(
    ("T", "D", "F"), [(5, 16, 24), (130, 72, 140)], ids=["one ragged tile", "several ragged tiles"]
)
def test_fused_mlp_and_its_gradients_equal_the_two_linear_maps(T: int, D: int, F: int) -> None:
    torch.manual_seed(0)
    shapes = ((T, D), (F, D), (D, F))
    n, up, down = ((torch.randn(*shape, device=DEVICE) / D**0.5).requires_grad_() for shape in shapes)
    weight = torch.randn(T, D, device=DEVICE)
    eager = mlp_activation(n @ up.T, "leaky_relu2") @ down.T
    fused = fused_leaky_relu2_mlp(n, up, down)
    tolerance = (
        {"atol": 5e-2, "rtol": 5e-2} if DEVICE == "cuda" else {"atol": 1e-5, "rtol": 1e-5}
    )  # TF32 there
    torch.testing.assert_close(fused, eager, **tolerance)
    eager_grads = torch.autograd.grad((eager * weight).sum(), (n, up, down))
    fused_grads = torch.autograd.grad((fused * weight).sum(), (n, up, down))
    for fused_grad, eager_grad in zip(fused_grads, eager_grads, strict=True):
        torch.testing.assert_close(fused_grad, eager_grad, **tolerance)


def test_reference_numerics_never_take_the_kernels() -> None:
    assert not triton_runs_on(torch.zeros(2, 2))
    assert not triton_runs_on(torch.zeros(2, 2, device=DEVICE, dtype=torch.float32))


@pytest.mark.parametrize("fused", [True, False])
def test_the_switch_decides_where_the_kernels_could_run(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = small_cfg(f"fused_ce_enabled={int(fused)}")
    model, (tokens, _) = small_model(cfg), small_stream([24])
    called = set()
    for module in (golf_ref.losses, golf_ref.model):
        monkeypatch.setattr(module, "triton_runs_on", lambda x: True)
    monkeypatch.setattr(golf_ref.losses, "fused_softcap_nll", lambda z, *rest: called.add("loss") or z)
    monkeypatch.setattr(golf_ref.model, "fused_leaky_relu2_mlp", lambda n, *rest: called.add("mlp") or n)
    model.nll(tokens[:-1], tokens[1:], Segments.rows(1, len(tokens) - 1))
    assert called == ({"loss", "mlp"} if fused else set())
