"""Hold the auditor's verdicts against what became of real pull requests (benchmarks/rulings.csv).

    python benchmarks/agreement.py CLONE [--jobs 2] [--cache rows.jsonl] [--only illegal]

CLONE is a git clone of openai/parameter-golf with its pull-request heads. Prints Markdown: a confusion table
per class and authority, every wrong `fail`, every miss, each with the link that the ruling rests on.
Nothing here tunes a verdict: the table is read, and the cause is mended in the engine.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit import registry
from golf_audit.model import Severity
from golf_audit.sweep import Target, sweep
from golf_audit.sweep.row import read_lines, to_line

RULINGS = Path(__file__).with_name("rulings.csv")
STRICT = ("organiser", "self_withdrawn", "author_admits")

# Class of violation -> rules that should speak, and whether needs-ruling is the right word (rulings/README).
RULES_OF: dict[str, tuple[tuple[str, ...], bool]] = {
    "prequant_ttt": (("T01",), False),
    "score_after_adapt_ttt": (("T01",), False),
    "multi_epoch_last_pass": (("T02", "T01"), False),
    "two_pass_rescore": (("P01",), False),
    "oracle_select": (("P02",), False),
    "ngram_cache": (("Q01", "Q02"), False),
    "ngram_target_leak": (("Q01", "Q02"), False),
    "unnormalized": (("Q01", "Q02"), False),
    "slot": (("Q03",), True),
    "logit_bias_etlb": (("Q03",), True),
    "val_in_training": (("V01", "V04"), False),
    "gptq_val_calib": (("V02",), False),
    "train_data_at_eval": (("A03", "V03"), True),
    "byte_accounting": (("B01", "B02", "B03"), False),
    "tokenizer_casefold": (("B03",), True),
    "partial_val": (("B04",), True),
    "artifact_size": (("A01",), True),
    "train_time": (("A03",), True),
    "eval_time": (("A04",), True),
    "warmup_on_val": (("V05",), True),
    "smear_leak": (("M02",), True),
    "uncounted_code": (("A02",), True),
    "missing_files": (("R01",), True),
    "log_mismatch": (("R03",), True),
    "significance": (("R05", "S01", "S02"), True),
}


@dataclass(frozen=True)
class Judged:
    """A row of rulings.csv beside our verdicts on its folder (None: the folder was not found)."""

    row: dict[str, str]
    entry: dict[str, Any] | None

    @property
    def rulings(self) -> dict[str, str]:
        return self.entry["rulings"] if self.entry else {}

    def failed(self, severities: Iterable[Severity]) -> list[str]:
        wanted = {r.id for r in registry.rules() if r.severity in severities}
        return [rule for rule, verdict in self.rulings.items() if verdict == "fail" and rule in wanted]

    def outcome(self, violation: str) -> str:
        """found / needs-ruling / undetermined / not built / MISSED, for one class of violation."""
        if self.entry is None:
            return "folder not found"
        rules, _ = RULES_OF[violation]
        verdicts = [self.rulings.get(rule, "crashed") for rule in rules]
        for word in ("fail", "needs-ruling"):
            if word in verdicts:
                return word
        if any(self.entry["awaits"].get(rule) == "not built" for rule in rules):
            return "not built"
        return "undetermined" if "undetermined" in verdicts or "crashed" in verdicts else "missed"


def main() -> None:
    arguments = _arguments()
    rows = [
        row
        for row in csv.DictReader(RULINGS.open(encoding="utf-8"))
        if arguments.only in ("", row["expected"])
    ]
    audited = _audit(arguments.clone, rows, arguments.jobs, arguments.cache)
    judged = [Judged(row, _entry(row, audited)) for row in rows]
    sys.stdout.write(page(judged))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="rows of an earlier run or sweep")
    parser.add_argument("--only", default="", help="accepted, clean, illegal, contested or packaging")
    return parser.parse_args()


def _audit(
    clone: Path, rows: list[dict[str, str]], jobs: int, cache: Path | None
) -> dict[int, dict[str, Any]]:
    known: dict[int, dict[str, Any]] = {}
    if cache and cache.exists():
        heads = {int(row["pr"]): row["head"] for row in rows}
        earlier = read_lines(cache.read_text(encoding="utf-8"))
        known = {
            row["pr"]: row for row in earlier if heads.get(row["pr"]) == row["head"] and not row["crash"]
        }
    targets = [Target(int(row["pr"]), row["head"]) for row in rows if int(row["pr"]) not in known]
    for done, row in enumerate(sweep(clone, targets, jobs), start=1):
        known[row["pr"]] = row
        print(f"\r{done}/{len(targets)}", end="", file=sys.stderr, flush=True)
        if cache:
            with cache.open("a", encoding="utf-8") as stream:
                stream.write(to_line(row))
    print(file=sys.stderr)
    return known


def _entry(row: dict[str, str], audited: dict[int, dict[str, Any]]) -> dict[str, Any] | None:
    entries = audited[int(row["pr"])]["submissions"]
    same = next((e for e in entries if e["folder"] == row["folder"]), None)
    return same or (entries[0] if len(entries) == 1 else None)  # some rows name no folder, or half of one


def page(judged: list[Judged]) -> str:
    """The whole comparison as Markdown."""
    parts = [_legal(judged), _classes(judged), _contested(judged), _absent(judged)]
    return "\n".join(line for part in parts for line in part) + "\n"


def _legal(judged: list[Judged]) -> Iterator[str]:
    yield "## Accepted and clean rows\n"
    yield "| rows | n | no fail | D fail | I fail | A fail | open | pass |"
    yield "|---|---|---|---|---|---|---|---|"
    wrong: list[str] = []
    for expected in ("accepted", "clean"):
        rows = [j for j in judged if j.row["expected"] == expected and j.entry]
        count = Counter(j.entry["verdict"] for j in rows if j.entry)
        by_severity = {s: [j for j in rows if j.failed([s])] for s in Severity}
        none = sum(1 for j in rows if not j.failed(Severity))
        cells = [len(by_severity[s]) for s in Severity]
        yield (
            f"| {expected} | {len(rows)} | {none} | "
            + " | ".join(map(str, cells))
            + (f" | {count['open']} | {count['pass']} |")
        )
        for j in rows:
            wrong += [_line(j, rule) for rule in j.failed(Severity)]
    yield "\n### Every fail on them\n"
    yield from wrong or ["none"]


def _classes(judged: list[Judged]) -> Iterator[str]:
    yield "\n## Illegal and packaging rows, per class and authority\n"
    words = ("fail", "needs-ruling", "undetermined", "missed", "not built", "folder not found")
    yield "| class | authority | n | " + " | ".join(words) + " |"
    yield "|---|---|---|" + "---|" * len(words)
    table: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    misses: list[str] = []
    for j in judged:
        if j.row["expected"] not in ("illegal", "packaging"):
            continue
        for violation in j.row["violations"].split(";"):
            if violation not in RULES_OF:
                continue
            outcome = j.outcome(violation)
            table[violation, j.row["authority"]][outcome] += 1
            right = ("fail", "needs-ruling") if RULES_OF[violation][1] else ("fail",)
            judged_on_folder = j.row["head_rewritten"] == "no" and j.row["evidence_in_folder"] == "yes"
            if outcome not in (*right, "not built") and judged_on_folder:
                misses.append(_line(j, *RULES_OF[violation][0], why=f"{violation}: {outcome}"))
    for (violation, authority), count in sorted(table.items()):
        cells = " | ".join(str(count[w]) for w in words)
        yield f"| {violation} | {authority} | {sum(count.values())} | {cells} |"
    yield "\n### Not found (head as ruled, evidence in the folder)\n"
    yield from misses or ["none"]


def _contested(judged: list[Judged]) -> Iterator[str]:
    yield "\n## Contested rows with a fail of severity D\n"
    lines = [
        _line(j, rule, why=j.row["violations"])
        for j in judged
        if j.row["expected"] == "contested"
        for rule in j.failed([Severity.DISQUALIFYING])
    ]
    yield from lines or ["none"]


def _absent(judged: list[Judged]) -> Iterator[str]:
    yield "\n## Rows whose folder was not found\n"
    lines = [f"- #{j.row['pr']} `{j.row['folder']}`" for j in judged if j.entry is None]
    yield from lines or ["none"]


def _line(j: Judged, *rules: str, why: str = "") -> str:
    reasons = j.entry["reasons"] if j.entry else {}
    said = "; ".join(f"{r} {j.rulings.get(r, 'crashed')}: {reasons.get(r, '')}" for r in rules)
    strict = "strict" if j.row["authority"] in STRICT else "other"
    return f"- #{j.row['pr']} ({strict}, {j.row['source']}) {why + ' - ' if why else ''}{said}"


if __name__ == "__main__":
    main()
