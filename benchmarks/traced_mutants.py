"""Faults planted in golf_ref's bundled folder: what a run in miniature shows of each.

    python benchmarks/traced_mutants.py [--only NAME,NAME]

Each mutant of tests/mutants/engine.py is run, unmodified otherwise, and judged: by reading, by the run
alone, and by both joined (`check --dynamic`). The folder itself comes first, with a control run. The
validation stream is a quarter of a trace's, and of the probes those run that the mutant's rules ask. Runs
are kept below benchmarks/out/runs, so that the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from agreement_dynamic import OUT, PREFIX
from kept_runs import KeptRuns, NotKept

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.dynamic.command import cache_folder
from golf_audit.dynamic.contract import Probe
from golf_audit.dynamic.miniature import Shape, prepare
from golf_audit.dynamic.probes.artifact import Artifact
from golf_audit.dynamic.probes.documents import Documents
from golf_audit.dynamic.probes.order import Order
from golf_audit.dynamic.probes.recount import Recount
from golf_audit.dynamic.probes.swap import Swap
from golf_audit.dynamic.probes.training import TrainingData
from golf_audit.dynamic.probes.whole import Whole
from golf_audit.dynamic.trace import Plan, trace
from golf_audit.joining.readers import seen
from golf_audit.model import Head, Verdict
from golf_audit.observation import Observation, Word, to_json
from golf_audit.submission import Case, Submission
from tests.mutants.base import DATE, base
from tests.mutants.engine import ENGINE
from tests.rule_harness import tree_of

SMALL = Shape(targets=1536, documents=8, train_tokens=8_000)
ALWAYS: tuple[Probe, ...] = (Order(), Whole(), Recount())
ASKED: Mapping[str, Probe] = {
    "Q02": Swap(),
    "M02": Documents(),
    "V02": Artifact(),
    "V03": TrainingData(),
}
"""Probes that one rule needs beside those that every trace has."""
ORDER = ("T01", "T02", "P01", "P02", "P03", "Q01", "Q02", "Q03", "M01", "V05")


def folder(on: str, files: dict[str, str]) -> Submission:
    tree = tree_of(files)
    home = base(on)
    return Submission(Head(home.folder, tree.fingerprint), home.track, DATE, tree, None)


def run_alone(one: Submission, watched: Observation, rule: str) -> str:
    """What the run says of a rule, without what was read."""
    found = seen(Case(one, DATE, None, watched), rule)
    if found.violations:
        return "violation" if any(v.sure for v in found.violations) else "likely"
    return "clean" if found.clean else "silent"


def observed(one: Submission, runs: KeptRuns, wanted: Sequence[str], *, plain: bool) -> Observation:
    probes = PREFIX if plain else (*ALWAYS, *(ASKED[rule] for rule in wanted if rule in ASKED))
    small = partial(prepare, shape=SMALL, cache=cache_folder())
    return trace(one, Plan(small, probes, "full" if plain else "quick", "cpu", runner=runs))


def row(name: str, one: Submission, watched: Observation, wanted: Sequence[str]) -> str:
    rules = registry.pick(())
    read, both = (
        {r.rule.id: r.verdict.value for r in audit(Case(one, DATE, None, w), rules).rulings}
        for w in (None, watched)
    )
    attested = bool(watched.result and watched.result.attested)
    cells = [f"{rule}: {read[rule]}, {run_alone(one, watched, rule)}, {both[rule]}" for rule in wanted]
    repeats = next((o.word for o in watched.outcomes if o.probe == "control"), None)
    also = sorted(r for r, v in both.items() if v == "fail" and r not in wanted)
    ran = f"{watched.ending}{'' if attested else ', not attested'}"
    ran += ", repeats" if repeats is Word.CLEAN else ", does not repeat"
    return f"| {name} | {ran} | {'<br>'.join(cells)} | {' '.join(also)} |"


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
    todo = [("golf_ref", folder("tiny", dict(base("tiny").files)), list(ORDER))]
    todo += [
        (
            m.name,
            folder(m.base, m.files()),
            [r for r, v in m.changes.items() if v is not Verdict.UNDETERMINED],
        )
        for m in ENGINE
    ]
    for name, one, wanted in todo:
        if options.only and name not in options.only.split(","):
            continue
        runs, started = KeptRuns(options.kept, make=not options.judge), time.monotonic()
        try:
            watched = observed(one, runs, wanted, plain=name == "golf_ref")
        except NotKept:
            continue
        (options.kept / f"trace-mutant-{name}.json").write_text(to_json(watched), encoding="utf-8")
        print(row(name, one, watched, wanted), flush=True)
        cpu = sum(u.cpu_seconds for u in runs.usage)
        print(f"{name}: {cpu:.0f} CPU s, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
