"""What whole traces take: seconds, CPU seconds and memory of `golf-audit trace` over the fixed sample.

    python benchmarks/trace_times.py CLONE --probes quick [--first 60]     the sample of trace_sample.csv
    python benchmarks/trace_times.py CLONE --probes full 1493 702          these pull requests
    python benchmarks/trace_times.py CLONE --probes full --table           prints the rows again

Traces are made as the command makes them, two runs at a time, one trace after the other. Each goes to
benchmarks/out/trace_times/PROBES/NAME.json with what its runs took beside it; what is there is not made
again, so that the command can be stopped and goes on. Memory is resident memory of all processes of the
runs that were under way at one time: each run at its highest, whenever that was.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trace_sample import SAMPLE
from trace_sample import submission as of_sample

from golf_audit import observation
from golf_audit.dynamic.command import plan
from golf_audit.dynamic.contract import RunResult
from golf_audit.dynamic.messages import Message
from golf_audit.dynamic.trace import trace
from golf_audit.errors import AuditError
from golf_audit.gitclone import Clone
from golf_audit.load import load_pull_request
from golf_audit.observation import Observation, Word
from golf_audit.submission import Submission

OUT = Path(__file__).resolve().parent / "out" / "trace_times"
MARKS = {Word.CLEAN: "ok", Word.VIOLATION: "VIOLATION", Word.NOTE: "note", Word.VOID: "void"}


class Costs:
    """Progress that keeps what each run took, and when."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self._begun: dict[str, float] = {}
        self._start = time.monotonic()

    def begins(self, run: str, number: int, of: int) -> None:
        """Note the time."""
        self._begun[run] = self.seconds

    def hears(self, run: str, message: Message | None, seconds: float) -> None:
        """Nothing to show."""

    def ends(self, run: str, result: RunResult) -> None:
        """Keep what the run took."""
        usage = result.usage
        self.runs.append(
            {
                "run": run,
                "ending": result.ending.name.lower(),
                "cpu": round(usage.cpu_seconds, 1),
                "from": round(self._begun[run], 1),
                "to": round(self.seconds, 1),
                "mib": usage.peak_bytes >> 20,
            }
        )

    @property
    def seconds(self) -> float:
        """Since the trace began."""
        return time.monotonic() - self._start


def highest(runs: Sequence[dict[str, Any]]) -> int:
    """MiB of the runs that were under way at one time."""
    return max((sum(r["mib"] for r in runs if r["from"] <= one["from"] < r["to"]) for one in runs), default=0)


def measure(name: str, one: Submission, probes: str, folder: Path) -> None:
    """Trace one submission and write both files."""
    costs = Costs()
    try:
        seen = trace(one, plan(probes, "cpu", False), costs)
    except AuditError as error:
        print(f"{name}: {error}", flush=True)
        return
    told = {"seconds": round(costs.seconds, 1), "runs": costs.runs}
    (folder / f"{name}.json").write_text(observation.to_json(seen), encoding="utf-8")
    (folder / f"{name}.costs.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    print(row(name, seen, told), flush=True)


def row(name: str, seen: Observation, costs: dict[str, Any]) -> str:
    """A line of the table: runs, seconds, memory, the words on the claimed result."""
    result, runs = seen.result, costs["runs"]
    attested = "-" if result is None else "attested" if result.attested else "not attested"
    said: dict[str, list[str]] = {}
    for outcome in seen.outcomes:
        if seen.concerns(outcome):
            said.setdefault(outcome.probe, []).append(MARKS[outcome.word])
    words = ", ".join(f"{probe} {'/'.join(dict.fromkeys(found))}" for probe, found in said.items())
    cpu = sum(r["cpu"] for r in runs)
    return (
        f"| {name} | {seen.ending} | {attested} | {len(runs)} | {costs['seconds']:.0f} | {cpu:.0f} "
        f"| {highest(runs):,} | {words} |"
    )


def table(folder: Path) -> Iterator[str]:
    """Every measured trace, the figures over those that came to their end, and the cost by kind of run."""
    yield "| | ending | claimed number | runs | seconds | CPU s | MiB | words on the claimed number |"
    yield "|---|---|---|---|---|---|---|---|"
    shares: dict[str, list[float]] = {}
    wall, cpu, memory, endings = [], [], [], Counter[str]()
    for file in sorted(folder.glob("*.costs.json")):
        costs = json.loads(file.read_text(encoding="utf-8"))
        name = file.name.removesuffix(".costs.json")
        seen = observation.from_json((folder / f"{name}.json").read_text(encoding="utf-8"))
        yield row(name, seen, costs)
        endings[seen.ending] += 1
        if seen.ending != "ok":
            continue
        wall.append(costs["seconds"])
        cpu.append(sum(r["cpu"] for r in costs["runs"]))
        memory.append(highest(costs["runs"]))
        for one in costs["runs"]:
            shares.setdefault(one["run"].split()[0], []).append(one["cpu"] / costs["runs"][0]["cpu"])
    yield ""
    yield ", ".join(f"{count} {ending}" for ending, count in endings.most_common())
    if wall:
        yield f"seconds: {spread(wall)}"
        yield f"CPU seconds: {spread(cpu)}"
        yield f"memory: at most {max(memory):,} MiB"
        yield from (
            f"{name:<12} {len(each):3} runs, {statistics.median(each):.2f} baselines"
            for name, each in sorted(shares.items())
        )


def spread(values: Sequence[float]) -> str:
    """Median, the ninth of ten, and the largest."""
    ranked = sorted(values)
    ninth = ranked[min(len(ranked) - 1, int(0.9 * len(ranked)))]
    return f"median {statistics.median(ranked):.0f}, 90 % within {ninth:.0f}, at most {ranked[-1]:.0f}"


def wanted(clone: Clone, numbers: Sequence[int], first: int) -> Iterator[tuple[str, Submission]]:
    """The pull requests of these numbers, each by its last folder; without any, the first of the sample."""
    for number in numbers:
        yield f"#{number}", load_pull_request(clone, number)[-1]
    if not numbers:
        with SAMPLE.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))[:first]
        for one in rows:
            yield f"#{one['pull_request']}-{one['blob'][:6]}", of_sample(clone, one)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path)
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--probes", choices=("quick", "full"), required=True)
    parser.add_argument("--first", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no trace after this time")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    folder = OUT / given.probes
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * given.minutes
    with Clone(given.clone) as clone:
        for name, one in () if given.table else wanted(clone, given.numbers, given.first):
            if time.monotonic() > end:
                break
            if not (folder / f"{name}.costs.json").exists():
                measure(name, one, given.probes, folder)
    print("\n".join(table(folder)))


if __name__ == "__main__":
    main()
