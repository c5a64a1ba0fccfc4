"""The claimed seeds share one configuration and are labelled truly.

Law    The claimed mean is over seeds of one submitted configuration (organiser on #2124, 2026-05-02).
Look   The settings of the script that the claimed logs print, compared with each other; paths, names and
       logging intervals aside. A stage that is off, or comes after the claimed result, touches nothing.
       The seed that a log prints against its file name and its label in the claim.
Blind  Settings that the logs do not print; code that changed between seeds without a setting.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from golf_audit import specimen
from golf_audit.law import ONE_CONFIGURATION
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
    Where,
)
from golf_audit.premises import logs_of_the_claim, name_of, names, training_run
from golf_audit.submission import Case
from golf_audit.trainlog import Run

PRECEDENTS = (Precedent(2124, "closed", "the third seed came from another configuration"),)
_ASIDE = re.compile(
    r"seed|run_?id|run_name|log|path|dir|_files|every|rank|timestamp|date|hostname|port|node|verbose|wandb|save|resume",
    re.IGNORECASE,
)


def check(case: Case) -> Assessment:
    # the run that evaluated has the settings of the claimed number; its trainer stands in if it prints none
    runs = [
        run if run.hyperparameters else training_run(case, run) or run for run in case.submission.support.runs
    ]
    missing = logs_of_the_claim(case)
    labels = _labels(case)
    if len(runs) < 2:
        if missing:
            return Assessment(unmet=missing, notes=labels)
        return Assessment(not_applicable="one claimed run", notes=labels)
    settings = [_settings(case, run) for run in runs]
    common = set.intersection(*(set(printed) for printed in settings))
    if not common:
        unmet = Unmet("the claimed logs print no settings of the script to compare", "log the configuration")
        return Assessment(unmet=(unmet, *missing), notes=labels)
    differing = sorted(name for name in common if len({printed[name] for printed in settings}) > 1)
    inert = [name for name in differing if _inert(case, name, settings)]
    findings = _mixed(runs, [name for name in differing if name not in inert])
    notes = (*labels, *(fact for name in inert for fact in _values(runs, name)))
    basis = Evidence(Kind.LOG, f"{len(common) - len(differing)} settings agree over {names(runs)}")
    return Assessment(findings, missing, notes, (basis,))


def _settings(case: Case, run: Run) -> dict[str, str]:
    """The printed values of settings that the script reads, without paths, names and logging intervals."""
    config = case.submission.config
    read = {config.name(knob.name) for knob in config.knobs}
    return {
        name: reading.value
        for name, reading in run.hyperparameters.items()
        if config.name(name) in read and not _ASIDE.search(name) and "/" not in reading.value
    }


def _inert(case: Case, name: str, settings: Sequence[dict[str, str]]) -> bool:
    """True for a setting of a stage that cannot have touched the claimed number: it is off in every run,
    or off in one of them while all claimed results bear the same name."""
    switch = f"{name.split('_')[0]}_enabled"
    off = [printed.get(switch, "").lower() in ("0", "false") for printed in settings]
    same_result = len({line.final.name for line in case.submission.support.lines}) == 1
    return all(off) or (any(off) and same_result)


def _values(runs: Sequence[Run], name: str) -> list[Evidence]:
    return [
        Evidence(Kind.LOG, f"{name_of(run)}: {name} = {reading.value}", reading.where(run.file))
        for run in runs
        for reading in (run.hyperparameters[name],)
    ]


def _mixed(runs: Sequence[Run], differing: Sequence[str]) -> tuple[Finding, ...]:
    """One finding for all settings on which the runs differ."""
    if not differing:
        return ()
    listed = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
    return (
        Finding(
            f"the claimed runs differ in {listed}",
            Certainty.SHOWN,
            ONE_CONFIGURATION,
            tuple(fact for name in differing for fact in _values(runs, name)),
            "claim the mean over seeds of one configuration",
            PRECEDENTS,
        ),
    )


def _labels(case: Case) -> tuple[Evidence, ...]:
    """Seeds that are called one thing and print another."""
    notes = []
    for line in case.submission.support.lines:
        run = line.run
        if run.seed is None:
            continue
        for label, where in ((run.seed_from_name, "the file's name"), (line.seed, "the claim")):
            if label is not None and label != run.seed.value:
                says = f"{run.file} prints seed {run.seed.value}; {where} says {label}"
                notes.append(Evidence(Kind.LOG, says, run.seed.where(run.file) or Where(run.file)))
    return tuple(dict.fromkeys(notes))


_DEFAULTS = {
    "num_layers": 11,
    "matrix_lr": 0.022,
    "ttt_enabled": False,
    "ttt_epochs": 3,
    "train_log_every": 500,
}
_SCRIPT = specimen.SCRIPT + "".join(
    f'{name.upper()} = os.environ.get("{name.upper()}", "{value}")\n' for name, value in _DEFAULTS.items()
)


def _three(**third: object) -> dict[str, str]:
    logs = [
        specimen.log(42, 1.0800, settings=_DEFAULTS),
        specimen.log(7, 1.0801, settings={**_DEFAULTS, "run_id": "second"}),
        specimen.log(314, 1.0802, settings={**_DEFAULTS, **third}),
    ]
    claimed = specimen.claim(1.0801, {42: 1.0800, 7: 1.0801, 314: 1.0802})
    return specimen.folder(*logs, submission=claimed, files={"train_gpt.py": _SCRIPT})


RULE = Rule(
    id="R05",
    doc=__doc__,
    severity=Severity.INCOMPLETE,
    evidence="L",
    check=check,
    cites=(ONE_CONFIGURATION,),
    precedents=PRECEDENTS,
    examples=(
        Example("Three seeds, one configuration.", _three(), Verdict.PASS, "settings agree"),
        Example(
            "Another name for the run and another log interval.", _three(train_log_every=100), Verdict.PASS
        ),
        Example(
            "Another data path is another machine, not another run.",
            _three(data_path="/mnt/data"),
            Verdict.PASS,
        ),
        Example(
            "A setting of a stage that is off touches nothing.",
            _three(ttt_epochs=1),
            Verdict.PASS,
            "ttt_epochs",
        ),
        Example(
            "A stage after the claimed result touches nothing.",
            _three(ttt_enabled=True),
            Verdict.PASS,
            "ttt_enabled",
        ),
        Example("What a loader computes for its seed is no setting.", _three(batch_stride=47), Verdict.PASS),
        Example("The third seed has another layer.", _three(num_layers=12), Verdict.FAIL, "num_layers"),
        Example(
            "One seed has nothing to agree with.",
            specimen.folder(specimen.log()),
            Verdict.NOT_APPLICABLE,
            "one",
        ),
        Example(
            "A file named after another seed than it prints is a note.",
            {
                **{k: v for k, v in _three().items() if k != "train_log_1.txt"},
                "train_seed43.log": _three()["train_log_1.txt"],
            },
            Verdict.PASS,
            "the file's name says 43",
        ),
        Example("No logs.", specimen.folder(), Verdict.UNDETERMINED, "no training log"),
    ),
)
