"""Newton-Schulz, Muon, clipping, schedules and EMA against closed forms."""

import math

import pytest
import torch

from golf_ref.config import preset
from golf_ref.distributed import ALONE
from golf_ref.model import GPT
from golf_ref.muon import Muon, newton_schulz, normalize_rows
from golf_ref.optim import Ema, Optimizers, lr_multiplier, muon_momentum


def with_singular_values(values: torch.Tensor, rows: int, cols: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    n = len(values)
    U, V = (
        torch.linalg.qr(torch.randn(size, n, generator=g, dtype=torch.float64))[0] for size in (rows, cols)
    )
    return U @ torch.diag(values.double()) @ V.T


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (32, 32)], ids=["wide", "tall", "square"])
@pytest.mark.parametrize(
    ("coefficients", "smallest", "low", "high"),
    [("polar_express", 1e-3, 0.859, 1.141), ("classic", 1e-2, 0.682, 1.134)],
)
def test_newton_schulz_brings_every_singular_value_near_one(
    coefficients: str, smallest: float, low: float, high: float, shape: tuple[int, int]
) -> None:
    values = torch.logspace(math.log10(smallest), 0, min(shape))
    values = values / values.norm()  # the Frobenius norm that the iteration divides by
    G = with_singular_values(values.clamp_min(smallest), *shape)
    spectrum = torch.linalg.svdvals(newton_schulz(G[None], coefficients, 5, torch.float64)[0])
    assert low - 1e-3 <= spectrum.min() and spectrum.max() <= high + 1e-3


def test_newton_schulz_of_an_orthogonal_matrix_keeps_its_directions() -> None:
    Q = torch.linalg.qr(torch.randn(16, 16, dtype=torch.float64))[0]
    X = newton_schulz(Q[None], "polar_express", 5, torch.float64)[0]
    torch.testing.assert_close(X / X.norm() * 4, Q, atol=1e-6, rtol=0)


def test_newton_schulz_treats_a_bank_as_separate_matrices() -> None:
    G = torch.randn(3, 5, 8)
    bank = newton_schulz(G, "classic", 5, torch.float32)
    torch.testing.assert_close(bank[1], newton_schulz(G[1:2], "classic", 5, torch.float32)[0])


def test_a_muon_step_on_a_two_by_two_matrix_by_hand() -> None:
    # g = diag(3, 4): with momentum 0.5 from rest, m = g and u = 1.5 g; rows of length one give the identity,
    # X = I / sqrt(2), and each step maps its scalar s to a s + b s^3 + c s^5.
    bank = torch.nn.Parameter(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    bank.grad = torch.tensor([[[3.0, 0.0], [0.0, 4.0]]])
    muon = Muon([bank], "classic", 5, row_normalize=True, dtype=torch.float32, ranks=ALONE)
    muon.step(muon.reduce(), lr=0.1, momentum=0.5, weight_decay=0.2)
    s = 1 / math.sqrt(2)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    expected = (1 - 0.1 * 0.2) * torch.tensor([[1.0, 2.0], [3.0, 4.0]]) - 0.1 * s * torch.eye(2)
    torch.testing.assert_close(bank.detach()[0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(muon.momenta[0][0], torch.tensor([[3.0, 0.0], [0.0, 4.0]]))


def test_a_tall_matrix_moves_by_the_square_root_of_its_aspect() -> None:
    steps = []
    for rows in (4, 16):
        bank = torch.nn.Parameter(torch.zeros(1, rows, 4))
        bank.grad = torch.linalg.qr(torch.randn(rows, 4, generator=torch.Generator().manual_seed(0)))[0][None]
        muon = Muon([bank], "polar_express", 5, row_normalize=False, dtype=torch.float32, ranks=ALONE)
        muon.step(muon.reduce(), lr=1.0, momentum=0.0, weight_decay=0.0)
        steps.append(torch.linalg.svdvals(bank.detach()[0]).mean())
    torch.testing.assert_close(steps[1] / steps[0], torch.tensor(2.0), atol=1e-3, rtol=0)


def test_rows_are_normalised_and_an_empty_row_stays_empty() -> None:
    G = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]])
    torch.testing.assert_close(normalize_rows(G), torch.tensor([[[0.6, 0.8], [0.0, 0.0]]]))


@pytest.mark.parametrize(
    ("frac", "expected"), [(0.0, 1), (0.149, 1), (0.15, 1), (0.575, 0.5), (0.97, 0.1), (1.0, 0.1)]
)
def test_lr_schedule_of_pr1855(frac: float, expected: float) -> None:
    assert lr_multiplier(preset("pr1855").train, frac, step=1000) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("frac", "step", "expected"),
    [(0.0, 0, 1.0), (0.5, 5000, 1.0), (0.9, 9000, 1000 / 1200), (0.95, 9500, 500 / 1200)],
    ids=["first step", "long before the end", "1000 steps left of 1200", "500 steps left of 1200"],
)
def test_the_naive_schedule_counts_the_last_1200_steps_at_the_mean_pace(
    frac: float, step: int, expected: float
) -> None:
    assert lr_multiplier(preset("naive").train, frac, step) == pytest.approx(expected)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.92), (750, 0.945), (1500, 0.97), (4000, 0.97)])
def test_muon_momentum_rises_linearly(step: int, expected: float) -> None:
    assert muon_momentum(preset("pr1855").opt, step) == pytest.approx(expected)


def tiny_model() -> GPT:
    torch.manual_seed(0)
    return GPT(preset("tiny").model)


def test_ema_is_its_closed_form() -> None:
    # e_n = d^n p_0 + (1 - d) sum_k d^(n-k) p_k, with p_k = k everywhere
    model = tiny_model()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    ema = Ema(model, 0.9)
    for k in range(1, 6):
        with torch.no_grad():
            for p in model.parameters():
                p.fill_(k)
        ema.update()
    expected = sum(0.1 * 0.9 ** (5 - k) * k for k in range(1, 6))
    ema.copy_to(model)
    for p in model.parameters():
        torch.testing.assert_close(p.detach(), torch.full_like(p, expected))


def test_every_parameter_is_stepped_by_exactly_one_optimiser() -> None:
    model = tiny_model()
    optimizers = Optimizers(model, preset("tiny").opt, ALONE)
    adam = [p for group in optimizers.adam.param_groups for p in group["params"]]
    stepped = [*optimizers.muon.banks, *adam]
    assert len(stepped) == len(list(model.parameters()))
    assert {id(p) for p in stepped} == {id(p) for p in model.parameters()}
    assert [group["base_lr"] for group in optimizers.adam.param_groups] == [0.03, 0.02]
    assert [group["weight_decay"] for group in optimizers.adam.param_groups] == [0.085, 0.02]


@pytest.mark.parametrize(("scale", "clipped"), [(1e-6, False), (10.0, True)], ids=["small", "large"])
def test_the_global_norm_of_all_gradients_is_clipped(scale: float, clipped: bool) -> None:
    model = tiny_model()
    optimizers = Optimizers(model, preset("tiny").opt, ALONE)
    for p in model.parameters():
        p.grad = scale * torch.randn_like(p)
    before = torch.stack([p.grad.square().sum() for p in model.parameters()]).sum().sqrt()
    optimizers.step(1.0, 0)
    after = torch.stack([p.grad.square().sum() for p in model.parameters()]).sum().sqrt()
    torch.testing.assert_close(after, torch.tensor(0.3) if clipped else before, atol=1e-5, rtol=1e-4)


def test_reset_forgets_momentum_and_adam_state() -> None:
    # in the records' multi-GPU runs Muon's momentum survives the warm-up (refspec 8.16)
    model = tiny_model()
    optimizers = Optimizers(model, preset("tiny").opt, ALONE)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizers.step(1.0, 0)
    assert optimizers.adam.state and all(m.abs().max() > 0 for m in optimizers.muon.momenta)
    optimizers.reset()
    assert not optimizers.adam.state and all(m.abs().max() == 0 for m in optimizers.muon.momenta)
