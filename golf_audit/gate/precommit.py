"""The submission folders that changed files belong to, for participants' pre-commit hook."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from golf_audit.pullrequest import HOME, submission_folders


def folders_of(files: Iterable[Path], root: Path) -> list[Path]:
    """The folders below records/ that hold one of these files and are handed in as a submission, sorted."""
    wanted = {file.as_posix() for file in files}
    tops = {top for file in wanted if (top := _top(file)) is not None and (root / top).is_dir()}
    found: set[str] = set()
    for top in tops:
        folders = submission_folders(_below(root, top))
        found |= {folder for folder in folders if any(file.startswith(f"{folder}/") for file in wanted)}
    return [root / folder for folder in sorted(found)]


def _top(file: str) -> str | None:
    """records/track/NAME or records/NAME, whose files are read; None for a file elsewhere."""
    parts = file.split("/")
    if parts[0] != HOME or ".." in parts:
        return None
    depth = 3 if len(parts) > 1 and parts[1].startswith("track_") else 2
    return "/".join(parts[:depth]) if len(parts) > depth else None


def _below(root: Path, top: str) -> list[str]:
    """The files of a folder, from the root, links not followed."""
    out = []
    for place, _, names in os.walk(root / top):
        folder = Path(place).relative_to(root).as_posix()
        out += [f"{folder}/{name}" for name in names]
    return out
