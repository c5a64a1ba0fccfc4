"""Child against parent, function by function, over everything that the two runs execute.

Functions are paired in three rounds: equal code, equal names, and what is alike enough to be the same
function under another name. Unpacked layers are compared, so that packing alone is no difference.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from golf_audit.lineage.model import CodeDifference, Sameness
from golf_audit.lineage.shapes import MODULE, Unit, units
from golf_audit.source import Layer
from golf_audit.submission import Submission

ALIKE = 0.6
"""Words in common, weighted, from which two functions of different names are one that was changed."""
_ALIKE_SIZE = 30
"""Nodes; smaller functions are alike by chance."""
UNITS_CAP = 4_000
"""Functions of one submission that are compared; the largest real one has 400."""


@dataclass(frozen=True)
class Pair:
    """One function of the child and what it was in the parent."""

    ours: Unit
    theirs: Unit
    same: bool


@dataclass(frozen=True)
class Matching:
    """Every function of both, in pairs or alone."""

    pairs: tuple[Pair, ...]
    added: tuple[Unit, ...]
    removed: tuple[Unit, ...]

    def pair_at(self, layer: Layer, line: int) -> Pair | None:
        """The pair whose own function holds this line of the child."""
        return next((pair for pair in self.pairs if pair.ours.holds(layer, line)), None)

    @cached_property
    def share(self) -> float:
        """The part of the larger of both codes that is the same, by size."""
        ours = [*(p.ours for p in self.pairs), *self.added]
        theirs = [*(p.theirs for p in self.pairs), *self.removed]
        return _share(self.pairs, ours, theirs)


def _share(pairs: Sequence[Pair], ours: Sequence[Unit], theirs: Sequence[Unit]) -> float:
    same = sum(pair.ours.size for pair in pairs if pair.same)
    return same / max(sum(u.size for u in ours), sum(u.size for u in theirs), 1)


def match(ours: Submission, theirs: Submission) -> Matching:
    """Pair the functions of what both execute."""
    left, right = _all_units(ours), _all_units(theirs)
    return _Matcher(left, right).matching()


def difference(ours: Submission, theirs: Submission, found: Matching) -> CodeDifference:
    """The difference in words and numbers."""
    for submission, who in ((ours, "this submission"), (theirs, "the parent")):
        if not any(True for layer in _layers(submission) if layer.parsed.tree is not None):
            return CodeDifference(Sameness.UNREAD, why=f"no script of {who} could be read")
    same = [pair for pair in found.pairs if pair.same]
    changed = tuple(pair.ours.name for pair in found.pairs if not pair.same)
    if changed or found.added or found.removed:
        sameness = Sameness.CHANGED
    else:
        sameness = Sameness.BYTES if _bytes(ours) == _bytes(theirs) else Sameness.CODE
    return CodeDifference(
        sameness,
        len(same),
        changed,
        tuple(unit.name for unit in found.added),
        tuple(unit.name for unit in found.removed),
        sum(pair.ours.name != pair.theirs.name for pair in same),
        round(found.share, 4),
    )


def _layers(submission: Submission) -> Iterator[Layer]:
    """Every layer that a run executes; a mere shim around a packed script has no functions to compare."""
    sources = submission.sources
    for file in sources.executed:
        if file in sources.modules:
            yield from sources.modules[file].layers


def _all_units(submission: Submission) -> list[Unit]:
    layers = list(_layers(submission))
    outer = {(layer.file, layer.outer) for layer in layers if layer.outer is not None}
    found: list[Unit] = []
    for layer in layers:
        for unit in units(layer):
            shim = (layer.file, layer.index) in outer and unit.name == MODULE
            if not shim:
                found.append(unit)
    return found[:UNITS_CAP]


def _bytes(submission: Submission) -> tuple[bytes | None, ...]:
    tree = submission.tree
    return tuple(file.data for path in submission.sources.executed if (file := tree.get(path)) is not None)


class _Matcher:
    """Pairs off two lists of functions, each at most once."""

    def __init__(self, left: Sequence[Unit], right: Sequence[Unit]) -> None:
        self.left, self.right = list(left), list(right)
        self.pairs: list[Pair] = []
        self._names = ({u.name for u in left}, {u.name for u in right})

    def equal(self) -> list[Pair]:
        """The pairs of equal code alone."""
        self._round(lambda u: (u.name, u.exact), same=True)
        self._round(lambda u: u.exact, same=True)
        self._renamed()
        return self.pairs

    def matching(self) -> Matching:
        self.equal()
        self._round(lambda u: u.name, same=False)
        self._alike()
        return Matching(tuple(self.pairs), tuple(self.left), tuple(self.right))

    def _round(self, key: Callable[[Unit], Hashable], same: bool) -> None:
        """Pair what has the same key, in the order of the text."""
        waiting: dict[Hashable, list[Unit]] = defaultdict(list)
        for unit in reversed(self.right):
            waiting[key(unit)].append(unit)
        for unit in list(self.left):
            if waiting[key(unit)]:
                self._pair(unit, waiting[key(unit)].pop(), same)

    def _renamed(self) -> None:
        """Equal up to names, where no name means one thing here and another there."""
        waiting: dict[str, list[Unit]] = defaultdict(list)
        for unit in self.right:
            waiting[unit.loose].append(unit)
        for unit in list(self.left):
            other = next((o for o in waiting[unit.loose] if self._only_renamed(unit, o)), None)
            if other is not None:
                waiting[unit.loose].remove(other)
                self._pair(unit, other, True)

    def _only_renamed(self, ours: Unit, theirs: Unit) -> bool:
        """Names that differ are known on their own side only: a call of something else is no renaming."""
        here, there = self._names
        return all(
            a == b or (a not in there and b not in here)
            for a, b in zip(ours.outside, theirs.outside, strict=True)
        )

    def _alike(self) -> None:
        scored = [
            (score, ours, theirs)
            for ours in self.left
            for theirs in self.right
            if min(ours.size, theirs.size) >= _ALIKE_SIZE
            and (score := _overlap(ours.bag, theirs.bag)) >= ALIKE
        ]
        for _, ours, theirs in sorted(scored, key=lambda s: -s[0]):
            if any(u is ours for u in self.left) and any(u is theirs for u in self.right):
                self._pair(ours, theirs, False)

    def _pair(self, ours: Unit, theirs: Unit, same: bool) -> None:
        self.left = [unit for unit in self.left if unit is not ours]
        self.right = [unit for unit in self.right if unit is not theirs]
        self.pairs.append(Pair(ours, theirs, same))


def _overlap(ours: Counter[str], theirs: Counter[str]) -> float:
    """Weighted Jaccard of two bags of words."""
    union = (ours | theirs).total()
    return (ours & theirs).total() / union if union else 0.0


def nearest(child: Submission, parents: Iterable[Submission]) -> list[tuple[float, Submission]]:
    """Candidates by the part of the code that they share with the child, the nearest first."""
    ours = _all_units(child)
    found = []
    for parent in parents:
        theirs = _all_units(parent)
        found.append((_share(_Matcher(ours, theirs).equal(), ours, theirs), parent))
    return sorted(found, key=lambda pair: -pair[0])
