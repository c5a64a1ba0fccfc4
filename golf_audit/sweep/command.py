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
from golf_audit.sweep.run import Target, sweep
from golf_audit.sweep.summary import summary
from golf_audit.sweep.table import to_csv, to_html


def sweep_clone(
    clone: Path,
    prs: str | None,
    jobs: int | None,
    rule_ids: Sequence[str],
    form: str,
    output: Path | None,
    fresh: bool,
    launcher: str = "local",
) -> int:
    """Run a sweep and print its summary. Returns the number of heads and rules that crashed."""
    rules = [rule.id for rule in registry.pick(rule_ids)]
    with Clone(clone) as git:
        heads = {n: git.resolve_pr(n) for n in _numbers(prs, git.pull_requests)}
    lines = (output or Path("golf-audit-sweep")).with_suffix(".jsonl")
    known = {} if fresh else _known(lines, heads, rules)
    _write(lines, "".join(to_line(row) for row in known.values()))  # without torn and stale lines
    targets = [Target(n) for n in heads if n not in known]
    rows = [
        *known.values(),
        *_run(_rows_of(clone, targets, jobs, rule_ids, lines, launcher), len(targets), lines),
    ]
    rows.sort(key=lambda row: row["pr"])
    if form == "csv":
        _write(lines.with_suffix(".csv"), to_csv(rows, rules))
    if form == "html":
        _write(lines.with_suffix(".html"), to_html(rows))
    Console(highlight=False, markup=False, soft_wrap=True).print(terminal_page(summary(rows, rules)))
    return sum(bool(r["crash"]) + sum(len(e["crashes"]) for e in r["submissions"]) for r in rows)


def terminal_page(page: str) -> str:
    """The summary with every line escaped: reasons quote submissions."""
    return "\n".join(terminal(line) for line in page.splitlines())


def _numbers(prs: str | None, present: Sequence[int]) -> list[int]:
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
    from golf_audit.sweep.slurm import sweep_by_slurm  # imported here: POSIX only

    return sweep_by_slurm(clone, targets, jobs, rule_ids, lines.with_suffix(".slurm"))


def _run(audited: Iterator[dict[str, Any]], total: int, lines: Path) -> list[dict[str, Any]]:
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
        task = progress.add_task("auditing", total=total, rate="")
        for row in audited:
            stream.write(to_line(row))
            stream.flush()
            rows.append(row)
            speed = progress.tasks[0].speed
            progress.update(task, advance=1, rate=f"{speed:.1f} heads/s" if speed else "")
    return rows


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise AuditError(f"cannot write {path}: {error.strerror}") from error
