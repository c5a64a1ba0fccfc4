"""From a name to the submission: a folder on disk, a pull request or a folder of main in a clone.

What a README names is a number or a folder's name. Numbers are looked up in the clone's own list of pull
requests and names among the folders of main; nothing of a README reaches git as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from golf_audit.errors import AuditError, CloneError, NoSuchSubmission
from golf_audit.gitclone import Clone
from golf_audit.lineage.code import nearest
from golf_audit.lineage.compare import name_of
from golf_audit.lineage.model import Mention, Name, Named
from golf_audit.lineage.words import listed
from golf_audit.load import load_folder, load_on_main, load_pull_request
from golf_audit.model import Where
from golf_audit.records import records
from golf_audit.submission import Submission

CANDIDATES_CAP = 10
"""Names that are read to tell them apart by their code."""
NEAR = 0.25
"""Part of the code in common from which a submission that is merely named is taken for the parent. #1493
has 72 % of #1394, its base; two that share only the challenge's baseline have under 10 %."""
CLOSE, SAME = 0.75, 0.9
"""Where the parent by words has less than the first, another that is named and has more than the second is
it."""


@dataclass(frozen=True)
class Found:
    """The parent, or the reason why there is none. `how` and `where` say what names it."""

    submission: Submission | None
    how: str = ""
    where: Where | None = None
    why: str = ""
    notes: tuple[str, ...] = ()


def given(argument: str, clone: Clone | None, child: Submission) -> Found:
    """The parent that --parent names. Raises AuditError when it cannot be read."""
    how = "given with --parent"
    number = argument.removeprefix("#")
    if not number.isdecimal():
        return Found(load_folder(Path(argument)), how)
    if clone is None:
        raise AuditError(
            f"--parent {argument} is a pull request: it needs --repo CLONE (a folder: ./{argument})"
        )
    pr = int(number)
    if pr == child.head.pr:
        raise AuditError(f"--parent {argument}: a submission is not its own parent")
    loaded, notes = _nearest_folder(child, read(Name(pr), clone), Name(pr))
    if child.head.pr is not None and pr > child.head.pr:
        notes = (*notes, f"#{pr} was opened later than #{child.head.pr}")
    return Found(loaded, how, notes=notes)


def found(named: Named, clone: Clone, child: Submission) -> Found:
    """The parent that the texts name; several of one word are told apart by their code.

    Another that is merely named takes its place where the child has that one's code and not this one's:
    "takes #1394 and #1364" stands in a README whose script is #1416's, byte for byte."""
    spoken = _read_all(named.candidates, clone, child)
    if named.candidates and not spoken.read:
        return Found(None, why="; ".join(spoken.problems))
    by_words = _by_words(child, spoken) if named.candidates else Found(None, why=_no_name(named))
    share = nearest(child, [by_words.submission])[0][0] if by_words.submission is not None else 0.0
    undecided = named.candidates and by_words.submission is None
    if undecided or share >= CLOSE or not named.others:
        return by_words
    silent = _read_all(named.others, clone, child)
    ranked = nearest(child, [submission for _, submission in silent.read])
    enough = SAME if by_words.submission is not None else NEAR
    if not ranked or ranked[0][0] < enough:
        return by_words
    return _by_code_alone(silent, ranked, by_words, share)


@dataclass(frozen=True)
class _Read:
    """Names that were looked up: the submissions behind them, and what could not be read."""

    read: tuple[tuple[Mention, Submission], ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def _read_all(mentions: Sequence[Mention], clone: Clone, child: Submission) -> _Read:
    loaded: list[tuple[Mention, Submission]] = []
    problems: list[str] = []
    notes: list[str] = []
    for mention in mentions[:CANDIDATES_CAP]:
        try:
            folder, told = _nearest_folder(child, read(mention.name, clone), mention.name)
        except AuditError as error:
            problems.append(f"{mention.name} is named ({_at(mention)}) and cannot be read: {error}")
            continue
        notes += told
        loaded.append((mention, folder))
    return _Read(tuple(loaded), tuple(problems), tuple(notes))


def read(name: Name, clone: Clone) -> tuple[Submission, ...]:
    """The submissions behind a name: those that the pull request adds, else the folder that main has of it.

    Raises AuditError when there are none."""
    if name.pr is not None:
        try:
            loaded = load_pull_request(clone, name.pr)
        except CloneError:
            loaded = ()
            if not any(True for _ in _on_main(name, clone)):
                raise
        own = [s for s in loaded if s.name == name.folder]
        if own or loaded:
            return tuple(own) or loaded
    merged = tuple(load_on_main(clone, folder) for folder in _on_main(name, clone))
    if not merged:
        raise NoSuchSubmission(f"{name} has no submission folder in this clone")
    return merged


def _on_main(name: Name, clone: Clone) -> Iterator[str]:
    """Paths of the folders on main that carry this name, or that the leaderboard lists for this number."""
    wanted = {r.folder for r in records() if name.pr is not None and r.pr == name.pr} | {name.folder} - {""}
    folders = {entry.path.rpartition("/")[0] for entry in clone.tree(clone.main)}
    yield from sorted(f for f in folders if f.startswith("records/") and f.rpartition("/")[2] in wanted)


def _nearest_folder(
    child: Submission, loaded: Sequence[Submission], name: Name
) -> tuple[Submission, tuple[str, ...]]:
    """One of the folders of a pull request: the one whose code is nearest to the child's."""
    if len(loaded) == 1:
        return loaded[0], ()
    share, best = nearest(child, loaded)[0]
    others = listed([s.name for s in loaded if s is not best])
    return best, (
        f"{name} has {len(loaded)} folders; {best.name} is nearest by its code ({share:.0%}), not {others}",
    )


def _by_words(child: Submission, spoken: _Read) -> Found:
    """One name is the answer; of several in one breath the one whose code the child has."""
    notes = (*spoken.notes, *spoken.problems)
    mention, submission = spoken.read[0]
    if len(spoken.read) == 1:
        return Found(submission, _how(mention), mention.where, notes=notes)
    ranked = nearest(child, [submission for _, submission in spoken.read])
    share, best = ranked[0]
    names = listed([f"{mention.name} ({_at(mention)})" for mention, _ in spoken.read])
    if not share or ranked[1][0] == share:
        why = f"{names} are named alike, and their code does not tell which: give one with --parent"
        return Found(None, why=why)
    mention = next(m for m, submission in spoken.read if submission is best)
    shares = {id(submission): told for told, submission in ranked}
    others = listed([f"{m.name} {shares[id(s)]:.0%}" for m, s in spoken.read if s is not best])
    told = f"{names} are named alike; the code is nearest to {mention.name} ({share:.0%} the same; {others})"
    return Found(best, _how(mention), mention.where, notes=(told, *notes))


def _by_code_alone(
    silent: _Read, ranked: Sequence[tuple[float, Submission]], by_words: Found, said: float
) -> Found:
    """The nearest of those that no text calls the base."""
    share, best = ranked[0]
    mention = next(m for m, submission in silent.read if submission is best)
    if by_words.submission is None:
        told = f"no text calls it the base; of {len(silent.read)} that are named its code is the nearest"
    else:
        name = name_of(by_words.submission.head)
        told = f"{by_words.how} speaks of {name}, whose code is further away ({said:.0%} the same)"
    return Found(best, f"named here, and {share:.0%} of the code is the same", mention.where, notes=(told,))


def _how(mention: Mention) -> str:
    if mention.where.pointer:
        return f"{mention.says} in {mention.where.file}"
    return f'"{mention.says}"' if mention.where.line else mention.says


def _at(mention: Mention) -> str:
    where = mention.where
    return f"{where.file}:{where.line}" if where.line else mention.says


def _no_name(named: Named) -> str:
    """Why no parent is named, and what could be one."""
    told = [f"{m.name} ({_at(m)})" for m in named.others[:4]]
    compared = (
        f"; compared with {listed(told)}: give one with --parent" if told else "; give it with --parent"
    )
    later = "".join(f"; {why}" for _, why in named.refused[:2])
    return f"neither README nor submission.json calls a submission the base of this one{compared}{later}"
