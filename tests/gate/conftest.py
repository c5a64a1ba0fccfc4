"""A challenge's repository on a server of its own, pull requests for a test, a job that runs action.yml."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .runner import ROOT, Runner, plant
from .server import REPOSITORY, GitHub

sys.path.insert(0, str(ROOT / "tests"))
from gitrepo import Repo

EXAMPLES = ROOT / "examples" / "track_10min_16mb"
TRACK = "records/track_10min_16mb"
OVER, LEGAL = "2026-04-22_OverTheLimits", "2026-04-20_ScoreFirstTTT"
DAY = "2026-04-22"
Content = Mapping[str, str | bytes | None]


def folder(name: str, place: str = "") -> dict[str, bytes]:
    """The files of a bundled example as a pull request would add them."""
    at = place or f"{TRACK}/{name}"
    return {f"{at}/{path.name}": path.read_bytes() for path in (EXAMPLES / name).iterdir()}


@dataclass
class Challenge:
    """The repository, and the server that git and the REST interface are asked at."""

    work: Repo
    temp: Path
    workspace: Path
    github: GitHub

    def main(self, files: Content) -> str:
        self.work.git("checkout", "-q", "main")
        return self.work.commit(files, "2026-04-10")

    def pull_request(self, number: int, files: Content, branch: str = "run") -> str:
        self.work.branch(branch)
        head = self.work.commit(files, DAY)
        self.work.pull_request(number, head)
        self.work.git("checkout", "-q", "main")
        self.github.pull(number, head, branch=branch)
        return head

    def runner(self, number: int, name: str = "pull_request", **more: Any) -> Runner:
        """A job on the event that GitHub would send for this pull request."""
        told = next(p for p in self.github.pulls if p["number"] == number)
        event: dict[str, Any] = {"number": number, "repository": {"full_name": REPOSITORY}, **more}
        if name == "workflow_run":
            owner, _, branch = told["head"]["label"].partition(":")
            event["workflow_run"] = {
                "event": "pull_request",
                "head_sha": told["head"]["sha"],
                "head_branch": branch,
                "head_repository": {"owner": {"login": owner}},
                "pull_requests": [],  # empty for forks
            }
        else:
            event["pull_request"] = told
        path = self.temp / "event.json"
        path.write_text(json.dumps(event), encoding="utf-8")
        github = {
            "EVENT_PATH": str(path),
            "EVENT_NAME": name,
            "SERVER_URL": (self.work.path.parent / "server").as_uri(),
            "API_URL": self.github.address,
            "REPOSITORY": REPOSITORY,
            "RUN_ID": "77",
            "TOKEN": "a-token",
        }
        parsed = {"GOLF_AUDIT_CACHE": str(self.temp / "golf-audit" / "env" / "parsed")}
        return Runner(self.temp, self.workspace, github, parsed)  # the same few scripts in every test


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runner's temporary folder in which the tool is installed."""
    temp = tmp_path_factory.mktemp("runner")
    plant(temp)
    return temp


@pytest.fixture
def challenge(tmp_path: Path, tool: Path) -> Iterator[Challenge]:
    work = Repo.create(tmp_path / "work")
    work.commit(
        {"README.md": "# The challenge\n", ".github/workflows/golf-audit.yml": "on: push\n"}, "2026-04-01"
    )
    served = tmp_path / "server" / f"{REPOSITORY}.git"
    served.parent.mkdir(parents=True)
    served.symlink_to(work.path / ".git")  # what is committed is on the server
    temp, workspace = tmp_path / "temp", tmp_path / "workspace"
    (temp / "golf-audit").mkdir(parents=True)
    workspace.mkdir()
    (temp / "golf-audit" / "env").symlink_to(tool / "golf-audit" / "env")
    with GitHub().serving() as github:
        yield Challenge(work, temp, workspace, github)


@pytest.fixture
def commands() -> Callable[[str], list[str]]:
    """The workflow commands that a runner would obey in a log: those between stop-commands are not."""

    def read(log: str) -> list[str]:
        out, stopped = [], ""
        for line in log.splitlines():
            if stopped:
                stopped = "" if line == f"::{stopped}::" else stopped
            elif line.startswith("::stop-commands::"):
                stopped = line.removeprefix("::stop-commands::")
            elif line.startswith("::") or "##[" in line:
                out.append(line)
        return out

    return read
