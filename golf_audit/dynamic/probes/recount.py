"""The printed bits per byte against the recorded losses over our own count of the bytes.

Our process wrote the tokens and knows the bytes behind each: by the challenge's table and the tokenizer that
the miniature was given, or by the sidecar where the run read one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from golf_audit.bpb import TOLERANCE
from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.probes.lines import Line, lines

ROUNDING = 2e-6
"""Relative: float32 sums."""


class Recount:
    """Bits per byte, counted again."""

    name = "bytes"
    shows = "that the printed bpb divides the recorded losses by the bytes of their targets, or by others"
    cannot = "judge a tokenizer or byte table of the folder's own, which the miniature does not use"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """No run: the baseline holds it."""
        return ()

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result."""
        return tuple(self._line(line, baseline.counted) for line in lines(baseline))

    def _line(self, line: Line, counted: Sequence[int]) -> Outcome:
        rules = ("B01", "B02")
        size = sum(counted[p] * n for p, n in line.counts.times.items() if 0 < p < len(counted))
        if not size or line.bpb <= 0:
            says = "the bytes of the miniature's tokens are not known"
            return Outcome(self.name, Word.VOID, says, rules, line.index)
        total, _ = line.ledger.total(line.rows)
        ours = total / math.log(2.0) / size
        share = ours / line.bpb  # counted bytes over ours
        figures = (("recounted bpb", ours), ("printed", line.bpb), ("bytes", float(size)))
        if abs(ours - line.bpb) <= line.half_of_bpb + ROUNDING * ours:
            word, says = Word.CLEAN, f"{line.bpb} is the losses over {size:,} bytes, counted by ourselves"
        elif abs(share - 1) <= TOLERANCE:
            word, says = Word.CLEAN, f"{share:.5f} times the bytes of the targets are counted"
        elif share > 1:
            word = Word.VIOLATION
            says = f"{share:.4f} times the bytes of the targets are counted: by ours {line.bpb} is {ours:.6f}"
        else:
            word, says = Word.NOTE, f"fewer bytes are counted than the targets have: {share:.4f} times ours"
        return Outcome(self.name, word, says, rules, line.index, (), figures)
