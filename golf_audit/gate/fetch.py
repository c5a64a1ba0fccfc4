"""The commits of a pull request, from its own repository's server into a bare repository of our own.

git fetches objects and two refs; there is no work tree, so no filter, hook, attribute or submodule of the
pull request is ever looked at. The token, which private repositories need, is in the environment of this one
git process and in no file.
"""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

from golf_audit.errors import AuditError
from golf_audit.gate.event import EndedRun, PullRequest, pull_request
from golf_audit.gate.rest import Rest
from golf_audit.gitprocess import git_binary

TIMEOUT = 900.0
BASE, HEAD = "refs/remotes/origin/main", "refs/golf-audit/head"
"""Where they lie in the bare repository: the first is what the tool takes for the main branch."""


def resolve(told: PullRequest | EndedRun, rest: Rest) -> PullRequest | None:
    """The open pull request that a run was about; None where its head has moved on, or it was closed.

    GitHub names no pull request in the run of a fork. Those of the branch it came from are asked for; which
    of them it was, the commit tells, for which the event vouches."""
    if isinstance(told, PullRequest):
        return told
    asked = rest.items(f"/repos/{told.repository}/pulls", state="open", head=f"{told.owner}:{told.branch}")
    found = [pull_request(one) for one in asked]
    same = [one for one in found if one.head == told.head and one.repository == told.repository]
    return min(same, key=lambda one: one.number) if same else None


def fetch(pr: PullRequest, server: str, token: str, to: Path) -> None:
    """Fill a new bare repository with the base branch's tip and the head. Raises AuditError."""
    scheme = server.partition("://")[0]
    if scheme not in ("https", "http", "file"):
        raise AuditError(f"{server[:80]!r} is not the address of a git server")
    address = f"{server.rstrip('/')}/{pr.repository}.git"
    environment = _environment(scheme, token)
    _git(environment, "init", "--quiet", "--bare", str(to))
    _git(
        environment,
        *("-C", str(to), "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
        *("--no-auto-gc", "--end-of-options", address),
        *(f"+refs/heads/{pr.base_branch}:{BASE}", f"+{pr.head}:{HEAD}"),
    )


def _environment(scheme: str, token: str) -> dict[str, str]:
    """The caller's environment with git's settings our own: no config files, no prompt, one protocol."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("GIT_")}
    settings = {"credential.helper": "", "gc.auto": "0"}
    if token:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        settings["http.extraHeader"] = f"Authorization: Basic {basic}"
    ours = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "LC_ALL": "C",
    }
    for index, (key, value) in enumerate(settings.items()):
        ours |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return kept | ours


def _git(environment: dict[str, str], *arguments: str) -> None:
    command = [git_binary(), *arguments]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise AuditError(f"git took over {TIMEOUT:g} s to fetch the pull request") from None
    except OSError as error:
        raise AuditError(f"git could not be started: {error.strerror}") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise AuditError(f"the pull request could not be fetched: {said[-1][:300] if said else 'no reason'}")
