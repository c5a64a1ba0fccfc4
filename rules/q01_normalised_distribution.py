"""The scored probability belongs to a full normalised distribution.

Law    Hashed caches that mix only the realised token's probability were ruled out (organiser on
       #779 and #982, 2026-03-27); byte mixtures by PPM-D on the record track likewise (organiser on
       #2103, 2026-05-02).
Look   The reported score must come from a softmax over the whole vocabulary, or from a mixture that
       is renormalised. Softcaps, one temperature for all, and closed-form renormalised tilts pass.
       What every target would get alike, one number under a key of the prefix, adds to no distribution.
       Mixtures normalised over bytes, exact full-vocabulary causal caches and Dirichlet caches need
       a ruling. A run compares each loss with that of a softmax; of a mixture it scores one target again
       as every token of the vocabulary and sums their probabilities.
Blind  Whether native code normalises is seen by a run only.
"""

from golf_audit.joining import joined
from golf_audit.law import BYTE_MIXTURE, CACHES_UNRULED, EVEN_EXPERT, NORMALISED, disputed
from golf_audit.model import (
    Assessment,
    Certainty,
    Cite,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Track,
    Verdict,
)
from golf_audit.static.asking import basis, dormant, first_of, place, premises, witness
from golf_audit.static.example import ROUTED, SCORED_THEN_TRAINED, files
from golf_audit.static.example_caches import (
    BYTE_COUNTS,
    CONTEXT_KEY,
    DICTIONARY,
    EXACT_ROWS,
    HASHED,
    HEDGED,
    SWITCHED_HASHED,
    TILTED,
)
from golf_audit.static.tables import mixed_in
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Score

PRECEDENTS = (
    Precedent(779, "closed", "a hashed cache that speaks of the realised token only"),
    Precedent(982, "closed"),
    Precedent(2103, "closed", "the token's probability divided among its bytes, mixed with byte counts"),
    Precedent(948, "contested", "Dirichlet smoothing"),
    Precedent(1514, "accepted", "one id is tilted and the distribution renormalised"),
)


@whichever
def check(case: Case) -> Assessment:
    timeline = case.timeline
    mixed = {score.where: score for score in reversed(timeline.scores()) if mixed_in(timeline, score)}
    findings = tuple(_finding(case, score) for score in mixed.values())
    notes = dormant(case, "Q01", _mixed)
    read = Assessment(findings, premises(case), notes, basis(case))
    return joined(case, "Q01", read, _law_of_a_sum(findings))


def _finding(case: Case, score: Score) -> Finding:
    timeline = case.timeline
    tables = mixed_in(timeline, score)
    gold = not score.normalised
    sure = not timeline.blocking_gaps() and gold
    evidence = [Evidence(Kind.SOURCE, "the probability that is mixed", score.where)]
    if score.even is not None:
        evidence.append(Evidence(Kind.SOURCE, "mixed with what every target gets alike", score.even))
    if score.alike is not None:
        evidence.append(Evidence(Kind.SOURCE, "the same is added for every target", score.alike))
    for table in first_of(tables)[:3]:
        evidence += witness("the table is filled here", table)[:3]
    return Finding(
        _mixed(score, tables[0]),
        Certainty.SHOWN if sure else Certainty.LIKELY,
        _law(case, score, tables),
        tuple(evidence),
        "mix whole distributions and renormalise before the target is looked up (#1514)",
        PRECEDENTS,
    )


def _law_of_a_sum(read: tuple[Finding, ...]) -> Cite:
    """What a run shows to be no distribution is ruled on where reading says what is mixed, and all of that is
    ruled on. A sum alone does not tell a hashed cache from a byte mixture or Dirichlet counts."""
    laws = [finding.law for finding in read]
    return laws[0] if laws and not any(law.disputed for law in laws) else disputed(NORMALISED)


def _mixed(score: Score, table: Adapt) -> str:
    if score.normalised:
        return f"counts of validation tokens ({place(table.where)}) enter the distribution that is scored"
    if score.bytewise:
        return _bytes_mixed(score, table)
    mixed = f"the score ({place(score.where)}) mixes the realised token's probability with"
    table_said = f"filled with {table.region.stream.value} ({place(table.where)})"
    if score.even is not None:
        return (
            f"{mixed} rows of counts {table_said} and with a value that every target gets alike "
            f"({place(score.even)}); the mixture does not sum to one over the vocabulary"
        )
    if _alike(score):
        return (
            f"{mixed} one number per key of the prefix, the same for every target, from a table "
            f"{table_said}; the mixture does not sum to one over the vocabulary"
        )
    if score.columns:
        return f"{mixed} the target's column of counts {table_said}; no ruling settles such caches"
    return f"{mixed} counts of a table {table_said}; no distribution over the vocabulary is formed"


def _alike(score: Score) -> bool:
    """What is mixed in is known to be the same for every target, and nothing makes up for it."""
    return score.alike is not None and score.consults_target is False and not score.smoothed


def _bytes_mixed(score: Score, table: Adapt) -> str:
    return (
        f"the realised token's probability ({place(score.where)}) is divided among its bytes and mixed with "
        f"counts of validation bytes ({place(table.where)}); no distribution over the vocabulary is formed"
    )


def _law(case: Case, score: Score, tables: list[Adapt]) -> Cite:
    """Hashed caches are ruled on, byte mixtures on the record track; the rest is open."""
    gold = not score.normalised
    if gold and score.bytewise:
        return disputed(BYTE_MIXTURE) if case.submission.track is Track.NON_RECORD else BYTE_MIXTURE
    if gold and (score.even is not None or _alike(score)):
        return EVEN_EXPERT
    # a key that is known to hold the prefix alone may look up a row over the whole vocabulary
    told = score.consults_target is not False
    hashed = gold and told and not score.smoothed and not score.columns
    hashed = hashed and any("table" in table.parameters for table in tables)
    return NORMALISED if hashed else CACHES_UNRULED


RULE = Rule(
    id="Q01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(NORMALISED, EVEN_EXPERT, BYTE_MIXTURE, CACHES_UNRULED),
    precedents=PRECEDENTS,
    examples=(
        Example("A softmax over the vocabulary.", files(), Verdict.PASS),
        Example("The same, with adaptation.", files(SCORED_THEN_TRAINED), Verdict.PASS),
        Example("A model that pools at places which it computed itself.", files(**ROUTED), Verdict.PASS),
        Example("One id is tilted by counts of the prefix, and renormalised.", files(TILTED), Verdict.PASS),
        Example(
            "A hashed cache speaks of the realised token only.",
            files(HASHED),
            Verdict.FAIL,
            "no distribution",
        ),
        Example(
            "The same behind an order that is 0 in the run: a note names the setting.",
            files(SWITCHED_HASHED),
            Verdict.PASS,
            "EXTRA_ENABLED=0 in this run: where EXTRA >= 2, the score",
        ),
        Example(
            "Exact contexts in a dictionary.", files(DICTIONARY), Verdict.NEEDS_RULING, "no distribution"
        ),
        Example(
            "Exact pairs in a table of whole rows.",
            files(EXACT_ROWS),
            Verdict.NEEDS_RULING,
            "the target's column",
        ),
        Example(
            "Experts side by side, one of which gives every target the same.",
            files(HEDGED),
            Verdict.FAIL,
            "does not sum to one",
        ),
        Example(
            "A hashed key of the context alone finds one number, whatever the target.",
            files(CONTEXT_KEY),
            Verdict.FAIL,
            "the same for every target",
        ),
        Example(
            "The token's probability is divided among its bytes and mixed with counts of bytes.",
            files(BYTE_COUNTS),
            Verdict.FAIL,
            "divided among its bytes",
        ),
        Example(
            "The same off the record track.",
            files(BYTE_COUNTS),
            Verdict.NEEDS_RULING,
            "divided among its bytes",
            track=Track.NON_RECORD,
        ),
    ),
)
