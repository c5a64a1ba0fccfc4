"""Submission -> its miniature: the data on disk, the job of the baseline, and the jobs of extra runs."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from golf_audit.dynamic.contract import Places, Variation
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.miniature.data import Folder, build
from golf_audit.dynamic.miniature.defaults import differing
from golf_audit.dynamic.miniature.settings import Plan, plan
from golf_audit.dynamic.miniature.sizes import small
from golf_audit.dynamic.miniature.tokenizer import BOS
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
    plain: Plan  # the script's own defaults

    @property
    def vocab(self) -> int:
        return self.shape.vocab

    @property
    def settings(self) -> tuple[str, ...]:
        return self.plan.notes

    @property
    def problems(self) -> tuple[str, ...]:
        return self.plan.problems

    @property
    def differing(self) -> tuple[str, ...]:
        return differing(self.plan.values, self.plain.values)

    def vary(self, variation: Variation, folder: Path) -> tuple[Job, Path]:
        """The job of an extra run and the folder with its data."""
        data = self.data
        settings = self.plain if variation.defaults else self.plan
        environ: Mapping[str, str] = settings.environ if variation.defaults else self.job.environ
        environ = {**environ, **dict(variation.environ)}
        if variation.perturbation is not None or variation.exchanged:
            data = folder / "data"
            data.mkdir(parents=True)
            made = _build(data, self.cache, self.shape, self.plan, variation)
            environ = {**environ, **documents(environ, made.tokens)}
        job = replace(
            self.job,
            argv=settings.argv,
            environ=environ,
            overrides=settings.overrides,
            perturbation=variation.perturbation,
            ranks=variation.ranks,
            options={**self.job.options, **dict(variation.options)},
            seconds=variation.seconds or self.job.seconds,
        )
        return job, data


def documents(environ: Mapping[str, str], tokens: Sequence[int]) -> dict[str, str]:
    """Settings that tell a script how many documents there are: as many as a shortened stream holds."""
    number = str(sum(token == BOS for token in tokens))
    return {name: number for name in environ if small(name, None) == str(Shape.documents)}


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
        environ={**settings.environ, **documents(settings.environ, made.tokens)},
        overrides=settings.overrides,
        ranked=settings.ranked,
    )
    plain = plan(submission, places.data, declared=False)
    plain = replace(plain, environ={**plain.environ, **documents(plain.environ, made.tokens)})
    return Prepared(data, job, settings, shape, cache or folder / "cache", plain)


def _build(data: Path, cache: Path, shape: Shape, settings: Plan, variation: Variation) -> Folder:
    try:
        return build(
            data,
            cache,
            shape,
            variation.perturbation,
            other_train="train" in variation.exchanged,
            names=settings.names,
        )
    except ValueError as error:
        raise NoMiniature(str(error)) from None
