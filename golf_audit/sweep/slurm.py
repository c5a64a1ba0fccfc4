"""A sweep by Slurm: the heads in parts, a job for each part, rows as the jobs write them.

Every job writes JSON lines into a file of its own, below a folder that all nodes see, as they see the clone.
Heads of a job that ended early are rows that say so; the sweep audits them again when it is started again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit.rerun import queue
from golf_audit.sweep.row import read_lines, to_line
from golf_audit.sweep.run import Target, crashed, sweep

JOBS = 8
CPUS = 8
MINUTES = 24 * 60
POLL_S = 2.0


@dataclass(frozen=True)
class Part:
    """Callable on a node: audits its heads into its file."""

    clone: str
    targets: tuple[Target, ...]
    rule_ids: tuple[str, ...]
    output: str
    cpus: int

    def __call__(self) -> None:
        output = Path(self.output)
        with output.open("w", encoding="utf-8") as stream:
            for row in sweep(Path(self.clone), self.targets, self.cpus, self.rule_ids):
                stream.write(to_line(row))
                stream.flush()
        output.with_suffix(".done").touch()


def sweep_by_slurm(
    clone: Path,
    targets: Sequence[Target],
    jobs: int | None,
    rule_ids: Sequence[str],
    folder: Path,
    cpus: int = CPUS,
    poll_s: float = POLL_S,
) -> Iterator[dict[str, Any]]:
    """Rows in the order they are written. Stopping the iteration ends the jobs. Raises AuditError."""
    queue.require_slurm()
    folder.mkdir(parents=True, exist_ok=True)
    count = max(1, min(jobs or JOBS, len(targets)))
    running: dict[str, Part] = {}
    told: dict[str, int] = {}
    try:
        for number in range(count if targets else 0):
            output = folder.resolve() / f"part{number}.jsonl"
            for old in (output, output.with_suffix(".done")):
                old.unlink(missing_ok=True)
            part = Part(
                str(clone.resolve()), tuple(targets[number::count]), tuple(rule_ids), str(output), cpus
            )
            running[queue.submit(part, folder / "submitit", _parameters(cpus))] = part
        while running:
            time.sleep(poll_s)
            for job, part in list(running.items()):
                over = _over(job, part)  # asked before the rows are read: none is written afterwards
                rows = _rows(part)
                yield from rows[told.get(job, 0) :]
                told[job] = len(rows)
                if over is not None:
                    yield from _unfinished(part, rows, over)
                    del running[job]
    finally:
        for job in running:
            queue.cancel(job)


def _parameters(cpus: int) -> dict[str, Any]:
    return {
        "job_name": "golf-audit-sweep",
        "time": MINUTES,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": cpus,
        "stderr_to_stdout": True,
    }


def _over(job: str, part: Part) -> str | None:
    """None while the job goes on, "" when it came to its end, else Slurm's word on it."""
    if Path(part.output).with_suffix(".done").exists():
        return ""
    state = queue.state(job)
    return (state or "unknown to Slurm") if state in queue.OVER else None


def _rows(part: Part) -> list[dict[str, Any]]:
    """The whole lines written by now."""
    try:
        text = Path(part.output).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return list(read_lines(text[: text.rfind("\n") + 1]))


def _unfinished(part: Part, rows: Sequence[dict[str, Any]], over: str) -> Iterator[dict[str, Any]]:
    done = {row["pr"] for row in rows}
    for target in part.targets:
        if target.pr not in done:
            yield crashed(target, f"its Slurm job ended before it: {over or 'no row'}")
