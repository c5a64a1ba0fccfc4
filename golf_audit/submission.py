"""One submission, read and not judged: files, claims, logs, sources and the configuration that was run.

Everything here is lazy and cached: a rule pays only for what it asks. Bad content never raises; it is a
Fault on the part that could not be read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from golf_audit.claims import Claims, read_claims
from golf_audit.filetree import FileTree
from golf_audit.ledger import Ledger
from golf_audit.model import Fault, Head, Track
from golf_audit.observation import Observation
from golf_audit.runconfig import RunConfig, resolve
from golf_audit.source import Sources, read_sources
from golf_audit.static import Told, predict
from golf_audit.support import Support, find_support
from golf_audit.timeline import Timeline
from golf_audit.trainlog import Log, read_logs


@dataclass(frozen=True)
class Change:
    """One path that a pull request adds (A), modifies (M), deletes (D) or otherwise touches."""

    status: str
    path: str  # POSIX, relative to the repository root


@dataclass(frozen=True)
class Diff:
    """What a pull request changes against its base."""

    base: str  # commit
    changes: tuple[Change, ...]
    folders: tuple[str, ...]  # every submission folder it adds, this one included


@dataclass(frozen=True)
class Submission:
    """What was handed in. `date` is the committer date of the head (or the date in the folder's name)."""

    head: Head
    track: Track
    date: dt.date
    tree: FileTree
    diff: Diff | None = None

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.head.folder.rstrip("/").rsplit("/", 1)[-1]

    @cached_property
    def claims(self) -> Claims:
        return read_claims(self.tree)

    @cached_property
    def logs(self) -> tuple[Log, ...]:
        return read_logs(self.tree)

    @cached_property
    def sources(self) -> Sources:
        return read_sources(self.tree)

    @cached_property
    def support(self) -> Support:
        """Which logs stand behind the claim, decided once (DESIGN section 7)."""
        return find_support(self.claims, self.logs)

    @cached_property
    def config(self) -> RunConfig:
        return resolve(self.tree, self.sources, self.claims, self.logs, self.support)

    @cached_property
    def timeline(self) -> Timeline:
        """What the code will do to validation data, predicted from the sources and the configuration."""
        scores = [claim for claim in (self.claims.bpb, *(seed.bpb for seed in self.claims.seeds)) if claim]
        told = Told(
            claimed=self._texts(run.file for run in self.support.runs),
            every=self._texts(log.file for log in self.logs),
            score=min((claim.value for claim in scores), default=None),
        )
        return predict(self.sources, self.config, self.support, told)

    def _texts(self, names: Iterable[str]) -> list[str]:
        files = [self.tree.get(name) for name in dict.fromkeys(names)]
        return [file.text.text for file in files if file is not None and file.text is not None]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that could not be read, from every reader."""
        return self.tree.faults + self.claims.faults + self.sources.faults


@dataclass(frozen=True)
class Case:
    """What a rule is asked about: the submission, the date whose law applies, and what was run of it."""

    submission: Submission
    as_of: dt.date
    ledger: Ledger | None = None  # reruns, when a ledger was given
    observation: Observation | None = None  # of a run in miniature, when one was made
    supposed: Timeline | None = None  # the timeline to judge, where the claim is supposed to be one result

    @property
    def timeline(self) -> Timeline:
        """What the rules of order judge: the submission's predicted timeline, unless another is supposed."""
        return self.supposed if self.supposed is not None else self.submission.timeline
