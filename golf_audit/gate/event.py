"""What GitHub says about a pull request, taken out of an event, checked before anything is done with it.

A head, its branch and its repository are named by whoever opened the pull request: only ids and numbers of a
known form are used, and no name ever reaches a command line or a file name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit.errors import AuditError

_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
_BRANCH = re.compile(r"(?!-)(?!.*(?:\.\.|@\{|//))[^\x00-\x20\x7f~^:?*\[\\]{1,255}(?<![./])")
_REFUSED = "pull_request_target"
READ_BY = ("pull_request", "workflow_run")
"""Events that the gate runs on."""


@dataclass(frozen=True)
class PullRequest:
    """One pull request at one head. `repository` and `base_branch` are the gate's own."""

    number: int
    repository: str
    base_branch: str
    head: str

    def as_event(self) -> dict[str, Any]:
        """The same in the form of GitHub's event, so that later steps read it as they would read that."""
        base = {"ref": self.base_branch, "repo": {"full_name": self.repository}}
        return {"pull_request": {"number": self.number, "base": base, "head": {"sha": self.head}}}


@dataclass(frozen=True)
class EndedRun:
    """A workflow run on a pull request's head. GitHub does not say of which, where it comes from a fork."""

    repository: str
    head: str
    owner: str  # of the head's repository
    branch: str


def read_event(path: Path, name: str) -> PullRequest | EndedRun:
    """The event of a run. Raises AuditError for one that the gate must not or cannot run on."""
    if name == _REFUSED:
        raise AuditError(
            "the gate does not run on pull_request_target, which gives secrets to a job about a stranger's "
            "code; use pull_request, and examples/workflows/comment.yml for the comment"
        )
    if name not in READ_BY:
        raise AuditError(f"the gate runs on {' and '.join(READ_BY)}, not on {name[:40]!r}")
    told = _json(path)
    if name == "workflow_run":
        return _ended_run(told)
    return pull_request(told.get("pull_request"))


def pull_request(told: Any) -> PullRequest:
    """A pull request as GitHub's events and its REST interface give it. Raises AuditError."""
    return PullRequest(
        number=_number(told, "number"),
        repository=_text(told, _REPOSITORY, "base", "repo", "full_name"),
        base_branch=_text(told, _BRANCH, "base", "ref"),
        head=_text(told, _OID, "head", "sha"),
    )


def written_event(path: Path) -> PullRequest:
    """The event that `gate fetch` wrote, or GitHub's own of a pull request."""
    return pull_request(_json(path).get("pull_request"))


def _ended_run(told: Mapping[str, Any]) -> EndedRun:
    run = told.get("workflow_run")
    if _at(run, "event") != "pull_request":
        raise AuditError("the workflow run that ended was not one on a pull request")
    owner = _text(run, re.compile(r"[A-Za-z0-9._-]{1,100}"), "head_repository", "owner", "login")
    return EndedRun(
        repository=_text(told, _REPOSITORY, "repository", "full_name"),
        head=_text(run, _OID, "head_sha"),
        owner=owner,
        branch=_text(run, _BRANCH, "head_branch"),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except OSError as error:
        raise AuditError(f"cannot read the event {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise AuditError(f"the event {path} is not JSON") from None
    if not isinstance(told, dict):
        raise AuditError(f"the event {path} is not an object")
    return told


def _at(told: Any, *keys: str) -> Any:
    for key in keys:
        told = told.get(key) if isinstance(told, Mapping) else None
    return told


def _text(told: Any, form: re.Pattern[str], *keys: str) -> str:
    value = _at(told, *keys)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise AuditError(f"the event names no usable {'.'.join(keys)}: {str(value)[:60]!r}")
    return value


def _number(told: Any, *keys: str) -> int:
    value = _at(told, *keys)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**9:
        raise AuditError(f"the event names no usable {'.'.join(keys)}: {str(value)[:60]!r}")
    return value
