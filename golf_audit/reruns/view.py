"""A ledger's entries as runs of one submission.

A run belongs to a submission when it ran the same program (every file but the papers around it, which may be
corrected afterwards) in the configuration that the submission states now.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from golf_audit.filetree import FILE_CAP, File
from golf_audit.ledger import Entry, Ledger
from golf_audit.runconfig.effective import effective
from golf_audit.submission import Case, Submission
from golf_audit.trainlog import Final, Run, read_log

_PAPERS = re.compile(r"(?:^|/)(?:submission[^/]*\.json|[^/]*\.(?:md|log|out|stdout|png|svg|pdf))$", re.I)
_DATA = ("./data", "data/")
"""How places begin that a rerun may find elsewhere in its data folder."""
_LOG = re.compile(r"[\w-][\w.-]{0,120}(?:/[\w-][\w.-]{0,120}){0,3}")


def logged_runs(submission: Submission) -> tuple[Run, ...]:
    """The runs behind the claim; where no log supports it, every run that the folder's logs hold."""
    measured = (run for log in submission.logs for run in log.runs if run.measured and run.finals)
    return submission.support.runs or tuple(measured)


def claimed_tag(submission: Submission) -> str:
    """The name of the line that the claim was read from, else of the last result in the folder's logs."""
    for line in submission.support.lines:
        return line.final.name
    finals = [f for run in logged_runs(submission) for f in run.finals if f.stage == "post"]
    return finals[-1].name if finals else ""


def program_files(submission: Submission) -> tuple[File, ...]:
    """The files that a run consists of. Papers stay outside: README, claims, pictures, and above all logs,
    from which a program could otherwise print the claimed result."""
    logs = {log.file for log in submission.logs if any(run.finals or run.measured for run in log.runs)}
    return tuple(
        file
        for path, file in sorted(submission.tree.files.items())
        if not _PAPERS.search(path) and path not in logs
    )


def program_fingerprint(submission: Submission) -> str:
    """sha256 over the program's files: it stays when papers around it are corrected."""
    digest = hashlib.sha256()
    for file in program_files(submission):
        body = hashlib.sha256(file.data).hexdigest() if file.data is not None else f"{file.size} {file.oid}"
        digest.update(f"{file.path}\0{body}\0".encode("utf-8", errors="surrogatepass"))
    return digest.hexdigest()


@dataclass(frozen=True)
class Rerun:
    """One run of one seed. `end` is None for a run that was broken off; its log is read when asked for."""

    seed: int
    start: Entry
    end: Entry | None
    plan: Entry
    environment: Entry | None
    folder: Path | None

    @property
    def finished(self) -> bool:
        return self.end is not None and self.end.body["ending"] == "finished"

    @property
    def entry(self) -> int:
        """The number of the entry that states its result."""
        return (self.end or self.start).n

    @property
    def bpb(self) -> float | None:
        score = self._end.get("score")
        return float(score["bpb"]) if score is not None else None

    @property
    def loss(self) -> float | None:
        score = self._end.get("score")
        return float(score["loss"]) if score is not None and score["loss"] is not None else None

    @property
    def tag(self) -> str:
        score = self._end.get("score")
        return str(score["tag"]) if score is not None else ""

    @property
    def why(self) -> str:
        """How it ended, in words."""
        return "broken off" if self.end is None else f"{self.end.body['ending']}: {self.end.body['reason']}"

    @cached_property
    def log(self) -> tuple[Run, Final] | None:
        """The log of a finished run and its claimed line; None when the file is not the one hashed."""
        reference = self._end.get("log")
        if reference is None or self.folder is None or self.bpb is None:
            return None
        data = _read(self.folder, reference["file"])
        if data is None or hashlib.sha256(data).hexdigest() != reference["sha256"]:
            return None
        for run in read_log(File(reference["file"], len(data), data)).runs:
            for final in reversed(run.finals):
                if final.bpb == self.bpb and final.name == self.tag:
                    return run, final
        return None

    @property
    def _end(self) -> Mapping[str, Any]:
        return self.end.body if self.end is not None else {}


@dataclass(frozen=True)
class Reruns:
    """The runs of one submission in a ledger, in order. `foreign`: runs of other programs or settings."""

    runs: tuple[Rerun, ...] = ()
    foreign: int = 0
    head: str = ""

    @property
    def scored(self) -> tuple[Rerun, ...]:
        """Finished runs with a score."""
        return tuple(run for run in self.runs if run.finished and run.bpb is not None)

    @property
    def failed(self) -> tuple[Rerun, ...]:
        """Runs that came to no score, of seeds that no other run scored."""
        done = {run.seed for run in self.scored}
        return tuple(run for run in self.runs if run.seed not in done)


def reruns_of(case: Case) -> Reruns:
    """The runs of the case's submission; none of a ledger that was altered."""
    ledger = case.ledger
    if ledger is None or ledger.problems:
        return Reruns()
    return runs_in(ledger, case.submission)


def runs_in(ledger: Ledger, submission: Submission, *, instrumented: bool = False) -> Reruns:
    """Every timed run of this program in this configuration; an instrumented one is another run."""
    entries = {entry.n: entry for entry in ledger.entries}
    program = program_fingerprint(submission)
    ends: dict[int, Entry] = {}
    for entry in ledger.of("end"):
        ends.setdefault(entry.body["start"], entry)  # the first word on a run stands
    runs, foreign = [], 0
    for start in ledger.of("start"):
        plan = entries.get(start.body["plan"])
        if plan is None or plan.kind != "plan" or plan.body["instrument"] is not instrumented:
            continue
        if not _same_run(plan, submission, program):
            foreign += 1
            continue
        end = ends.get(start.n)
        place = end.body["environment"] if end is not None else None
        environment = entries.get(place if place is not None else start.body["environment"])
        if environment is not None and environment.kind != "environment":
            environment = None
        runs.append(Rerun(start.body["seed"], start, end, plan, environment, ledger.folder))
    return Reruns(tuple(runs), foreign, ledger.head)


def _same_run(plan: Entry, submission: Submission, program: str) -> bool:
    if plan.body["submission"]["program"] != program:
        return False
    if plan.body["submission"]["fingerprint"] == submission.head.fingerprint:
        return True
    now = effective(submission.config, plan.body["script"])
    then = plan.body["environ"]
    placeless = {n: v for n, v in then.items() if n not in now.elsewhere and not v.startswith(_DATA)}
    same = {name: value for name, value in now.environ.items() if not value.startswith(_DATA)} == placeless
    return same and list(now.argv) == list(plan.body["argv"])


def _read(folder: Path, name: str) -> bytes | None:
    """A log beside the ledger: a regular file of bounded size, no link, not outside the folder."""
    if _LOG.fullmatch(name) is None or ".." in name:
        return None
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_CAP:
            return None
        return file.read(FILE_CAP)
