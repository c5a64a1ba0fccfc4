"""Full traces of pull requests of different kinds: what each probe says, and what each run costs.

    python benchmarks/trace_full.py CLONE 1493 1855 1416 ...     runs, and prints a row for each
    python benchmarks/trace_full.py CLONE --table                prints benchmarks/trace_full.md's table again

A run's cost is CPU seconds and the most resident memory of all its processes together; seconds of wall clock
depend on what else the machine does. Traces go to benchmarks/out/trace_full/PR.json, costs beside them.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from golf_audit import observation
from golf_audit.dynamic.command import plan
from golf_audit.dynamic.contract import RunResult
from golf_audit.dynamic.messages import Message
from golf_audit.dynamic.trace import trace
from golf_audit.gitclone import Clone
from golf_audit.load import load_folder, load_pull_request
from golf_audit.observation import Observation, Word
from golf_audit.submission import Submission

HERE = Path(__file__).resolve().parent
OUT = HERE / "out" / "trace_full"
MARKS = {Word.CLEAN: "ok", Word.VIOLATION: "VIOLATION", Word.NOTE: "note", Word.VOID: "void"}


class Costs:
    """Progress that keeps what each run took."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []

    def begins(self, run: str, number: int, of: int) -> None:
        """Nothing to show."""

    def hears(self, run: str, message: Message | None, seconds: float) -> None:
        """Nothing to show."""

    def ends(self, run: str, result: RunResult) -> None:
        """Keep the cost of a run."""
        usage = result.usage
        self.runs.append(
            {
                "run": run,
                "ending": result.ending.name.lower(),
                "cpu": round(usage.cpu_seconds, 1),
                "seconds": round(usage.seconds, 1),
                "mib": usage.peak_bytes >> 20,
            }
        )
        print(f"  {run:<16} {usage.cpu_seconds:6.1f} s CPU  {usage.peak_bytes >> 20:5} MiB", flush=True)


def measure(name: str, submission: Submission) -> None:
    """Trace one submission and write both files."""
    print(name, flush=True)
    costs = Costs()
    seen = trace(submission, plan("full", "cpu", False), costs)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(observation.to_json(seen), encoding="utf-8")
    (OUT / f"{name}.costs.json").write_text(json.dumps(costs.runs, indent=1), encoding="utf-8")
    print("  " + row(name, seen, costs.runs), flush=True)


def row(name: str, seen: Observation, runs: list[dict[str, Any]]) -> str:
    """A line of the table: runs, CPU seconds, memory, the words on the claimed result."""
    result = seen.result
    attested = "-" if result is None else "attested" if result.attested else "not attested"
    total = sum(r["cpu"] for r in runs)
    peak = max((r["mib"] for r in runs), default=0)
    said: dict[str, list[str]] = {}
    for outcome in seen.outcomes:
        if seen.concerns(outcome):
            said.setdefault(outcome.probe, []).append(MARKS[outcome.word])
    words = ", ".join(f"{probe} {'/'.join(dict.fromkeys(found))}" for probe, found in said.items())
    return f"| {name} | {seen.ending} | {attested} | {len(runs)} | {total:.0f} | {peak:,} | {words} |"


def table() -> None:
    """Every measured trace, then the cost by kind of run."""
    print("| | baseline | claimed number | runs | CPU s | MiB | words on the claimed number |")
    print("|---|---|---|---|---|---|---|")
    by_run: dict[str, list[float]] = {}
    totals = []
    for file in sorted(OUT.glob("*.costs.json")):
        name = file.name.removesuffix(".costs.json")
        runs = json.loads(file.read_text(encoding="utf-8"))
        seen = observation.from_json((OUT / f"{name}.json").read_text(encoding="utf-8"))
        print(row(name, seen, runs))
        base = runs[0]["cpu"]
        totals.append(sum(r["cpu"] for r in runs))
        for one in runs:
            by_run.setdefault(one["run"], []).append(one["cpu"] / base)
    print(f"\nmedian of {len(totals)}: {statistics.median(totals):.0f} CPU seconds, most {max(totals):.0f}")
    for name, shares in sorted(by_run.items()):
        print(f"{name:<18} in {len(shares):2} traces, {statistics.median(shares):.2f} baselines")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clone", type=Path)
    parser.add_argument("what", nargs="*", help="numbers of pull requests, or folders")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    for what in given.what:
        if what.isdecimal():
            found = load_pull_request(Clone(given.clone), int(what))
            measure(f"#{what}", found[-1])
        else:
            measure(Path(what).name, load_folder(Path(what)))
    if given.table:
        table()


if __name__ == "__main__":
    main()
