"""Hold what a run in miniature says against what reading says, and both against real rulings.

    python benchmarks/agreement_dynamic.py CLONE [--probes lean] [--minutes 90]     traces, judges, prints
    python benchmarks/agreement_dynamic.py CLONE --judge                            judges what was run before

Strict illegal rows of benchmarks/rulings.csv (order, selection, normalisation, calibration and data) come
first, then the accepted ones. One process at a time. Runs are kept below benchmarks/out/runs (--kept), so
that the command can be stopped and goes on, and a changed rule, joining or probe is judged without new runs.
Prints Markdown: numbers of pull requests, blob ids, rules and verdicts; nothing of the submissions' text.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agreement import RULES_OF, RULINGS, STRICT
from kept_runs import KeptRuns, NotKept

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.dynamic.command import cache_folder
from golf_audit.dynamic.contract import Probe
from golf_audit.dynamic.miniature import prepare
from golf_audit.dynamic.probes import FULL, QUICK
from golf_audit.dynamic.probes.order import Order
from golf_audit.dynamic.probes.prefix import Prefix
from golf_audit.dynamic.probes.whole import Whole
from golf_audit.dynamic.trace import Plan, trace
from golf_audit.errors import AuditError
from golf_audit.gitclone import Clone
from golf_audit.load import load_pull_request
from golf_audit.model import Report, Severity, Verdict
from golf_audit.observation import Observation, Word, to_json
from golf_audit.submission import Case, Submission

OUT = Path(__file__).resolve().parent / "out"
CLASSES = (
    *("prequant_ttt", "score_after_adapt_ttt", "multi_epoch_last_pass", "two_pass_rescore"),  # order
    "oracle_select",  # selection
    *("ngram_cache", "ngram_target_leak", "unnormalized", "slot", "logit_bias_etlb"),  # normalisation
    "gptq_val_calib",  # calibration
    *("val_in_training", "train_data_at_eval"),  # data
)
DECIDED = ("T01", "P01", "M01")
DECISIVE = (Verdict.PASS.value, Verdict.FAIL.value, Verdict.NEEDS_RULING.value, Verdict.NOT_APPLICABLE.value)
KEPT = ("blob", "static", "dynamic", "reasons", "said")
LEAN, PREFIX = (Order(), Whole(), Prefix()), (*QUICK, Prefix())
NOT_RULED = {"folder": "", "expected": "", "violations": "", "authority": ""}
PROBES: dict[str, tuple[Probe, ...]] = {"lean": LEAN, "quick": QUICK, "prefix": PREFIX, "full": FULL}
"""A clean comparison is its own control; "lean" makes a control run only where scores changed."""


@dataclass(frozen=True)
class Both:
    """One folder as read, and as read and run."""

    row: dict[str, str]
    blob: str
    run: dict[str, Any]  # how the trace went
    static: dict[str, str]  # rule -> verdict
    dynamic: dict[str, str]
    reasons: dict[str, str]  # of the dynamic verdicts
    said: dict[str, str]  # of the static ones

    @property
    def number(self) -> int:
        return int(self.row["pr"])

    @property
    def classes(self) -> list[str]:
        return [v for v in self.row["violations"].split(";") if v in CLASSES]

    def failed(self, verdicts: dict[str, str]) -> list[str]:
        wanted = {r.id for r in registry.rules() if r.severity is Severity.DISQUALIFYING}
        return [rule for rule, verdict in verdicts.items() if verdict == "fail" and rule in wanted]

    def outcome(self, verdicts: dict[str, str]) -> str:
        """The strongest word of the rules of the row's classes."""
        words = [verdicts.get(rule, "") for violation in self.classes for rule in RULES_OF[violation][0]]
        return next((w for w in ("fail", "needs-ruling", "undetermined", "pass") if w in words), "none")


def wanted(rows: Sequence[dict[str, str]], every: bool) -> list[dict[str, str]]:
    """Strict illegal rows whose folder shows what was ruled on, then accepted rows, then (every) the rest."""

    def rank(row: dict[str, str]) -> int:
        target = row["head_rewritten"] == "no" and row["evidence_in_folder"] == "yes"
        ours = any(v in CLASSES for v in row["violations"].split(";"))
        if row["expected"] == "illegal" and ours and target:
            return 0 if row["authority"] in STRICT else 2
        return 1 if row["expected"] == "accepted" else 3

    return sorted((r for r in rows if every or rank(r) < 2), key=rank)


def folder_of(clone: Clone, row: dict[str, str]) -> Submission | None:
    """The submission that a row speaks of; of a pull request that nobody ruled on, the last."""
    found = load_pull_request(clone, int(row["pr"]))
    if row["folder"] == "" and row["expected"] == "":
        return found[-1] if found else None
    same = next((s for s in found if s.head.folder == row["folder"]), None)
    return same or (found[0] if len(found) == 1 else None)


def observed(one: Submission, probes: str, runs: KeptRuns) -> Observation:
    """The trace of a submission with these probes."""

    def with_probes(name: str) -> Observation:
        runs.begin()
        plan = Plan(partial(prepare, cache=cache_folder()), PROBES[name], name, "cpu", runner=runs)
        return trace(one, plan)

    seen = with_probes(probes)
    if probes == "lean" and any(o.word is Word.VIOLATION and o.probe == "order" for o in seen.outcomes):
        return with_probes("prefix")
    return seen


def judge(row: dict[str, str], one: Submission, seen: Observation | None, run: dict[str, Any]) -> Both:
    """Both reports of a folder. Without an observation the second is the first."""
    rules = registry.pick(())
    read = audit(Case(one, one.date), rules)
    both = audit(Case(one, one.date, None, seen), rules) if seen is not None else read
    entry = one.sources.entry
    blob = one.tree.get(entry) if entry else None
    return Both(
        row, blob.oid if blob else "", run, _words(read), _words(both), _reasons(both), _reasons(read)
    )


def _words(report: Report) -> dict[str, str]:
    return {r.rule.id: r.verdict.value for r in report.rulings}


def _reasons(report: Report) -> dict[str, str]:
    return {r.rule.id: r.reason[:300] for r in report.rulings}


def one_row(
    clone: Clone, row: dict[str, str], options: argparse.Namespace, known: dict[str, dict[str, Any]]
) -> Both | None:
    """Trace and judge one row; None when its folder is not there."""
    one = folder_of(clone, row)
    if one is None:
        return None
    redo = row["pr"] in options.redo.split(",")
    runs = KeptRuns(options.kept, make=not options.judge, again=redo)
    started = time.monotonic()
    seen: Observation | None = None
    run: dict[str, Any] = {"ending": "not run"}
    try:
        seen = observed(one, options.probes, runs)
    except NotKept as missing:
        run["reason"] = f"not run yet: {missing}"
    except AuditError as error:
        run = {"ending": "no miniature", "reason": str(error)}
    if seen is not None:
        result = seen.result
        run = {
            "ending": seen.ending,
            "reason": seen.reason,
            "attested": bool(result and result.attested),
            "why": result.why if result else "the claimed result was not printed",
            "results": len(seen.results),
            "runs": len(runs.usage),
            "cpu": round(sum(u.cpu_seconds for u in runs.usage), 1),
            "wall": round(sum(u.seconds for u in runs.usage), 1),
            "megabytes": max(u.peak_bytes for u in runs.usage) >> 20,
            "older": runs.older,
            "made": runs.made,
        }
        text = to_json(seen)
        (options.kept / f"trace-{row['pr']}.json").write_text(text, encoding="utf-8")
    else:
        text = ""
    key = hashlib.sha256((code() + text).encode()).hexdigest()[:16]
    entry = known.get(one.head.fingerprint)
    if entry is not None and entry["key"] == key:
        both = Both(
            row, entry["blob"], run, entry["static"], entry["dynamic"], entry["reasons"], entry["said"]
        )
    else:
        both = judge(row, one, seen, run)
        known[one.head.fingerprint] = {"key": key, **{name: getattr(both, name) for name in KEPT}}
    print(
        f"#{row['pr']:>5} {row['expected']:<8} {run['ending']:<8} {run.get('cpu', 0):6.1f} CPU s  "
        f"{time.monotonic() - started:6.1f} s  {run.get('why') or run.get('reason', '')[:110]}",
        file=sys.stderr,
        flush=True,
    )
    return both


def code() -> str:
    """What decides a verdict: the sources of the tool and of its rules."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for part in ("golf_audit", "rules"):
        for path in sorted((root / part).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def page(rows: Sequence[Both]) -> Iterator[str]:
    """The comparison as Markdown."""
    illegal = [b for b in rows if b.row["expected"] == "illegal"]
    accepted = [b for b in rows if b.row["expected"] == "accepted"]
    yield from _runs(rows)
    yield from _confusion(illegal)
    yield from _accepted(accepted)
    yield from _disagreements(rows)


def _runs(rows: Sequence[Both]) -> Iterator[str]:
    ran = [b for b in rows if b.run["ending"] == "ok"]
    yield "## Runs\n"
    yield f"{len(rows)} rows, {len(ran)} ran to their end, claimed number attested in "
    yield f"{sum(b.run['attested'] for b in ran)}.\n"
    cpu = sorted(b.run["cpu"] for b in ran)
    if cpu:
        tenth = cpu[min(len(cpu) - 1, int(0.9 * len(cpu)))]
        yield (
            f"CPU seconds of a whole trace: median {cpu[len(cpu) // 2]:.0f}, 90 % within {tenth:.0f}; "
            f"memory at most {max(b.run['megabytes'] for b in ran)} MiB.\n"
        )
    yield "| PR | blob | ending | attested | CPU s | why |"
    yield "|---|---|---|---|---|---|"
    for b in rows:
        why = "" if b.run.get("attested") else (b.run.get("why") or b.run.get("reason", ""))
        said = why.replace("|", "/").replace("\n", " ")[:120]
        yield (
            f"| #{b.number} | {b.blob[:10]} | {b.run['ending']} | {'yes' if b.run.get('attested') else 'no'} "
            f"| {b.run.get('cpu', 0):.0f} | {said} |"
        )


def _confusion(rows: Sequence[Both]) -> Iterator[str]:
    yield "\n## Illegal rows: the rules of their class, as read and as read and run\n"
    yield "| class | authority | n | read | read and run |"
    yield "|---|---|---|---|---|"
    table: dict[tuple[str, str], list[Both]] = {}
    for b in rows:
        for violation in b.classes:
            table.setdefault((violation, b.row["authority"]), []).append(b)
    for (violation, authority), members in sorted(table.items()):
        cells = [
            ", ".join(f"{n} {word}" for word, n in Counter(b.outcome(v) for b, v in pairs).most_common())
            for pairs in ([(b, b.static) for b in members], [(b, b.dynamic) for b in members])
        ]
        yield f"| {violation} | {authority} | {len(members)} | {cells[0]} | {cells[1]} |"
    strict = [b for b in rows if b.row["authority"] in STRICT]
    missed = [b for b in strict if not b.failed(b.dynamic)]
    yield f"\nStrict rows without any D fail: read {sum(not b.failed(b.static) for b in strict)}, "
    yield f"read and run {len(missed)} of {len(strict)}.\n"
    for b in missed:
        rules = [r for violation in b.classes for r in RULES_OF[violation][0]]
        words = "; ".join(f"{r} {b.dynamic.get(r, '')}: {b.reasons.get(r, '')[:160]}" for r in rules)
        yield f"- #{b.number} {';'.join(b.classes)}: {words}"


def _accepted(rows: Sequence[Both]) -> Iterator[str]:
    yield "\n## Accepted rows\n"
    for b in rows:
        for rule in b.failed(b.dynamic):
            yield f"- WRONG FAIL #{b.number} {rule}: {b.reasons[rule][:200]}"
    for name, verdicts in (("read", [b.static for b in rows]), ("read and run", [b.dynamic for b in rows])):
        full = sum(all(v.get(rule) in DECISIVE for rule in DECIDED) for v in verdicts)
        each = ", ".join(f"{r} {sum(v.get(r) in DECISIVE for v in verdicts)}" for r in DECIDED)
        yield f"{name}: {full} of {len(rows)} decided on {' '.join(DECIDED)} ({each})\n"
    for b in rows:
        for rule in DECIDED:
            if b.dynamic.get(rule) not in DECISIVE:
                yield f"- #{b.number} {rule} {b.dynamic.get(rule)}: {b.reasons.get(rule, '')[:260]}"


def _disagreements(rows: Sequence[Both]) -> Iterator[str]:
    yield "\n## Where the run changed a verdict\n"
    yield "Left out: an undetermined that the run settled for the submission.\n"
    for b in rows:
        for rule, word in b.static.items():
            now = b.dynamic.get(rule, "")
            if word == now or (word == "undetermined" and now in ("pass", "not-applicable")):
                continue
            head = f"- #{b.number} ({b.row['expected']}) {rule} {word} -> {now}"
            yield f"{head}: read: {b.said.get(rule, '')[:150]} / run: {b.reasons.get(rule, '')[:200]}"


def main() -> None:
    options = _options()
    options.kept.mkdir(parents=True, exist_ok=True)
    with RULINGS.open(encoding="utf-8") as stream:
        rows = wanted(list(csv.DictReader(stream)), options.every)
    if options.prs:
        ruled = {row["pr"]: row for row in rows}
        rows = [ruled.get(number, {**NOT_RULED, "pr": number}) for number in options.prs.split(",")]
    book = options.kept / "judged.json"
    known = json.loads(book.read_text(encoding="utf-8")) if book.exists() else {}
    end = time.monotonic() + 60 * options.minutes
    judged = []
    with Clone(options.clone) as clone:
        for row in rows:
            if time.monotonic() > end:
                break
            both = one_row(clone, row, options, known)
            if both is not None:
                judged.append(both)
                book.write_text(json.dumps(known), encoding="utf-8")
    sys.stdout.write("\n".join(page(judged)) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path)
    parser.add_argument("--probes", choices=tuple(PROBES), default="lean")
    parser.add_argument("--judge", action="store_true", help="make no new run")
    parser.add_argument("--prs", default="", help="only these pull requests, in this order, ruled on or not")
    parser.add_argument("--redo", default="", help="make the runs of these pull requests again")
    parser.add_argument("--every", action="store_true", help="all rows of rulings.csv, these first")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no row after this time")
    parser.add_argument("--kept", type=Path, default=OUT / "runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
