"""The JSON report: the contract that other programs read (DESIGN section 6, schemas/report.schema.json).

No time, no absolute path, ASCII only: equal inputs give equal bytes. Keys keep one order; the configuration
is sorted by name, crashes by rule; rulings keep the catalogue's order and evidence the rule's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from golf_audit import __version__
from golf_audit.fingerprint import fingerprint
from golf_audit.model import Cite, Evidence, Finding, Precedent, Report, Ruling, Unmet, Waiver, Where
from golf_audit.outcome import verdict
from golf_audit.report import ancestry, escape, jsonfigures

SCHEMA = "golf-audit/report/1"
SCHEMA_OF_SEVERAL = "golf-audit/reports/1"

Object = dict[str, Any]


def render(reports: Sequence[Report], *, require_run: bool = False) -> str:
    """One report as an object; none or several as a list under "reports"."""
    told = [to_dict(report, require_run=require_run) for report in reports]
    whole = told[0] if len(told) == 1 else {"schema": SCHEMA_OF_SEVERAL, "reports": told}
    return escape.json_text(json.dumps(whole, indent=2, ensure_ascii=True, allow_nan=False)) + "\n"


def to_dict(report: Report, *, require_run: bool = False) -> Object:
    """The report as plain data, in the shape of schemas/report.schema.json."""
    head = report.head
    folder = escape.path(head.folder)
    whole: Object = {
        "schema": SCHEMA,
        "tool": {"name": "golf-audit", "version": __version__, "ruleset": ruleset(report)},
        "as_of": report.as_of.isoformat(),
        "head": {"commit": head.commit or None, "pr": head.pr},
        "verdict": verdict(report, require_run=require_run),
        "submission": {
            "folder": folder,
            "track": report.track.value,
            "fingerprint": head.fingerprint,
            "claim": report.claim,
        },
        "restricted_to": sorted(report.restricted_to),
        "rulings": [_ruling(ruling) for ruling in report.rulings],
        "configuration": sorted((_setting(s) for s in report.configuration), key=lambda s: str(s["name"])),
        "crashes": [
            {"rule": crash.rule, "error": crash.error}
            for crash in sorted(report.crashes, key=lambda c: c.rule)
        ],
    }
    if report.waivers:
        whole["waivers"] = [{**_waiver(one), "state": state.value} for one, state in report.waivers]
    if report.figures is not None:
        whole["figures"] = jsonfigures.figures(report.figures, _where)
    if report.lineage is not None:
        whole["lineage"] = ancestry.as_data(report, _where)
    cleaned: Object = _clean(whole)
    return cleaned


def ruleset(report: Report) -> str:
    """A digest of the law that was applied: ids, severities, texts and citations of the rules asked."""
    digest = hashlib.sha256()
    for rule in (ruling.rule for ruling in report.rulings):
        digest.update(repr((rule.id, rule.severity.value, rule.evidence, rule.doc)).encode())
        for cite in rule.cites:
            digest.update(repr(sorted(_cite(cite).items())).encode())
    return digest.hexdigest()[:12]


def _ruling(ruling: Ruling) -> Object:
    rule, told = ruling.rule, ruling.assessment
    awaited = [u.awaits.value for u in told.unmet if u.awaits is not None]
    whole = {
        "rule": rule.id,
        "title": rule.title,
        "severity": rule.severity.value,
        "reading_decides": rule.reading_decides,
        "verdict": ruling.verdict.value,
        "reason": ruling.reason,
        "awaits": awaited[0] if awaited and ruling.verdict.value == "undetermined" else None,
        "notes": [_evidence(e) for e in told.notes],
        "basis": [_evidence(e) for e in told.basis],
        "unmet": [_unmet(u) for u in told.unmet],
        "findings": [_finding(ruling, f) for f in told.findings],
        "law": [_cite(c) for c in rule.cites],
        "precedents": [_precedent(p) for p in rule.precedents],
    }
    return whole | ({"waived": True} if ruling.waived else {})


def _finding(ruling: Ruling, finding: Finding) -> Object:
    whole = {
        "message": finding.message,
        "certainty": finding.certainty.value,
        "proof": finding.proof,
        "fingerprint": fingerprint(ruling.rule.id, finding),
        "law": _cite(finding.law),
        "evidence": [_evidence(e) for e in finding.evidence],
        "to_change": finding.to_change,
        "precedents": [_precedent(p) for p in finding.precedents],
    }
    return whole | ({"waived": _waiver(finding.waived)} if finding.waived else {})


def _waiver(waiver: Waiver) -> Object:
    return {
        "rule": waiver.rule,
        "fingerprint": waiver.fingerprint,
        "folder": waiver.folder,
        "submission": waiver.submission,
        "reason": waiver.reason,
        "who": waiver.who,
        "expires": waiver.expires.isoformat(),
    }


def _evidence(evidence: Evidence) -> Object:
    return {"kind": evidence.kind.value, "says": evidence.says, **_where(evidence.where)}


def _where(where: Where | None) -> Object:
    """Every key always, null where there is nothing to say."""
    if where is None:
        return dict.fromkeys(("file", "layer", "line", "column", "payload_line", "pointer", "quote"))
    return {
        "file": escape.path(where.file),
        "layer": where.layer,
        "line": where.line,
        "column": where.column,
        "payload_line": where.payload_line,
        "pointer": where.pointer,
        "quote": where.quote,
    }


def _cite(cite: Cite) -> Object:
    return {
        "authority": cite.authority.value,
        "source": cite.source,
        "says": cite.says,
        "since": cite.since.isoformat(),
        "disputed": cite.disputed,
    }


def _unmet(unmet: Unmet) -> Object:
    return {
        "missing": unmet.missing,
        "supply": unmet.supply,
        "awaits": unmet.awaits.value if unmet.awaits else None,
    }


def _precedent(precedent: Precedent) -> Object:
    return {"pr": precedent.pr, "outcome": precedent.outcome, "note": precedent.note}


def _setting(setting: Any) -> Object:
    """One runconfig.Setting: the value that counted, its origin, and what it overrode."""
    return {
        "name": setting.name,
        **_reading(setting),
        "overridden": [_reading(weaker) for weaker in setting.overridden],
    }


def _reading(setting: Any) -> Object:
    return {"value": setting.value, "origin": setting.origin.value, **_where(setting.where)}


def _clean(value: Any) -> Any:
    """The same data with every string safe for a strict JSON reader."""
    if isinstance(value, str):
        return escape.data(value)
    if isinstance(value, Mapping):
        return {escape.data(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
