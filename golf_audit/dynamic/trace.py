"""One submission -> one Observation: the baseline, then every probe with the runs that it asks for."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Event, Lock
from typing import Protocol

from golf_audit.dynamic.abreast import Stopped, abreast
from golf_audit.dynamic.contract import Ending, Miniature, Outcome, Places, Probe, RunResult, Variation
from golf_audit.dynamic.job import Device, Job
from golf_audit.dynamic.messages import Message, Network, Print, Read, Shim, Subprocess
from golf_audit.dynamic.miniature import NoMiniature
from golf_audit.dynamic.observed import Truth, observe
from golf_audit.dynamic.run import Hosts, Listener, Way, run
from golf_audit.dynamic.sandbox import PYTHON, TOOL
from golf_audit.dynamic.stage import open_to_all, places, write_submission
from golf_audit.dynamic.truth import truth
from golf_audit.observation import Observation, Result, Tried
from golf_audit.scratch import scratch
from golf_audit.submission import Submission
from golf_audit.support import Supported
from golf_audit.timeline import Origin, Report, Timeline

_ERROR_LINES = 12
_DIGITS = re.compile(r"\d+")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,16}")
_MOST = 200  # entries of one list in the file
_TEXT = 1000
_TELLING = 6
"""Digits of a number that two results do not share by chance."""


class Prepare(Protocol):
    """Writes the miniature of a submission below a folder."""

    def __call__(self, submission: Submission, folder: Path, where: Places) -> Miniature: ...


class Runner(Protocol):
    """Makes one run; run.run, or something that keeps what it gave."""

    def __call__(self, job: Job, hosts: Hosts, way: Way, listen: Listener | None, /) -> RunResult: ...


class Progress(Protocol):
    """What wants to know how far a trace is. Several runs may be under way; one call comes at a time."""

    def begins(self, run: str, number: int, of: int) -> None:
        """A run begins; `of` runs are known so far."""

    def hears(self, run: str, message: Message | None, seconds: float) -> None:
        """A message of the run, or (None) a tenth of a second has passed."""

    def ends(self, run: str, result: RunResult) -> None:
        """A run has ended."""


@dataclass(frozen=True)
class Plan:
    """What is to be done with a submission."""

    prepare: Prepare
    probes: Sequence[Probe]
    kind: str = "quick"  # or "full"
    device: Device = "cpu"
    way: Way = field(default_factory=Way)
    runner: Runner = run
    jobs: int = 1  # runs at one time; without a sandbox all runs share their folders, so one


def trace(submission: Submission, plan: Plan, progress: Progress | None = None) -> Observation:
    """Run a submission in miniature. Whatever it does, its processes and our folders are gone afterwards."""
    with scratch("trace") as folder:
        try:
            begun = _Trace(submission, plan, folder, progress)
        except NoMiniature as error:
            return _nothing_to_run(submission, plan, str(error))
        return begun.observation()


def _nothing_to_run(submission: Submission, plan: Plan, reason: str) -> Observation:
    """The trace of a submission of which no miniature can be made."""
    return Observation(
        fingerprint=submission.head.fingerprint,
        folder=submission.head.folder,
        probes=plan.kind,
        device=plan.device,
        sandboxed=plan.way.sandbox,
        ending=Ending.NEVER_STARTED.name.lower(),
        reason=reason,
        timeline=Timeline(Origin.OBSERVED, ()),
        not_produced=not_produced(submission, ()),
        tried=tuple(Tried(p.name, p.shows, p.cannot) for p in plan.probes),
    )


class _Trace:
    """The state of one trace."""

    def __init__(self, submission: Submission, plan: Plan, folder: Path, progress: Progress | None) -> None:
        self._submission, self._plan, self._folder, self._progress = submission, plan, folder, progress
        self._made = 0
        self._planned = 1
        self._speaking = Lock()
        self._source = folder / "source"
        self._left_out = write_submission(submission.tree, self._source)
        open_to_all(self._source)
        where = places(folder / "places", sandbox=plan.way.sandbox)
        self._miniature = plan.prepare(submission, folder / "miniature", where)
        open_to_all(self._miniature.data)
        self._where = where

    def observation(self) -> Observation:
        """Everything that the trace has to say."""
        job = replace(self._miniature.job, device=self._plan.device)
        baseline = self._run("baseline", job, self._miniature.data, Event())
        baseline = replace(baseline, messages=tuple(self._placeless(m) for m in baseline.messages))
        timeline, results = observe(baseline, self._truth(baseline, self._miniature.data), job.script)
        outcomes = self._probes(baseline) if baseline.ending is Ending.OK else []
        claimed = claimed_result(self._submission, results)
        if claimed is not None:
            timeline = _mark(timeline, results[claimed].event)
        head = self._submission.head
        return Observation(
            fingerprint=head.fingerprint,
            folder=head.folder,
            probes=self._plan.kind,
            device=self._plan.device,
            sandboxed=self._plan.way.sandbox,
            ending=baseline.ending.name.lower(),
            reason=self._plain(baseline.reason),
            errors=self._errors(baseline),
            timeline=timeline,
            results=results,
            claimed=claimed,
            not_produced=not_produced(self._submission, results),
            tried=tuple(Tried(p.name, p.shows, p.cannot) for p in self._plan.probes),
            outcomes=tuple(outcomes),
            settings=tuple(self._plain(text) for text in self._miniature.settings),
            problems=(*self._left_out, *map(self._plain, self._miniature.problems)),
            stand_ins=_each(f"{m.name}: {m.detail}" if m.detail else m.name for m in baseline.of(Shim)),
            reads=_each(f"{m.stream}: {m.path}" for m in baseline.of(Read)),
            network=_each(self._plain(m.what) for m in baseline.of(Network)),
            programs=_each(
                self._plain(" ".join(m.argv)) for m in baseline.of(Subprocess) if not _our_parser(m)
            ),
        )

    def _probes(self, baseline: RunResult) -> list[Outcome]:
        """Every probe's word. A probe whose runs failed says itself what that means."""
        wanted = [(probe, tuple(probe.variations(baseline))) for probe in self._plan.probes]
        tasks = [
            partial(self._varied, variation, self._folder / f"varied-{number}")
            for number, variation in enumerate(v for _, variations in wanted for v in variations)
        ]
        self._planned += len(tasks)
        made = iter(abreast(tasks, self._plan.jobs if self._plan.way.sandbox else 1))
        outcomes: list[Outcome] = []
        for probe, variations in wanted:
            extra = [next(made) for _ in variations]
            outcomes += [self._outcome(outcome) for outcome in probe.compare(baseline, extra)]
        return outcomes

    def _varied(self, variation: Variation, folder: Path, stop: Event) -> RunResult:
        """An extra run, with its own folder of data while it lasts."""
        job, data = self._miniature.vary(variation, folder)
        open_to_all(data)
        try:
            return self._run(variation.name, replace(job, device=self._plan.device), data, stop)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run(self, name: str, job: Job, data: Path, stop: Event) -> RunResult:
        def listen(message: Message | None, seconds: float) -> None:
            if stop.is_set():
                raise Stopped(name)
            if progress is not None:
                with self._speaking:
                    progress.hears(name, message, seconds)

        progress = self._progress
        if stop.is_set():
            raise Stopped(name)
        with self._speaking:
            self._made += 1
            if progress is not None:
                progress.begins(name, self._made, max(self._made, self._planned))
        result = self._plan.runner(job, Hosts(self._source, data), self._plan.way, listen)
        if progress is not None:
            with self._speaking:
                progress.ends(name, result)
        known = self._truth(result, data)
        differing = self._miniature.differing
        return replace(result, counted=known.counted, tokens=known.tokens, differing=differing)

    def _truth(self, result: RunResult, data: Path) -> Truth:
        """The bytes behind each target: of the sidecar where the run read one, else of the tokenizer."""
        shard = data / PurePosixPath(self._miniature.job.val_tokens).relative_to(self._where.data)
        sidecar = None
        if any(m.stream == "val_bytes" for m in result.of(Read)):
            sidecar = next(iter(sorted(data.rglob("*val_bytes*.bin"))), None)
        models = [p for p in sorted(data.rglob("*.model")) if not p.is_symlink()]
        return truth(shard, models[0] if models else None, sidecar)

    def _placeless(self, message: Message) -> Message:
        """A message without the folders of this trace."""
        if isinstance(message, Read):
            return replace(message, path=self._plain(message.path))
        if isinstance(message, Print):
            return replace(message, text=self._plain(message.text))
        return message

    def _outcome(self, outcome: Outcome) -> Outcome:
        return replace(
            outcome, says=self._plain(outcome.says), places=tuple(map(self._plain, outcome.places))
        )

    def _errors(self, baseline: RunResult) -> tuple[str, ...]:
        """The end of the output of a run that failed; memory addresses differ from run to run."""
        if baseline.ending is Ending.OK:
            return ()
        lines = [line.rstrip()[:300] for line in baseline.tail.splitlines() if line.strip()]
        return tuple(_ADDRESS.sub("0x...", self._plain(line)) for line in lines[-_ERROR_LINES:])

    def _plain(self, text: str) -> str:
        """A text without the folders that only this trace knows."""
        where = self._where
        tool = os.path.dirname(TOOL)
        for folder, name in ((where.work, ""), (where.submission, ""), (where.data, "data"), (tool, "")):
            text = text.replace(f"{folder}/", f"{name}/" if name else "").replace(folder, name or ".")
        text = text.replace(f"{self._folder}/", "").replace(PYTHON, "python")
        return text.replace(os.path.abspath(sys.prefix), "")[:_TEXT]


def _our_parser(message: Subprocess) -> bool:
    """The worker in which the child's own parser rewrites newer syntax; the submission did not start it."""
    return message.argv[1:4] == ("-I", "-X", "utf8") and "golf_audit.parsing.worker" in message.argv[-1]


def claimed_result(submission: Submission, results: Sequence[Result]) -> int | None:
    """The printed result that stands for the claimed number: of the name that the claimed log line has, the
    last; without such a line the last result of all.

    A log may hold the number under several names, as a summary that another program wrote (#414): where the
    run prints nothing of the line's own name, the first name in the log that has the same number counts."""
    lines = submission.support.lines
    if not lines:
        return len(results) - 1 if results else None
    for names in ({line.final.name for line in lines}, *_also_called(lines)):
        for spell in (str, _without_digits):
            wanted = {spell(name) for name in names}
            found = [i for i, result in enumerate(results) if spell(result.name) in wanted]
            if found:
                return found[-1]
    return None


def _also_called(lines: Sequence[Supported]) -> Iterator[set[str]]:
    """Other names under which the logs behind the claim print the very same numbers, in their order."""
    names: dict[str, int] = {}
    for line in lines:
        same = (f for f in line.run.finals if f.bpb == line.final.bpb and f.decimals >= _TELLING)
        for name in dict.fromkeys(f.name for f in same):
            names[name] = names.get(name, 0) + 1
    yield from ({name} for name, count in names.items() if count == len(lines))


def not_produced(submission: Submission, results: Sequence[Result]) -> tuple[str, ...]:
    """Results of the logs behind the claim that the miniature never printed, by name."""
    made = {_without_digits(result.name) for result in results}
    logged = {
        _without_digits(final.name): final.name
        for run in submission.support.runs
        for final in run.finals
        if final.name
    }
    return tuple(sorted(name for key, name in logged.items() if key not in made))[:_MOST]


def _without_digits(name: str) -> str:
    """Sizes in names (`stride64`) are smaller in a miniature."""
    return _DIGITS.sub("#", name)


def _mark(timeline: Timeline, number: int) -> Timeline:
    """The timeline with that Report as the claimed one."""
    events = tuple(
        replace(e, claimed=True) if isinstance(e, Report) and e.id == number else e for e in timeline.events
    )
    return replace(timeline, events=events)


def _each(texts: Iterable[str]) -> tuple[str, ...]:
    """Every text once, in order of appearance, within bounds."""
    return tuple(dict.fromkeys(text[:_TEXT] for text in texts))[:_MOST]
