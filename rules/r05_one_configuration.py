"""The claimed seeds share one configuration and are labelled truly.

Law    The claimed mean is over seeds of one submitted configuration (organiser on #2124, 2026-05-02).
Look   The hyperparameters that the claimed logs print, compared with each other; paths, names and logging
       intervals aside. The seed that a log prints against its file name and its label in the claim.
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
from golf_audit.premises import logs_of_the_claim, name_of, names, training_runs
from golf_audit.submission import Case
from golf_audit.trainlog import Run

PRECEDENTS = (Precedent(2124, "closed", "the third seed came from another configuration"),)
_ASIDE = re.compile(
    r"seed|run_?id|run_name|log|path|dir|_files|every|rank|timestamp|date|hostname|port|node|verbose|wandb|save|resume",
    re.IGNORECASE,
)


def check(case: Case) -> Assessment:
    runs = training_runs(case)
    missing = logs_of_the_claim(case)
    notes = _labels(case)
    if len(runs) < 2:
        if missing:
            return Assessment(unmet=missing, notes=notes)
        return Assessment(not_applicable="one claimed run", notes=notes)
    dumped = [run for run in runs if run.hyperparameters]
    if len(dumped) < 2:
        unmet = Unmet("the claimed logs print no hyperparameters to compare", "log the configuration")
        return Assessment(unmet=(unmet, *missing), notes=notes)
    findings = _mixed(dumped)
    compared = len(_settings(dumped[0]))
    basis = Evidence(Kind.LOG, f"{compared} settings agree over {names(dumped)}")
    return Assessment(findings, missing, notes, (basis,))


def _settings(run: Run) -> dict[str, str]:
    return {
        name: reading.value
        for name, reading in run.hyperparameters.items()
        if not _ASIDE.search(name) and "/" not in reading.value
    }


def _mixed(runs: Sequence[Run]) -> tuple[Finding, ...]:
    """One finding for every setting on which the runs differ."""
    common = set.intersection(*(set(_settings(run)) for run in runs))
    differing = sorted(name for name in common if len({_settings(run)[name] for run in runs}) > 1)
    if not differing:
        return ()
    evidence = [
        Evidence(
            Kind.LOG,
            f"{name_of(run)}: {name} = {_settings(run)[name]}",
            run.hyperparameters[name].where(run.file),
        )
        for name in differing
        for run in runs
    ]
    listed = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
    return (
        Finding(
            f"the claimed runs differ in {listed}",
            Certainty.SHOWN,
            ONE_CONFIGURATION,
            tuple(evidence),
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


def _three(**third: object) -> dict[str, str]:
    settings: dict[str, object] = {"num_layers": 11, "matrix_lr": 0.022, "train_log_every": 500}
    logs = [
        specimen.log(42, 1.0800, settings=settings),
        specimen.log(7, 1.0801, settings={**settings, "run_id": "second"}),
        specimen.log(314, 1.0802, settings={**settings, **third}),
    ]
    return specimen.folder(*logs, submission=specimen.claim(1.0801, {42: 1.0800, 7: 1.0801, 314: 1.0802}))


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
