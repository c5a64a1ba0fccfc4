"""What instrumented runs of a ledger add to one rule: the order and the count of positions at full size."""

from __future__ import annotations

from dataclasses import replace

from golf_audit.joining.seen import quoted
from golf_audit.model import Assessment, Certainty, Cite, Evidence, Finding, Kind, Precedent, Where
from golf_audit.reruns.instrumented import Positions, instrumented
from golf_audit.static.leaks import leaks
from golf_audit.submission import Case

ORDER = frozenset({"T01", "T02", "Q03", "P01"})
"""Rules that a gradient before a score may break; reading says which of them it is."""


def with_counts(
    case: Case,
    rule: str,
    found: Assessment,
    law: Cite,
    to_change: str = "",
    precedents: tuple[Precedent, ...] = (),
) -> Assessment:
    """The assessment with the word of every instrumented run. Nothing that reading left open is settled by a
    clean one alone: what it cannot see is only in memory, not in gradients."""
    for positions in instrumented(case) if rule in ORDER else ():
        if not positions.attested:
            says = f"{positions.who} does not speak: {positions.body['why']}"
            found = replace(found, notes=(*found.notes, Evidence(Kind.RUN, says)))
            continue
        broken = _late(case, rule, positions) or (_count(positions) if rule == "P01" else None)
        if broken is not None:
            says, sure = broken
            certainty = Certainty.SHOWN if sure else Certainty.LIKELY
            evidence = (Evidence(Kind.RUN, f"{positions.who}: {says}"), *_places(case, positions))
            finding = Finding(f"at full size {says}", certainty, law, evidence, to_change, precedents)
            found = replace(found, findings=(finding, *found.findings), not_applicable="")
        elif rule in ("T01", "P01"):
            found = _clean(found, Evidence(Kind.RUN, f"{positions.who}: {_fine(rule, positions)}"))
    return found


def _late(case: Case, rule: str, positions: Positions) -> tuple[str, bool] | None:
    """Scores after gradients on their own targets, where they are this rule's. Sure where reading found the
    same way: weights that are put back afterwards (V05) look alike to a run without a perturbation."""
    kinds = {leak.kind.value for leak in leaks(case.timeline)} & ORDER
    if positions.scratch and rule == "Q03":
        share = f"{positions.scratch:,} of {positions.targets:,} targets"
        return f"{share} were scored with tensors fitted to them", "Q03" in kinds
    if not positions.late or rule not in (kinds - {"Q03"} or {"T01"}):
        return None
    says = f"{positions.late:,} of {positions.targets:,} targets were scored after a gradient on them"
    return says, rule in kinds


def _count(positions: Positions) -> tuple[str, bool] | None:
    """Targets that the number counts twice or leaves out, before the last window."""
    repeated, missing = map(positions.outside_last_window, ("repeated", "missing"))
    if repeated:
        return f"the claimed number counts {repeated:,} of {positions.targets:,} targets more than once", True
    if missing:
        return f"the claimed number leaves {missing:,} of {positions.targets:,} targets out", False
    return None


def _places(case: Case, positions: Positions) -> tuple[Evidence, ...]:
    found = []
    for place in positions.body["places"][:3]:
        name, _, line = place.rpartition(":")
        if line.isdecimal() and int(line) and positions.late:
            found.append(Evidence(Kind.RUN, "a gradient on them came from here", _at(case, name, int(line))))
    return tuple(found)


def _at(case: Case, name: str, line: int) -> Where:
    """A place that a run named; unpacked text belongs to the script that it was packed in."""
    entry = case.submission.sources.entry
    if name.startswith("<layer ") and name[7:-1].isdecimal() and entry is not None:
        return quoted(case, Where(entry, line, layer=int(name[7:-1])))
    return quoted(case, Where(name, line))


def _fine(rule: str, positions: Positions) -> str:
    if rule == "P01":
        return f"the claimed number counts each of {positions.counted:,} targets once"
    exempt = int(positions.body["exempt"])
    but = f", {exempt:,} that count no bytes aside" if exempt else ""
    return f"each of {positions.counted:,} targets was scored before a gradient on it{but}"


def _clean(found: Assessment, says: Evidence) -> Assessment:
    """A basis of a pass; where something is open, a note beside it."""
    if found.findings or found.unmet:
        return replace(found, notes=(*found.notes, says))
    return replace(found, basis=(*found.basis, says))
