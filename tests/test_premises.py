"""What is missing behind a claim is told truthfully: a log that lies in the folder is never called absent."""

from __future__ import annotations

import json

import pytest

from golf_audit import specimen
from golf_audit.model import Example, Verdict
from golf_audit.premises import logs_of_the_claim
from tests.rule_harness import case_of

WITHOUT_A_SEED = specimen.log(42, 1.0801).replace("  seed: 42\n", "")
TWO = {42: 1.0801, 7: 1.0803}

MISSING = {
    "every claimed seed has its log": (specimen.several(TWO), []),
    "a log that prints no seed, by the score it shows": (specimen.folder(WITHOUT_A_SEED), []),
    "a seed named without a score, by its log": (
        specimen.folder(
            specimen.log(42, 1.0801),
            specimen.log(7, 1.0803),
            submission=json.dumps({"val_bpb": 1.0801, "seeds": [42, 7]}),
        ),
        [],
    ),
    "a seed that no log prints": (
        specimen.folder(specimen.log(42, 1.0801), submission=specimen.claim(1.0802, TWO)),
        ["no log for seed 7"],
    ),
    "a seed whose log shows other results": (
        specimen.folder(
            specimen.log(42, 1.0801), specimen.log(7, 1.2), submission=specimen.claim(1.0802, TWO)
        ),
        ["train_log_2.txt: no result ties it to the claim of seed 7"],
    ),
    "no log at all": (specimen.folder(), ["the folder holds no training log"]),
    "a score that only the training loop prints": (
        specimen.folder(
            specimen.log(42, 1.0801, after_stop=("4905/20000 val_loss: 2.6 val_bpb: 1.0300",)),
            submission=specimen.claim(1.03),
        ),
        ["no log shows the claimed score as a result after quantisation"],
    ),
}


@pytest.mark.parametrize(("files", "missing"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_told_truthfully(files: dict[str, str], missing: list[str]) -> None:
    example = Example("", files, Verdict.PASS)
    assert [unmet.missing for unmet in logs_of_the_claim(case_of(example))] == missing
