"""SARIF 2.1.0, the subset that GitHub code scanning reads, validated against the schema in the tests.

A result per finding of a failed, disputed or undetermined rule; a rule that is open without a finding points
to the folder. What was not run and what crashed are notifications of the invocation.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from golf_audit import __version__
from golf_audit.fingerprint import decisive, fingerprint
from golf_audit.lineage import State
from golf_audit.model import Evidence, Finding, Report, Rule, Ruling, Severity, Verdict, Where
from golf_audit.outcome import is_open, not_yet_run
from golf_audit.report import ancestry, catalogue, escape, words
from golf_audit.report.sections import sections

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RESULTS_CAP = 5_000
"""Results per run that GitHub keeps."""
FLOW_CAP = 100
"""Steps of one code flow."""

Object = dict[str, Any]


def render(reports: Sequence[Report], *, require_run: bool = False) -> str:
    """One run with the results of all reports."""
    rules = {ruling.rule.id: ruling.rule for report in reports for ruling in report.rulings}
    found = [result for report in reports for result in _results(report, require_run)]
    found.sort(key=lambda result: ("error", "warning", "note").index(result["level"]))
    driver = {"name": "golf-audit", "version": __version__, "rules": [_rule(r) for r in rules.values()]}
    run: Object = {
        "tool": {"driver": driver},
        "invocations": [_invocation(reports)],
        "columnKind": "unicodeCodePoints",
        "results": _numbered(found[:RESULTS_CAP], list(rules)),
    }
    whole = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return escape.json_text(json.dumps(whole, indent=2, ensure_ascii=True, allow_nan=False)) + "\n"


def _numbered(results: list[Object], ids: Sequence[str]) -> list[Object]:
    """Results with the index of their rule, and a counter that tells equal fingerprints apart."""
    seen: Counter[str] = Counter()
    for result in results:
        result["ruleIndex"] = ids.index(result["ruleId"])
        prints = result["partialFingerprints"]
        seen[prints["primaryLocationLineHash"]] += 1
        prints["primaryLocationLineHash"] += f":{seen[prints['primaryLocationLineHash']]}"
    return results


def _rule(rule: Rule) -> Object:
    level = {Severity.DISQUALIFYING: "error", Severity.INCOMPLETE: "error", Severity.ADVISORY: "note"}
    return {
        "id": rule.id,
        "shortDescription": {"text": escape.message(rule.title)},
        "fullDescription": {"text": escape.message(catalogue.paragraph(rule, "Law") or rule.title)},
        "help": {"text": rule.doc.strip(), "markdown": catalogue.help_text(rule)},
        "defaultConfiguration": {"level": level[rule.severity]},
        "properties": {"tags": [words.SEVERITY[rule.severity.value]]},
    }


def _results(report: Report, require_run: bool) -> Iterator[Object]:
    for ruling in sections(report).to_settle:
        judged = words.judged(ruling)
        for finding in judged:
            yield _result(report, ruling, finding) | _baseline(report, ruling, finding)
        if not judged and is_open(ruling, require_run=require_run):
            yield _without_finding(report, ruling) | _baseline(report, ruling, None)
    for ruling in report.rulings:
        for finding, waiver in words.waived(ruling):
            why = escape.visible(f"waived {words.waiver(waiver)}")
            reason = {"kind": "external", "status": "accepted", "justification": why}
            yield {**_result(report, ruling, finding), "level": "note", "suppressions": [reason]}


def _level(ruling: Ruling) -> str:
    if ruling.verdict is Verdict.FAIL:
        return "error" if ruling.rule.severity is not Severity.ADVISORY else "warning"
    return "warning" if ruling.verdict is Verdict.NEEDS_RULING else "note"


def _result(report: Report, ruling: Ruling, finding: Finding) -> Object:
    where = decisive(finding)
    change = f" To change: {finding.to_change}" if finding.to_change else ""
    inner = f" {words.position(where)}: {where.quote[: escape.QUOTE_CAP]}" if where and where.layer else ""
    said = f"{ruling.verdict.value}: {finding.message.rstrip('.')}."
    text = f"{said}{inner} Law: {words.law(finding.law)}.{change}"
    result: Object = {
        "ruleId": ruling.rule.id,
        "level": _level(ruling),
        "message": {"text": escape.message(text)},
        "locations": [_location(report, where) if where else _folder(report)],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint(ruling.rule.id, finding)},
        "properties": {"verdict": ruling.verdict.value, "certainty": finding.certainty.value},
    }
    steps = [e for e in finding.evidence if e.where is not None][:FLOW_CAP]
    if len(steps) > 1:
        flow = [{"location": _step(report, e, e.where)} for e in steps if e.where is not None]
        result["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
    return result


def _without_finding(report: Report, ruling: Ruling) -> Object:
    supply = "; ".join(words.supply(ruling))
    text = f"{ruling.verdict.value}: {ruling.reason.rstrip('.')}." + (
        f" Supplied by: {supply}" if supply else ""
    )
    return {
        "ruleId": ruling.rule.id,
        "level": _level(ruling),
        "message": {"text": escape.message(text)},
        "locations": [_folder(report)],
        "partialFingerprints": {"primaryLocationLineHash": f"{ruling.rule.id}-{ruling.verdict.value}"},
        "properties": {"verdict": ruling.verdict.value},
    }


_BASELINE = {State.INHERITED: "unchanged", State.SHARED: "updated", State.NEW: "new"}


def _baseline(report: Report, ruling: Ruling, finding: Finding | None) -> Object:
    """What the parent has to do with a result, where --parent was given and tells."""
    kin = ancestry.of_finding(report, ruling, finding)
    return {"baselineState": _BASELINE[kin.state]} if kin is not None and kin.state in _BASELINE else {}


def _step(report: Report, evidence: Evidence, where: Where) -> Object:
    inner = f" ({words.position(where)}: {where.quote[: escape.QUOTE_CAP]})" if where.layer else ""
    return {
        **_location(report, where),
        "message": {"text": escape.message(f"{words.label(evidence.kind)}: {evidence.says}{inner}")},
    }


def _location(report: Report, where: Where) -> Object:
    """The place in the file that the repository holds; inside a packed layer, the line of its payload."""
    physical: Object = {"artifactLocation": {"uri": escape.uri(words.in_repository(report, where))}}
    line, column = words.outer(where)
    if line is not None:
        physical["region"] = {"startLine": max(1, line)}
        if column is not None:
            physical["region"]["startColumn"] = max(1, column)
        if where.quote and not where.layer:
            physical["region"]["snippet"] = {"text": escape.visible(where.quote, escape.QUOTE_CAP)}
    return {"physicalLocation": physical}


def _folder(report: Report) -> Object:
    return {"physicalLocation": {"artifactLocation": {"uri": escape.uri(report.head.folder)}}}


def _invocation(reports: Sequence[Report]) -> Object:
    """Whether the tool itself worked, and what it did not ask."""
    told: list[Object] = []
    for report in reports:
        folder = words.name(report)
        for crash in report.crashes:
            text = f"{folder}: rule {crash.rule} failed: {crash.error}"
            told.append({"level": "error", "message": {"text": escape.message(text)}})
        waiting = " ".join(r.rule.id for r in report.rulings if not_yet_run(r))
        if waiting:
            text = f"{folder}: not yet run: {waiting}"
            told.append({"level": "note", "message": {"text": escape.message(text)}})
    crashed = any(report.crashes for report in reports)
    return {"executionSuccessful": not crashed, "toolExecutionNotifications": told}
