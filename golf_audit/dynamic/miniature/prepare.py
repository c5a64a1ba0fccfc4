"""Submission -> its miniature: the data on disk, the job of the baseline, and the jobs of extra runs."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from golf_audit.dynamic.contract import Places, Variation
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.miniature.data import Folder, build
from golf_audit.dynamic.miniature.settings import Plan, plan
from golf_audit.dynamic.miniature.tokens import Shape
from golf_audit.errors import AuditError
from golf_audit.submission import Submission

SECONDS = 240.0
"""Wall clock of one run."""


class NoMiniature(AuditError):
    """There is nothing to run, or no data can be made for it."""


@dataclass(frozen=True)
class Prepared:
    """The small world of one submission (contract.Miniature)."""

    data: Path
    job: Job
    plan: Plan
    shape: Shape
    cache: Path

    @property
    def vocab(self) -> int:
        return self.shape.vocab

    @property
    def settings(self) -> tuple[str, ...]:
        return self.plan.notes

    @property
    def problems(self) -> tuple[str, ...]:
        return self.plan.problems

    def vary(self, variation: Variation, folder: Path) -> tuple[Job, Path]:
        """The job of an extra run and the folder with its data."""
        data = self.data
        train = "train" not in variation.without
        if variation.perturbation is not None or not train:
            data = folder / "data"
            data.mkdir(parents=True)
            _build(data, self.cache, self.shape, self.plan, variation)
        environ: Mapping[str, str] = {**self.job.environ, **dict(variation.environ)}
        job = replace(
            self.job,
            environ=environ,
            perturbation=variation.perturbation,
            ranks=variation.ranks,
            options={**self.job.options, **dict(variation.options)},
            seconds=variation.seconds or self.job.seconds,
        )
        return job, data


def prepare(
    submission: Submission,
    folder: Path,
    places: Places,
    *,
    shape: Shape | None = None,
    cache: Path | None = None,
) -> Prepared:
    """Write the miniature of a submission below `folder`. Raises NoMiniature."""
    entry = submission.sources.entry
    if entry is None:
        raise NoMiniature("no train_gpt.py and no script that stands for it")
    settings = plan(submission, places.data)
    shape = replace(shape or Shape(), vocab=settings.vocab)
    data = folder / "data"
    data.mkdir(parents=True)
    made = _build(data, cache or folder / "cache", shape, settings, Variation("baseline"))
    job = Job(
        script=entry,
        submission=places.submission,
        data=places.data,
        work=places.work,
        val_tokens=posixpath.join(places.data, made.val_shard),
        vocab=shape.vocab,
        seconds=SECONDS,
        argv=settings.argv,
        environ=settings.environ,
        overrides=settings.overrides,
    )
    return Prepared(data, job, settings, shape, cache or folder / "cache")


def _build(data: Path, cache: Path, shape: Shape, settings: Plan, variation: Variation) -> Folder:
    try:
        return build(
            data,
            cache,
            shape,
            variation.perturbation,
            train="train" not in variation.without,
            names=settings.names,
        )
    except ValueError as error:
        raise NoMiniature(str(error)) from None
