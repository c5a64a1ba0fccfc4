"""Every torch call at full size: tokens keep positions, losses rows, and numbers that leave are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from golf_audit.dynamic.child.context import Context, bounded
from golf_audit.dynamic.child.full.collectives import Clock, Collectives
from golf_audit.dynamic.child.full.scores import FullScores
from golf_audit.dynamic.child.full.tallies import Tallies
from golf_audit.dynamic.child.full.tokens import Tokens
from golf_audit.dynamic.child.recorder import _FREE, Recorder, _name
from golf_audit.dynamic.child.recorder.flow import Flow
from golf_audit.dynamic.child.recorder.fused import losses_of, watch_functions
from golf_audit.dynamic.child.recorder.outside import Outside
from golf_audit.dynamic.child.recorder.traced import Followed
from golf_audit.dynamic.child.recorder.weights import Weights
from golf_audit.dynamic.messages import Left, Message, Read, Shim, Whole

_OWN = ("aten", "prims")
_TOLD = 20
"""Places where positions were lost that are told."""


class FullRecorder(Recorder):
    """Sees every torch call of one rank through mode.py."""

    ledger: Tallies
    scores: FullScores

    def __init__(self, context: Context, rank: int, world: int) -> None:
        self.context, self.rank, self.world = context, rank, world
        self.vocab = 0  # until validation tokens are embedded
        self.clock = Clock()
        self.tokens = Tokens()
        self._opened: Path | None = None
        self._send = context.send
        context.send = self._hearing
        self.ledger = Tallies(context.send)
        self.weights = Weights(context)
        self.scores = FullScores(context, self.ledger, self.tokens, self.weights, self.clock)
        self.flow = Flow(self.ledger)
        self.outside = Outside(context)
        self._names: dict[Any, str] = {}
        self._lost: set[tuple[str, int]] = set()
        Followed.ledger, Followed.recorder = self.ledger, self

    def install(self) -> None:
        """Watch modules, files, output and collectives; torch calls come through the mode."""
        self.weights.watch()
        self.outside.install()
        watch_functions(self.fused)
        Collectives(self.clock, self.ledger, self.context.send).install()

    def _hearing(self, message: Message) -> None:
        """What the run reads tells where the stream lies; it is read when a tensor is asked about next."""
        self._send(message)
        if isinstance(message, Read) and message.stream == "val":
            self._opened = Path(self.context.job.data) / message.path.removeprefix("data/")

    def called(self, function: Any, args: Any, options: Any) -> Any:
        """Make a call of the submission, and note what it means."""
        if self._opened is not None:
            self._open()
        name = self._names.get(function)
        if name is None:
            name = self._names[function] = _name(function)
        if name in _FREE:
            return function(*args, **options)
        known = self.tokens.touched(args, options)
        if known and name == "embedding":
            self.vocab = int(next(a for a in (*args, *options.values()) if a.dim() == 2).shape[0])
        result = super().called(function, args, options)
        if known:
            try:
                self.tokens.followed(name, function, args, options, result)
            except (RuntimeError, TypeError, ValueError, IndexError, KeyError) as error:
                self._lose(name, error)
            if getattr(function, "namespace", "aten") not in _OWN:
                self.fused((*args, *options.values()), result)
        return result

    def _open(self) -> None:
        path, self._opened = self._opened, None
        assert path is not None
        if self.tokens.opened(path):
            folder = str(path.parent.relative_to(self.context.job.data))
            tokens = len(self.tokens.stream)
            self.context.send(Whole(folder=folder, tokens=tokens, rank=self.rank, world=self.world))

    def _lose(self, name: str, error: Exception) -> None:
        """A call that positions could not follow: told once for each place."""
        site = self.context.site()
        if site not in self._lost and len(self._lost) < _TOLD:
            self._lost.add(site)
            detail = f"{site[0]}:{site[1]}: {type(error).__name__}: {error}"
            self.context.send(Shim(name=f"positions lost in {name}", detail=bounded(detail)))

    def _embedded(self, args: Any, options: Any) -> None:
        """Nothing: positions do not come from inputs here."""

    def fused(self, args: tuple[Any, ...], result: Any) -> None:
        """A call that torch cannot look into: a loss is known by its shapes, unless it has ids already."""
        found = losses_of(args, result, self.vocab) if self.vocab else None
        if found is not None and self.ledger.ids(found[0]) is None:
            self.scores.fused(*found, ())

    def left(self, value: float, ids: Any) -> None:
        """Tell about a number and what it is made of."""
        tally = self.ledger.tell(np.asarray(ids))
        if tally:
            epoch = self.clock.epoch
            self.context.send(Left(value=value, tally=tally, epoch=epoch, site=self.context.site()))
