"""Predictions at t do not depend on tokens after t.

Law    A score is a prediction of the next token from those before it (README, how scoring works;
       condition 1 of #1017).
Look   The run changes later tokens and compares earlier scores. Reading can fail it, never pass it: a
       next-token model of which every attention lacks both mask and causal flag, or a model whose target is
       the token that it is given at the same place.
Blind  Dependence below the comparison's tolerance. In reading: windows, hand-written masks, varlen and
       kernel attention, convolutions, state-space layers.
"""

from golf_audit.joining import joined
from golf_audit.law import CAUSAL
from golf_audit.model import (
    Assessment,
    Awaits,
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
from golf_audit.static.asking import place, premises, witness
from golf_audit.static.example import ATTENTION, UNSHIFTED, files
from golf_audit.submission import Case
from golf_audit.timeline import Attend, Score

PRECEDENTS = (
    Precedent(2028, "withdrawn", "its author found averages over blocks that hold later tokens"),
    Precedent(1106, "contested", "a masked diffusion model: it attends both ways and predicts no next token"),
)

TO_CHANGE = "let a prediction depend on the tokens before it alone (is_causal=True, shifted targets)"


def check(case: Case) -> Assessment:
    timeline = case.timeline
    scores = timeline.scores()
    told = {score.ahead for score in scores}
    models = {score.model for score in scores}
    attends = [e for e in timeline.events if isinstance(e, Attend) and models == {e.model}]
    findings: tuple[Finding, ...] = ()
    if not premises(case) and told == {1} and attends:
        findings = (_open(attends[0], scores[0]),)
    elif not premises(case) and told == {0} and not attends:
        findings = (_unshifted(scores[0]),)
    unmet = Unmet("only a run of the submission shows it", "golf-audit trace FOLDER", Awaits.TRACE)
    return joined(case, "M01", Assessment(findings, (unmet,)), CAUSAL, TO_CHANGE, PRECEDENTS)


def _open(attend: Attend, score: Score) -> Finding:
    return Finding(
        f"the attention of {attend.model} has neither mask nor causal flag ({place(attend.where)}): the "
        "scored prediction of a token sees that token and those after it",
        Certainty.SHOWN,
        CAUSAL,
        (*witness("attention without mask or flag", attend), *witness("next tokens are scored here", score)),
        TO_CHANGE,
        PRECEDENTS,
    )


def _unshifted(score: Score) -> Finding:
    return Finding(
        f"the target is the very token that the model is given at the same place ({place(score.where)})",
        Certainty.SHOWN,
        CAUSAL,
        (Evidence(Kind.SOURCE, "input and target stand at one position", score.where),),
        "score token t + 1 against the prediction made at t",
        PRECEDENTS,
    )


RULE = Rule(
    id="M01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="X (T)",
    check=check,
    cites=(CAUSAL,),
    precedents=PRECEDENTS,
    examples=(
        Example("Causal attention: left to a run.", files(**ATTENTION), Verdict.UNDETERMINED, "only a run"),
        Example(
            "The flag is gone.",
            files(**{**ATTENTION, ", is_causal=True": ""}),
            Verdict.FAIL,
            "neither mask nor causal flag",
        ),
        Example(
            "A mask stands in the place of the flag.",
            files(**{**ATTENTION, "is_causal=True": "attn_mask=self.mask"}),
            Verdict.UNDETERMINED,
            "only a run",
        ),
        Example("The target is not shifted.", files(**UNSHIFTED), Verdict.FAIL, "the very token"),
    ),
)
