"""The nouns of an audit. Frozen, standard library only; every layer above speaks in these.

    Where     a position somebody can open            Evidence  one checkable fact at a position
    Cite      the law, its authority and its date     Finding   a claim against the submission, with its proof
    Unmet     a premise that could not be checked     Assessment  all that a rule has to say
    Rule      the law, how to look, its examples      Ruling    an Assessment judged
    Report    all rulings on one submission               Waiver    a maintainer's decision on one finding

Severity is the law's, certainty is the detector's, the verdict is one function's (audit.decide).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Severity(Enum):
    """What breaking a rule means for a submission."""

    DISQUALIFYING = "D"
    INCOMPLETE = "I"
    ADVISORY = "A"


class Certainty(Enum):
    """How sure the detector is of one finding."""

    SHOWN = "shown"  # the evidence itself shows it
    LIKELY = "likely"  # a run or a person could still show otherwise
    HINT = "hint"  # worth a note, decides nothing


class Authority(Enum):
    """Who says that it is so. Only README and ORGANISER can settle a law."""

    README = "README of the challenge"
    ORGANISER = "organiser's ruling"
    PRACTICE = "accepted practice"
    COMMUNITY = "community"


class Verdict(Enum):
    """The word on one rule. The order is that of a report: worst first."""

    FAIL = "fail"
    NEEDS_RULING = "needs-ruling"
    UNDETERMINED = "undetermined"
    PASS = "pass"
    NOT_APPLICABLE = "not-applicable"


class Track(Enum):
    """The leaderboard a folder belongs to, told by where it lies in the repository."""

    RECORD = "record"
    NON_RECORD = "non-record"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Where:
    """A position: file (POSIX path inside the submission folder), peeled layer (0 = the file itself),
    1-based line and column, or a JSON pointer. `quote` is the text found there, unescaped. `payload_line` is
    the line of the file itself that holds the packed layer (None for layer 0 or where it is not known)."""

    file: str
    line: int | None = None
    column: int | None = None
    layer: int = 0
    pointer: str | None = None
    quote: str = ""
    payload_line: int | None = None


class Kind(Enum):
    """What sort of fact a piece of evidence is."""

    SOURCE = "source"
    LOG = "log"
    CLAIM = "claim"
    README = "readme"
    FILE = "file"
    GIT = "git"
    COMPUTED = "computed"
    TABLE = "table"
    TRACE = "trace"
    RUN = "run"


@dataclass(frozen=True)
class Evidence:
    """One checkable fact: what it says, and where a reviewer can see it (None for a computed figure)."""

    kind: Kind
    says: str
    where: Where | None = None


@dataclass(frozen=True)
class Fault:
    """Something in a submission that could not be read; data, not an exception. Rules judge it."""

    what: str  # a sentence: "not valid UTF-8", "a symbolic link, not followed"
    where: Where


@dataclass(frozen=True)
class Cite:
    """The law behind a finding. It binds from `since` on; `source` is a README section or #number.

    `disputed` is set where organisers' practice or rulings point both ways."""

    authority: Authority
    source: str
    says: str
    since: dt.date
    disputed: bool = False

    def settles(self, as_of: dt.date) -> bool:
        """True when this citation alone decides the matter on that date."""
        official = self.authority in (Authority.README, Authority.ORGANISER)
        return official and not self.disputed and self.since <= as_of


@dataclass(frozen=True)
class Precedent:
    """A pull request that was decided on this question, and how."""

    pr: int
    outcome: str  # "accepted", "closed", "withdrawn", "contested"
    note: str = ""


@dataclass(frozen=True)
class Waiver:
    """A maintainer's decision to let one finding stand. It names a folder, a state of one, or both.

    `fingerprint` is the finding's (golf_audit.fingerprint), `submission` the folder's sha256 or its start."""

    rule: str
    fingerprint: str
    reason: str
    who: str
    expires: dt.date  # the last day on which it holds
    folder: str = ""
    submission: str = ""


class WaiverState(Enum):
    """What became of a waiver that names an audited folder."""

    APPLIED = "applied"
    UNUSED = "unused"  # no finding of that fingerprint is there now
    EXPIRED = "expired"


@dataclass(frozen=True)
class Finding:
    """A claim against the submission. `evidence` holds at least one item, the decisive one first.

    `proof` marks a LIKELY finding whose fingerprint the rule names as proof (CATALOGUE V04)."""

    message: str
    certainty: Certainty
    law: Cite
    evidence: tuple[Evidence, ...]
    to_change: str = ""
    precedents: tuple[Precedent, ...] = ()
    proof: bool = False
    waived: Waiver | None = None

    def __post_init__(self) -> None:
        if not self.evidence:
            raise ValueError(f"a finding carries evidence: {self.message}")


class Awaits(Enum):
    """What would have to be built or run before a rule can be judged."""

    TRACE = "trace"
    RERUN = "rerun"
    NOT_BUILT = "not built"


@dataclass(frozen=True)
class Unmet:
    """A premise that could not be checked: what is missing, and what would supply it."""

    missing: str
    supply: str = ""
    awaits: Awaits | None = None


@dataclass(frozen=True)
class Assessment:
    """All that a rule has to say. `basis` is what a pass rests on; `notes` decide nothing."""

    findings: tuple[Finding, ...] = ()
    unmet: tuple[Unmet, ...] = ()
    notes: tuple[Evidence, ...] = ()
    basis: tuple[Evidence, ...] = ()
    not_applicable: str = (
        ""  # the reason, when the subject does not occur or the rule does not bind this track
    )


@dataclass(frozen=True)
class Example:
    """A small submission that shows a rule: files by name. It is the rule's test and its page.

    `title` is a sentence; `verdict` what the rule must say of it; `expects` a phrase of its
    reason or messages. The files make a folder as it would be handed in."""

    title: str
    files: Mapping[str, str]
    verdict: Verdict
    expects: str = ""
    track: Track = Track.RECORD
    as_of: dt.date = dt.date(2026, 5, 1)


@dataclass(frozen=True)
class Rule:
    """One demand of the challenge. `doc` holds the title in its first line, then Law, Look and Blind."""

    id: str
    doc: str
    severity: Severity
    evidence: str  # of T text, L logs, G git, X a run; brackets mark a secondary source: "X (T)"
    check: Callable[[Any], Assessment]  # Any: submission.Case, which this layer must not import
    cites: tuple[Cite, ...] = ()
    precedents: tuple[Precedent, ...] = ()
    tracks: tuple[Track, ...] = (Track.RECORD, Track.NON_RECORD, Track.UNKNOWN)
    examples: tuple[Example, ...] = ()

    @property
    def title(self) -> str:
        """The demand in one sentence."""
        return self.doc.strip().splitlines()[0].rstrip(".")

    @property
    def reading_decides(self) -> bool:
        """True when text, logs or git can settle the rule without a run (DESIGN section 4)."""
        outside_brackets = self.evidence.split("(")[0]
        return any(source in outside_brackets for source in "TLG")


@dataclass(frozen=True)
class Ruling:
    """An assessment judged: the verdict on one rule and the sentence that gives the reason.

    `waived`: every finding that led to the verdict is waived and nothing else is open. The verdict stays, its
    effect on the exit code does not. Where only some are waived, the verdict is that of the others."""

    rule: Rule
    verdict: Verdict
    reason: str
    assessment: Assessment
    waived: bool = False


@dataclass(frozen=True)
class Head:
    """What was audited: commit (empty for a plain folder), pull request, folder fingerprint (sha256)."""

    folder: str
    fingerprint: str
    commit: str = ""
    pr: int | None = None


@dataclass(frozen=True)
class Crash:
    """A rule that raised: the report names it and the exit code is 4."""

    rule: str
    error: str


@dataclass(frozen=True)
class Report:
    """The whole answer on one submission. Equal inputs give equal reports: no clock, no absolute path."""

    head: Head
    track: Track
    as_of: dt.date
    claim: str  # "claims 1.01355 (3 seeds)"; empty when nothing is claimed
    rulings: tuple[Ruling, ...]
    configuration: tuple[Any, ...] = ()  # runconfig.Setting, printed by report/
    crashes: tuple[Crash, ...] = ()
    restricted_to: tuple[str, ...] = ()  # rule ids, when --rule narrowed the audit
    waivers: tuple[tuple[Waiver, WaiverState], ...] = ()  # those that name this folder
    figures: Any = None  # figures.Figures, what a page draws; None where it was not asked for
    lineage: Any = None  # lineage.Lineage, when --parent was given; printed by report/
