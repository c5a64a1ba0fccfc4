"""Small git repositories for tests: commits with chosen files and dates, in a few processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

Files = Mapping[str, str | bytes | None]

_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "A Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
}


class Repo:
    """A repository with a work tree. `commit` writes files (None deletes) and returns the commit id."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, *options: str) -> Repo:
        path.mkdir(parents=True)
        made = cls(path)
        made.git("init", "-q", "-b", "main", *options)
        return made

    def copy(self, path: Path) -> Repo:
        """The same repository in another place: cheaper than the same commits again."""
        shutil.copytree(self.path, path)
        return Repo(path)

    def git(self, *arguments: str | Path, day: str = "2026-04-01", check: bool = True) -> str:
        moment = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *map(str, arguments)],
            cwd=self.path,
            env=clean | _ENVIRONMENT | moment,
            capture_output=True,
            check=check,
        )
        return os.fsdecode(done.stdout).strip()

    def commit(self, files: Files, day: str = "2026-04-01") -> str:
        for name, content in files.items():
            target = self.path / name
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", "change", day=day)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, at: str = "main") -> None:
        self.git("checkout", "-q", "-B", name, at)

    def pull_request(self, number: int, commit: str = "HEAD") -> None:
        """Publish a commit as GitHub does for a pull request."""
        self.git("update-ref", f"refs/pull/{number}/head", commit)


def submission(folder: str, script: str = "print('train')\n") -> dict[str, str]:
    """The files of a submission folder."""
    return {
        f"{folder}/README.md": "# A run\n",
        f"{folder}/submission.json": '{"val_bpb": 1.2}\n',
        f"{folder}/train_gpt.py": script,
        f"{folder}/train_seed42.log": "step:1/1 val_loss:2.0 val_bpb:1.2\n",
    }
