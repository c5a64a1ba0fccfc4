"""Losses of validation targets: found in each way of computing them, and entered into the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.recorder.ledger import Ints, Ledger
from golf_audit.dynamic.child.recorder.positions import Locator
from golf_audit.dynamic.child.recorder.weights import Weights
from golf_audit.dynamic.messages import Gradient, Phase, Score
from golf_audit.dynamic.messages import runs as as_runs

_GUESSED = 1e-3  # nats
_MASK = (1 << 52) - 1


class Scores:
    """Turns a tensor of losses with its targets into a score message."""

    def __init__(self, context: Context, ledger: Ledger, locator: Locator, weights: Weights) -> None:
        self.context, self.ledger, self.locator, self.weights = context, ledger, locator, weights
        self._multipliers: dict[int, Any] = {}
        self._evaluated = False
        self.bare = False  # in copies that hand over one loss: nothing to hold it against
        self.on_score: Callable[[int], None] = lambda event: None
        self.begins: Callable[[int], None] = lambda event: None
        self.told: Callable[[int, Any], None] = lambda event, losses: None

    def enter(
        self, marked: Any, positions: Ints, losses: Any, rows: Any, scorer: str, off: float | None = None
    ) -> None:
        """Enter a score: `marked` gets the ids; `losses` in nats; `rows`: distributions (N, V) or None."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            values = losses.detach().reshape(-1).double().cpu().numpy()
            whole = rows is not None and not self.bare
            prints = self.fingerprints(rows) if whole else np.zeros(len(values))
            model = "" if self.bare else self.weights.fingerprint()
            event = len(self.ledger.bases)
            self.on_score(event)
            ids = self.ledger.score(positions)
            grad = bool(marked.requires_grad)
        if not self._evaluated and not grad:
            self._evaluated = True
            self.context.send(Phase(name="evaluate"))
        self.context.send(
            Score(
                event=event,
                site=self.context.site(),
                positions=as_runs(positions.tolist()),
                losses=values.tolist(),
                fingerprints=prints.tolist(),
                model=model,
                scorer=scorer,
                off=off if off is None or math.isfinite(off) else None,
                grad=grad,
            )
        )
        self.ledger.mark(
            marked, np.where(positions.reshape(tuple(marked.shape)) >= 0, ids.reshape(tuple(marked.shape)), 0)
        )
        if grad:
            into = self.weights.reached(marked)
            marked.register_hook(lambda gradient: self._adapted(event, gradient, into))
        self.told(event, values)

    def _adapted(self, event: int, gradient: Any, into: str) -> None:
        """A backward pass reached these rows."""
        with torch._C.DisableTorchFunction():
            reached = np.flatnonzero(gradient.detach().reshape(-1).cpu().numpy() != 0)
        if len(reached):
            self.context.send(Gradient(event=event, rows=as_runs(reached.tolist()), into=into))

    def fingerprints(self, rows: Any) -> Any:
        """One number for each row that changes when any bit of the row does."""
        rows = rows.detach().float().contiguous()
        width = rows.shape[-1]
        if width not in self._multipliers:
            generator = np.random.default_rng(width)
            self._multipliers[width] = torch.from_numpy(generator.integers(1, 1 << 62, width) | 1)
        multipliers = self._multipliers[width].to(rows.device)
        parts = [
            (chunk.view(torch.int32).long() * multipliers).sum(-1)
            for chunk in rows.split(max(1, 2_000_000 // width))
        ]
        return (torch.cat(parts).cpu().numpy() & _MASK).astype(np.float64)

    # -- the ways of scoring

    def cross_entropy(self, real: Any, args: Any, options: Any) -> Any:
        """F.cross_entropy: always computed row by row, then reduced as asked."""
        call = _bind_cross_entropy(*args, **options)
        target = call["target"]
        if target.dtype.is_floating_point or call["size_average"] is not None or call["reduce"] is not None:
            return real(*args, **options)
        positions = self._positions(target)
        if positions is None:
            return real(*args, **options)
        logits, weight, ignored = call["input"], call["weight"], call["ignore_index"]
        smoothing = call["label_smoothing"]
        losses = real(logits, target, weight, None, ignored, None, "none", smoothing)
        rows = logits.movedim(1, -1).reshape(-1, logits.shape[1]) if logits.dim() > 1 else logits[None]
        off = self._apart(rows, target, ignored, losses) if weight is None else None
        self.enter(losses, positions, losses, rows, "cross_entropy", off)
        return self._reduced(losses, target, call["reduction"], weight, ignored)

    def _apart(self, rows: Any, target: Any, ignored: int, losses: Any) -> float | None:
        """The largest difference between these losses and our own from the whole distributions."""
        if self.bare:
            return None
        own = own_losses(rows, target.reshape(-1), ignored)
        return float((own - losses.detach().reshape(-1).double()).abs().max())

    def _reduced(self, losses: Any, target: Any, reduction: str, weight: Any, ignored: int) -> Any:
        """The reduction, and its ids: a sum over all rows."""
        result = reduced(losses, target, reduction, weight, ignored)
        if reduction != "none":
            ids = self.ledger.ids(losses)
            assert ids is not None
            counted = np.where(target.cpu().numpy() == ignored, 0, ids)
            self.ledger.mark(result, self.ledger.summed(counted, None))
        return result

    def nll_loss(self, real: Any, args: Any, options: Any) -> Any:
        """F.nll_loss over log-probabilities."""
        names = ("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction")
        call = {
            **dict(zip(names, (None, None, None, None, -100, None, "mean"), strict=True)),
            **dict(zip(names, args, strict=False)),
            **options,
        }
        positions = self._positions(call["target"])
        if positions is None or call["reduce"] is not None or call["size_average"] is not None:
            return real(*args, **options)
        logs, target = call["input"], call["target"]
        losses = real(logs, target, call["weight"], None, call["ignore_index"], None, "none")
        rows = logs.movedim(1, -1).reshape(-1, logs.shape[1]) if logs.dim() > 1 else logs[None]
        off = self._apart(rows, target, call["ignore_index"], losses)
        self.enter(losses, positions, losses, rows, "cross_entropy", off)
        return self._reduced(losses, target, call["reduction"], call["weight"], call["ignore_index"])

    def picked(self, values: Any, rows: Any, targets: Any, scorer: str) -> None:
        """Values at the targets taken out of rows of logits, log-probabilities or probabilities."""
        positions = self._positions(targets)
        if positions is None:
            return
        if self.bare:
            self.enter(values, positions, -values, None, scorer)
            return
        with torch._C.DisableTorchFunction(), torch.no_grad():
            flat = rows.detach().reshape(-1, rows.shape[-1])
            own = own_losses(flat, targets.reshape(-1), None)
            plain = -values.detach().reshape(-1).double()
            sums = flat.double().sum(-1)
            if bool((flat >= 0).all()) and bool(((sums - 1).abs() < 1e-3).all()):
                losses = -values.detach().reshape(-1).double().clamp_min(1e-300).log()
                off = float(sums.log().abs().max())
            elif bool((flat <= 1e-6).all()):
                losses, off = plain, float((own - plain).abs().max())
            else:
                losses, off = own, None
        self.enter(values, positions, losses, flat, scorer, off)

    def fused(self, losses: Any, rows: Any, targets: Any, numbers: Any) -> None:
        """Losses of a call that nobody can look into. What it did to the rows first is guessed: nothing, or a
        softcap at one of the call's numbers; the guess that comes closest to the losses counts, if close."""
        positions = self._positions(targets)
        if positions is None:
            return
        off = None
        with torch._C.DisableTorchFunction(), torch.no_grad():
            told = losses.detach().reshape(-1).double()
            wide = rows.detach().double()
            guesses = [wide, *(cap * torch.tanh(wide / cap) for cap in numbers)]
            apart = [float((own_losses(guess, targets, None) - told).abs().max()) for guess in guesses]
            best = min(range(len(guesses)), key=apart.__getitem__)  # at small logits a softcap is hardly seen
            if apart[best] < _GUESSED:
                rows, off = guesses[best].float(), apart[best]
        self.enter(losses, positions, losses, rows, "custom", off)

    def derived(self, result: Any, ids: Ints, losses: Any, scorer: str) -> bool:
        """Values computed from scored rows in another way than a sum; each must be of one position."""
        positions = self.ledger.single_positions(ids)
        if not (positions >= 0).any():
            return False
        self.enter(result, positions, losses, None, scorer)
        return True

    def _positions(self, targets: Any) -> Ints | None:
        """Positions of targets; None when none is a validation target."""
        with torch._C.DisableTorchFunction():
            found = self.locator.locate(targets.detach().cpu().numpy())
        if not (found >= 0).any():
            return None
        self.begins(len(self.ledger.bases))
        return found


def own_losses(rows: Any, target: Any, ignored: int | None) -> Any:
    """Our own losses from whole distributions, in float64; 0 where ignored."""
    with torch._C.DisableTorchFunction(), torch.no_grad():
        wide = rows.detach().double()
        inside = target.clamp(0, rows.shape[-1] - 1).long()
        losses = torch.logsumexp(wide, -1) - wide.gather(-1, inside[:, None])[:, 0]
        return losses if ignored is None else torch.where(target == ignored, torch.zeros_like(losses), losses)


def reduced(losses: Any, target: Any, reduction: str, weight: Any, ignored: int) -> Any:
    """Reduce row losses as F.cross_entropy does."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    counted = target != ignored
    if weight is None:
        return losses.sum() / counted.sum()
    return losses.sum() / (weight[target.clamp_min(0)] * counted).sum()


def _bind_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> dict[str, Any]:
    return dict(locals())


CROSS_ENTROPY = (F.cross_entropy,)
NLL = (F.nll_loss,)
