"""The pages that a browser opens in these tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from golf_audit import checking, registry
from golf_audit.load import load_folder
from golf_audit.model import Report
from golf_audit.report import page
from golf_audit.sweep.table import to_html
from tests.report.samples import SAMPLES, figures, hostile

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "track_10min_16mb"

HOSTILE = (
    "</script><script>pwned()</script>]]>--><img src=x onerror=pwned()> javascript:pwned() "
    '" onclick=\'pwned()\' \u202egpj.exe </style></svg><a href="javascript:pwned()">x</a> {{1}} \x1b[31m \x00'
)


def failed() -> Report:
    """The illegal example, with a run in miniature drawn by hand beside what was read."""
    cases = checking.cases([load_folder(EXAMPLES / "2026-04-21_PolishBeforeQuantising")], None, None)
    (report,) = checking.reports(cases, registry.rules(), figures=True)
    by_hand = figures("the step")
    return replace(report, figures=replace(report.figures, observed=by_hand.observed, run=by_hand.run))


def table() -> str:
    """An organiser's table with every status, and a hostile row."""
    entry = {
        "folder": "records/2026-04-20_X",
        "track": "record",
        "as_of": "2026-04-20",
        "claim": "claims 1.06",
        "crashes": {},
    }
    fail = {**entry, "verdict": "fail", "rulings": {"A01": "fail"}, "reasons": {"A01": HOSTILE}}
    opened = {**entry, "verdict": "open", "rulings": {"T01": "undetermined"}, "reasons": {"T01": "no log"}}
    held = {**entry, "verdict": "pass", "rulings": {"T01": "pass"}, "reasons": {}, "claim": "claims 1.2"}
    row: dict[str, Any] = {"head": "0" * 40, "crash": "", "error": ""}
    found = [{**row, "pr": n, "submissions": s} for n, s in ((9, [held]), (10, [fail, opened]), (100, []))]
    found += [{**row, "pr": 2, "error": HOSTILE, "submissions": []}]
    found += [{**row, "pr": 3, "crash": "ValueError", "submissions": []}]
    return to_html(found)


PAGES: dict[str, Callable[[], str]] = {
    "failed": lambda: page.render([failed()]),
    "hostile": lambda: page.render([hostile(HOSTILE)]),
    "several": lambda: page.render(
        [SAMPLES["packed"](), failed(), SAMPLES["crashed"](), SAMPLES["passing"]()]
    ),
    "none": lambda: page.render([]),
    "table": table,
}
