"""Losses of validation targets at full size, with their positions, and the gradients that reach them.

The ways of scoring are those of recorder/scores.py. What needs a second look at whole distributions is left
to the miniature: it costs more than the run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.full.collectives import Clock
from golf_audit.dynamic.child.full.tallies import Scored, Tallies
from golf_audit.dynamic.child.full.tokens import Ints, Tokens
from golf_audit.dynamic.child.recorder.scores import Scores
from golf_audit.dynamic.child.recorder.weights import Weights
from golf_audit.dynamic.messages import Learned, Runs

_ASKED = 8
"""Backward passes of one line of code whose graph is walked; later ones are taken for the same."""


class FullScores(Scores):
    """Turns a tensor of losses with its targets into ids; remembers which positions were adapted on."""

    ledger: Tallies

    def __init__(
        self, context: Context, ledger: Tallies, tokens: Tokens, weights: Weights, clock: Clock
    ) -> None:
        self.context, self.ledger, self.tokens, self.weights = context, ledger, tokens, weights
        self._clock = clock
        self._adapted_on = np.zeros(0, dtype=np.bool_)
        self._into: dict[tuple[str, int], list[str]] = {}

    def enter(
        self, marked: Any, positions: Ints, losses: Any, rows: Any, scorer: str, off: float | None = None
    ) -> None:
        """Enter a score: `marked` gets the ids; `losses` in nats."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            values = losses.detach().reshape(-1).float().cpu().numpy()
            shape, grad = tuple(marked.shape), bool(marked.requires_grad)
        if len(self._adapted_on) < len(self.tokens.stream):
            self._adapted_on = np.zeros(len(self.tokens.stream), dtype=np.bool_)
        late = self._adapted_on[np.maximum(positions, 0)] & (positions > 0)
        scored = Scored(positions.astype(np.int32), values, late, self._clock.epoch, _longest(positions))
        ids = self.ledger.enter(scored)
        self.ledger.mark(marked, np.where(positions > 0, ids, 0).reshape(shape))
        if grad:
            site = self.context.site()
            into = self._reached(marked, site)
            marked.register_hook(lambda gradient: self._learned(positions, gradient, into, site))

    def _reached(self, marked: Any, site: tuple[str, int]) -> str:
        """What the gradients reach, by the first graphs of this line."""
        known = self._into.setdefault(site, [])
        if len(known) < _ASKED:
            known.append(self.weights.reached(marked))
        return known[-1]

    def _learned(self, positions: Ints, gradient: Any, into: str, site: tuple[str, int]) -> None:
        """A backward pass reached these rows."""
        with torch._C.DisableTorchFunction():
            reached = (gradient.detach() != 0).reshape(-1).cpu().numpy()
        at = np.unique(positions[reached & (positions > 0)])
        at = at[~self._adapted_on[at]]
        if len(at):
            self._adapted_on[at] = True
            self.context.send(Learned(spans=_spans(at), epoch=self._clock.epoch, into=into, site=site))

    def _positions(self, targets: Any) -> Ints | None:
        with torch._C.DisableTorchFunction():
            return self.tokens.positions(targets)

    def _apart(self, rows: Any, target: Any, ignored: int, losses: Any) -> float | None:
        return None

    def picked(self, values: Any, rows: Any, targets: Any, scorer: str) -> None:
        """Values at the targets, out of rows whose first ones tell what they are."""
        positions = self._positions(targets)
        if positions is None:
            return
        with torch._C.DisableTorchFunction(), torch.no_grad():
            some = rows.detach().reshape(-1, rows.shape[-1])[:64].double()
            given = values.detach().reshape(-1).double()
            if bool((some >= 0).all()) and bool(((some.sum(-1) - 1).abs() < 1e-3).all()):
                losses = -given.clamp_min(1e-300).log()
            elif bool((some <= 1e-6).all()):
                losses = -given
            else:
                losses = torch.logsumexp(rows.detach().float(), -1).reshape(-1) - given
        self.enter(values, positions, losses, None, scorer)

    def fused(self, losses: Any, rows: Any, targets: Any, numbers: Any) -> None:
        """Losses of a call that nobody can look into, taken as they are."""
        positions = self._positions(targets)
        if positions is not None:
            self.enter(losses, positions, losses, None, "custom")


def _longest(positions: Ints) -> int:
    """The longest stretch of positions, each the one after the one before."""
    cut = np.flatnonzero((np.diff(positions) != 1) | (positions[1:] < 1))
    return int(np.diff(np.concatenate(([-1], cut, [len(positions) - 1]))).max())


def _spans(at: Ints) -> Runs:
    """Positions in order as (first, length)."""
    firsts = np.concatenate(([0], np.flatnonzero(np.diff(at) != 1) + 1))
    lengths = np.diff(np.concatenate((firsts, [len(at)])))
    return tuple(zip(at[firsts].tolist(), lengths.tolist(), strict=True))
