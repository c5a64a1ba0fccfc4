"""Where a run took place, and whether that is where the rule wants it.

For a record: eight H100 SXM. Off the record track: the GPU and world size that the claimed logs print. Either
way the data are the FineWeb validation split, told by the tokens of its shards. Anything else is evidence
under its own label: never a confirmation, and never held against anybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from golf_audit.bpb import CANONICAL_BYTES, PARTIAL, TOKENIZERS, text_bytes
from golf_audit.ledger import Entry
from golf_audit.premises import for_record
from golf_audit.reruns.view import Rerun, logged_runs, reruns_of
from golf_audit.submission import Case
from golf_audit.trainlog import Final, Run

WORLD = 8
_SXM = re.compile(r"H100(?!.*(?:NVL|PCIe))", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """`label` says where; `as_the_rule` is True when nothing differs, else `differs` says what does."""

    label: str
    differs: tuple[str, ...] = ()

    @property
    def as_the_rule(self) -> bool:
        return not self.differs


def place_of(case: Case, run: Rerun) -> Place:
    """Hardware and data of one run."""
    if run.environment is None:
        return Place("a machine that the ledger does not describe", ("the machine is not described",))
    machine, tokens = run.environment.body["hardware"], _val_tokens(run, run.environment)
    processes = run.plan.body["processes"]
    on = f"{processes}x {machine['gpu']}" if machine["gpus"] else f"{machine['cpu']}, no GPU"
    differs = [*_hardware(case, machine["gpu"], machine["gpus"], processes), *_data(run, tokens)]
    return Place(f"{on}, {tokens:,} validation tokens", tuple(differs))


def on_the_split(run: Rerun) -> bool:
    """True where the run scored the FineWeb validation split, on whatever hardware."""
    return run.environment is not None and not _data(run, _val_tokens(run, run.environment))


def measured(case: Case) -> tuple[Rerun, ...]:
    """Scored runs on the rule's hardware and data: what they measure counts like the claimed logs."""
    return tuple(run for run in reruns_of(case).scored if place_of(case, run).as_the_rule)


def logs_measured(case: Case) -> tuple[tuple[Rerun, Run, Final], ...]:
    """The same runs with their logs and the line that counts, where the log is still the one hashed."""
    return tuple((run, *run.log) for run in measured(case) if run.log is not None)


def _val_tokens(run: Rerun, environment: Entry) -> int:
    """Tokens of the validation shards. Of several data sets below one folder, the one whose count the
    run printed (loaders cut less than a percent off)."""
    folders: dict[str, int] = {}
    for shard in environment.body["data"]["shards"]:
        folder, _, name = shard["name"].rpartition("/")
        if is_validation(name) and shard["tokens"]:
            folders[folder] = folders.get(folder, 0) + shard["tokens"]
    printed = run.end.body["val_tokens"] if run.end is not None else None
    if len(folders) > 1 and printed:
        meant = [tokens for tokens in folders.values() if PARTIAL * tokens < printed <= tokens]
        if len(meant) == 1:
            return meant[0]
    return int(environment.body["data"]["val_tokens"])


def is_validation(name: str) -> bool:
    """True for a validation shard by its file name; the byte sidecar beside it holds no tokens."""
    return "_val_" in name and "bytes" not in name


def _hardware(case: Case, gpu: str, gpus: int, processes: int) -> list[str]:
    if for_record(case):
        right = bool(_SXM.search(gpu)) and gpus >= WORLD and processes == WORLD
        return [] if right else ["not 8xH100 SXM"]
    claimed = {
        (run.gpu.value if run.gpu is not None else "", run.world_size.value if run.world_size else None)
        for run in logged_runs(case.submission)
    }
    if (gpu, processes) in claimed and gpu:
        return []
    named = sorted(f"{world}x {name}" for name, world in claimed if name and world)
    return [f"not {' or '.join(named)}, as the claimed logs" if named else "the claimed logs name no GPU"]


def _data(run: Rerun, tokens: int) -> list[str]:
    if run.loss is None or run.bpb is None:
        return ["the log prints no loss, so that the data cannot be told from its tokens"]
    counted = text_bytes(tokens, run.loss / run.bpb, TOKENIZERS) if tokens else None
    if counted is not None and PARTIAL <= counted / CANONICAL_BYTES <= 2 - PARTIAL:
        return []
    return ["not the FineWeb validation split"]
