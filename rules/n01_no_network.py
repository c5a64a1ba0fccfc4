"""No network during training or evaluation; system dependencies are declared.

Law    No external downloads or network calls during evaluation (README, restrictions on evaluation,
       since 2026-03-18).
Look   Downloads and sockets reachable after training starts. A documented install (lrzip) passes;
       fetching a kernel from a hub needs a ruling. In a run: what it asks for while it evaluates; while
       it trains that is a doubt, since a run cannot tell a download from a message to a tracker.
Blind  Libraries that call home by themselves.
"""

from golf_audit.joining import joined
from golf_audit.law import KERNEL_FETCH, NETWORK
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
from golf_audit.static.asking import place, premises, witness
from golf_audit.static.example import files
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Fetch, Stream, Timeline

PRECEDENTS = (
    Precedent(1855, "accepted", "needs lrzip, and its README says how to install it"),
    Precedent(466, "contested", "fetches a kernel from a hub"),
)
TO_CHANGE = "fetch everything before the run, as the README describes"


def check(case: Case) -> Assessment:
    timeline = case.timeline
    began = _training_began(timeline)
    fetches = {e.where: e for e in timeline.events if isinstance(e, Fetch)}
    findings = tuple(_finding(case, e) for e in fetches.values() if e.id > began or _kernel(e))
    notes = tuple(
        Evidence(Kind.SOURCE, f"{e.what} is called before training", e.where)
        for e in fetches.values()
        if e.id < began and not _kernel(e)
    )
    rests = Evidence(Kind.COMPUTED, "no call that downloads is reached after training starts")
    read = Assessment(findings, premises(case), notes, (rests,))
    return joined(case, "N01", read, NETWORK, TO_CHANGE, PRECEDENTS)


def _training_began(timeline: Timeline) -> float:
    steps = [e.id for e in timeline.events if isinstance(e, Adapt) and e.region.stream is Stream.TRAIN]
    return min(steps, default=float("inf"))


def _kernel(event: Fetch) -> bool:
    return event.what.startswith("kernels.")


def _finding(case: Case, event: Fetch) -> Finding:
    sure = not event.conditions and not case.timeline.blocking_gaps()
    when = "at run time" if _kernel(event) else "after training has started"
    return Finding(
        f"{event.what} takes something from the network {when} ({place(event.where)})",
        Certainty.SHOWN if sure else Certainty.LIKELY,
        KERNEL_FETCH if _kernel(event) else NETWORK,
        tuple(witness("the call", event)),
        TO_CHANGE,
        PRECEDENTS,
    )


_HUB = "import huggingface_hub\nimport torch\n"
_GET = "    huggingface_hub.hf_hub_download('someone/something', 'weights.bin')"
RULE = Rule(
    id="N01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(NETWORK, KERNEL_FETCH),
    precedents=PRECEDENTS,
    examples=(
        Example("Nothing is downloaded.", files(), Verdict.PASS, "no call that downloads"),
        Example(
            "Data is fetched before training.",
            files(**{"import torch\n": _HUB, "    train(model)": f"{_GET}\n    train(model)"}),
            Verdict.PASS,
            "before training",
        ),
        Example(
            "Weights are fetched before the evaluation.",
            files(before=_GET, **{"import torch\n": _HUB}),
            Verdict.FAIL,
            "from the network",
        ),
        Example(
            "A kernel comes from a hub.",
            files(**{"import torch\n": "import kernels\nimport torch\n\nFAST = kernels.get_kernel('a/b')\n"}),
            Verdict.NEEDS_RULING,
            "at run time",
        ),
    ),
)
