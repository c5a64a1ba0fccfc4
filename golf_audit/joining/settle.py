"""When a clean run may settle what reading left open: never on the run's word alone.

The number is attested; a check without hooks agrees; the miniature ran the declared configuration; the script
does not reach into the process that watches it; and every branch of which reading does not know the side, and
whose sides differ in the Score or Adapt events behind the number, was seen to be taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from golf_audit.joining.reaching import reaching
from golf_audit.model import Unmet, Where
from golf_audit.observation import Observation, Word
from golf_audit.static.predict import NO_PRINT, UNTRACED
from golf_audit.submission import Case
from golf_audit.timeline import SOMETIMES, Adapt, Event, Gap, Score, Stream, Timeline

FULL = "golf-audit trace FOLDER --probes full"
HOOK_FREE = "prefix"
"""Probes of this name compute prefix losses from printed numbers alone."""
_RUN_SETTLES = frozenset({NO_PRINT, UNTRACED})
_RANK_OR_STOP = re.compile(
    r"(local_)?rank|world_size|is_master|master_process|is_main(_process)?|distributed|ddp"
    r"|stop_after(_step)?|reached_cap|max_wallclock\w*|last_step",
    re.IGNORECASE,
)
_WORDS = frozenset(
    {
        *("not", "and", "or", "is", "in", "None", "True", "False"),
        *("self", "args", "h", "hp", "hyperparameters"),
    }
)


def obstacles(case: Case) -> tuple[Unmet, ...]:
    """Why a clean run does not settle what was left open, and what would; empty when it does."""
    observation = case.observation
    assert observation is not None
    found = []
    if not case.submission.support.lines:
        found.append("no log line stands behind the claim")
    found += [f"the miniature is not the declared run: {problem}" for problem in observation.problems[:2]]
    found += [
        f"the script reaches into the process that watches it ({name[:40]}{_line(where)})"
        for name, where in islice(reaching(case.submission), 1)
    ]
    found += [_sentence(case, gap.reason, gap.where) for gap in _unseen_gaps(case.timeline)]
    found += list(dict.fromkeys(untaken(case.timeline, observation)))
    return (*_with_hooks_alone(observation), *(Unmet(says) for says in found))


def _with_hooks_alone(observation: Observation) -> Iterator[Unmet]:
    """The missing agreement of the check without hooks."""
    said = [o for o in observation.outcomes if o.probe.startswith(HOOK_FREE) and observation.concerns(o)]
    if any(o.word is Word.CLEAN for o in said):
        return
    says = "the run was not checked without hooks"
    if said:
        yield Unmet(f"{says} ({said[-1].says})")
    else:
        yield Unmet(says, more_probes(observation))


def more_probes(observation: Observation) -> str:
    """The command that asks more than this trace did; empty where none does."""
    return FULL if observation.probes != "full" else ""


def _unseen_gaps(timeline: Timeline) -> list[Gap]:
    return [gap for gap in timeline.blocking_gaps() if gap.reason not in _RUN_SETTLES]


def _sentence(case: Case, reason: str, where: Where | None) -> str:
    place = f" ({where.file}{_line(where)})" if where is not None and where.line else ""
    return f"reading stopped at {reason}{place}, so branches behind it are not known"


def _line(where: Where) -> str:
    return f", line {where.line}" if where.line else ""


def untaken(timeline: Timeline, observation: Observation) -> Iterator[str]:
    """Branches of unknown side with scores or adaptations behind the number that the run never entered.

    Entered means: seen to score, or to adapt on validation tokens, at a line that no other way leads to."""
    seen = set(_places(observation.timeline))
    elsewhere = {_place(e) for e in behind_number(timeline) if not _unknown(e)}
    for event in behind_number(timeline):
        unknown = _unknown(event)
        if unknown and (_place(event) in elsewhere or _place(event) not in seen):
            yield f"the branch `{unknown[-1]}` (line {event.where.line}) was not seen to be taken in the run"


def _unknown(event: Event) -> list[str]:
    """The tests around an event whose side reading does not know."""
    return [c for c in event.conditions if not c.startswith(SOMETIMES) and not _resolved(c)]


Place = tuple[type, str, int, int | None]


def _place(event: Event, where: Where | None = None) -> Place:
    at = where or event.where
    return type(event), at.file, at.layer, at.line


def _places(timeline: Timeline) -> Iterator[Place]:
    """Where a run scored, and where it adapted on validation tokens: the loss and the step."""
    for event in timeline.events:
        if isinstance(event, Score) or (isinstance(event, Adapt) and event.region.stream is Stream.VAL):
            yield _place(event)
            yield from (_place(event, call.where) for call in event.path)


def behind_number(timeline: Timeline) -> Iterator[Event]:
    """The scores behind the claimed number and the adaptations on validation tokens that they depend on."""
    for score in timeline.scores():
        yield score
        for number in sorted(score.state):
            event = timeline.by_id.get(number)
            if isinstance(event, Adapt) and event.region.stream is Stream.VAL:
                yield event


def _resolved(condition: str) -> bool:
    """The rank and the training stop are outside what a configuration says and inside what a run is."""
    names = set(re.findall(r"[A-Za-z_]\w*", condition)) - _WORDS
    return bool(names) and all(_RANK_OR_STOP.fullmatch(name) for name in names)
