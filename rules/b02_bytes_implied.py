"""Logged loss, bpb and token count imply the canonical byte count.

Law    The score is bits per byte of the validation text; changes to tokenizer or data must prove that it
       is calculated correctly (README). The split is fixed: 151.08 million bytes.
Look   bytes = loss / ln 2 * tokens / bpb on the claimed line. Without a token count, the ratio loss / bpb
       against the constant of the run's tokenizer. Within 0.3 %: pass. A factor with a known cause: fail.
       A claimed line whose loss and bpb fit each other otherwise than on the run's other lines: a note.
Blind  Mixtures that print a bpb of another metric; a wrong table that happens to sum to the right total.
       A count under 99 % is a partial split: B04. Byte fallback tables (1.210) are B01's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from golf_audit import specimen
from golf_audit.bpb import (
    CANONICAL_BYTES,
    PARTIAL,
    SUBSET_SHIFT,
    TOKENIZERS,
    Factor,
    factor_of,
    implied_bytes,
    near,
    tokenizer_of,
    tokenizers_with,
)
from golf_audit.joining import joined
from golf_audit.law import BPB_CORRECT
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Unmet,
    Verdict,
)
from golf_audit.premises import logs_of_the_claim, loss_beside, name_of, vocabulary
from golf_audit.submission import Case
from golf_audit.trainlog import Final, Run

PRECEDENTS = (
    Precedent(1545, "withdrawn", "leading space counted twice"),
    Precedent(1576, "closed", "the same"),
    Precedent(2138, "withdrawn", "CaseOps without its sidecar: 0.9796 became 1.0672"),
)
EVEN = 2e-4
"""Relative: 1,738 of 1,817 logs with several such lines lie within it; most others score a part."""
_MIXTURE = re.compile(r"ppm|mix(?!ed)|n-?gram|cache|slot|blend|tilt", re.IGNORECASE)


@dataclass(frozen=True)
class Counting:
    """Counted bytes over canonical bytes for one run, and how that was told."""

    share: float
    says: str


def check(case: Case) -> Assessment:
    return joined(case, "B02", _read(case), BPB_CORRECT, precedents=PRECEDENTS)


def _read(case: Case) -> Assessment:
    findings: list[Finding] = []
    unmet = list(logs_of_the_claim(case))
    basis: list[Evidence] = []
    notes: list[Evidence] = []
    for line in case.submission.support.lines:
        pair = loss_beside(line.run, line.final)
        notes += _uneven(line.run, pair)
        if pair is None or pair.loss is None:
            message = f"{name_of(line.run)}: the claimed line prints no loss"
            unmet.append(Unmet(message, "log val_loss beside val_bpb"))
            continue
        counting = _counting(line.run, pair)
        if counting is None:
            ratio = f"loss / bpb {pair.loss / pair.bpb:.4f} is no known tokenizer's"
            message = f"{name_of(line.run)}: no token count, and {ratio}"
            unmet.append(Unmet(message, "log the number of validation tokens"))
            continue
        evidence = Evidence(Kind.COMPUTED, f"{name_of(line.run)}: {counting.says}", pair.where(line.run.file))
        factor = factor_of(counting.share)
        if near(counting.share, 1.0):
            basis.append(evidence)
        elif counting.share < PARTIAL:
            unmet.append(Unmet(f"{evidence.says}: a part of the split or another metric, see B04"))
        elif factor is not None:
            findings.append(_finding(line.run, pair, counting, factor, evidence))
        else:
            unmet.append(
                Unmet(
                    f"{evidence.says}: no known cause",
                    "B01 reads the byte table; golf-audit trace FOLDER counts the bytes again",
                )
            )
    return Assessment(tuple(findings), tuple(unmet), tuple(notes), tuple(basis))


def _uneven(run: Run, pair: Final | None) -> list[Evidence]:
    """A claimed loss and bpb that fit neither a known tokenizer nor the run's other exact lines."""
    if pair is None or pair.loss is None or pair.decimals < 6:
        return []
    ratio = pair.loss / pair.bpb
    if any(abs(ratio / tokenizer.loss_per_bpb - 1) <= EVEN for tokenizer in TOKENIZERS):
        return []  # it is the other line, of an evaluation that nobody claims, that stands apart
    others = [f for f in run.finals if f.loss is not None and f.decimals >= 6 and f.key == pair.key]
    far = max(others, key=lambda f: abs((f.loss or 0.0) / f.bpb / ratio - 1), default=pair)
    other = (far.loss or 0.0) / far.bpb
    if not EVEN < abs(other / ratio - 1) < SUBSET_SHIFT:
        return []
    says = (
        f"{name_of(run)}: loss / bpb is {ratio:.5f} on the claimed line and {other:.5f} on {far.name} "
        f"(line {far.line}); over the same text one run prints one ratio"
    )
    return [Evidence(Kind.COMPUTED, says, pair.where(run.file))]


def _counting(run: Run, pair: Final) -> Counting | None:
    assert pair.loss is not None
    if run.val_tokens is not None:
        counted = implied_bytes(pair.loss, pair.bpb, run.val_tokens.value)
        share = counted / CANONICAL_BYTES
        over = f"over {run.val_tokens.value:,} tokens, {share:.4f} of the text's"
        return Counting(share, f"{counted / 1e6:.2f} million bytes counted {over}")
    ratio = pair.loss / pair.bpb
    path = run.tokenizer.value if run.tokenizer is not None else ""
    fitting = tokenizers_with(vocabulary(run), path)
    tokenizer = tokenizer_of(ratio, fitting or TOKENIZERS)
    if tokenizer is None:
        off = [t for t in fitting if factor_of(ratio / t.loss_per_bpb) is not None]
        tokenizer = off[0] if len(off) == 1 else None
    if tokenizer is None:
        return None
    share = ratio / tokenizer.loss_per_bpb
    return Counting(
        share, f"loss / bpb {ratio:.5f}, {share:.4f} of {tokenizer.name}'s {tokenizer.loss_per_bpb:.5f}"
    )


def _finding(run: Run, pair: Final, counting: Counting, factor: Factor, evidence: Evidence) -> Finding:
    mixed = _MIXTURE.search(pair.tag) is not None
    return Finding(
        f"{name_of(run)}: {counting.share:.4f} times the bytes of the validation text are counted "
        f"({factor.cause}); by the text's own bytes {pair.bpb:.5f} is {pair.bpb * counting.share:.5f}",
        Certainty.LIKELY if mixed else Certainty.SHOWN,
        BPB_CORRECT,
        (evidence,),
        "count the bytes with the challenge's own table and score again",
        PRECEDENTS,
    )


RULE = Rule(
    id="B02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="L",
    check=check,
    cites=(BPB_CORRECT,),
    precedents=PRECEDENTS,
    examples=(
        Example(
            "The canonical bytes.", specimen.folder(specimen.log()), Verdict.PASS, "million bytes counted"
        ),
        Example(
            "Without a token count the tokenizer's constant answers.",
            specimen.folder(specimen.log(tokens=None)),
            Verdict.PASS,
            "SP8192",
        ),
        Example(
            "A tokenizer that nobody else uses, with its token count, is fine.",
            specimen.folder(specimen.log(ratio=2.0, tokens=52_360_000)),
            Verdict.PASS,
            "million bytes counted",
        ),
        Example(
            "Leading spaces counted twice.",
            specimen.folder(specimen.log(ratio=specimen.SP8192 * 1.177)),
            Verdict.FAIL,
            "leading space of a piece counted twice",
        ),
        Example(
            "Transformed text counted instead of the original.",
            specimen.folder(specimen.log(ratio=2.18837 * 1.0895, tokens=47_851_520)),
            Verdict.FAIL,
            "sidecar",
        ),
        Example(
            "A deviation without a known cause stays open.",
            specimen.folder(specimen.log(ratio=specimen.SP8192 * 1.05)),
            Verdict.UNDETERMINED,
            "no known cause",
        ),
        Example(
            "A partial split is another rule's.",
            specimen.folder(specimen.log(tokens=9_662_464)),
            Verdict.UNDETERMINED,
            "see B04",
        ),
        Example(
            "A claimed line whose bpb does not fit its loss as the line before it does is noted.",
            specimen.folder(
                specimen.log().replace(
                    f"val_bpb:{1.0801:.8f} eval_time:412000ms", "val_bpb:1.07910000 eval_time:412000ms"
                ),
                submission=specimen.claim(1.0791),
            ),
            Verdict.PASS,
            "one run prints one ratio",
        ),
        Example("No log, no figures.", specimen.folder(), Verdict.UNDETERMINED, "no training log"),
    ),
)
