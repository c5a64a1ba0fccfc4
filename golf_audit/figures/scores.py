"""Scores and bytes for a picture: the claim by seed, its logs, reruns, the record before it; the cap."""

from __future__ import annotations

from golf_audit.artifact import CAP, count
from golf_audit.figures.model import Count, Score, Scores, Sizes
from golf_audit.margin import margin, record_before
from golf_audit.reruns import logged_runs, reproduction, reruns_of
from golf_audit.submission import Case


def scores(case: Case) -> Scores | None:
    """None where nothing is claimed, logged or rerun."""
    submission = case.submission
    claims, support = submission.claims, submission.support
    claimed = tuple(Score(s.seed, s.bpb.value) for s in claims.seeds if s.bpb is not None)
    logged = tuple(
        Score(
            line.seed if line.seed is not None else line.run.any_seed,
            line.final.bpb,
            line.final.where(line.run.file),
        )
        for line in support.lines
    )
    found = reproduction(case)
    again = tuple(
        Score(run.seed, run.bpb, entry=run.entry) for run in reruns_of(case).scored if run.bpb is not None
    )
    claim = claims.bpb.value if claims.bpb is not None else None
    if claim is None and not claimed and not logged and not again:
        return None
    record = record_before(case)
    step = margin(case)
    return Scores(
        claim=claim,
        claimed=claimed,
        logged=logged,
        reruns=again,
        reruns_on=found.place.label if found is not None else "",
        baseline=() if record is None else _record(record.values, record.score),
        baseline_name=record.name if record is not None else "",
        asked=step.asked if step is not None else None,
    )


def _record(values: tuple[tuple[int, float], ...], score: float) -> tuple[Score, ...]:
    return tuple(Score(seed, bpb) for seed, bpb in values) or (Score(None, score),)


def sizes(case: Case) -> Sizes | None:
    """The artifact of every claimed run whose log prints a size."""
    counts = []
    for run in logged_runs(case.submission):
        found = count(case.submission, run)
        if found.logged is None and found.model is None:
            continue
        size = run.total_size or run.model_size
        where = size.where(run.file) if size is not None else None
        counts.append(Count(run.any_seed, found.logged, found.model, found.code, where))
    return Sizes(CAP, tuple(counts)) if counts else None
