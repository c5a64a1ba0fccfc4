"""What a submission has of its parent: who that is, and what differs. Frozen data, printed by report/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

from golf_audit.model import Head, Where


class Word(IntEnum):
    """How plainly a text calls another submission its base, weakest first. Up to STACK the code has to
    show it: "unlike the #1855 stack" has the same words."""

    CREDITED = 0  # named in whatever words
    COMPARED = 1  # "improvement over #549", comparison_baseline_pr
    STACK = 2  # "the #1787 stack", "inherited from", a number in the folder's name
    BUILT = 3  # "built on", "based on", "on top of", "starts from", "extends"
    FORKED = 4  # "forked from", "Base: PR #1019", "parent PR"
    DECLARED = 5  # base_pr and its kin in submission.json


@dataclass(frozen=True)
class Name:
    """A submission as a text names it: by number, by folder, or by both."""

    pr: int | None
    folder: str = ""  # its own name, without the folders around it

    def __str__(self) -> str:
        return f"#{self.pr}" if self.pr is not None else self.folder


@dataclass(frozen=True)
class Mention:
    """One place that names another submission. `says` is the word or the key that makes it a base."""

    name: Name
    word: Word
    says: str
    where: Where


@dataclass(frozen=True)
class Named:
    """What the texts of a submission say of its parent.

    `candidates`: the names that the plainest word gives, in the order of the text; one is an answer, several
    are told apart by their code. `others` are named less plainly; `refused` cannot be a parent, with the
    reason."""

    candidates: tuple[Mention, ...] = ()
    others: tuple[Mention, ...] = ()
    refused: tuple[tuple[Mention, str], ...] = ()


@dataclass(frozen=True)
class Difference:
    """A setting that the two runs have differently; None where one does not have it."""

    name: str
    ours: str | None
    theirs: str | None
    where: Where | None  # where ours is stated; theirs, where we do not have it
    switch: bool  # turns something on or off


@dataclass(frozen=True)
class Figure:
    """A claimed figure of both; None where one does not state it."""

    ours: float | None
    theirs: float | None

    @property
    def difference(self) -> float | None:
        return self.ours - self.theirs if self.ours is not None and self.theirs is not None else None


class Sameness(Enum):
    """How the code of the two runs compares."""

    BYTES = "the same files"
    CODE = "the same code, packed or laid out otherwise"
    CHANGED = "changed"
    UNREAD = "not comparable"


@dataclass(frozen=True)
class CodeDifference:
    """Functions of everything that the two runs execute. A class body and a module's own statements count as
    one function each. `share` is the part of the code, by size, that is the same."""

    sameness: Sameness
    same: int = 0
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: int = 0  # among `same`: equal up to names
    share: float = 0.0
    why: str = ""  # UNREAD: what could not be read

    @property
    def total(self) -> int:
        """Functions that the child has."""
        return self.same + len(self.changed) + len(self.added)


class State(Enum):
    """What the parent has to do with a finding."""

    INHERITED = "inherited"  # the parent is found to do the same, by the same code or words
    SHARED = "shared"  # the parent breaks the same rule, by other code or by its own runs
    NEW = "new"  # the rule holds for the parent, or does not bind it
    UNKNOWN = "unknown"  # the rule is undecided for the parent


@dataclass(frozen=True)
class Kinship:
    """One finding of the child, or its ruling where it has no finding, held against the parent.

    `index` counts the rulings' judged findings. `says` is the sentence for a reader; `where` lies in the
    parent."""

    rule: str
    index: int | None
    state: State
    says: str
    where: Where | None = None


@dataclass(frozen=True)
class Gone:
    """A rule that the parent breaks or leaves open and that holds for the child."""

    rule: str
    says: str


@dataclass(frozen=True)
class Parent:
    """The parent as it was read, judged by the law of the child's day."""

    head: Head
    claim: str
    verdict: str  # outcome.Word
    how: str  # "given with --parent", "submission.json, base_pr", "README, \"built on\""
    where: Where | None  # the place in the child that names it


@dataclass(frozen=True)
class Comparison:
    """Child against parent."""

    parent: Parent
    findings: tuple[Kinship, ...]
    gone: tuple[Gone, ...]
    settings: tuple[Difference, ...]
    figures: Mapping[str, Figure]
    code: CodeDifference


@dataclass(frozen=True)
class Origin:
    """The eldest of the line that has an inherited finding of this rule. `through` are those between it and
    the child; `ends` is False where the line is not known further."""

    rule: str
    eldest: Head
    through: tuple[Head, ...]
    ends: bool


@dataclass(frozen=True)
class Lineage:
    """The answer of --parent: a comparison, or the reason why there is none.

    `notes` are sentences worth saying: the parent is a later pull request, the names go in a circle. `line`
    names the parents of the parent as far as texts tell."""

    comparison: Comparison | None
    named: Named
    why: str = ""
    notes: tuple[str, ...] = ()
    line: tuple[Name, ...] = ()
    origins: tuple[Origin, ...] = ()
