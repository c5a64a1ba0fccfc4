"""Places of another machine in a configuration, found again below the data folder that the reviewer gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from golf_audit.runconfig.effective import Effective

_LOOKED = 20_000
"""Files and folders below the data folder that are looked at."""
_MOST = 20


def placed(settings: Effective, data: Path) -> Effective:
    """The settings with each place that the data folder holds under the same name; what was moved and what is
    not there stands in `problems`. Without the data folder nothing is known of places."""
    below = _below(data)
    environ, problems = dict(settings.environ), list(settings.problems)
    for name, value in _places(settings):
        if name in environ and (not data.is_dir() or _there(data, value)):
            continue
        found = _again(data, below, value)
        if found is not None:
            environ[name] = found
            problems.append(f"{name}={value} is not there; {found} is, and is taken")
        elif name in environ:
            problems.append(f"{name}={value} is not in {data}")
        else:
            none = f", and {data} holds none like it" if data.is_dir() else ""
            problems.append(f"{name}={value} names a place on another machine{none}")
    return replace(settings, environ=environ, problems=tuple(problems))


def _places(settings: Effective) -> Iterator[tuple[str, str]]:
    """Settings that name places: of another machine, and below the run's ./data."""
    yield from sorted(settings.elsewhere.items())
    for name, value in settings.environ.items():
        parts = PurePosixPath(value).parts
        if parts[:1] == ("data",) and len(parts) > 1:
            yield name, value


def _there(data: Path, value: str) -> bool:
    """True when ./data/... exists; a pattern counts as its folder."""
    parts = PurePosixPath(value).parts[1:]
    plain = parts[:-1] if any(c in parts[-1] for c in "*?[") else parts
    return data.joinpath(*plain).exists()


def _again(data: Path, below: Mapping[str, list[str]], value: str) -> str | None:
    """The longest end of a path that lies below the data folder, else the one thing there of that name."""
    parts = [part for part in PurePosixPath(value).parts if part not in ("/", "..", ".")]
    for start in range(len(parts)):
        if data.is_dir() and data.joinpath(*parts[start:]).exists():
            return "/".join(("./data", *parts[start:]))
    found = below.get(parts[-1], []) if parts else []
    return f"./data/{found[0]}" if len(found) == 1 else None


def _below(data: Path) -> dict[str, list[str]]:
    """What lies below the data folder, by its last name."""
    found: dict[str, list[str]] = {}
    for number, path in enumerate(data.rglob("*")):
        if number > _LOOKED:
            break
        names = found.setdefault(path.name, [])
        if len(names) < _MOST:
            names.append(path.relative_to(data).as_posix())
    return found
