"""One run of a submission: the order that our process gives to the child, as JSON.

All paths are those that the child sees (sandbox.Places): the same in every run of a trace, since some
submissions seed their loaders from the path of a shard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

LEAVE_OUT = "truncate"
"""The name of a perturbation whose spans are not in the run's stream at all."""
Device = Literal["cpu", "cuda"]
Value = bool | int | float | str | None


class BadJob(ValueError):
    """The text is no job; the message says why."""


@dataclass(frozen=True)
class Perturbation:
    """A change of the validation tokens against the baseline's: half-open spans of positions in the stream.

    `data` and `val_tokens` of the job already hold the changed tokens; the child need not act on this."""

    name: str
    spans: tuple[tuple[int, int], ...]
    seed: int = 0


@dataclass(frozen=True)
class Job:
    """What the child runs. It copies `submission` into `work`, goes there, and runs `script` with `argv`."""

    script: str  # relative to the submission: "train_gpt.py"
    submission: str  # folder, read only
    data: str  # the miniature's folder, read only
    work: str  # the run folder: empty, writable, the current folder of the run
    val_tokens: str  # the validation shard: uint16 tokens behind a header of 256 int32
    vocab: int
    seconds: float  # CPU time; our process ends the run then, and when it idles for several times as long
    argv: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)  # all that the script finds in os.environ
    overrides: Mapping[str, Value] = field(default_factory=dict)  # class attributes: "Hyperparameters.dim"
    perturbation: Perturbation | None = None
    threads: int = 1
    device: Device = "cpu"
    ranked: bool = False  # the script reads RANK or WORLD_SIZE
    ranks: int = 1  # processes in a gloo group, each with a descriptor for its messages
    message_fd: int = 3
    rank_fds: tuple[int, ...] = ()  # of ranks 1, 2 ...
    options: Mapping[str, Value] = field(default_factory=dict)  # what a probe asks of the recorder

    def to_json(self) -> str:
        """One line; equal jobs give equal text."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job of a text. Raises BadJob."""
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise BadJob(f"not JSON: {error}") from None
        if not isinstance(raw, dict):
            raise BadJob("not an object")
        raw["argv"] = tuple(raw.get("argv", ()))
        raw["rank_fds"] = tuple(raw.get("rank_fds", ()))
        raw["perturbation"] = _perturbation(raw.get("perturbation"))
        try:
            return cls(**raw)
        except TypeError as error:
            raise BadJob(str(error)) from None


def _perturbation(raw: Any) -> Perturbation | None:
    if raw is None:
        return None
    return Perturbation(raw["name"], tuple((int(a), int(b)) for a, b in raw["spans"]), raw["seed"])
