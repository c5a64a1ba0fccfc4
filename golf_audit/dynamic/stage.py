"""The folders of a trace on the host: a copy of the submission, written file by file, that runs may read."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from golf_audit.dynamic.contract import Places
from golf_audit.dynamic.sandbox import INSIDE
from golf_audit.filetree import FileTree, Sort


def write_submission(tree: FileTree, folder: Path) -> list[str]:
    """Write the regular files of a submission below an empty folder; what is missing of it, in sentences.

    Links are not followed and not made: a run that needs one fails, and says so."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for path, file in sorted(tree.files.items()):
        parts = PurePosixPath(path).parts
        if file.sort is not Sort.FILE or not _plain(parts):
            missing.append(f"{path}: {file.sort.value}, left out")
        elif file.data is None:
            missing.append(f"{path}: its content is not here, left out")
        else:
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as stream:
                stream.write(file.data)
    return missing


def _plain(parts: tuple[str, ...]) -> bool:
    return bool(parts) and all(p not in ("/", "..", ".") and "\0" not in p for p in parts)


def open_to_all(folder: Path) -> None:
    """Let the unprivileged user of a sandbox read a folder of ours, whatever the umask was."""
    for here, _, files in os.walk(folder):
        os.chmod(here, 0o755)
        for name in files:
            path = Path(here, name)
            if not path.is_symlink():
                path.chmod(0o644)


def places(folder: Path, *, sandbox: bool) -> Places:
    """Where runs find their folders: without a sandbox below a folder of ours, the same for all runs."""
    if sandbox:
        return INSIDE
    return Places(*(str(folder / name) for name in ("submission", "data", "run")))
