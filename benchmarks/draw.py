"""Draw pull requests for a reading by hand: some that the order rules flag, some that they pass.

    python benchmarks/draw.py heads CLONE --n 300                 numbers for `golf-audit sweep --prs`
    python benchmarks/draw.py table SWEEP.jsonl --each 20         a Markdown table to fill in

Both are decided by one seed, so that anybody draws the same. Heads of benchmarks/rulings.csv are left out:
the engine was debugged on them.
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from golf_audit.sweep.row import read_lines

RULINGS = Path(__file__).with_name("rulings.csv")
SEED = 20261128
ORDER = ("T01", "T02", "P01", "P02", "P03", "Q01", "Q02", "V01", "V02", "V03")
MAIN = ("T01", "T02", "P01", "P02", "Q01")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    heads = commands.add_parser("heads")
    heads.add_argument("clone", type=Path)
    heads.add_argument("--n", type=int, default=300)
    table = commands.add_parser("table")
    table.add_argument("sweep", type=Path)
    table.add_argument("--each", type=int, default=20)
    given = parser.parse_args()
    lines = drawn_heads(given.clone, given.n) if given.command == "heads" else rows(given.sweep, given.each)
    sys.stdout.write("\n".join(lines) + "\n")


def ruled_on() -> set[int]:
    with RULINGS.open(encoding="utf-8") as stream:
        return {int(row["pr"]) for row in csv.DictReader(stream)}


def drawn_heads(clone: Path, n: int) -> list[str]:
    """One line: the numbers of n heads that nobody has ruled on."""
    refs = subprocess.run(
        ["git", "-C", str(clone), "for-each-ref", "--format=%(refname)", "refs/pull/*/head"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    known = ruled_on()
    numbers = sorted({int(ref.split("/")[2]) for ref in refs} - known)
    return [",".join(map(str, sorted(random.Random(SEED).sample(numbers, n))))]


def rows(sweep: Path, each: int) -> list[str]:
    """A table row per drawn folder: what the order rules say of it, and room for the reading."""
    known = ruled_on()
    flagged: list[tuple[int, dict[str, Any]]] = []
    passed: list[tuple[int, dict[str, Any]]] = []
    for row in sorted(read_lines(sweep.read_text(encoding="utf-8")), key=lambda row: int(row["pr"])):
        for entry in row["submissions"] if row["pr"] not in known else ():
            said = entry["rulings"]
            if any(said.get(rule) == "fail" for rule in ORDER):
                flagged.append((row["pr"], entry))
            elif all(said.get(rule) == "pass" for rule in MAIN):
                passed.append((row["pr"], entry))
    chance = random.Random(SEED)
    made = [f"{len(flagged)} flagged and {len(passed)} passed folders to draw from, seed {SEED}", ""]
    made += ["| PR | folder | said | read | right |", "|---|---|---|---|---|"]
    for group in (flagged, passed):
        for pr, entry in sorted(chance.sample(group, min(each, len(group))), key=lambda one: one[0]):
            failed = [rule for rule in ORDER if entry["rulings"].get(rule) == "fail"]
            folder = entry["folder"].rstrip("/").rsplit("/", 1)[-1]
            said = "; ".join(f"{rule} fail: {entry['reasons'].get(rule, '')}" for rule in failed)
            made.append(f"| #{pr} | {folder} | {said or 'T01 T02 P01 P02 Q01 pass'} | | |")
    return made


if __name__ == "__main__":
    main()
