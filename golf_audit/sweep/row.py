"""One line of a sweep: what was found in one pull request, as plain JSON.

Rows are small on purpose: the whole corpus fits in memory and in one file that a spreadsheet can read.
"""

from __future__ import annotations

import json
from typing import Any

from golf_audit.model import Report, Ruling, Verdict
from golf_audit.outcome import exit_code, verdict
from golf_audit.submission import Submission

SCHEMA = "golf-audit/sweep-row/1"
TRACE = "golf-audit/trace-row/1"
SPOKEN = (Verdict.FAIL, Verdict.NEEDS_RULING, Verdict.UNDETERMINED)
REASON_CAP = 300  # characters


def row_of(submission: Submission, report: Report) -> dict[str, Any]:
    """The entry of one submission folder."""
    return {
        "folder": submission.head.folder,
        "fingerprint": submission.head.fingerprint,
        "track": report.track.value,
        "as_of": report.as_of.isoformat(),
        "claim": report.claim,
        "verdict": verdict(report),
        "exit": exit_code([report]),
        "rulings": {r.rule.id: r.verdict.value for r in report.rulings},
        "reasons": {r.rule.id: r.reason[:REASON_CAP] for r in report.rulings if r.verdict in SPOKEN},
        "awaits": {r.rule.id: _awaits(r) for r in report.rulings if _awaits(r)},
        "crashes": {c.rule: c.error[:REASON_CAP] for c in report.crashes},
        "logs": {log.file: _oid(submission, log.file) for log in submission.logs},
        "entry": submission.sources.entry or "",
        "entry_oid": _oid(submission, submission.sources.entry or ""),
        "bytes_total": submission.claims.bytes_total.value if submission.claims.bytes_total else None,
    }


def _awaits(ruling: Ruling) -> str:
    waiting = [u.awaits.value for u in ruling.assessment.unmet if u.awaits]
    return waiting[0] if ruling.verdict is Verdict.UNDETERMINED and waiting else ""


def _oid(submission: Submission, path: str) -> str:
    """The blob id of a file; "" for none, and for an empty one, which everybody shares."""
    file = submission.tree.get(path)
    return file.oid if file and file.size else ""


def to_line(row: dict[str, Any]) -> str:
    """One JSON line, byte-stable for equal rows."""
    return json.dumps(row, sort_keys=True, ensure_ascii=True) + "\n"


def read_lines(text: str, schemas: tuple[str, ...] = (SCHEMA,)) -> list[dict[str, Any]]:
    """Rows of an earlier run. A torn last line (the run was killed while writing it) is dropped."""
    rows = []
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # torn by a kill: that pull request is audited again
        if isinstance(row, dict) and row.get("schema") in schemas:
            rows.append(row)
    return rows
