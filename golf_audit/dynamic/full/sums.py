"""What a number is made of, over all ranks: positions with their times, and the sum of their losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from golf_audit.dynamic.attest import ROUNDING, wanted
from golf_audit.dynamic.full.account import NEVER, Account, Runs
from golf_audit.dynamic.messages import Left, Site
from golf_audit.trainlog import results_of

_STEPS = 2_000_000
"""Tallies that are opened in the search for one number."""
_ONE_BY_ONE = 400
"""Numbers before a line that are tried one by one, the latest first."""
ALL = -1
_NONE = np.zeros((0, 5), dtype=np.int64)


@dataclass(frozen=True)
class Made:
    """A number's rows as runs: (first, length, times, epoch, late)."""

    runs: Runs
    rows: int
    loss: float
    lost: int
    window: int


@dataclass(frozen=True)
class Found:
    """The claimed line and what gives it again; `why` when nothing does."""

    text: str
    name: str
    made: Made | None
    why: str = ""


def claimed(account: Account, tag: str) -> Found | None:
    """The last printed result of that name (no name: the last one) with its rows; None: no such line."""
    prints = account.ranks[0].prints
    results = [(p, f) for p in prints for f in results_of(p.n + 1, p.text) if f.stage == "post"]
    named = [pair for pair in results if not tag or pair[1].name == tag]
    if not named:
        return None
    line, final = named[-1]
    goal = wanted(final, ())
    if goal is None:
        return Found(line.text, final.name, None, "it prints no loss")
    before = max((p.n for p, _ in results if p.n < line.n and p.text != line.text), default=-1)
    opening = Opening(account)
    near: Made | None = None
    for made in _candidates(opening, line.n, before):
        apart = abs(made.loss / made.rows - goal.value) if made.rows and not made.lost else math.inf
        if apart <= goal.half * (1 + 1e-6):
            return Found(line.text, final.name, made)
        if near is None and apart <= goal.half + ROUNDING * abs(goal.value):
            near = made
    why = "" if near is not None else f"no set of scores that was seen gives {goal.value} again"
    return Found(line.text, final.name, near, why)


def _candidates(opening: Opening, before: int, since: int) -> Iterator[Made]:
    """Numbers of rank 0 one by one; then all of one line of code since the result before, of every rank."""
    ranks = opening.account.ranks
    recent = [left for left in reversed(ranks[0].left) if left.n < before]
    for left in recent[:_ONE_BY_ONE]:
        yield opening.made([(0, left)])
    by_site: dict[Site, list[Left]] = {}
    for left in recent:
        if left.n > since:
            by_site.setdefault(left.site, []).append(left)
    for site, group in by_site.items():
        own = [(0, left) for left in group]
        yield opening.made(own)
        first, last = min(left.epoch for left in group), max(left.epoch for left in group)
        others = [
            (number, left)
            for number, rank in enumerate(ranks[1:], start=1)
            for left in rank.left
            if left.site == site and first <= left.epoch <= last
        ]
        if others:
            yield opening.made([*own, *others])


class Opening:
    """Opens tallies, in all at most so many."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._steps = _STEPS

    def made(self, numbers: Iterable[tuple[int, Left]]) -> Made:
        """What these numbers are made of, parts and other ranks' shares included."""
        ranks = self.account.ranks
        waiting = [(rank, left.tally, 1, NEVER) for rank, left in numbers]
        runs: list[Runs] = []
        rows = lost = window = 0
        loss = 0.0
        while waiting:
            rank, number, times, below = waiting.pop()
            found = ranks[rank].tallies[number]
            self._steps -= 1
            if self._steps < 0:
                return Made(_NONE, 0, 0.0, 1, 0)
            if len(found.runs):
                runs.append(found.runs * np.array([1, 1, times, 1, 1]))
            rows, lost, loss = rows + times * found.rows, lost + found.lost, loss + times * found.loss
            window = max(window, found.window)
            waiting += [(rank, part, times * often, below) for part, often in found.parts]
            for collective, element, only in found.shared:
                if collective >= below:
                    continue  # a sum is made of earlier ones
                for other, its in enumerate(ranks):
                    tally = its.given.get((collective, element))
                    if tally is not None and only in (ALL, other):
                        waiting.append((other, tally, times, collective))
        return Made(np.concatenate(runs) if runs else _NONE, rows, loss, lost, window)
