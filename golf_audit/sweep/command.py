"""`golf-audit sweep`: progress, resumption, the files it writes and the summary it prints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from golf_audit import __version__, registry
from golf_audit.errors import AuditError
from golf_audit.gitclone import Clone
from golf_audit.report.escape import terminal
from golf_audit.sweep.row import read_lines, to_line
from golf_audit.sweep.run import JOBS, Audits, Target, Work, sweep
from golf_audit.sweep.summary import summary
from golf_audit.sweep.table import to_csv, to_html

_SHOWN = 20
"""Heads that a plan names."""


def sweep_clone(
    clone: Path,
    prs: str | None,
    jobs: int | None,
    rule_ids: Sequence[str],
    form: str,
    output: Path | None,
    fresh: bool,
    launcher: str = "local",
    dry_run: bool = False,
) -> int:
    """Run a sweep and print its summary. Returns the number of heads and rules that crashed."""
    rules = [rule.id for rule in registry.pick(rule_ids)]
    with Clone(clone) as git:
        heads = {n: git.resolve_pr(n) for n in numbers(prs, git.pull_requests)}
    lines = (output or Path("golf-audit-sweep")).with_suffix(".jsonl")
    known = {} if fresh else _known(lines, heads, rules)
    if dry_run:
        left = [n for n in heads if n not in known]
        script = slurm_script(Audits(str(clone), tuple(rule_ids)), lines) if launcher == "slurm" else ""
        console().print(terminal_page(plan_page("audited", len(heads), left, jobs, lines, script)))
        return 0
    write(lines, "".join(to_line(row) for row in known.values()))  # without torn and stale lines
    targets = [Target(n) for n in heads if n not in known]
    rows = [
        *known.values(),
        *keep(_rows_of(clone, targets, jobs, rule_ids, lines, launcher), len(targets), lines, "auditing"),
    ]
    rows.sort(key=lambda row: row["pr"])
    if form == "csv":
        write(lines.with_suffix(".csv"), to_csv(rows, rules))
    if form == "html":
        write(lines.with_suffix(".html"), to_html(rows))
    console().print(terminal_page(summary(rows, rules)))
    return sum(bool(r["crash"]) + sum(len(e["crashes"]) for e in r["submissions"]) for r in rows)


def console() -> Console:
    """Plain lines on standard output."""
    return Console(highlight=False, markup=False, soft_wrap=True)


def plan_page(
    done: str, heads: int, left: Sequence[int], jobs: int | None, lines: Path, script: str = ""
) -> str:
    """What would be done: how many heads, which of them are left, where, and the job for sbatch."""
    where = lines.name
    page = [f"{heads} head{'s' * (heads != 1)}, {heads - len(left)} of them in {where} already"]
    shown = ", ".join(f"#{n}" for n in left[:_SHOWN]) + (" ..." if len(left) > _SHOWN else "")
    page += [f"to be {done}: {len(left)}{f': {shown}' if left else ''}"]
    if not script:
        return "\n".join([*page, f"here, by {jobs or os.cpu_count() or 1} processes"])
    parts = min(jobs or JOBS, len(left))
    return "\n".join([*page, f"by Slurm, in {parts} jobs; the script of each:", *script.splitlines()])


def slurm_script(work: Work, lines: Path) -> str:
    """What sbatch would get."""
    from golf_audit.sweep.slurm import script

    return script(work, lines.with_suffix(".slurm"))


def terminal_page(page: str) -> str:
    """The summary with every line escaped: reasons quote submissions."""
    return "\n".join(terminal(line) for line in page.splitlines())


def numbers(prs: str | None, present: Sequence[int]) -> list[int]:
    """ "3,10-20" -> those of the clone in these ranges. Raises AuditError for what is no range."""
    if prs is None:
        return list(present)
    wanted: set[int] = set()
    for part in prs.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise AuditError(f"{part!r} is not a pull request number or a range like 10-20")
        wanted.update(n for n in present if int(first) <= n <= int(last or first))
    return sorted(wanted)


def _known(lines: Path, heads: dict[int, str], rules: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Rows of an earlier run that still hold: the same tool, the same rules, the same commit, no crash."""
    if not lines.is_file():
        return {}
    return {
        row["pr"]: row
        for row in read_lines(lines.read_text(encoding="utf-8"))
        if row["tool"] == __version__
        and not row["crash"]
        and heads.get(row["pr"]) == row["head"]
        and all(set(rules) <= e["rulings"].keys() for e in row["submissions"])
    }


def _rows_of(
    clone: Path,
    targets: Sequence[Target],
    jobs: int | None,
    rule_ids: Sequence[str],
    lines: Path,
    launcher: str,
) -> Iterator[dict[str, Any]]:
    """The audit itself, here or by Slurm (then `jobs` counts jobs)."""
    if launcher == "local":
        return sweep(clone, targets, jobs or os.cpu_count() or 1, rule_ids)
    from golf_audit.sweep.slurm import by_slurm  # imported here: POSIX only

    work = Audits(str(clone.resolve()), tuple(rule_ids))
    return by_slurm(work, targets, jobs, lines.with_suffix(".slurm"))


def keep(rows_made: Iterator[dict[str, Any]], total: int, lines: Path, doing: str) -> list[dict[str, Any]]:
    """Every row, appended to the file as it is made, with progress on standard error."""
    rows = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        stream = lines.open("a", encoding="utf-8")
    except OSError as error:
        raise AuditError(f"cannot write {lines}: {error.strerror}") from error
    with stream, Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(doing, total=total, rate="")
        for row in rows_made:
            stream.write(to_line(row))
            stream.flush()
            rows.append(row)
            speed = progress.tasks[0].speed
            progress.update(task, advance=1, rate=f"{speed:.1f} heads/s" if speed else "")
    return rows


def write(path: Path, text: str) -> None:
    """A whole file. Raises AuditError."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise AuditError(f"cannot write {path}: {error.strerror}") from error
