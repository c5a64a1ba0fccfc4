"""A whole trace through the real sandbox, with a stand-in for the child and for the probes."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from golf_audit import observation
from golf_audit.dynamic.contract import Outcome, Places, Probe, RunResult, Variation, Word
from golf_audit.dynamic.job import Job, Perturbation
from golf_audit.dynamic.run import Way
from golf_audit.dynamic.sandbox import INSIDE, require_sandbox
from golf_audit.dynamic.trace import Plan, trace
from golf_audit.model import Example, Verdict
from golf_audit.observation import Observation
from golf_audit.specimen import claim, folder, log
from golf_audit.submission import Submission
from tests.rule_harness import submission_of

SCRIPT = Path(__file__).with_name("script.py")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="trace is for Linux")


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> None:
    require_sandbox()


def shard(path: Path, tokens: Sequence[int]) -> None:
    header = struct.pack("<256i", 20240520, 1, len(tokens), *[0] * 253)
    path.write_bytes(header + struct.pack(f"<{len(tokens)}H", *tokens))


@dataclass(frozen=True)
class Mini:
    """contract.Miniature with 257 tokens of which position 65 follows no text (BOS)."""

    data: Path
    job: Job
    vocab: int = 1024
    settings: tuple[str, ...] = ("ITERATIONS=4 (shrunk)",)
    problems: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    def vary(self, variation: Variation, place: Path) -> tuple[Job, Path]:
        if variation.perturbation is None:
            return replace(self.job, environ={**self.job.environ, **dict(variation.environ)}), self.data
        data = place / "data"
        data.mkdir(parents=True)
        (start, stop), *_ = variation.perturbation.spans
        shard(data / "val.bin", [t + 1 if start <= i < stop else t for i, t in enumerate(TOKENS)])
        return replace(self.job, perturbation=variation.perturbation), data


TOKENS = [1 if i in (0, 65) else 300 + i for i in range(257)]


def prepare(environ: dict[str, str]):  # type: ignore[no-untyped-def]
    def made(submission: Submission, place: Path, where: Places) -> Mini:
        data = place / "data"
        data.mkdir(parents=True)
        shard(data / "val.bin", TOKENS)
        job = Job(
            "train_gpt.py",
            where.submission,
            where.data,
            where.work,
            f"{where.data}/val.bin",
            1024,
            2.0 if "LOOP" in environ else 30.0,
            environ=environ,
        )
        return Mini(data, job)

    return made


class Perturb:
    """Changes the second half and says whether losses of the first half moved."""

    name = "perturb"
    shows = "a score that depends on later tokens"
    cannot = "show one that depends on them by chance"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        return [Variation("half", Perturbation("half", ((128, 257),)))]

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        from golf_audit.dynamic.messages import Score

        a, b = ([s.losses[0] for s in r.of(Score) if s.positions[0][0] < 96] for r in (baseline, extra[0]))
        word = Word.CLEAN if a == b else Word.VIOLATION
        return [Outcome(self.name, word, f"in {INSIDE.work}/x nothing moved", ("M01",), None, ("a:1",))]


class Several:
    """Three runs, each with a setting of its own."""

    name, shows, cannot = "several", "", ""

    def __init__(self, setting: str = "UNREAD") -> None:
        self.setting = setting

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        return [Variation(f"run {n}", environ=((self.setting, str(n)),)) for n in range(1, 4)]

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        said = " ".join(f"{run.job.environ[self.setting]} {run.ending.name}" for run in extra)
        return [Outcome(self.name, Word.NOTE, said)]


def traced(
    way: Way | None = None,
    jobs: int = 1,
    probes: Sequence[Probe] = (Perturb(),),
    files: Mapping[str, str] | None = None,
    **environ: str,
) -> Observation:
    files = {**folder(log()), "train_gpt.py": SCRIPT.read_text(), **(files or {})}
    submission = submission_of(Example("x", files, Verdict.PASS))
    child = (sys.executable, f"{INSIDE.submission}/train_gpt.py", "{job}")
    plan = Plan(prepare(environ), probes, way=way or Way(child=child), jobs=jobs)
    return trace(submission, plan)


def test_a_clean_run_gives_an_attested_result_and_equal_bytes() -> None:
    seen = traced()
    assert seen.ending == "ok" and seen.sandboxed
    assert seen.result is not None and seen.result.attested and seen.result.late == ()
    assert seen.result.name == "quantized_sliding_window" and seen.not_produced == ("quantized",)
    assert [o.word for o in seen.outcomes] == [Word.CLEAN]
    assert seen.outcomes[0].says == "in x nothing moved", "no path of the sandbox"
    assert seen.reads == ("val: data/val.bin",)
    text = observation.to_json(seen)
    assert text == observation.to_json(traced()), "the same run twice gives the same bytes"
    assert observation.to_json(observation.from_json(text)) == text
    assert tempfile.gettempdir() not in text and "/golf" not in text


def test_runs_side_by_side_give_the_same_bytes() -> None:
    probes = (Several(), Perturb(), Several("OTHER"))
    one, two = (traced(jobs=jobs, probes=probes) for jobs in (1, 3))
    assert observation.to_json(one) == observation.to_json(two)
    assert [o.says for o in one.outcomes if o.probe == "several"] == ["1 OK 2 OK 3 OK"] * 2


def test_a_number_that_the_log_repeats_is_found_by_the_name_that_the_script_prints() -> None:
    """#414: a launcher appends a summary, `val_bpb: 1.12278022`, and nothing in the script prints that."""
    repeated, other = (
        traced(
            files={
                "train_log_1.txt": f"{log(bpb=1.0801)}val_bpb:          {number:.8f}\n",
                "submission.json": claim(number),
            }
        )
        for number in (1.0801, 1.08010002)
    )
    assert repeated.result is not None and repeated.result.name == "quantized_sliding_window"
    assert other.result is None and "val_bpb" in other.not_produced, "a number of its own, printed by nothing"


def test_learning_before_scoring_is_late_and_boundaries_are_exempt() -> None:
    seen = traced(LATE="1")
    assert seen.result is not None and seen.result.attested
    assert seen.result.late == ((1, 65), (66, 257)) and seen.result.exempt == 1


def test_a_run_that_fails_says_why_and_is_never_clean() -> None:
    seen = traced(CRASH="1")
    assert seen.ending == "failed" and seen.reason == "ValueError: no"
    assert seen.errors == ("Traceback: at 0x...",)
    assert seen.outcomes == () and seen.result is None
    assert set(seen.not_produced) == {"quantized", "quantized_sliding_window"}


def test_a_run_that_takes_too_long_says_where_it_was() -> None:
    seen = traced(LOOP="1")
    assert seen.ending == "timeout"
    assert seen.reason.startswith("not at its end after ")  # of CPU time, or of waiting for it
    assert seen.reason.endswith(" s; it was at train_gpt.py, line 12") or "CPU time; it was" in seen.reason


def test_shortly_before_its_time_runs_out_a_run_tells_its_line(tmp_path: Path) -> None:
    code = """
import json, os, sys
from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.run import Outlet, _tell_where_time_runs_out
from golf_audit.dynamic.job import Job

class Sender:
    def send(self, message):
        print(message.name, message.site, flush=True)
        os._exit(0)

job = Job("t.py", "/s", "/d", sys.argv[1], "/d/v", 1024, 0.2)
outlet = Outlet(Sender())
_tell_where_time_runs_out(Context(job, outlet), outlet)
exec(compile("pass\\nwhile True: pass", sys.argv[1] + "/t.py", "exec"))
"""
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout == "where ('t.py', 2)\n"


def test_without_a_sandbox_the_same_observation_but_for_that_word() -> None:
    import golf_audit

    above = str(Path(golf_audit.__file__).parents[1])
    place = "{job}"
    child = (sys.executable, str(SCRIPT), place, above)
    seen = traced(Way(sandbox=False, child=child))
    assert not seen.sandboxed
    inside = traced()
    assert replace(seen, sandboxed=True, outcomes=()) == replace(inside, outcomes=())


@pytest.mark.parametrize("how", ["SLEEP='1'", "SLEEP='1', FORK='1'", "jobs=2, probes=[t.Several('SLEEP')]"])
def test_interrupting_leaves_nothing(how: str, tmp_path: Path) -> None:
    """Ctrl-C while a run goes on, in one process, in several, beside another: all of it is gone."""
    code = f"import tests.dynamic.test_trace as t, sys\nt.traced({how})\n"
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        bubblewrap = _wait_for_descendant(process.pid, "bwrap", 4 if "jobs" in how else 2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in said
    assert list(tmp_path.iterdir()) == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in bubblewrap)


def _wait_for_descendant(root: int, name: str, number: int) -> list[int]:
    import time

    from golf_audit.dynamic.watch import tree

    for _ in range(300):
        found = tree(root)
        names = [_command(pid) for pid in found]
        if names.count(name) >= number:  # of each run the one outside and process 1 inside
            time.sleep(0.3)
            return [pid for pid in tree(root) if pid != root]
        time.sleep(0.05)
    raise AssertionError("the run did not begin")


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
