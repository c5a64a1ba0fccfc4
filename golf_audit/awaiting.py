"""What a rule says while the engine it asks is not built or was not run. Never a pass."""

from __future__ import annotations

from collections.abc import Callable

from golf_audit.model import Assessment, Awaits, Unmet
from golf_audit.submission import Case

_SENTENCE = {
    Awaits.NOT_BUILT: "the engine that follows the order of events through the code is not built yet",
    Awaits.TRACE: "only a run of the submission shows it",
    Awaits.RERUN: "only reruns with the claimed seeds show it",
}
_SUPPLY = {
    Awaits.NOT_BUILT: "",
    Awaits.TRACE: "golf-audit trace FOLDER",
    Awaits.RERUN: "golf-audit rerun FOLDER",
}


def awaits(what: Awaits) -> Callable[[Case], Assessment]:
    """A check that is undetermined and names what it waits for."""

    def check(case: Case) -> Assessment:
        return Assessment(unmet=(Unmet(_SENTENCE[what], _SUPPLY[what], what),))

    return check
