"""A fixed random sample of real scripts in miniature: how many come to their end, why the others do not.

    python benchmarks/trace_sample.py CLONE [--first 60] [--redo]       runs what has no result yet
    python benchmarks/trace_sample.py CLONE --draw 200                  writes trace_sample.csv again

The sample is drawn by a fixed seed: pull requests in random order, each distinct train_gpt.py that one adds,
until 200 are found. Results go to benchmarks/out/trace_sample.jsonl, one line per blob; a run can be stopped
and resumed. Each run is the baseline of `golf-audit trace`, in its sandbox. CPU seconds are told, since
other work on the machine stretches the others; a quick trace makes three such runs.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from golf_audit.dynamic.contract import Ending, RunResult
from golf_audit.dynamic.messages import End, Shim
from golf_audit.dynamic.miniature import prepare
from golf_audit.dynamic.observed import observe
from golf_audit.dynamic.run import Hosts, run
from golf_audit.dynamic.stage import open_to_all, places, write_submission
from golf_audit.dynamic.truth import truth
from golf_audit.errors import AuditError
from golf_audit.gitclone import Clone
from golf_audit.load import load_pull_request
from golf_audit.submission import Submission

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "trace_sample.csv"
RESULTS = HERE / "out" / "trace_sample.jsonl"
SEED = 20261128
COLUMNS = ("pull_request", "head", "folder", "blob")

CAUSES = (
    ("a module is missing", re.compile(r"ModuleNotFoundError|ImportError|cannot import")),
    ("a program is missing", re.compile(r"FileNotFoundError.*(?:gcc|nvcc|ninja|make)")),
    ("a file is missing", re.compile(r"FileNotFoundError|No such file")),
    ("no stand-in", re.compile(r"NotImplementedError")),
    (
        "sizes that do not fit",
        re.compile(r"shape|size|dimension|divisible|must be|expected|mismatch|AssertionError"),
    ),
    ("too little memory", re.compile(r"MemoryError|out of memory")),
)


def draw(clone: Clone, count: int) -> list[dict[str, str]]:
    """The sample: distinct scripts in an order that the seed fixes."""
    numbers = sorted(clone.pull_requests)
    random.Random(SEED).shuffle(numbers)
    rows: dict[str, dict[str, str]] = {}
    for number in numbers:
        try:
            found = load_pull_request(clone, number)
        except AuditError:
            continue
        for one in found:
            file = one.tree.get("train_gpt.py")
            if file is not None and file.oid and file.data:
                values = (str(number), str(one.head.commit), one.head.folder, file.oid)
                rows.setdefault(file.oid, dict(zip(COLUMNS, values, strict=True)))
        if len(rows) >= count:
            break
    return list(rows.values())[:count]


def submission(clone: Clone, row: dict[str, str]) -> Submission:
    """The submission of a row of the sample."""
    found = load_pull_request(clone, int(row["pull_request"]))
    return next(s for s in found if s.head.folder == row["folder"])


def attempt(one: Submission) -> dict[str, Any]:
    """Run the baseline and say how it went."""
    with tempfile.TemporaryDirectory(prefix="trace-sample-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        where = places(folder, sandbox=True)
        write_submission(one.tree, folder / "source")
        open_to_all(folder / "source")
        try:
            small = prepare(one, folder / "miniature", where)
        except AuditError as error:
            return {"ending": "no miniature", "reason": str(error), "cause": "no miniature"}
        open_to_all(folder / "miniature")
        result = run(small.job, Hosts(folder / "source", small.data))
        data = small.data
        stream = data / Path(small.job.val_tokens).relative_to(where.data)
        _, printed = observe(result, truth(stream, data / "tokenizers/miniature.model"), small.job.script)
    return {
        "ending": result.ending.name,
        "reason": result.reason[:300],
        "cause": cause(result),
        "seconds": round(result.usage.seconds, 1),
        "cpu_seconds": round(result.usage.cpu_seconds, 1),
        "megabytes": result.usage.peak_bytes >> 20,
        "results": len(printed),
        "attested": sum(r.attested for r in printed),
        "last_attested": bool(printed and printed[-1].attested),
        "late": [sum(b - a for a, b in r.late) for r in printed],
        "shims": [m.name for m in result.of(Shim)],
        "tail": result.tail[-600:] if result.ending is not Ending.OK else "",
    }


def cause(result: RunResult) -> str:
    """Why a run did not come to its end, in one of a few words; "" when it did."""
    if result.ending is Ending.OK:
        return ""
    if result.ending is not Ending.FAILED:
        return result.ending.value
    said = " ".join(end.detail for end in result.of(End)) or result.tail[-400:]
    return next((name for name, pattern in CAUSES if pattern.search(said)), "another error")


def report(rows: list[dict[str, str]], results: dict[str, dict[str, Any]]) -> None:
    """The figures over the first scripts of the sample."""
    found = [results[row["blob"]] for row in rows if row["blob"] in results]
    done = [r for r in found if r["ending"] == "OK"]
    if not found:
        return
    seconds = sorted(r["cpu_seconds"] for r in done if "cpu_seconds" in r)
    print(f"{len(done)} of {len(found)} came to their end ({100 * len(done) / len(found):.0f} %)")
    if seconds:
        tenth = seconds[min(len(seconds) - 1, int(0.9 * len(seconds)))]
        print(f"CPU seconds of one run: median {statistics.median(seconds):.0f}, 90 % within {tenth:.0f}")
        print(f"memory: at most {max(r['megabytes'] for r in done)} MiB")
        print(f"last printed result attested: {sum(r['last_attested'] for r in done)} of {len(done)}")
    for why, count in Counter(r["cause"] for r in found if r["cause"]).most_common():
        print(f"  {count:3d}  {why}")


def read_results() -> dict[str, dict[str, Any]]:
    """Results so far, by blob; the last line of a blob counts."""
    if not RESULTS.exists():
        return {}
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    return {entry["blob"]: entry for entry in map(json.loads, lines)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone")
    parser.add_argument("--first", type=int, default=60)
    parser.add_argument("--draw", type=int)
    parser.add_argument("--redo", action="store_true", help="run again what did not come to its end")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no run after this time")
    options = parser.parse_args()
    with Clone(options.clone) as clone:
        if options.draw:
            with open(SAMPLE, "w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(draw(clone, options.draw))
            return
        with open(SAMPLE, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))[: options.first]
        results = read_results()
        RESULTS.parent.mkdir(exist_ok=True)
        end = time.monotonic() + 60 * options.minutes
        for row in rows:
            known = results.get(row["blob"])
            if known is not None and not (options.redo and known["ending"] != "OK"):
                continue
            if time.monotonic() > end:
                break
            entry = {
                "blob": row["blob"],
                "pull_request": row["pull_request"],
                **attempt(submission(clone, row)),
            }
            results[row["blob"]] = entry
            with open(RESULTS, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            said = entry["reason"][:110] if entry["cause"] else ""
            print(
                f"#{row['pull_request']:>5} {entry['ending']:<8} {entry.get('seconds', 0):6.1f} s "
                f"{entry.get('attested', 0)}/{entry.get('results', 0)} attested  {said}",
                flush=True,
            )
        report(rows, results)


if __name__ == "__main__":
    main()
