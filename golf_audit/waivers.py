"""Waivers on a report. A waived finding stays where it was and says who waived it; its effect is gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from golf_audit.audit import decide
from golf_audit.errors import AuditError
from golf_audit.fingerprint import fingerprint
from golf_audit.model import Certainty, Finding, Report, Ruling, Verdict, Waiver, WaiverState
from golf_audit.waiverfile import read_waivers


def apply(report: Report, waivers: Sequence[Waiver], today: dt.date) -> Report:
    """The report with these waivers. Those that name another folder are not its own. Pure."""
    own = [waiver for waiver in waivers if _names(waiver, report)]
    if not own:
        return report
    valid = [waiver for waiver in own if today <= waiver.expires and _of_this_state(waiver, report)]
    rulings = tuple(_ruling(ruling, valid, report.as_of) for ruling in report.rulings)
    used = {id(f.waived) for ruling in rulings for f in ruling.assessment.findings if f.waived}
    return replace(
        report, rulings=rulings, waivers=tuple((waiver, _state(waiver, used, today)) for waiver in own)
    )


def _names(waiver: Waiver, report: Report) -> bool:
    return waiver.folder == report.head.folder if waiver.folder else _of_this_state(waiver, report)


def _of_this_state(waiver: Waiver, report: Report) -> bool:
    return report.head.fingerprint.startswith(waiver.submission)


def _state(waiver: Waiver, used: Collection[int], today: dt.date) -> WaiverState:
    if today > waiver.expires:
        return WaiverState.EXPIRED
    return WaiverState.APPLIED if id(waiver) in used else WaiverState.UNUSED


def _ruling(ruling: Ruling, waivers: Sequence[Waiver], as_of: dt.date) -> Ruling:
    """What is left of a ruling. Its verdict becomes that of the findings which are not waived."""
    told = ruling.assessment
    findings = tuple(_marked(finding, ruling, waivers) for finding in told.findings)
    if findings == told.findings:
        return ruling
    left = tuple(f for f in findings if f.waived is None)
    marked = replace(told, findings=findings)
    verdict, reason = decide(ruling.rule, replace(told, findings=left), as_of)
    alone = not told.unmet and all(f.certainty is Certainty.HINT for f in left)
    if alone or verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE):
        return replace(ruling, assessment=marked, waived=True)
    return replace(ruling, assessment=marked, verdict=verdict, reason=reason)


def _marked(finding: Finding, ruling: Ruling, waivers: Sequence[Waiver]) -> Finding:
    if finding.certainty is Certainty.HINT:
        return finding  # decides nothing: there is nothing to waive
    own = fingerprint(ruling.rule.id, finding)
    found = next((w for w in waivers if (w.rule, w.fingerprint) == (ruling.rule.id, own)), None)
    return finding if found is None else replace(finding, waived=found)


def waived_by_file(reports: Sequence[Report], path: Path, folders: Sequence[Path]) -> list[Report]:
    """The reports with the waivers of a file on disk. Raises AuditError for a file that lies in a folder."""
    place = path.resolve()
    if any(place.is_relative_to(folder.resolve()) for folder in folders):
        raise AuditError(f"{path} lies in the submission: nobody waives their own findings")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AuditError(f"cannot read {path}: {error.strerror}") from None
    waivers = read_waivers(data, path.name)
    today = dt.datetime.now(dt.UTC).date()
    return [apply(report, waivers, today) for report in reports]
