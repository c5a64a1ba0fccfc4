"""What a sweep found, in one page: outcomes, verdicts per rule, why things stayed open, copied evidence."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from golf_audit.model import Verdict

Row = Mapping[str, Any]
WORDS = [v.value for v in Verdict]


def summary(rows: Sequence[Row], rule_ids: Iterable[str]) -> str:
    """A Markdown page over all rows."""
    entries = [e for row in rows for e in row["submissions"]]
    parts = [
        _heads(rows, entries),
        _per_rule(entries, list(rule_ids)),
        _reasons(entries),
        _copied(copied_logs(rows), "Log files that several pull requests hold (same bytes)"),
        _copied(copied_bytes(rows), "Byte totals claimed by several pull requests with different scripts"),
        _failures(rows),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _heads(rows: Sequence[Row], entries: Sequence[Row]) -> str:
    outcomes = Counter(e["verdict"] for e in entries)
    seconds = sorted(row["seconds"] for row in rows) or [0.0]
    p99 = quantiles(seconds, n=100)[-1] if len(seconds) > 1 else seconds[0]
    none = sum(1 for row in rows if not row["submissions"] and not row["error"] and not row["crash"])
    return (
        f"# {len(rows)} heads, {len(entries)} submission folders\n\n"
        f"- {outcomes['fail']} fail, {outcomes['open']} open, {outcomes['pass']} pass\n"
        f"- {none} heads hold no submission, {sum(1 for r in rows if r['error'])} could not be read\n"
        f"- {sum(1 for r in rows if r['crash'])} heads crashed the tool, "
        f"{sum(len(e['crashes']) for e in entries)} rules crashed\n"
        f"- seconds a head: median {median(seconds):.2f}, 99th percentile {p99:.2f}, most {seconds[-1]:.2f}"
    )


def _per_rule(entries: Sequence[Row], rule_ids: list[str]) -> str:
    lines = ["| rule | " + " | ".join(WORDS) + " |", "|---" * (len(WORDS) + 1) + "|"]
    for rule in rule_ids:
        count = Counter(e["rulings"].get(rule) for e in entries)
        if sum(count[w] for w in WORDS):
            lines.append(f"| {rule} | " + " | ".join(str(count[w]) for w in WORDS) + " |")
    return "## Verdicts per rule\n\n" + "\n".join(lines)


def _reasons(entries: Sequence[Row]) -> str:
    """One cause opens many rules of a folder: it counts once per folder, with the rules it opens."""
    folders: Counter[str] = Counter()
    opened: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        causes: dict[str, set[str]] = defaultdict(set)
        for rule, reason in entry["reasons"].items():
            if entry["rulings"][rule] == Verdict.UNDETERMINED.value and rule not in entry["awaits"]:
                causes[_shape(reason)].add(rule)
        for cause, rules in causes.items():
            folders[cause] += 1
            opened[cause].update(rules)
    if not folders:
        return ""
    lines = [
        f"- {n} folders: {cause} ({' '.join(sorted(opened[cause]))})" for cause, n in folders.most_common(10)
    ]
    return "## Most common reasons for undetermined\n\n" + "\n".join(lines)


def _shape(reason: str) -> str:
    """The reason with its numbers and places blanked, so that equal causes count together."""
    return re.sub(r"\d+", "#", re.sub(r" \([^()]*, line \d+\)", "", reason))[:160]


def copied_logs(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Log blobs held by folders with different contents in different pull requests: "path oid" -> numbers."""
    holders: dict[str, dict[str, int]] = defaultdict(dict)  # oid -> fingerprint -> first pull request
    names: dict[str, str] = {}
    for row in sorted(rows, key=lambda r: r["pr"]):
        for entry in row["submissions"]:
            for path, oid in entry["logs"].items():
                if oid:
                    names.setdefault(oid, path)
                    holders[oid].setdefault(entry["fingerprint"], row["pr"])
    return {
        f"{names[oid]} {oid[:12]}": sorted(set(by.values()))
        for oid, by in holders.items()
        if len(set(by.values())) > 1
    }


def copied_bytes(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Claimed byte totals that recur with another script: "15,995,959 bytes" -> numbers."""
    holders: dict[int, dict[str, int]] = defaultdict(dict)  # bytes -> script -> first pull request
    for row in sorted(rows, key=lambda r: r["pr"]):
        for entry in row["submissions"]:
            total = entry["bytes_total"]
            # Round figures and the cap itself are estimates that anybody writes.
            if isinstance(total, int) and total > 0 and total % 1000:
                holders[total].setdefault(entry["entry_oid"], row["pr"])
    return {
        f"{total:,} bytes": sorted(set(by.values()))
        for total, by in holders.items()
        if len(set(by.values())) > 1
    }


def _copied(groups: Mapping[str, list[int]], title: str) -> str:
    if not groups:
        return ""
    lines = [
        f"- {what}: " + " ".join(f"#{n}" for n in numbers[:12]) + (" ..." if len(numbers) > 12 else "")
        for what, numbers in sorted(groups.items(), key=lambda item: (item[1], item[0]))
    ]
    return f"## {title}\n\n" + "\n".join(lines)


def _failures(rows: Sequence[Row]) -> str:
    lines = [f"- #{r['pr']}: {r['crash'] or r['error']}" for r in rows if r["crash"] or r["error"]]
    lines += [
        f"- #{r['pr']} {e['folder']}: rule {rule} {error}"
        for r in rows
        for e in r["submissions"]
        for rule, error in e["crashes"].items()
    ]
    return "## Crashes and heads that could not be read\n\n" + "\n".join(lines) if lines else ""
