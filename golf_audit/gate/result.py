"""The folder that `gate audit` writes and `gate comment` reads: report, page, and the result in one line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from golf_audit.errors import AuditError

REPORT, SARIF, HTML = "report.json", "report.sarif", "report.html"
PAGE, RESULT = "comment.md", "result.json"
_STATES = {0: "success", 1: "failure"}


@dataclass(frozen=True)
class Result:
    """The exit code and what it stands for. `submissions` is 0 also where nothing could be audited."""

    exit_code: int
    says: str
    submissions: int

    @property
    def state(self) -> str:
        """As a commit status: success, failure, or error where the audit itself did not come about."""
        return _STATES.get(self.exit_code, "error")


def write_files(folder: Path, files: dict[str, str], result: Result) -> None:
    """Write them anew; nothing of an earlier run stays beside them."""
    told = {**files, RESULT: json.dumps(asdict(result), indent=2) + "\n"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = [folder / name for name in (REPORT, SARIF, HTML, PAGE, RESULT)]
        for path in (*known, *folder.glob("trace-*.json")):
            path.unlink(missing_ok=True)
        for name, text in told.items():
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise AuditError(f"cannot write into {folder}: {error.strerror}") from None


def read_files(folder: Path) -> tuple[str, Result]:
    """The page and the result."""
    try:
        page = (folder / PAGE).read_text(encoding="utf-8")
        told = json.loads((folder / RESULT).read_bytes())
        return page, Result(int(told["exit_code"]), str(told["says"]), int(told["submissions"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditError(f"{folder} holds no result of `golf-audit gate audit`: {error}") from None
