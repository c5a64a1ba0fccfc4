"""GPTQ against its definitions: rounding, H-norm, factorisations, Hadamard, low-rank correction."""

import pytest
import torch

from golf_ref.gptq import (
    dequantize_rows,
    gptq,
    h_norm_error,
    hadamard,
    inverse_factor,
    round_to_grid,
    sdclip_scale,
)
from golf_ref.hessian import HessianRecorder
from golf_ref.lqer import lqer_asymmetric, lqer_correction, lqer_symmetric, worst_tensors


def random_problem(seed: int, rows: int = 24, columns: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight matrix and the Hessian of correlated inputs with a few loud directions."""
    g = torch.Generator().manual_seed(seed)
    mix_CC = torch.randn(columns, columns, generator=g) / columns**0.5
    x_TC = torch.randn(96, columns, generator=g) @ mix_CC * torch.logspace(-1, 0.5, columns)
    return torch.randn(rows, columns, generator=g), x_TC.T @ x_TC


@pytest.mark.parametrize("bits", [5, 6, 7])
@pytest.mark.parametrize("seed", range(8))
def test_gptq_error_in_the_h_norm_is_never_above_rounding(seed, bits):
    W_RC, H_CC = random_problem(seed)
    s_R = sdclip_scale(W_RC, bits, 12.85)
    rounded = h_norm_error(W_RC, dequantize_rows(round_to_grid(W_RC, s_R, bits), s_R), H_CC)
    repaid = h_norm_error(W_RC, dequantize_rows(gptq(W_RC, H_CC, s_R, bits, block=16), s_R), H_CC)
    assert repaid <= rounded


@pytest.mark.parametrize("seed", range(8))
def test_both_cholesky_routes_give_identical_integers(seed):
    W_RC, H_CC = random_problem(seed)
    s_R = sdclip_scale(W_RC, 6, 12.85)
    direct = gptq(W_RC, H_CC, s_R, 6, reverse=False)
    assert torch.equal(direct, gptq(W_RC, H_CC, s_R, 6, reverse=True))


@pytest.mark.parametrize("reverse", [False, True])
def test_the_factor_is_upper_and_rebuilds_the_inverse(reverse):
    _, H_CC = random_problem(0)
    H_CC = H_CC.double() + torch.eye(48)
    U_CC = inverse_factor(H_CC, reverse)
    assert torch.equal(U_CC, U_CC.triu())
    torch.testing.assert_close(U_CC.T @ U_CC @ H_CC, torch.eye(48, dtype=torch.float64))


def test_with_identity_hessian_gptq_is_rounding():
    W_RC, _ = random_problem(1)
    s_R = sdclip_scale(W_RC, 6, 12.85)
    assert torch.equal(gptq(W_RC, torch.eye(48), s_R, 6), round_to_grid(W_RC, s_R, 6))


@pytest.mark.parametrize("block", [1, 7, 48, 128])
def test_the_block_size_changes_nothing(block):
    W_RC, H_CC = random_problem(2)
    s_R = sdclip_scale(W_RC, 6, 12.85)
    assert torch.equal(gptq(W_RC, H_CC, s_R, 6, block=block), gptq(W_RC, H_CC, s_R, 6, block=16))


def test_an_input_that_never_fired_gets_zero_weights():
    W_RC, H_CC = random_problem(3)
    H_CC[5], H_CC[:, 5] = 0.0, 0.0
    q_RC = gptq(W_RC, H_CC, sdclip_scale(W_RC, 6, 12.85), 6)
    assert not q_RC[:, 5].any() and q_RC[:, 4].any()


def test_sdclip_scale_by_hand():
    W_RC = torch.tensor([[1.0, -1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 0.0]])
    s_R = sdclip_scale(W_RC, 6, 3.1)
    assert s_R[0] == torch.tensor(3.1 * (4 / 3) ** 0.5 / 31).half()
    assert s_R[1] > 0, "a zero row must not divide by zero"


def test_hadamard_is_its_own_inverse_and_needs_a_power_of_two():
    Q_CC = hadamard(64)
    torch.testing.assert_close(Q_CC @ Q_CC, torch.eye(64, dtype=torch.float64))
    assert torch.equal(Q_CC, Q_CC.T)
    with pytest.raises(ValueError, match="power of two"):
        hadamard(48)


def test_recorder_sums_passes_and_divides_by_batches():
    g = torch.Generator().manual_seed(0)
    x_TC, y_TC = torch.randn(5, 3, generator=g), torch.randn(7, 3, generator=g)
    recorder = HessianRecorder()
    for name in ("c_q", "c_k"):
        recorder.record(name, x_TC)
    recorder.record("c_q", y_TC)
    mean = recorder.mean(2)
    torch.testing.assert_close(mean["c_q"], (x_TC.T @ x_TC + y_TC.T @ y_TC) / 2)
    torch.testing.assert_close(mean["c_k"], x_TC.T @ x_TC / 2)


@pytest.mark.parametrize("kind", ["asymmetric", "symmetric"])
def test_low_rank_correction_lowers_the_error_but_not_below_the_exact_factors(kind):
    W_RC, _ = random_problem(4)
    s_R = sdclip_scale(W_RC, 4, 12.85)
    E_RC = W_RC - dequantize_rows(round_to_grid(W_RC, s_R, 4), s_R)
    E_RC += 0.5 * torch.outer(torch.linspace(-1, 1, 24), torch.linspace(1, -1, 48))  # an error with structure
    factors = lqer_asymmetric(E_RC, 4, 16) if kind == "asymmetric" else lqer_symmetric(E_RC, 4, 4)
    corrected = (E_RC - lqer_correction(factors)).norm()
    exact = torch.linalg.svdvals(E_RC)[4:].norm()
    assert exact < corrected < E_RC.norm()
    assert all(factors[key].dtype == torch.int8 for key in "AB")


def test_asymmetric_factors_use_their_whole_range_and_refuse_ragged_groups():
    W_RC, _ = random_problem(5)
    factors = lqer_asymmetric(W_RC, 4, 16)
    assert int(factors["A"].min()) >= -2 and int(factors["A"].max()) <= 1
    assert int(factors["B"].min()) >= -8 and int(factors["B"].max()) <= 7
    with pytest.raises(ValueError, match="multiple of the group"):
        lqer_asymmetric(W_RC, 3, 64)


def test_the_worst_tensors_come_largest_first():
    errors = {"a": torch.ones(2, 2), "b": 3 * torch.ones(2, 2), "c": 2 * torch.ones(2, 2)}
    assert worst_tensors(errors, 2) == ["b", "c"]
