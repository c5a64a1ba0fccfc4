"""Only ids and numbers of a known form are taken from an event; which pull request a fork's run was about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from golf_audit.errors import AuditError
from golf_audit.gate.event import EndedRun, PullRequest, read_event, written_event
from golf_audit.gate.fetch import resolve
from golf_audit.gate.rest import Rest

from .server import REPOSITORY, GitHub

HEAD = "a" * 40
PULL: dict[str, Any] = {
    "number": 7,
    "base": {"ref": "main", "sha": "0" * 40, "repo": {"full_name": REPOSITORY}},
    "head": {"sha": HEAD, "ref": "$(x)", "repo": {"full_name": "someone/parameter-golf"}},
}


def written(folder: Path, told: object) -> Path:
    path = folder / "event.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def test_a_pull_request_and_what_is_written_of_it_for_later_steps(tmp_path: Path) -> None:
    pr = read_event(written(tmp_path, {"pull_request": PULL}), "pull_request")
    assert pr == PullRequest(7, REPOSITORY, "main", HEAD)
    assert isinstance(pr, PullRequest)
    assert written_event(written(tmp_path, pr.as_event())) == pr


BROKEN = {
    "no number": {"number": None},
    "a number in words": {"number": "7"},
    "a truth for a number": {"number": True},
    "a negative number": {"number": -7},
    "an option for a head": {"head": {"sha": "--upload-pack=x"}},
    "a short head": {"head": {"sha": "abc"}},
    "a head and more": {"head": {"sha": HEAD + "\n"}},
    "another path for a repository": {"base": {**PULL["base"], "repo": {"full_name": "../x/y"}}},
    "a branch that is an option": {"base": {**PULL["base"], "ref": "-x"}},
    "a branch that is a refspec": {"base": {**PULL["base"], "ref": "main:refs/heads/x"}},
    "a branch with a way up": {"base": {**PULL["base"], "ref": "a..b"}},
    "a base that is a list": {"base": []},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_what_has_not_the_known_form_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(AuditError, match="the event names no usable"):
        read_event(written(tmp_path, {"pull_request": {**PULL, **change}}), "pull_request")


@pytest.mark.parametrize("content", ["", "[]", "null", "[" * 100_000, '{"pull_request": 3}'])
def test_what_is_no_event_is_one_clear_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "event.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AuditError, match="the event"):
        read_event(path, "pull_request")
    with pytest.raises(AuditError, match="the event"):
        read_event(tmp_path / "none.json", "pull_request")


RUN = {
    "repository": {"full_name": REPOSITORY},
    "workflow_run": {
        "event": "pull_request",
        "head_sha": HEAD,
        "head_branch": "run",
        "head_repository": {"owner": {"login": "someone"}},
    },
}


def test_a_run_on_anything_but_a_pull_request_is_refused(tmp_path: Path) -> None:
    assert read_event(written(tmp_path, RUN), "workflow_run") == EndedRun(REPOSITORY, HEAD, "someone", "run")
    pushed = {**RUN, "workflow_run": {**RUN["workflow_run"], "event": "push"}}  # type: ignore[dict-item]
    with pytest.raises(AuditError, match="not one on a pull request"):
        read_event(written(tmp_path, pushed), "workflow_run")


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub().serving() as served:
        yield served


def test_the_pull_request_is_told_by_its_commit_and_its_target(github: GitHub) -> None:
    """A branch can have pull requests to several repositories, and may have moved on since the run."""
    github.pull(3, "b" * 40)
    github.pull(4, HEAD)["base"]["repo"] = {"full_name": "someone/fork"}
    github.pull(9, HEAD)
    github.pull(5, HEAD, owner="another")
    told = EndedRun(REPOSITORY, HEAD, "someone", "run")
    found = resolve(told, Rest(github.address, "", pause=0.0))
    assert found is not None and found.number == 9
    assert resolve(EndedRun(REPOSITORY, "c" * 40, "someone", "run"), Rest(github.address, "")) is None
