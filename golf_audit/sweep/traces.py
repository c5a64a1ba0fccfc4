"""`golf-audit trace` of many pull requests: a file for each submission, a line for each head, resumable."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit import __version__, observation
from golf_audit.dynamic.command import plan
from golf_audit.dynamic.trace import trace
from golf_audit.errors import AuditError
from golf_audit.gitclone import Clone
from golf_audit.observation import Observation, Word
from golf_audit.submission import Submission
from golf_audit.sweep.command import (
    console,
    keep,
    numbers,
    plan_page,
    slurm_script,
    terminal_page,
    write,
)
from golf_audit.sweep.row import TRACE, read_lines, to_line
from golf_audit.sweep.run import Target, Task, in_processes

LINES = "traces.jsonl"
_REASON = 300


@dataclass(frozen=True)
class How:
    """The options of each trace."""

    probes: str
    device: str
    unsafe: bool


@dataclass(frozen=True)
class Look:
    """Traces one submission of a head into a file; its entry in the row."""

    folder: str
    how: How

    def __call__(self, target: Target, submission: Submission) -> dict[str, Any]:
        seen = trace(submission, plan(self.how.probes, self.how.device, self.how.unsafe, jobs=1))
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", submission.name)[:120]
        name = f"pr{target.pr}-{plain}-{submission.head.fingerprint[:8]}.json"
        write(Path(self.folder) / name, observation.to_json(seen))
        return entry(seen, name)


def entry(seen: Observation, file: str) -> dict[str, Any]:
    """What a line says of one trace."""
    result = seen.result
    return {
        "folder": seen.folder,
        "fingerprint": seen.fingerprint,
        "file": file,
        "probes": seen.probes,
        "ending": seen.ending,
        "reason": seen.reason[:_REASON],
        "claimed": result.name if result is not None else "",
        "attested": result is not None and result.attested,
        "late": observation.count(result.late) if result is not None else 0,
        "violations": sorted({rule for o in seen.outcomes if o.word is Word.VIOLATION for rule in o.rules}),
    }


@dataclass(frozen=True)
class Traces:
    """The work on many heads."""

    clone: str
    look: Look
    name: str = "golf-audit-trace"

    def rows(self, targets: Sequence[Target], jobs: int) -> Iterator[dict[str, Any]]:
        task = Task(Path(self.clone), self.look, TRACE)
        return in_processes([[target] for target in targets], task, jobs)


def trace_clone(
    clone: Path,
    prs: str,
    folder: Path,
    how: How,
    jobs: int | None,
    launcher: str = "local",
    dry_run: bool = False,
) -> int:
    """Trace the heads that have no trace yet, and print a line for each. Returns how many did not run."""
    with Clone(clone) as git:
        heads = {n: git.resolve_pr(n) for n in numbers(prs, git.pull_requests)}
    lines = folder / LINES
    known = _known(folder, heads, how.probes)
    work = Traces(str(clone.resolve()), Look(str(folder.resolve()), how))
    targets = [Target(n) for n in heads if n not in known]
    if dry_run:
        script = slurm_script(work, lines) if launcher == "slurm" else ""
        page = plan_page("traced", len(heads), [t.pr for t in targets], jobs, lines, script)
        console().print(terminal_page(page))
        return 0
    plan(how.probes, how.device, how.unsafe)  # without a sandbox nothing begins
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AuditError(f"cannot make {folder}: {error.strerror}") from error
    write(lines, "".join(to_line(row) for row in known.values()))
    rows = [
        *known.values(),
        *keep(_made(work, targets, jobs, launcher, lines), len(targets), lines, "tracing"),
    ]
    rows.sort(key=lambda row: row["pr"])
    console().print(terminal_page("\n".join(_summary(rows))))
    return sum(bool(row["crash"]) + sum(e["ending"] != "ok" for e in row["submissions"]) for row in rows)


def _made(
    work: Traces, targets: Sequence[Target], jobs: int | None, launcher: str, lines: Path
) -> Iterator[dict[str, Any]]:
    """The traces, here or by Slurm (then `jobs` counts jobs)."""
    if launcher == "local":
        return work.rows(targets, jobs or os.cpu_count() or 1)
    from golf_audit.sweep.slurm import by_slurm  # imported here: POSIX only

    return by_slurm(work, targets, jobs, lines.with_suffix(".slurm"))


def _known(folder: Path, heads: Mapping[int, str], probes: str) -> dict[int, dict[str, Any]]:
    """Lines of an earlier run that still hold: same tool, commit, probes, no crash, every file there."""
    lines = folder / LINES
    if not lines.is_file():
        return {}
    return {
        row["pr"]: row
        for row in read_lines(lines.read_text(encoding="utf-8"), (TRACE,))
        if row["tool"] == __version__
        and not row["crash"]
        and heads.get(row["pr"]) == row["head"]
        and all(e["probes"] == probes and (folder / e["file"]).is_file() for e in row["submissions"])
    }


def _summary(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each submission and how many of each kind."""
    words: Counter[str] = Counter()
    for row in rows:
        for one in row["submissions"]:
            word = _word(one)
            words[word] += 1
            yield f"#{row['pr']} {one['folder'].rsplit('/', 1)[-1]}: {word}{_detail(one)}"
        problem = row["crash"] or row["error"] or ("" if row["submissions"] else "no submission")
        if problem:
            words["no trace"] += 1
            yield f"#{row['pr']}: no trace: {problem}"
    yield ""
    yield ", ".join(f"{count} {word}" for word, count in words.most_common()) or "no heads"


def _word(one: Mapping[str, Any]) -> str:
    if one["ending"] != "ok":
        return "did not run"
    if not one["attested"]:
        return "not attested"
    return "violation" if one["violations"] or one["late"] else "nothing seen"


def _detail(one: Mapping[str, Any]) -> str:
    if one["ending"] != "ok":
        return f": {one['reason']}"
    seen = [f"{one['late']:,} late"] if one["late"] else []
    seen += [" ".join(one["violations"])] if one["violations"] else []
    return f" ({', '.join(seen)}; {one['file']})" if seen else f" ({one['file']})"
