"""What the parts of the child share: the job, the way out for messages, positions in the submission."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import Any

from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import Message, Shim, Site

_TEXT = 1_900  # a little below what the receiver takes


def bounded(text: str, limit: int = _TEXT) -> str:
    """A text that a message may carry."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


@dataclass
class Context:
    """One run. `send` never raises into the submission: when our process is gone, the run may end."""

    job: Job
    send: Callable[[Message], None]
    rank: int = 0
    originals: dict[str, Any] = field(default_factory=dict)  # real functions that stand-ins call
    _told: set[str] = field(default_factory=set)

    def used(self, name: str, detail: str = "") -> None:
        """Say once that a stand-in was used."""
        if name not in self._told:
            self._told.add(name)
            self.send(Shim(name=bounded(name), detail=bounded(detail)))

    def site(self) -> Site:
        """The innermost line of the submission on the stack."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            name = self.file(frame.f_code.co_filename)
            if name is not None:
                return name, frame.f_lineno
            frame = frame.f_back
        return ("", 0)

    def file(self, name: str) -> str | None:
        """A file name as messages give it; None for files that are not the submission's."""
        if name.startswith("<layer"):
            return name
        path = name if os.path.isabs(name) else os.path.join(self.job.work, name)
        prefix = self.job.work.rstrip("/") + "/"
        return path[len(prefix) :] if path.startswith(prefix) else None


def replace(owner: Any, **content: Any) -> None:
    """Put stand-ins in place of attributes of a module or class."""
    for name, value in content.items():
        setattr(owner, name, value)


def module(name: str, **content: Any) -> ModuleType:
    """A module made up here, registered under its name."""
    made = ModuleType(name)
    made.__dict__.update(content)
    sys.modules[name] = made
    parent, _, own = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], own, made)
    return made


class Quiet:
    """Something that may be configured or called without effect; as a decorator it returns its function."""

    def __init__(self, name: str = "") -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Quiet(f"{self._name}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and callable(args[0]) and not kwargs:
            return args[0]
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def __bool__(self) -> bool:
        return False
