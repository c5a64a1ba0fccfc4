"""Work on many heads by Slurm: the heads in parts, a job for each part, rows as the jobs write them.

Every job writes JSON lines into a file of its own, below a folder that all nodes see, as they see the clone.
Heads of a job that ended early are rows that say so; they are tried again when the command is started again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit.rerun import queue
from golf_audit.sweep.row import SCHEMA, TRACE, read_lines, to_line
from golf_audit.sweep.run import JOBS, Target, Work, crashed

CPUS = 8
MINUTES = 24 * 60
POLL_S = 2.0


@dataclass(frozen=True)
class Part:
    """Callable on a node: does the work on its heads, the rows into its file."""

    work: Work
    targets: tuple[Target, ...]
    output: str
    cpus: int

    def __call__(self) -> None:
        output = Path(self.output)
        with output.open("w", encoding="utf-8") as stream:
            for row in self.work.rows(self.targets, self.cpus):
                stream.write(to_line(row))
                stream.flush()
        output.with_suffix(".done").touch()


def by_slurm(
    work: Work,
    targets: Sequence[Target],
    jobs: int | None,
    folder: Path,
    cpus: int = CPUS,
    poll_s: float = POLL_S,
) -> Iterator[dict[str, Any]]:
    """Rows in the order they are written. Stopping the iteration ends the jobs. Raises AuditError."""
    queue.require_slurm()
    folder.mkdir(parents=True, exist_ok=True)
    count = parts_of(targets, jobs)
    running: dict[str, Part] = {}
    told: dict[str, int] = {}
    try:
        for number in range(count):
            output = folder.resolve() / f"part{number}.jsonl"
            for old in (output, output.with_suffix(".done")):
                old.unlink(missing_ok=True)
            part = Part(work, tuple(targets[number::count]), str(output), cpus)
            running[queue.submit(part, folder / "submitit", _parameters(work.name, cpus))] = part
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


def parts_of(targets: Sequence[Target], jobs: int | None) -> int:
    """How many jobs there will be."""
    return min(jobs or JOBS, len(targets))


def script(work: Work, folder: Path, cpus: int = CPUS) -> str:
    """What submitit would hand to sbatch for each part."""
    return queue.script(folder.resolve() / "submitit", _parameters(work.name, cpus))


def _parameters(name: str, cpus: int) -> dict[str, Any]:
    return {
        "job_name": name,
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
    return read_lines(text[: text.rfind("\n") + 1], (SCHEMA, TRACE))


def _unfinished(part: Part, rows: Sequence[dict[str, Any]], over: str) -> Iterator[dict[str, Any]]:
    done = {row["pr"] for row in rows}
    for target in part.targets:
        if target.pr not in done:
            yield crashed(target, f"its Slurm job ended before it: {over or 'no row'}")
