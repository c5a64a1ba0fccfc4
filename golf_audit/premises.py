"""What a rule needs before it can judge, and the sentence for what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from golf_audit.law import disputed
from golf_audit.model import Cite, Track, Unmet
from golf_audit.submission import Case
from golf_audit.trainlog import Final, Run


def for_record(case: Case) -> bool:
    """True when the folder stands for the record track: by its place, else by its author's own word."""
    submission = case.submission
    if submission.track is not Track.UNKNOWN:
        return submission.track is Track.RECORD
    stated = submission.claims.track
    return stated is not None and stated.value.lower().replace("track_", "").startswith(("10min", "record"))


def on_record(cite: Cite, case: Case) -> Cite:
    """The law as it stands for this folder's track: settled for records, open elsewhere."""
    return cite if for_record(case) else disputed(cite)


def logs_of_the_claim(case: Case) -> tuple[Unmet, ...]:
    """Why the logs cannot answer for the claim; nothing when every claimed seed has its log."""
    submission = case.submission
    if not any(log.runs for log in submission.logs):
        return (Unmet("the folder holds no training log", "add the log of each claimed seed"),)
    if submission.claims.bpb is None and not submission.claims.seeds:
        return (Unmet("submission.json states no score, so no log can be tied to it", "state val_bpb"),)
    if not submission.support.runs:
        what = "no log shows the claimed score as a result after quantisation"
        return (Unmet(what, "add the log of each claimed seed"),)
    seen = {seed for run in submission.support.runs for seed in (run.any_seed, run.seed_from_name)}
    seen |= {line.seed for line in submission.support.lines}
    claimed = dict.fromkeys(seed.seed for seed in submission.claims.seeds if seed.seed is not None)
    return tuple(_no_log(case, seed) for seed in claimed if seed not in seen)


def _no_log(case: Case, seed: int) -> Unmet:
    """What keeps a claimed seed from having its log."""
    files = dict.fromkeys(
        log.file
        for log in case.submission.logs
        for run in log.runs
        if seed in (run.any_seed, run.seed_from_name)
    )
    if files:
        return Unmet(
            f"{', '.join(files)}: no result ties it to the claim of seed {seed}",
            f"state the score of seed {seed}",
        )
    return Unmet(f"no log for seed {seed}", f"add the log of seed {seed}")


def training_run(case: Case, run: Run) -> Run | None:
    """The run that trained what `run` evaluated: itself, else the only training run of the same seed."""
    if run.trained:
        return run
    same = [
        other
        for log in case.submission.logs
        for other in log.runs
        if other.trained and run.any_seed is not None and other.any_seed == run.any_seed
    ]
    return same[0] if len(same) == 1 else None


def training_runs(case: Case) -> tuple[Run, ...]:
    """The training runs behind the claim, in seed order, each once."""
    found = (training_run(case, run) for run in case.submission.support.runs)
    return tuple({id(run): run for run in found if run is not None}.values())


def without_training(case: Case) -> tuple[Unmet, ...]:
    """Claimed runs that only evaluate, and whose training log is not in the folder."""
    return tuple(
        Unmet(f"{run.file} holds no training", "add the training log of that seed")
        for run in case.submission.support.runs
        if training_run(case, run) is None
    )


def name_of(run: Run) -> str:
    """A run for a sentence: "seed 42", else its file."""
    return f"seed {run.any_seed}" if run.any_seed is not None else run.file


def names(runs: Iterable[Run]) -> str:
    """Several runs for a sentence."""
    return ", ".join(name_of(run) for run in runs)


def loss_beside(run: Run, final: Final) -> Final | None:
    """A result of the same run that prints a loss for the claimed number: itself or an alias of its value."""
    if final.loss is not None:
        return final
    same = [f for f in run.finals if f.loss is not None and abs(f.bpb - final.bpb) < 1e-3]
    return same[-1] if same else None


def vocabulary(run: Run) -> int | None:
    """The vocabulary size that the run prints."""
    stated = run.hyperparameters.get("vocab_size")
    return int(stated.value) if stated is not None and stated.value.isdigit() else None
