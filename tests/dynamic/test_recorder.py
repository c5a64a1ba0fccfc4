"""The rows behind a number are followed through the arithmetic that scripts use, in torch and in numpy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402, N812

from golf_audit.dynamic.child.recorder.traced import watch_makers  # noqa: E402
from golf_audit.dynamic.messages import Gradient, Score, Sink, Step, expand  # noqa: E402
from tests.dynamic.watched import Watched, tensor  # noqa: E402


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Watched]:
    """A recorder; what it hangs on torch's modules and optimizers is gone when the test ends."""
    torch.manual_seed(0)
    init = torch.nn.Module.__init__
    places = (
        torch.nn.modules.module._global_forward_pre_hooks,
        sys.modules["torch.optim.optimizer"]._global_optimizer_post_hooks,  # torch.optim hides the name
    )
    before = [dict(hooks) for hooks in places]
    yield Watched(tmp_path)
    torch.nn.Module.__init__ = init
    for hooks, then in zip(places, before, strict=True):
        hooks.clear()
        hooks.update(then)


def logits(rows: int) -> Any:
    return torch.randn(rows, 1024)


def losses() -> tuple[Any, Any]:
    """Losses of positions 1 to 64 as (4, 16), and the logits."""
    rows = logits(64)
    return F.cross_entropy(rows, tensor(1, 64), reduction="none").reshape(4, 16), rows


def mean_of_all(nll: Any) -> Any:
    return nll.mean()


def running_total(nll: Any) -> Any:
    total = torch.zeros((), dtype=torch.float64)
    for row in nll:
        total += row.to(torch.float64).sum()
    return total / nll.numel()


def masked(nll: Any) -> Any:
    mask = torch.zeros_like(nll)
    mask[:, 8:] = 1.0
    return (nll * mask).sum() / mask.sum()


def indexed(nll: Any) -> Any:
    return nll[torch.arange(nll.shape[1]) >= 8 if nll.dim() == 1 else (slice(None), slice(8, None))].mean()


def stored_in_a_buffer(nll: Any) -> Any:
    buffer = torch.zeros(64)
    for i, row in enumerate(nll):
        buffer[16 * i : 16 * i + 16] = row
    return buffer.mean()


def stored_through_a_view(nll: Any) -> Any:
    buffer = torch.zeros(4, 16)
    view = buffer[2]
    view.copy_(nll[1])
    return buffer.sum() / 16


def joined(nll: Any) -> Any:
    return torch.cat([nll[0], nll[3]]).double().mean()


def chosen_by_where(nll: Any) -> Any:
    keep = torch.arange(64).reshape(4, 16) % 2 == 0
    return torch.where(keep, nll, torch.zeros(())).sum() / 32


def added_by_index(nll: Any) -> Any:
    sums = torch.zeros(4)
    sums.index_add_(0, torch.tensor([0, 1, 2, 3]), nll.sum(1))
    return sums.sum() / 64


@pytest.mark.parametrize(
    ("arithmetic", "positions"),
    [
        (mean_of_all, range(1, 65)),
        (running_total, range(1, 65)),
        (masked, [p for p in range(1, 65) if (p - 1) % 16 >= 8]),
        (indexed, [p for p in range(1, 65) if (p - 1) % 16 >= 8]),
        (stored_in_a_buffer, range(1, 65)),
        (stored_through_a_view, range(17, 33)),
        (joined, [*range(1, 17), *range(49, 65)]),
        (chosen_by_where, range(1, 65, 2)),
        (added_by_index, range(1, 65)),
    ],
)
def test_rows_follow_the_arithmetic(
    seen: Watched, arithmetic: Callable[[Any], Any], positions: range | list[int]
) -> None:
    with seen.watching():
        nll, _ = losses()
        value = arithmetic(nll).item()
    found, mean = seen.behind(seen.of(Sink)[-1])
    assert found == list(positions)
    assert mean == pytest.approx(value, abs=1e-6)


def test_rows_follow_numpy_to_a_python_number(seen: Watched) -> None:
    with seen.watching():
        nll, _ = losses()
        array = nll.detach().cpu().numpy().astype(np.float64)
        parts = np.concatenate([array[0], array[2, 4:]])
        float(np.mean(parts))
    found, mean = seen.behind(seen.of(Sink)[-1])
    assert found == [*range(1, 17), *range(37, 49)]
    assert mean == pytest.approx(float(parts.mean()), abs=1e-9)


@pytest.mark.parametrize("name", ["from_numpy", "tensor", "as_tensor", "asarray"])
def test_a_mixture_goes_back_into_a_tensor_with_its_rows(
    seen: Watched, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """#796 adds its mixed losses up in torch."""
    for maker in ("from_numpy", "tensor", "as_tensor", "asarray"):
        monkeypatch.setattr(torch, maker, getattr(torch, maker))  # put back afterwards
    watch_makers(seen.recorder.ledger)
    with seen.watching():
        nll, _ = losses()
        mixed = -np.log(0.5 * np.exp(-nll.reshape(-1).numpy().astype(np.float64)) + 0.25)
        total = torch.zeros((), dtype=torch.float64)
        total += getattr(torch, name)(mixed).to(dtype=torch.float64).sum()
        value = (total / 64).item()
    positions, mean = seen.behind(seen.of(Sink)[-1])
    assert positions == list(range(1, 65)) and value == pytest.approx(mean)


def test_a_mixture_in_numpy_is_a_new_loss_of_the_same_positions(seen: Watched) -> None:
    with seen.watching():
        nll, _ = losses()
        p = np.exp(-nll.reshape(-1).numpy().astype(np.float64))
        p[3:9] = 0.5 * p[3:9] + 0.5 * 0.25  # a counting model's word on some of them
        mixed = -np.log(np.clip(0.7 * p + 0.3 / 1024, 1e-12, 1.0))
        value = float(mixed.mean())
    score = seen.of(Score)[-1]
    assert (score.scorer, expand(score.positions)) == ("numpy", list(range(1, 65)))
    found, mean = seen.behind(seen.of(Sink)[-1])
    assert found == list(range(1, 65))
    assert mean == pytest.approx(value, abs=1e-9)


def test_a_mixture_in_torch_is_a_new_loss_of_the_same_positions(seen: Watched) -> None:
    with seen.watching():
        nll, _ = losses()
        value = -torch.log(0.7 * torch.exp(-nll.double()) + 0.3 / 1024).mean().item()
    found, mean = seen.behind(seen.of(Sink)[-1])
    assert found == list(range(1, 65))
    assert mean == pytest.approx(value, abs=1e-9)


def gathered(rows: Any, y: Any) -> Any:
    return -F.log_softmax(rows, dim=-1).gather(-1, y[:, None]).squeeze(-1)


def picked_by_index(rows: Any, y: Any) -> Any:
    return -torch.log_softmax(rows, -1)[torch.arange(len(y)), y]


def by_logsumexp(rows: Any, y: Any) -> Any:
    return torch.logsumexp(rows, -1) - rows.gather(1, y[:, None])[:, 0]


def by_probability(rows: Any, y: Any) -> Any:
    return -torch.softmax(rows, -1).gather(1, y[:, None])[:, 0].log()


def by_nll_loss(rows: Any, y: Any) -> Any:
    return F.nll_loss(F.log_softmax(rows, -1), y, reduction="none")


@pytest.mark.parametrize("scorer", [gathered, picked_by_index, by_logsumexp, by_probability, by_nll_loss])
def test_losses_outside_cross_entropy_are_scores(seen: Watched, scorer: Callable[[Any, Any], Any]) -> None:
    with seen.watching():
        rows = logits(64).double()
        value = scorer(rows, tensor(1, 64)).mean().item()
    found, mean = seen.behind(seen.of(Sink)[-1])
    assert found == list(range(1, 65))
    assert mean == pytest.approx(value, abs=1e-9)
    assert value == pytest.approx(F.cross_entropy(rows, tensor(1, 64)).item(), abs=1e-9)


def test_a_scaled_loss_is_not_the_mean_of_its_rows(seen: Watched) -> None:
    with seen.watching():
        nll, _ = losses()
        value = (nll.mean() * 0.97).item()
    _, mean = seen.behind(seen.of(Sink)[-1])
    assert abs(mean - value) > 0.1


def test_only_rows_with_a_gradient_are_adapted_on(seen: Watched) -> None:
    weight = torch.nn.Parameter(torch.randn(8, 1024))
    with seen.watching():
        nll = F.cross_entropy(torch.randn(64, 8) @ weight, tensor(1, 64), reduction="none")
        mask = (torch.arange(64) < 20).float()
        (nll * mask).sum().backward()
    (gradient,) = seen.of(Gradient)
    assert gradient.rows == ((0, 20),)


def test_a_gradient_into_loose_tensors_only_is_scratch(seen: Watched) -> None:
    """SLOT trains an offset that belongs to no module; its model is frozen."""
    seen.recorder.weights.install()
    model = torch.nn.Linear(8, 1024)
    for frozen in (False, True):
        model.requires_grad_(not frozen)
        offset = torch.zeros(8, requires_grad=True)
        with seen.watching():
            F.cross_entropy(model(torch.randn(64, 8) + offset), tensor(1, 64)).backward()
    assert [g.into for g in seen.of(Gradient)] == ["parameters", "scratch"]


def test_training_tokens_are_no_score(seen: Watched) -> None:
    with seen.watching():
        F.cross_entropy(logits(64), torch.randint(4, 1024, (64,))).item()
    assert not seen.of(Score)
    assert not seen.of(Sink)


def test_a_fingerprint_changes_with_one_bit_of_its_row(seen: Watched) -> None:
    with seen.watching():
        rows = logits(64)
        F.cross_entropy(rows, tensor(1, 64))
        rows[3, 700] = torch.nextafter(rows[3, 700], torch.tensor(9.0))
        F.cross_entropy(rows, tensor(1, 64))
    one, two = seen.of(Score)
    changed = [i for i, (a, b) in enumerate(zip(one.fingerprints, two.fingerprints, strict=True)) if a != b]
    assert changed == [3]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignored", [-100, 0])
def test_the_recorded_cross_entropy_is_the_real_one(
    seen: Watched, reduction: str, smoothing: float, ignored: int
) -> None:
    rows, target = logits(64), tensor(1, 64).clone()
    target[5] = ignored
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignored}
    real = F.cross_entropy(rows, target, **options)
    with seen.watching():
        ours = F.cross_entropy(rows, target, **options)
    torch.testing.assert_close(ours, real)


def test_a_step_names_what_changed_and_a_write_without_one_is_told(seen: Watched) -> None:
    from golf_audit.dynamic.messages import Change

    seen.recorder.weights.install()
    model = torch.nn.Linear(8, 1024)
    optimizer = torch.optim.SGD([model.weight], lr=0.1)
    with seen.watching():
        F.cross_entropy(model(torch.randn(64, 8)), tensor(1, 64)).backward()
        optimizer.step()
        model.bias.data.add_(1.0)
        F.cross_entropy(model(torch.randn(64, 8)), tensor(1, 64))
    assert seen.of(Step)[-1].names == ("Linear.weight",)
    assert seen.of(Change)[-1].names == ("Linear.bias",)
    one, two = seen.of(Score)
    assert one.model != two.model
