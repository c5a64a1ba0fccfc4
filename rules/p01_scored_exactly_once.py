"""The reported number scores each validation token exactly once.

Law    One left-to-right pass; rescoring with a filled cache or adapted weights was ruled out
       (organiser on #846 and others, 2026-03-27, in #677; #991).
Look   Count the scores of each position behind the reported number. Missing less than one
       evaluation sequence per rank at the end, or repeats inside the last window (#549 family), is
       noted in windows.
Blind  Diagnostic evaluations before the reported one are normal and do not count.
"""

from golf_audit.joining import joined
from golf_audit.law import ONE_PASS
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
    Verdict,
)
from golf_audit.static.asking import basis, certainty, dormant, place, premises, witness
from golf_audit.static.example import SCORED_THEN_TRAINED, files
from golf_audit.static.example_caches import BYTE_COUNTS, HASHED, TWO_PASSES
from golf_audit.static.leaks import Kind as Leaking
from golf_audit.static.leaks import leaks
from golf_audit.static.tables import rescored
from golf_audit.static.tails import repeated_tail
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Overlap, Score

_LENGTHS = ("eval_seq_len", "eval_context", "train_seq_len")
PRECEDENTS = (
    Precedent(846, "closed", "rescored with the cache of a first pass"),
    Precedent(991, "closed"),
    Precedent(549, "accepted", "repeats only inside the last window"),
)


@whichever
def check(case: Case) -> Assessment:
    timeline = case.timeline
    findings = [
        _finding(case, x.score, x.adapt, x.overlap) for x in leaks(timeline) if x.kind is Leaking.RESCORE
    ]
    findings += [_finding(case, x.score, x.table, x.overlap) for x in rescored(timeline)]
    read = Assessment(
        tuple(findings),
        premises(case),
        (*_tail(case), *dormant(case, "P01", lambda score, adapt: f"the number {_twice(score, adapt)}")),
        basis(case),
    )
    return joined(case, "P01", read, ONE_PASS, precedents=PRECEDENTS)


def _tail(case: Case) -> tuple[Evidence, ...]:
    """The note on windows past the last full one (#549 family), counted where both lengths are settings."""
    sources = case.submission.sources
    found = (repeated_tail(sources, score) for score in case.timeline.scores())
    where = next((where for where in found if where is not None), None)
    if where is None:
        return ()
    config = case.submission.config
    length = next((s for n in _LENGTHS if (s := _positive(config.get(n)))), None)
    stride = _positive(config.get("eval_stride"))
    windows = f"{length // stride - 1} windows" if length and stride and length > stride else "the windows"
    says = f"the last targets are scored again by {windows} that begin less than a context before the end"
    return (Evidence(Kind.SOURCE, f"{says} (as in #549)", where),)


def _positive(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() and int(text) > 0 else None


def _twice(score: Score, adapt: Adapt) -> str:
    return (
        f"scores tokens ({place(score.where)}) after an earlier pass over them has filled "
        f"{adapt.parameters} ({place(adapt.where)})"
    )


def _finding(case: Case, score: Score, adapt: Adapt, overlap: Overlap) -> Finding:
    sure = certainty(case.timeline, score, adapt, overlap)
    evidence = (
        *witness("the score that is reported", score),
        *witness(f"{adapt.parameters} was filled here, by an earlier pass over the same tokens", adapt),
    )
    return Finding(
        f"the claimed number {_twice(score, adapt)}",
        Certainty.LIKELY if overlap is Overlap.POSSIBLE else sure,
        ONE_PASS,
        evidence,
        "report the first pass: score a token, then learn from it, and never come back",
        PRECEDENTS,
    )


_SLIDING = """
length, stride = 1024, 64
starts = [ws for ws in range(0, len(tokens) - 1, stride) if min(ws + length, len(tokens) - 1) - ws >= 1]
for ws in starts:
    x, y = piece(tokens, ws, min(length, len(tokens) - 1 - ws))
    with torch.no_grad():
        nll = model(x, y)
    fresh = nll[:, 0 if ws == 0 else max(nll.shape[1] - stride, 0) :]
    total += fresh.sum().item()
    count += fresh.numel()
"""
RULE = Rule(
    id="P01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(ONE_PASS,),
    precedents=PRECEDENTS,
    examples=(
        Example("A fixed model is scored.", files(), Verdict.PASS),
        Example("Adaptation after each score.", files(SCORED_THEN_TRAINED), Verdict.PASS),
        Example(
            "Sliding windows that go on to the last token: a note.",
            files(_SLIDING),
            Verdict.PASS,
            "the last targets are scored again by",
        ),
        Example(
            "One pass with a cache of what came before (Q01 judges the mixture).", files(HASHED), Verdict.PASS
        ),
        Example(
            "Scores first, then one pass over the text with a cache of what came before.",
            files(BYTE_COUNTS),
            Verdict.PASS,
        ),
        Example(
            "A first pass fills the cache, a second is scored with it.",
            files(TWO_PASSES),
            Verdict.FAIL,
            "earlier pass",
        ),
    ),
)
