"""What does the script do by itself? The declared configuration counts; its own defaults are run beside it.

Where both differ in a switch, one of them may adapt where the other does not, and the declaration is only
what a README, a submission.json or a log says.
"""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Variation, Word
from golf_audit.dynamic.observed import Truth, observe
from golf_audit.dynamic.probes.documents import document_starts
from golf_audit.observation import Result, count

_NAMES = 4


class Defaults:
    """The script as it runs without any declared setting."""

    name = "defaults"
    shows = "what the script prints with its own defaults, and whether it was scored before it was trained on"
    cannot = "decide a rule: the claim is about the declared run"

    def __init__(self, *, run: bool) -> None:
        self._run = run

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run where a switch differs."""
        return (Variation("defaults", defaults=True),) if self._run and baseline.differing else ()

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome on the whole run."""
        switches = _listed(baseline.differing)
        if not baseline.differing:
            return (Outcome(self.name, Word.CLEAN, "the declared switches are those of the script itself"),)
        if not extra:
            says = f"declared is {switches}; --probes full runs the script's own defaults too"
            return (Outcome(self.name, Word.NOTE, says),)
        other = extra[0]
        if other.ending is not Ending.OK:
            says = f"declared is {switches}; with its own defaults the script does not run: {other.reason}"
            return (Outcome(self.name, Word.VOID, says),)
        results = _results(other)
        late = [result for result in results if result.late]
        says = f"declared is {switches}; with its own defaults the script {_said(results)}"
        figures = (("results", float(len(results))), ("with late scores", float(len(late))))
        return (Outcome(self.name, Word.NOTE, says, ("T01",) if late else (), figures=figures),)


def _results(other: RunResult) -> Sequence[Result]:
    """What that run printed."""
    exempt = frozenset(document_starts(other)[1:])
    _, results = observe(other, Truth(exempt, other.counted, other.tokens), other.job.script)
    return results


def _said(results: Sequence[Result]) -> str:
    """The printed results by what stands behind them, in one clause."""
    groups: dict[str, list[str]] = {}
    for result in results:
        groups.setdefault(_about(result), []).append(result.name)
    if not groups:
        return "prints no result"
    told = (f"{_listed(tuple(dict.fromkeys(names)))} ({about})" for about, names in groups.items())
    return f"prints {'; '.join(told)}"


def _about(result: Result) -> str:
    if not result.attested:
        return "not attested"
    if result.late:
        late = f"{count(result.late):,} of {result.targets:,} targets"
        return f"attested; {late} scored after a gradient on them"
    return "attested; none scored after a gradient on it"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMES} more" if len(texts) > _NAMES else ""
    return ", ".join(texts[:_NAMES]) + more
