"""What mutants start from: golf_ref's bundled example as it is, and the same folder restated as a record.

The record's figures are made up: the challenge's split, eight H100 and ten minutes cannot be had here. They
are consistent with each other, so that the record rules hold until a mutant breaks one.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from golf_audit.audit import audit
from golf_audit.model import Head, Ruling, Track, Verdict
from golf_audit.registry import rules
from golf_audit.submission import Case, Change, Diff, Submission
from tests.rule_harness import tree_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "track_non_record_16mb" / "2026-11-21_GolfRefTiny"
SCRIPT = "train_gpt.py"
SEEDS = (42, 314, 999)
LOGS = tuple(f"train_seed{seed}.log" for seed in SEEDS)
DATE = dt.date(2026, 4, 29)
TOKENS, CASEOPS = 47_851_520, 2.18837
"""Targets of the split in SP8192 CaseOps, and loss / bpb of that tokenizer (golf_audit.bpb)."""

Files = dict[str, str]
Patch = Callable[[Files], None]


@dataclass(frozen=True)
class Base:
    """Files of a folder, where it lies, and what its pull request touches (none: no pull request)."""

    files: Mapping[str, str]
    track: Track
    folder: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Mutant:
    """A patch, where it applies, the rulings it changes, and the rules whose notes alone change."""

    patch: Patch
    base: str
    changes: Mapping[str, Verdict]
    notes: frozenset[str] = field(default_factory=frozenset)
    stray: str = ""  # a path that the pull request modifies besides its folder

    @property
    def name(self) -> str:
        return self.patch.__name__

    @property
    def says(self) -> str:
        return (self.patch.__doc__ or "").strip()

    def files(self) -> Files:
        """The base's files with the patch applied."""
        made = dict(base(self.base).files)
        self.patch(made)
        return made


def swap(files: Files, path: str, old: str, new: str) -> None:
    """Replace a text that must occur exactly once: a mutant that no longer fits its base fails."""
    assert files[path].count(old) == 1, f"{path} holds {files[path].count(old)} times: {old}"
    files[path] = files[path].replace(old, new)


def swap_line(files: Files, pattern: str, new: str, logs: tuple[str, ...] = LOGS) -> None:
    """Replace what a pattern matches, once in each of these logs."""
    for path in logs:
        files[path], count = re.subn(pattern, new, files[path], flags=re.MULTILINE)
        assert count == 1, f"{path} holds {count} times: {pattern}"


def change_json(files: Files, change: Callable[[dict[str, object]], object]) -> None:
    """Rewrite submission.json."""
    claim = json.loads(files["submission.json"])
    change(claim)
    files["submission.json"] = json.dumps(claim, indent=2) + "\n"


@cache
def base(name: str) -> Base:
    """ "tiny": the example as it lies there. "record": restated. "pull request": tiny with its diff."""
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(EXAMPLE.iterdir())}
    if name == "record":
        _as_record(files)
        return Base(files, Track.RECORD, f"records/track_10min_16mb/{DATE}_GolfRef")
    if name == "plain":
        _without_caseops(files)
    folder = f"records/track_non_record_16mb/{EXAMPLE.name}"
    added = tuple(Change("A", f"{folder}/{path}") for path in files)
    return Base(files, Track.NON_RECORD, folder, added if name == "pull request" else ())


def _without_caseops(files: Files) -> None:
    swap(files, SCRIPT, '"CASEOPS_ENABLED", "1"', '"CASEOPS_ENABLED", "0"')
    swap(files, SCRIPT, '"TOKENIZER", "byte264"', '"TOKENIZER", "sentencepiece"')
    swap_line(files, r"^  caseops_enabled: True$", "  caseops_enabled: False")
    swap_line(files, r"^  tokenizer: byte264$", "  tokenizer: sentencepiece")
    swap_line(files, r"^  val_bytes_files: .*\n", "")


def _as_record(files: Files) -> None:
    data = "data/fineweb10B_sp8192_lossless_caps_caseops_v1_reserved"
    for path in LOGS:
        files[path] = files[path].replace("_files: data/", f"_files: {data}/")
    swap_line(files, r"^  text: stdlib$", "  text: hub")
    swap_line(files, r"^  data_path: data$", f"  data_path: {data}")
    swap_line(files, r"^  vocab_size: 264$", "  vocab_size: 8192")
    swap_line(files, r"^  world_size: 1$", "  world_size: 8")
    swap_line(files, r"^(Running PyTorch .*)$", r"\1\ngpu: NVIDIA H100 80GB HBM3")
    swap_line(files, r"^(GPTQ:collected \d+ Hessians) in \S+$", r"\1 in 3.5s")
    swap_line(files, r"^train_shards: 3$", "train_shards: 80")
    swap_line(files, r"^val_tokens: \d+$", f"val_tokens: {TOKENS}")
    stop = "stopping_early: wallclock_cap train_time: 588020ms step: 300/300"
    swap_line(files, r"^(300/300 val_loss: .*)$", rf"\1\n{stop}")
    # On the scale of the records: the order of the seeds stays, their spread shrinks.
    restate(files, lambda bpb: 0.96 + 0.03 * bpb)
    change_json(files, lambda claim: claim.update(track="10min_16mb"))


def restate(files: Files, bpb_of: Callable[[float], float], ratio: float = CASEOPS) -> None:
    """Change every result in logs and claim by a function of its bpb; `ratio` is loss / bpb."""

    def line(match: re.Match[str]) -> str:
        bpb = round(bpb_of(float(match[2])), 8)
        return f"{match[1]}val_loss:{bpb * ratio:.8f} val_bpb:{bpb:.8f} "

    def claimed(claim: dict[str, object]) -> None:
        seeds = claim["seed_results"]
        assert isinstance(seeds, dict)
        for result in seeds.values():
            result["val_bpb"] = round(bpb_of(result["val_bpb"]), 8)
            result["val_loss"] = round(result["val_bpb"] * ratio, 8)
        for key in ("val_loss", "val_bpb"):
            claim[key] = round(sum(result[key] for result in seeds.values()) / len(seeds), 8)

    for path in LOGS:
        files[path] = re.sub(r"(?m)^(.* )val_loss:(?:\S+) val_bpb:(\S+) ", line, files[path])
    change_json(files, claimed)


def rulings(on: Base, files: Files, stray: str = "") -> dict[str, Ruling]:
    """Every rule's ruling on these files in that place."""
    tree = tree_of(files)
    changes = (*on.changes, Change("M", stray)) if stray else on.changes
    diff = Diff("0" * 40, changes, (on.folder,)) if changes else None
    submission = Submission(Head(on.folder, tree.fingerprint), on.track, DATE, tree, diff)
    report = audit(Case(submission, DATE), rules())
    assert not report.crashes, report.crashes
    return {ruling.rule.id: ruling for ruling in report.rulings}


@cache
def base_rulings(name: str) -> Mapping[str, Ruling]:
    """The rulings on a base, once per session."""
    return rulings(base(name), dict(base(name).files))
