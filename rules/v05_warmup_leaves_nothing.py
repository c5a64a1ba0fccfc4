"""Compile warm-up leaves no state behind from validation tokens.

Law    Disputed: a record with warm-up on validation tokens and restored state was merged (#1530), a
       successor changed it (#1536).
Look   Optimiser steps before the evaluation timer whose state reaches no printed score. On random or
       training tokens they pass; a parameter that keeps a change by validation tokens is T01's.
Blind  Kernel autotuning caches.
"""

from golf_audit.joining import joined
from golf_audit.law import WARM_UP_UNRULED
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Verdict,
)
from golf_audit.static.asking import basis, place, premises, witness
from golf_audit.static.example import WARM_UP, files
from golf_audit.static.leaks import training_on_validation
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Report, Score, Stream, Timeline

PRECEDENTS = (
    Precedent(1530, "accepted", "warm-up on validation tokens, state thrown away"),
    Precedent(1536, "contested", "changed it to random tokens"),
)


def check(case: Case) -> Assessment:
    timeline = case.timeline
    loaders = {event.id for event in training_on_validation(timeline)}  # V01's
    warmed = (e for e in _thrown_away(timeline, Stream.VAL) if e.id not in loaders)
    findings = tuple(_finding(case, event) for event in warmed)
    unmet = premises(case)
    steps = [e for stream in (Stream.RANDOM, Stream.TRAIN) for e in _thrown_away(timeline, stream)]
    if not findings and not unmet and not steps:
        read = Assessment(not_applicable="no step was found whose state is thrown away")
    else:
        says = "a warm-up on {} steps here; no printed score depends on it"
        rests = [Evidence(Kind.SOURCE, says.format(e.region.stream.value), e.where) for e in steps]
        read = Assessment(findings, unmet, (), (*rests, *basis(case)))
    return joined(case, "V05", read, WARM_UP_UNRULED, precedents=PRECEDENTS)


def _thrown_away(timeline: Timeline, stream: Stream) -> list[Adapt]:
    """Steps on tokens of a stream before the reported scores that no printed score depends on."""
    scores = timeline.scores()
    if not scores:
        return []
    used: set[int] = set()
    for report in (e for e in timeline.events if isinstance(e, Report)):
        for number in report.scores:
            score = timeline.by_id[number]
            used |= score.state if isinstance(score, Score) else set()
    reached = (timeline.by_id[i] for i in used if i in timeline.by_id)
    used_places = {(event.where, event.path) for event in reached}
    first = min(score.id for score in scores)
    return list(
        {
            e.where: e
            for e in timeline.events
            if isinstance(e, Adapt)
            and e.kind == "gradient"
            and e.region.stream is stream
            and e.id < first
            and (e.where, e.path) not in used_places
        }.values()
    )


def _finding(case: Case, event: Adapt) -> Finding:
    sure = not case.timeline.blocking_gaps()
    return Finding(
        f"a warm-up steps on validation tokens ({place(event.where)}); no printed score depends on it",
        Certainty.SHOWN if sure else Certainty.LIKELY,
        WARM_UP_UNRULED,
        tuple(witness("the step", event)),
        "warm up on random tokens (#1855)",
        PRECEDENTS,
    )


_RESTORED_WARM_UP = """
    initial = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    x, y = piece(load(TRAIN_FILES), 0)
    step(model, optimizer, x, y)
    model.load_state_dict(initial)
"""
RULE = Rule(
    id="V05",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="T X",
    check=check,
    cites=(WARM_UP_UNRULED,),
    precedents=PRECEDENTS,
    examples=(
        Example("No warm-up.", files(), Verdict.NOT_APPLICABLE),
        Example(
            "Warm-up on random tokens.",
            files(
                before=WARM_UP.format(
                    batch="torch.randint(0, 8192, (1, 64)), torch.randint(0, 8192, (1, 64))"
                )
            ),
            Verdict.PASS,
        ),
        Example(
            "Warm-up on training tokens, then the weights are put back.",
            files(**{"    train(model)": _RESTORED_WARM_UP + "    train(model)"}),
            Verdict.PASS,
            "a warm-up on training tokens",
        ),
        Example(
            "Warm-up of a copy on validation tokens.",
            files(before=WARM_UP.format(batch="piece(tokens, 0)")),
            Verdict.NEEDS_RULING,
            "no printed score depends on it",
        ),
    ),
)
