"""What a rerun would do, before it does anything: commands, configuration, packages, time. Nothing is run.

The plan is what a person agrees to, and it is the first entry of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from golf_audit.errors import AuditError
from golf_audit.model import Report
from golf_audit.outcome import fails, is_open, verdict
from golf_audit.premises import for_record
from golf_audit.rerun.packages import Wanted, wanted
from golf_audit.rerun.places import placed
from golf_audit.reruns import claimed_tag, logged_runs, program_files, program_fingerprint
from golf_audit.runconfig.effective import Effective, effective
from golf_audit.submission import Case, Submission
from golf_audit.trainlog import Run

Launcher = Literal["local", "slurm"]
RULE_S = 600.0
MARGIN_S = 900.0
"""Seconds beyond twice the expected or allowed time after which a run is ended: start, compilation ..."""
UNKNOWN_S = 4 * 3600.0
"""Expected time of a run whose logs print none."""
SLOWER = 4.0
"""How much longer an instrumented run may take: nothing is compiled, and every call is looked at."""
WORLD = 8
SEED_CAP = 100


@dataclass(frozen=True)
class Plan:
    """The run of each seed. `limit_s` ends a run; `expected_s` is what the logs took, or the rule allows."""

    case: Case
    report: Report  # what check says
    script: str
    seeds: tuple[int, ...]
    settings: Effective
    processes: int
    torchrun: bool
    packages: Wanted
    expected_s: float
    limit_s: float
    launcher: Launcher
    tag: str  # the line that counts: that of the claimed logs
    instrument: bool = False  # a run whose positions are followed: slower, and never the timed one
    problems: tuple[str, ...] = field(default=())

    @property
    def submission(self) -> Submission:
        return self.case.submission

    @property
    def gpu_hours(self) -> float:
        """Over all seeds, if every process has a GPU."""
        return self.processes * len(self.seeds) * self.expected_s / 3600

    def environ(self, seed: int) -> dict[str, str]:
        """What the script finds in its environment beside what every run has."""
        own = {self.settings.seed_env: str(seed)} if self.settings.seed_env else {}
        return {**self.settings.environ, **own}

    def argv(self, seed: int) -> tuple[str, ...]:
        """The script's arguments."""
        own = (self.settings.seed_flag, str(seed)) if self.settings.seed_flag else ()
        return (*self.settings.argv, *own)

    def command(self, seed: int, python: str = "python", script: Sequence[str] = ()) -> tuple[str, ...]:
        """The command line of one seed, in the run folder. `script`: what runs in place of the script."""
        program = (*(script or (self.script,)), *self.argv(seed))
        if not self.torchrun:
            return (python, *program)
        launch = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={self.processes}")
        return (python, *launch, *program)


def plan_rerun(
    case: Case,
    report: Report,
    seeds: Sequence[int],
    *,
    launcher: Launcher = "local",
    processes: int | None = None,
    instrument: bool = False,
    install: bool = True,
    data: Path = Path("data"),
) -> Plan:
    """Raises AuditError for what cannot be run at all: no script, no seed to set, no seeds."""
    submission = case.submission
    script = submission.sources.entry
    if script is None or submission.tree.get(script) is None:
        raise AuditError(f"{submission.name}: no train_gpt.py and no script that stands for it")
    if script.startswith("("):
        raise AuditError(f"{submission.name}: its script lies outside the folder")
    if len(set(seeds)) != len(seeds) or not 0 < len(seeds) <= SEED_CAP:
        raise AuditError(f"name 1 to {SEED_CAP} different seeds")
    settings = placed(effective(submission.config, script), data)
    problems = list(settings.problems)
    if settings.seed_env is None and settings.seed_flag is None:
        problems.append("no setting of the code takes a seed: every run has the same one")
    unread = [file for file in program_files(submission) if file.data is None]
    problems += [f"{f.path} ({f.sort.value}) was not read: the run does not find it" for f in unread[:20]]
    packages = wanted(submission.tree, submission.sources)
    if packages.missing and not install:
        problems.append(f"not installed, as asked: {', '.join(packages.missing)}")
        packages = replace(packages, missing=())
    problems += [f"{name} is imported, and is neither here nor required" for name in packages.absent[:20]]
    worlds = {run.world_size.value for run in logged_runs(submission) if run.world_size is not None}
    logged = worlds.pop() if len(worlds) == 1 else None
    count = processes or settings.processes or logged or (WORLD if for_record(case) else 1)
    expected, limit = _times(case)
    if instrument:
        expected, limit = SLOWER * expected, SLOWER * limit
    return Plan(
        case=case,
        report=report,
        script=script,
        seeds=tuple(seeds),
        settings=settings,
        processes=count,
        torchrun=settings.launched or count > 1,
        packages=packages,
        expected_s=expected,
        limit_s=limit,
        launcher=launcher,
        tag=claimed_tag(submission),
        instrument=instrument,
        problems=tuple(problems),
    )


def claimed_seeds(submission: Submission) -> tuple[int, ...]:
    """The seeds of the claim, in its order."""
    stated = [seed.seed for seed in submission.claims.seeds if seed.seed is not None]
    logged = [line.seed for line in submission.support.lines if line.seed is not None]
    return tuple(dict.fromkeys(stated or logged))


def _times(case: Case) -> tuple[float, float]:
    """Expected seconds of one run, and those after which it is ended."""
    taken = [seconds for run in logged_runs(case.submission) if (seconds := _taken(run)) > 0]
    allowed = 2 * RULE_S if for_record(case) else 0.0
    expected = max(taken, default=0.0) or allowed or UNKNOWN_S
    return expected, 2 * max(expected, allowed) + MARGIN_S


def _taken(run: Run) -> float:
    """Seconds of training, evaluation and what else the log times, where parts do not overlap."""
    train = run.train_seconds.value if run.train_seconds is not None else 0.0
    evaluation = run.total_eval.seconds if run.total_eval is not None else sum(e.seconds for e in run.evals)
    between = sum(p.seconds for kind in ("calibrate", "quantize", "compress") for p in run.of_kind(kind))
    return train + evaluation + between


def body(plan: Plan) -> dict[str, Any]:
    """The ledger's entry of kind "plan"."""
    head, report = plan.submission.head, plan.report
    return {
        "submission": {
            "folder": head.folder[:1000],
            "fingerprint": head.fingerprint,
            "program": program_fingerprint(plan.submission),
            "commit": head.commit,
            "pr": head.pr,
            "track": plan.submission.track.value,
        },
        "claim": report.claim[:300],
        "seeds": list(plan.seeds),
        "script": plan.script,
        "argv": list(plan.settings.argv),
        "environ": _strings(plan.settings.environ),
        "processes": plan.processes,
        "launcher": plan.launcher,
        "instrument": plan.instrument,
        "limit_s": plan.limit_s,
        "check": check_summary(report),
        "tag": plan.tag[:200],
    }


def check_summary(report: Report) -> dict[str, Any]:
    """What check said, in the ids of its rules."""
    from golf_audit import __version__

    return {
        "tool": __version__,
        "verdict": verdict(report),
        "failed": [r.rule.id for r in report.rulings if fails(r)],
        "open": [r.rule.id for r in report.rulings if is_open(r)],
    }


def _strings(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:8000] for name, value in sorted(values.items())}
