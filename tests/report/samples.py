"""Reports built by hand in the shape of real ones: #1958 failed, #1493 needs a ruling, packed, clean.

Figures and lines of the first are those of #1958's head; of the others only the shape is real."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from golf_audit.figures import (
    Count,
    Excerpt,
    Figures,
    Gap,
    Moment,
    Pair,
    Picture,
    Probe,
    Run,
    Score,
    Scores,
    Sizes,
)
from golf_audit.model import (
    Assessment,
    Authority,
    Awaits,
    Certainty,
    Cite,
    Crash,
    Evidence,
    Example,
    Finding,
    Head,
    Kind,
    Precedent,
    Report,
    Rule,
    Ruling,
    Severity,
    Track,
    Unmet,
    Verdict,
    Where,
)

DAY = dt.date(2026, 5, 1)
FOLDER = "records/track_10min_16mb/2026-04-28_PreQuantTTT_on_SOTA"
LAW = Cite(
    Authority.README,
    'README, "What are the restrictions on evaluation?"',
    "you may only test-time train on validation tokens that were already scored",
    dt.date(2026, 3, 20),
)
RULED = Cite(
    Authority.ORGANISER, "#1972 (2026-05-02)", "score after adapt on validation", dt.date(2026, 3, 20)
)
DISPUTED = Cite(
    Authority.ORGANISER, "#593, #606 (closed 2026-03-24/25)", "calibration after 600 s", DAY, disputed=True
)


class Origin(Enum):
    """As runconfig.Origin: report/ reads only `.value`."""

    CODE = "code"
    README = "README"
    LOG = "log"


@dataclass(frozen=True)
class Setting:
    """As runconfig.Setting, as far as reports read it."""

    name: str
    value: str
    origin: Origin
    where: Where | None = None
    overridden: tuple[Setting, ...] = ()


def rule(
    id: str,
    title: str,
    severity: Severity = Severity.DISQUALIFYING,
    evidence: str = "T X",
    cites: tuple[Cite, ...] = (),
    precedents: tuple[Precedent, ...] = (),
) -> Rule:
    law = "Law    What the README says on it.\n       In two lines.\n"
    doc = f"{title}.\n\n{law}Look   In the code.\nBlind  Elsewhere.\n"
    example = Example("a loop that scores first", {"train_gpt.py": "score(x)\nadapt(x)\n"}, Verdict.PASS)
    return Rule(
        id, doc, severity, evidence, lambda case: Assessment(), cites, precedents, examples=(example,)
    )


def ruling(of: Rule, verdict: Verdict, reason: str, assessment: Assessment | None = None) -> Ruling:
    return Ruling(of, verdict, reason, assessment or Assessment())


def holds(
    id: str, title: str, says: str, *notes: Evidence, severity: Severity = Severity.DISQUALIFYING
) -> Ruling:
    basis = Evidence(Kind.LOG, says, Where("train_seed42.log", 12, quote="step:0/20000 val_loss:9.0"))
    return ruling(
        rule(id, title, severity, "L T"), Verdict.PASS, says, Assessment(notes=notes, basis=(basis,))
    )


RUN_ONLY = (
    ruling(
        rule("M01", "Predictions at t do not depend on tokens after t", evidence="X (T)"),
        Verdict.UNDETERMINED,
        "only a run of the submission shows it",
        Assessment(
            unmet=(Unmet("only a run of the submission shows it", "golf-audit trace FOLDER", Awaits.TRACE),)
        ),
    ),
    ruling(
        rule("S03", "A rerun reproduces the claim", evidence="X"),
        Verdict.UNDETERMINED,
        "only reruns with the claimed seeds show it",
        Assessment(
            unmet=(
                Unmet("only reruns with the claimed seeds show it", "golf-audit rerun FOLDER", Awaits.RERUN),
            )
        ),
    ),
)

T01 = rule(
    "T01",
    "Validation tokens are scored before anything that outlives the scoring call adapts on them",
    cites=(LAW, RULED),
    precedents=(
        Precedent(1972, "ruled illegal"),
        Precedent(1485, "withdrawn or closed"),
        Precedent(1487, "withdrawn or closed"),
        Precedent(1493, "legal shape", "score a chunk, then adapt on it"),
    ),
)
A03 = rule("A03", "Training takes at most 600 s", evidence="L T", cites=(DISPUTED,))


def failing() -> Report:
    """As #1958: the switch is off by default and on in the README's command."""
    adapted = Finding(
        "the reported score of these tokens comes after 21 epochs of optimiser steps on them",
        Certainty.SHOWN,
        LAW,
        (
            Evidence(
                Kind.SOURCE,
                "adapted by optimizer.step() in pre_quant_adamw_ttt, called at train_gpt.py:3731",
                Where("train_gpt.py", 3677, 17, quote="optimizer.step()"),
            ),
            Evidence(
                Kind.SOURCE,
                "reported as quantized_sliding_window",
                Where("train_gpt.py", 3766, 17, quote='"quantized_sliding_window",'),
            ),
            Evidence(
                Kind.README,
                "PREQUANT_TTT_ENABLED=1 (default in code: 0)",
                Where(
                    "README.md",
                    180,
                    quote="PREQUANT_TTT_ENABLED=1 PREQUANT_TTT_EPOCHS=21 PREQUANT_TTT_LR=5e-4 \\",
                ),
            ),
        ),
        to_change="score each chunk first and add it to the reported sum, then adapt on that chunk",
    )
    missing = Unmet("the engine that follows the order of events is not built yet", awaits=Awaits.NOT_BUILT)
    size = Evidence(
        Kind.LOG,
        "15,913,599 bytes as logged, largest seed (code counted compressed, 33,684 bytes)",
        Where("train_seed42.log", 900, quote="Total submission size quantized+brotli: 15913599 bytes"),
    )
    default = Setting("PREQUANT_TTT_ENABLED", "0", Origin.CODE, Where("train_gpt.py", 61))
    return Report(
        head=Head(FOLDER, "f" * 64, "0123456789abcdef0123456789abcdef01234567", 1958),
        track=Track.RECORD,
        as_of=DAY,
        claim="claims 1.01355 (3 seeds)",
        rulings=(
            ruling(T01, Verdict.FAIL, adapted.message, Assessment((adapted,))),
            *(
                ruling(rule(id, title), Verdict.UNDETERMINED, missing.missing, Assessment(unmet=(missing,)))
                for id, title in (("P01", "Scored exactly once"), ("Q01", "A full distribution"))
            ),
            RUN_ONLY[0],
            holds("A01", "The artifact is at most 16,000,000 bytes", "15,913,599 bytes, largest seed", size),
            holds(
                "B04", "The full validation split is scored", "151.07 million bytes behind the claimed line"
            ),
            ruling(
                rule("R04", "Only one new folder is added", Severity.ADVISORY, "G"),
                Verdict.NOT_APPLICABLE,
                "no diff given",
                Assessment(not_applicable="no diff given"),
            ),
            RUN_ONLY[1],
        ),
        configuration=(
            Setting("SLIDING_WINDOW_ENABLED", "1", Origin.LOG, Where("train_seed42.log", 95)),
            Setting("PREQUANT_TTT_ENABLED", "1", Origin.LOG, Where("train_seed42.log", 81), (default,)),
            Setting("SEED", "1337", Origin.CODE),
        ),
    )


def disputed() -> Report:
    """As #1493: Hessians after the training stop, and an advisory rule that is disputed too."""
    late = Finding(
        "Hessians were collected for 12.7 s after the training stop at 588.1 s: 600.8 s together",
        Certainty.SHOWN,
        DISPUTED,
        (
            Evidence(
                Kind.LOG,
                "training stopped at 588.1 s",
                Where("train_seed314.log", 210, quote="stopping_early: wallclock_cap"),
            ),
            Evidence(Kind.COMPUTED, "588.1 s + 12.7 s = 600.8 s"),
        ),
        to_change="reserve the calibration time inside the 600 s",
        precedents=(
            Precedent(1493, "accepted", "12.7 s"),
            Precedent(1019, "accepted", "196 s, self-generated text"),
            Precedent(593, "closed"),
            Precedent(606, "closed"),
        ),
    )
    margin = Finding(
        "0.0030 of the README's 0.005 nats over #1477",
        Certainty.SHOWN,
        DISPUTED,
        (Evidence(Kind.COMPUTED, "difference of the means 0.0030 nats per token, p = 0.016 (Welch)"),),
    )
    return Report(
        head=Head("records/track_10min_16mb/2026-04-09_LegalTTT", "a" * 64),
        track=Track.RECORD,
        as_of=DAY,
        claim="claims 1.08100 (3 seeds)",
        rulings=(
            holds(
                "T01",
                T01.title,
                "the chunk is scored at train_gpt.py:1700 before the step at train_gpt.py:1740",
            ),
            RUN_ONLY[0],
            ruling(A03, Verdict.NEEDS_RULING, late.message, Assessment((late,))),
            ruling(
                rule("S01", "Improvement of 0.005 nats at p < 0.01", Severity.ADVISORY, "L"),
                Verdict.NEEDS_RULING,
                margin.message,
                Assessment((margin,)),
            ),
        ),
    )


def packed(verdict: Verdict = Verdict.FAIL) -> Report:
    """A position inside a packed layer, on the non-record track."""
    inner = Where("train_gpt.py", 412, 9, layer=1, quote="optimizer.step()", payload_line=2)
    first = Where("train_gpt.py", 377, 5, layer=1, quote="loss.backward()", payload_line=2)
    finding = Finding(
        "adapted before the score",
        Certainty.SHOWN,
        LAW,
        (Evidence(Kind.SOURCE, "the step", inner), Evidence(Kind.SOURCE, "the gradient", first)),
    )
    return Report(
        Head("records/track_non_record_16mb/2026-04-20_Packed", "b" * 64),
        Track.NON_RECORD,
        DAY,
        "claims 1.1",
        (ruling(T01, verdict, finding.message, Assessment((finding,))),),
    )


def passing() -> Report:
    """Everything that reading can decide holds; one pass carries a hint."""
    hint = Finding(
        "an adaptation stands behind a switch that is off in the run",
        Certainty.HINT,
        LAW,
        (Evidence(Kind.SOURCE, "TTT_ENABLED=0", Where("train_gpt.py", 88, quote="if h.ttt_enabled:")),),
    )
    t01 = ruling(
        T01,
        Verdict.PASS,
        "no validation tokens are adapted on",
        Assessment(
            (hint,),
            basis=(Evidence(Kind.SOURCE, "no validation tokens are adapted on", Where("train_gpt.py", 90)),),
        ),
    )
    return Report(
        Head("records/x/2026-03-30_Clean", "c" * 64),
        Track.RECORD,
        DAY,
        "claims 1.12 (3 seeds)",
        (t01, holds("B04", "The full split is scored", "151.07 million bytes"), *RUN_ONLY),
    )


def crashed() -> Report:
    """A rule of the tool failed on this submission."""
    return Report(
        Head("records/x/2026-03-30_Odd", "d" * 64),
        Track.RECORD,
        DAY,
        "",
        (holds("B04", "The full split is scored", "151.07 million bytes"),),
        crashes=(Crash("A01", "ValueError: 'x'"),),
    )


def figures(text: str) -> Figures:
    """Every figure there is, with one string in every place that a submission can influence."""
    where = Where(text, 3, 1, layer=1, pointer=text, quote=text, payload_line=1)
    moments = (
        Moment(0, "read", text, "training tokens", text, (), where, behind=False),
        Moment(1, "adapt", text, "validation tokens", text, ((1, 40),), where, True, 3, (text,)),
        Moment(2, "score", text, "validation tokens", text, ((1, 40), (60, 90)), where, behind=True),
        Moment(3, "save", text, "", "", (), where, behind=False),
        Moment(4, "report", text, "", "", (), where, behind=True, claimed=True),
    )
    pairs = (Pair("T01", 1, 2, True), Pair("V02", 1, 2, False))
    gaps = (Gap(text, where), Gap(text, None))
    probe = Probe(
        text, "violation", text, ("T01",), (("rows compared", 9.0), ("rows changed", 4.0), (text, 1.0))
    )
    return Figures(
        predicted=Picture("predicted", moments, pairs, gaps, 2),
        observed=Picture("observed", moments, pairs, gaps, 0, 100),
        run=Run(
            "failed", text, True, "cpu", "quick", True, text, 2, (1.5, None, 1.25, 1.0), ((1, 4),), (probe,)
        ),
        scores=Scores(
            1.01, (Score(42, 1.01),), (Score(42, 1.01, where),), (Score(42, 1.02, entry=7),), text,
            (Score(1, 1.05), Score(2, 1.06)), "#1736", 1.048,
        ),
        sizes=Sizes(
            16_000_000,
            (Count(42, 15_990_000, 15_900_000, 90_000, where), Count(1, 16_000_023, None, 5, None)),
        ),
        code=(Excerpt(text, 1, 1, text, 1, (text, text, text, text)),),
        problems=(text,),
    )  # fmt: skip


def hostile(text: str) -> Report:
    """One string in every place that a submission can influence."""
    where = Where(text, 3, 1, layer=1, pointer=text, quote=text, payload_line=1)
    evidence = Evidence(Kind.SOURCE, text, where)
    finding = Finding(text, Certainty.SHOWN, LAW, (evidence, evidence), to_change=text)
    hint = Finding(text, Certainty.HINT, LAW, (evidence,))
    unmet = Unmet(text, text)
    full = Assessment((finding, hint), (unmet,), (evidence,), (evidence,))
    setting = Setting(text, text, Origin.LOG, where, (Setting(text, text, Origin.CODE, where),))
    return Report(
        Head(text or "x", text, text, None),
        Track.RECORD,
        DAY,
        text,
        (
            ruling(T01, Verdict.FAIL, text, full),
            ruling(A03, Verdict.NEEDS_RULING, text, full),
            ruling(rule("P01", "Once"), Verdict.UNDETERMINED, text, full),
            ruling(rule("P02", "No choice"), Verdict.UNDETERMINED, text, Assessment(unmet=(unmet,))),
            ruling(rule("P03", "From scores"), Verdict.UNDETERMINED, text, Assessment(unmet=(unmet,))),
            ruling(
                rule("B04", "Full"), Verdict.PASS, text, Assessment((hint,), (), (evidence,), (evidence,))
            ),
            ruling(rule("R04", "One folder"), Verdict.NOT_APPLICABLE, text, Assessment(not_applicable=text)),
        ),
        (setting,),
        (Crash("A01", text),),
        figures=figures(text),
    )


SAMPLES = {
    "failing": failing,
    "disputed": disputed,
    "packed": packed,
    "passing": passing,
    "crashed": crashed,
}
