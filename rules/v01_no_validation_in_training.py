"""No validation tokens in the training loader or in the folder's own bytes.

Law    No access to validation data during training; the paid prefix is named and banned (README,
       restrictions on evaluation, since 2026-03-20).
Look   Which files feed the training loop, and what embedded payloads hold. Adaptation by the
       validation stream before quantisation is T01's. In a run: whether the step of the training loop takes
       validation targets before their score.
Blind  Data on disk: whether a shard called train holds validation documents is V04's.
"""

from golf_audit.joining import joined
from golf_audit.law import VAL_IN_TRAINING
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
from golf_audit.static.asking import basis, place, premises, witness
from golf_audit.static.example import files
from golf_audit.static.leaks import training_on_validation
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Event, Stream

PRECEDENTS = (
    Precedent(44, "closed", "trained on the validation shards"),
    Precedent(168, "closed", "validation tokens in the artifact"),
)


def check(case: Case) -> Assessment:
    return joined(case, "V01", _read(case), VAL_IN_TRAINING, precedents=PRECEDENTS)


def _read(case: Case) -> Assessment:
    timeline = case.timeline
    surest_last = sorted(training_on_validation(timeline), key=lambda event: -len(event.conditions))
    learned = {event.where: event for event in surest_last}
    findings = tuple(_finding(case, event) for event in learned.values())
    trained = [e for e in timeline.events if isinstance(e, Adapt) and e.region.stream is Stream.TRAIN]
    rests = [Evidence(Kind.SOURCE, "training reads the training shards", e.where) for e in trained[:1]]
    unmet = () if findings else premises(case)
    return Assessment(findings, unmet, (), (*rests, *basis(case)) if rests else ())


def _finding(case: Case, event: Event) -> Finding:
    sure = not event.conditions and not case.timeline.blocking_gaps()
    return Finding(
        f"the training step ({place(event.where)}) learns from validation tokens too",
        Certainty.SHOWN if sure else Certainty.LIKELY,
        VAL_IN_TRAINING,
        tuple(witness("a step on validation tokens", event)),
        "train on fineweb_train_* only",
        PRECEDENTS,
    )


_READ = """VAL_FILES = "data/fineweb_val_*.bin"


def read(names):
    shards = [np.fromfile(name, dtype="<u2").astype(np.int64) for name in names]
    return torch.from_numpy(np.concatenate(shards))


"""
RULE = Rule(
    id="V01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(VAL_IN_TRAINING,),
    precedents=PRECEDENTS,
    examples=(
        Example("Training reads the training shards.", files(), Verdict.PASS, "training shards"),
        Example(
            "Training takes the validation shards too.",
            files(
                **{
                    "tokens = load(TRAIN_FILES)": "tokens = torch.cat([load(TRAIN_FILES), load(VAL_FILES)])",
                    "TRAIN_FILES = os": 'VAL_FILES = "data/fineweb_val_*.bin"\nTRAIN_FILES = os',
                }
            ),
            Verdict.FAIL,
            "learns from validation tokens too",
        ),
        Example(
            "One list of files holds both.",
            files(
                **{
                    "load(TRAIN_FILES)": "read(glob.glob(TRAIN_FILES) + glob.glob(VAL_FILES))",
                    "def load(": _READ + "def load(",
                }
            ),
            Verdict.FAIL,
            "learns from validation tokens too",
        ),
    ),
)
