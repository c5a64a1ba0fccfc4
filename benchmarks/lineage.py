"""Real children of known parents: is the parent found, what is inherited, and where does it begin?

    python benchmarks/lineage.py CLONE [--table benchmarks/lineage.csv] [--only 1423,1958] > lineage.md

The table holds what a person read in the README or submission.json: the pull request, a word of the folder's
name where it has several, the parent (alternatives with |), and the sentence. With GOLF_AUDIT_CACHE=DIR
parsed trees are kept.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.lineage import AUTO, Comparison, Lineage, with_lineage
from golf_audit.lineage.compare import name_of
from golf_audit.load import load_pull_request
from golf_audit.model import Report
from golf_audit.report import ancestry
from golf_audit.submission import Case

HERE = Path(__file__).parent
COLUMNS = (
    *("child", "parent as written", "found", "by", "same code", "settings"),
    *("new", "inherited", "both", "open here", "gone", "begins", "s"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


@dataclass(frozen=True)
class Child:
    """One row of the table."""

    pr: int
    folder: str
    parents: tuple[int, ...]
    by: str


def children(path: Path) -> Iterator[Child]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Child(int(row["pr"]), row["folder"], tuple(map(int, row["parent"].split("|"))), row["by"])


def compared(clone: Path, child: Child) -> Report:
    """The report on one child with its lineage."""
    rules = registry.pick(())
    submissions = [s for s in load_pull_request(clone, child.pr) if child.folder in s.name]
    cases = [Case(s, s.date) for s in submissions[:1]]
    reports = [audit(case, rules) for case in cases]
    return with_lineage(cases, reports, rules, AUTO, clone)[0]


def row(child: Child, report: Report, seconds: float) -> tuple[str, bool]:
    """The line of the table, and whether the parent is the one that was read by hand."""
    lineage = report.lineage
    assert isinstance(lineage, Lineage)
    wanted = " or ".join(f"#{pr}" for pr in child.parents)
    if lineage.comparison is None:
        return f"| #{child.pr} | {wanted} | none: {lineage.why[:90]} |||||||||| {seconds:.0f} |", False
    found = lineage.comparison
    right = found.parent.head.pr in child.parents
    mark = "" if right else " (not it)"
    states = ancestry.by_state(report)
    cells = [
        f"#{child.pr}",
        wanted,
        f"{name_of(found.parent.head)}{mark}",
        found.parent.how.replace("|", "/"),
        code(found),
        str(len(found.settings)),
        *(" ".join(states.get(word, ())) for word in ("new", "inherited", "both", "open here")),
        " ".join(gone.rule for gone in found.gone),
        ", ".join(
            f"{o.rule} {name_of(o.eldest)}{'' if o.ends else '+'}" for o in lineage.origins if o.through
        ),
        f"{seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |", right


def code(found: Comparison) -> str:
    told = found.code
    if told.sameness.name != "CHANGED":
        return told.sameness.value
    return f"{told.share:.0%}, {len(told.changed)} changed, {len(told.added)} added"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path)
    parser.add_argument("--table", type=Path, default=HERE / "lineage.csv")
    parser.add_argument("--only", help="pull requests, with commas between them")
    options = parser.parse_args()
    only = {int(pr) for pr in options.only.split(",")} if options.only else None
    print(HEAD)
    right = total = 0
    for child in children(options.table):
        if only is not None and child.pr not in only:
            continue
        start = time.perf_counter()
        report = compared(options.clone, child)
        line, found = row(child, report, time.perf_counter() - start)
        right, total = right + found, total + 1
        print(line, flush=True)
    print(f"\nThe parent read by hand is found for {right} of {total} children.")


if __name__ == "__main__":
    main()
