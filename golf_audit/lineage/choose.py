"""Which of the named submissions is the parent? Words decide; what cannot be one is set aside, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from golf_audit.lineage.model import Mention, Name, Named, Word
from golf_audit.records import records


def choose(found: Iterable[Mention], pr: int | None, folder: str) -> Named:
    """The names that the plainest word gives. A submission is never its own parent, nor is a later one."""
    own = folder.rstrip("/").rsplit("/", 1)[-1]
    fit: list[Mention] = []
    refused: list[tuple[Mention, str]] = []
    for mention in (_with_record(m) for m in found):
        name = mention.name
        if name.folder == own or (pr is not None and name.pr == pr):
            continue
        if pr is not None and name.pr is not None and name.pr > pr:
            refused.append((mention, f"#{name.pr} was opened later than this pull request, #{pr}"))
        else:
            fit.append(mention)
    fit.sort(key=lambda m: -m.word)
    top = fit[0].word if fit else Word.CREDITED
    best = [m for m in fit if m.word is top] if top > Word.STACK else []
    candidates = _each_once(best)
    named = {m.name.pr or m.name.folder for m in candidates}
    others = [m for m in _each_once(fit) if (m.name.pr or m.name.folder) not in named]
    return Named(candidates, tuple(others), tuple(_refused_once(refused)))


def _with_record(mention: Mention) -> Mention:
    """A folder of the leaderboard gets its pull request's number, and is then one name with it."""
    name = mention.name
    if name.pr is None:
        known = next((r.pr for r in records() if r.folder == name.folder), None)
        return replace(mention, name=Name(known, name.folder))
    return mention


def _each_once(found: Sequence[Mention]) -> tuple[Mention, ...]:
    """The first mention of every name; one that also names the folder completes it."""
    kept: dict[int | str, Mention] = {}
    for mention in found:
        key = mention.name.pr or mention.name.folder
        before = kept.get(key)
        if before is None:
            kept[key] = mention
        elif mention.name.folder and not before.name.folder:
            kept[key] = replace(before, name=Name(before.name.pr, mention.name.folder))
    return tuple(kept.values())


def _refused_once(refused: Sequence[tuple[Mention, str]]) -> list[tuple[Mention, str]]:
    seen: dict[int | None, tuple[Mention, str]] = {}
    for mention, why in refused:
        seen.setdefault(mention.name.pr, (mention, why))
    return list(seen.values())
