"""No choice among scores, temperatures, passes or orders by validation outcome.

Law    A choice made after seeing the validation outcome is not a prediction: organiser on #659 and
       #573.
Look   Find minima over stored scores, `if new < old`, best epochs, grids whose winner is reported,
       orders computed from losses.
Blind  Choices made by hand between runs; tuning constants on validation outcomes (K45) is not
       checked.
"""

from golf_audit.law import HINDSIGHT
from golf_audit.model import Assessment, Certainty, Example, Finding, Precedent, Rule, Severity, Verdict
from golf_audit.static.asking import basis, place, premises, witness
from golf_audit.static.example import BEST_KEPT, BETTER_OF_TWO, SCORED_THEN_TRAINED, files
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import Select

PRECEDENTS = (
    Precedent(659, "closed", "the better of two scores per token"),
    Precedent(573, "closed"),
)


@whichever
def check(case: Case) -> Assessment:
    timeline = case.timeline
    report = timeline.reported
    chosen = [timeline.by_id[i] for i in sorted(report.selections)] if report is not None else []
    places = {event.where: event for event in reversed(chosen) if isinstance(event, Select)}
    findings = tuple(_finding(case, event) for event in places.values())
    return Assessment(findings, premises(case), (), basis(case))


def _finding(case: Case, event: Select) -> Finding:
    sure = not case.timeline.blocking_gaps()
    return Finding(
        f"the claimed number keeps one of several validation scores, by their outcome ({place(event.where)})",
        Certainty.SHOWN if sure else Certainty.LIKELY,
        HINDSIGHT,
        tuple(witness("one score is kept here", event)),
        "decide before the tokens are scored, from the prefix alone",
        PRECEDENTS,
    )


_BETTER_RUN = """
def run(model):
    total, count = 0.0, 0
    for start in range(0, len(tokens) - 1, 1024):
        x, y = piece(tokens, start)
        with torch.no_grad():
            nll = model(x, y)
        total += nll.sum().item()
        count += y.numel()
    return SimpleNamespace(total=total, count=count)
best = min(run(model), run(copy.deepcopy(model)), key=lambda one: one.total)
total, count = best.total, best.count
"""
RULE = Rule(
    id="P02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(HINDSIGHT,),
    precedents=PRECEDENTS,
    examples=(
        Example("A fixed model is scored.", files(), Verdict.PASS),
        Example("Adaptation after each score.", files(SCORED_THEN_TRAINED), Verdict.PASS),
        Example("The better of two scores, token by token.", files(BETTER_OF_TWO), Verdict.FAIL, "keeps one"),
        Example(
            "The best of four passes is kept, tensor by tensor.", files(BEST_KEPT), Verdict.FAIL, "keeps one"
        ),
        Example("The better of two evaluations.", files(_BETTER_RUN), Verdict.FAIL, "keeps one"),
    ),
)
