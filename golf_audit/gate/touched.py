"""What a pull request changes besides the folders that it adds, as far as a maintainer must know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from golf_audit.filetree import GitEntry
from golf_audit.gitclone import DiffEntry
from golf_audit.pullrequest import CLAIM, HOME

_SHOWN = 3
_GATE_FILES = ("action.yml", "action.yaml", ".pre-commit-config.yaml")


def touched(changes: Sequence[DiffEntry], base: Iterable[GitEntry], waivers: str) -> tuple[str, ...]:
    """Sentences on the gate's own files and on submissions that main has already. Names are not escaped."""
    own = [c.path for c in changes if _of_the_gate(c.path, waivers)]
    known = {folder for entry in base if (folder := _claim_folder(entry.path))}
    accepted = [c.path for c in changes if c.status != "A" and _within(c.path, known)]
    notes = []
    if own:
        notes.append(
            f"changes files of the gate ({_some(own)}): they counted for nothing here, "
            "the tool and the base branch's own were used"
        )
    if accepted:
        notes.append(
            f"changes or removes {len(accepted)} files of submissions that the base branch has already "
            f"({_some(accepted)}): only added folders are audited"
        )
    return tuple(notes)


def _of_the_gate(path: str, waivers: str) -> bool:
    return path.startswith(".github/") or path in _GATE_FILES or path == waivers


def _claim_folder(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return folder if name == CLAIM and folder.startswith(f"{HOME}/") else ""


def _within(path: str, folders: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in folders for end in range(2, len(parts)))


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
