"""Every way of counting an artifact, by name.

Protects A01 and A02: organisers add the logged code, participants commit another script than they ran, and
helpers are executed without being counted.
"""

from __future__ import annotations

import pytest

from golf_audit import specimen
from golf_audit.artifact import Count, count, siblings
from golf_audit.model import Example, Verdict
from golf_audit.submission import Submission
from tests.rule_harness import submission_of

LAUNCHER = "import helper\n" + specimen.SCRIPT


def submission(log: str, **files: str | None) -> Submission:
    return submission_of(Example("A folder.", specimen.folder(log, files=files), Verdict.PASS))


def only(found: Submission) -> Count:
    return count(found, found.support.runs[0])


def test_the_logged_total_and_the_committed_script_are_told_apart() -> None:
    found = only(submission(specimen.log(model=15_900_000, code=30_000)))
    assert found.logged == 15_930_000
    assert found.committed == 15_900_000 + len(specimen.SCRIPT.encode())


def test_a_log_without_a_model_size_still_gives_the_total() -> None:
    text = "\n".join(line for line in specimen.log().splitlines() if not line.startswith("Serialized"))
    found = only(submission(text + "\n"))
    assert found.logged == 15_940_000 + len(specimen.SCRIPT.encode())
    assert found.model == 15_940_000, "total less code"


def test_a_log_without_sizes_gives_nothing() -> None:
    words = ("Serialized", "Code size", "Total")
    text = "\n".join(line for line in specimen.log().splitlines() if not line.startswith(words))
    found = only(submission(text + "\n"))
    assert (found.logged, found.committed, found.wide) == (None, None, None)


def test_the_raw_state_is_not_the_artifact() -> None:
    """Baseline logs print the uncompressed state and its total first; neither carries a codec."""
    raw = ("Serialized model: 67137349 bytes", "Total submission size: 67185035 bytes")
    found = only(submission(specimen.log(model=15_900_000, code=30_000, after_stop=raw)))
    assert found.logged == 15_930_000


@pytest.mark.parametrize(
    ("files", "executed"),
    [
        pytest.param({"helper.py": "X = 1\n"}, ("helper.py",), id="an imported helper"),
        pytest.param(
            {"prepare_data.py": "X = 1\n", "helper.py": "X = 1\n"}, ("helper.py",), id="not the data script"
        ),
        pytest.param(
            {"helper.py": "import deeper\n", "deeper.py": "Y = 2\n"}, ("helper.py", "deeper.py"), id="in turn"
        ),
        pytest.param(
            {"helper.py": 'SOURCE = "tilt.c"\n', "tilt.c": "int f(void);\n", "unused.c": "int g(void);\n"},
            ("helper.py", "tilt.c"),
            id="native code that executed code names",
        ),
    ],
)
def test_siblings_are_what_the_script_executes(files: dict[str, str], executed: tuple[str, ...]) -> None:
    assert siblings(submission(specimen.log(), **{"train_gpt.py": LAUNCHER, **files})) == executed


def test_the_wide_count_takes_the_smaller_way_and_adds_the_siblings_once() -> None:
    helper = "X = 1\n" * 500
    files = {"train_gpt.py": LAUNCHER, "helper.py": helper}
    apart = only(submission(specimen.log(model=15_900_000, code=len(LAUNCHER)), **files))
    assert apart.wide == 15_900_000 + len(LAUNCHER) + len(helper)
    counted = only(submission(specimen.log(model=15_900_000, code=len(LAUNCHER) + len(helper)), **files))
    assert counted.wide == counted.logged, "the log's code size already holds the helper"
