"""What instrumented runs of a ledger show of the claimed number, at full size: which positions are behind it.

An instrumented run is another run than the timed one, with the same program and configuration: its score is
not compared with anything. All that it says comes from the process in which the submission runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from golf_audit.reruns.view import Rerun, runs_in
from golf_audit.submission import Case


@dataclass(frozen=True)
class Positions:
    """The word of one instrumented run; `entry` is the number of the ledger's entry that holds it."""

    run: Rerun
    entry: int
    body: Mapping[str, Any]

    @property
    def attested(self) -> bool:
        return bool(self.body["attested"])

    @property
    def targets(self) -> int:
        return int(self.body["targets"])

    @property
    def late(self) -> int:
        """Targets that were counted after a gradient on them into something that lasts."""
        return int(self.body["late"]["count"]) - int(self.body["scratch"])

    @property
    def scratch(self) -> int:
        return int(self.body["scratch"])

    @property
    def counted(self) -> int:
        """Targets that are behind the number."""
        return self.targets - int(self.body["missing"]["count"])

    def outside_last_window(self, kind: str) -> int:
        """How many targets are `missing` or `repeated` before the last window; at its end loaders round."""
        border = self.targets + 1 - max(int(self.body["window"]), 1)
        spans: list[list[int]] = self.body[kind]["spans"]
        unlisted = int(self.body[kind]["count"]) - sum(b - a for a, b in spans)
        return unlisted + sum(min(b, border) - a for a, b in spans if a < border)

    @property
    def who(self) -> str:
        """The run, for a sentence: "the instrumented run of seed 42 (2 ranks, ledger entry 4)"."""
        ranks = int(self.body["ranks"])
        many = f"{ranks} ranks, " if ranks != 1 else ""
        return f"the instrumented run of seed {self.run.seed} ({many}ledger entry {self.entry})"


def instrumented(case: Case) -> tuple[Positions, ...]:
    """The last word on each seed, in the ledger's order; none of a ledger that was altered."""
    ledger = case.ledger
    if ledger is None or ledger.problems:
        return ()
    runs = {run.start.n: run for run in runs_in(ledger, case.submission, instrumented=True).runs}
    found: dict[int, Positions] = {}
    for entry in ledger.of("positions"):
        run = runs.get(entry.body["start"])
        if run is not None and run.finished:
            found.pop(run.seed, None)
            found[run.seed] = Positions(run, entry.n, entry.body)
    return tuple(found.values())
