"""requirements.txt of a stranger: what may be asked of an index, and what is refused.

Only names with versions are taken. Options (`--index-url`, `-e`, `-r`), addresses and paths would let the
file choose where code comes from; they are refused and told. What is taken is installed from wheels alone,
since building a source distribution runs its author's code, inside the sandbox (golf_audit.rerun.install).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec

from golf_audit.filetree import FileTree
from golf_audit.packages import ALIASES, normal, outside_imports
from golf_audit.source import Sources

FILE = "requirements.txt"
LINE_CAP = 300
COUNT_CAP = 200


@dataclass(frozen=True)
class Refused:
    """A line that is not followed, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True)
class Wanted:
    """The requirements of a submission. `present` are met by this environment, `missing` are not; `absent`
    is imported, and neither here nor required."""

    present: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    absent: tuple[str, ...] = ()


def wanted(tree: FileTree, sources: Sources) -> Wanted:
    """The folder's requirements.txt and imports against this environment."""
    file = tree.get(FILE)
    required = _required(file.text.text) if file is not None and file.text is not None else Wanted()
    return replace(required, absent=tuple(_absent(sources, (*required.present, *required.missing))))


def _absent(sources: Sources, required: Sequence[str]) -> Iterator[str]:
    """Imports without which the script does not start."""
    from packaging.requirements import Requirement

    brought = {normal(Requirement(line).name) for line in required}
    for found in outside_imports(sources):
        names = {normal(found.package), *(normal(alias) for alias in ALIASES.get(found.package, ()))}
        if not found.optional and not names & brought and find_spec(found.package) is None:
            line = f", line {found.where.line}" if found.where.line is not None else ""
            yield f"{found.package} ({found.where.file}{line})"


def _required(text: str) -> Wanted:
    present: list[str] = []
    missing: list[str] = []
    refused: list[Refused] = []
    for number, line in _lines(text):
        why = _refusal(line)
        if why or len(present) + len(missing) >= COUNT_CAP:
            refused.append(Refused(number, line[:LINE_CAP], why or f"more than {COUNT_CAP} requirements"))
        elif (met := _met(line)) is not None:
            (present if met else missing).append(line)
    return Wanted(tuple(present), tuple(missing), tuple(refused))


def installed() -> dict[str, str]:
    """Packages of this environment with their versions."""
    found = {str(d.metadata["Name"]): d.version for d in metadata.distributions() if d.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n")[:5_000], start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            yield number, line.split(" #")[0].strip()


def _refusal(line: str) -> str:
    """Why a line is not followed; empty when it is a name with versions."""
    from packaging.requirements import InvalidRequirement, Requirement

    if len(line) > LINE_CAP:
        return "too long"
    if line.startswith("-"):
        return "an option"
    if line.endswith("\\"):
        return "goes on in the next line"
    if not line.isascii() or not line.isprintable():
        return "characters that no requirement has"
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return "not a name with versions"
    return "an address" if requirement.url else ""


def _met(line: str) -> bool | None:
    """True when this environment has it, False when not, None when its marker excludes this platform."""
    from packaging.requirements import Requirement

    requirement = Requirement(line)
    if requirement.marker is not None and not requirement.marker.evaluate():
        return None
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)
