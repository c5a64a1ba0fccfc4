"""Faults planted in golf_ref's bundled folder: what a run in miniature shows of each.

    python benchmarks/traced_mutants.py [--only NAME,NAME]

Each mutant of tests/mutants/engine.py is run, unmodified otherwise, and judged: by reading, by the run
alone, and by both joined (`check --dynamic`). The folder itself comes first, with a control run. Runs are
kept below benchmarks/out/runs, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kept_runs import KeptRuns, NotKept

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.observation import Observation, Word, to_json
from golf_audit.submission import Case, Submission
from tests.mutants.base import DATE, base
from tests.mutants.engine import ENGINE
from tests.mutants.traced import broken, folder, run_alone, shape_of, watched

OUT = Path(__file__).resolve().parent / "out"
ORDER = ("T01", "T02", "P01", "P02", "P03", "Q01", "Q02", "Q03", "M01", "V05", "N01")


def row(name: str, one: Submission, seen: Observation, wanted: Sequence[str]) -> str:
    """A mutant's line of the table."""
    rules = registry.pick(())
    read, both = (
        {r.rule.id: r.verdict.value for r in audit(Case(one, DATE, None, w), rules).rulings}
        for w in (None, seen)
    )
    ran = f"{seen.ending}{'' if seen.result and seen.result.attested else ', not attested'}"
    control = [o.word for o in seen.outcomes if o.probe == "control"]
    ran += {Word.CLEAN: ", repeats to the last bit"}.get(control[0], ", does not repeat") if control else ""
    cells = [f"{rule}: {read[rule]}, {run_alone(one, seen, rule)}, {both[rule]}" for rule in wanted]
    also = sorted(r for r, v in both.items() if v == "fail" and r not in wanted)
    return f"| {name.replace('_', ' ')} | {ran} | {'<br>'.join(cells)} | {' '.join(also)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="")
    parser.add_argument("--judge", action="store_true", help="make no new run")
    parser.add_argument("--kept", type=Path, default=OUT / "runs")
    options = parser.parse_args()
    print("| mutant | run | rule: read, run alone, joined | other rules that fail |")
    print("|---|---|---|---|")
    options.kept.mkdir(parents=True, exist_ok=True)
    whole = ("golf_ref", folder("tiny", dict(base("tiny").files)), ORDER)
    for name, one, wanted in [whole, *((m.name, folder(m.base, m.files()), broken(m)) for m in ENGINE)]:
        if options.only and name not in options.only.split(","):
            continue
        runs, started = KeptRuns(options.kept, make=not options.judge), time.monotonic()
        try:
            seen = watched(one, None if name == "golf_ref" else wanted, runs, shape=shape_of(name))
        except NotKept:
            continue
        (options.kept / f"trace-mutant-{name}.json").write_text(to_json(seen), encoding="utf-8")
        print(row(name, one, seen, wanted), flush=True)
        cpu = sum(u.cpu_seconds for u in runs.usage)
        print(f"{name}: {cpu:.0f} CPU s, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
