"""`golf-audit rerun` on this machine, in the real sandbox: what is kept, what is ended, what is contained."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from golf_audit.ledger import Ledger, read_ledger
from tests.rerun.small import SEEDS, claim, data, folder, score

ROOT = Path(__file__).parents[2]


def golf_audit(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a person starts it."""
    return subprocess.run(
        [sys.executable, "-m", "golf_audit", *map(str, arguments)],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if k != "CI"}, **environ},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


class Bench:
    """A submission, its data, and a ledger to run into."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self.ledger = at / "runs.jsonl"
        self.data = data(at)

    def rerun(self, submission: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        done = golf_audit(
            "rerun", submission, "--ledger", self.ledger, "--data", self.data, "--yes", *options, **environ
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, submission: Path, seeds: str) -> subprocess.Popen[str]:
        """The same in a process that goes on, once its first seed has written something."""
        where = ["--ledger", str(self.ledger), "--data", str(self.data), "--yes", "--seeds", seeds]
        process = subprocess.Popen(
            [sys.executable, "-m", "golf_audit", "rerun", str(submission), *where],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        log = self.at / "runs-logs" / "seed42-entry2.log"
        while time.monotonic() < deadline and not (log.exists() and log.stat().st_size):
            time.sleep(0.1)
        return process

    @property
    def book(self) -> Ledger:
        return read_ledger(self.ledger)

    @property
    def endings(self) -> list[str]:
        return [end.body["ending"] for end in self.book.of("end")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_from_check_to_verdict_and_what_another_claim_makes_of_the_same_runs(bench: Bench) -> None:
    """The claim as it is, 0.02 better, and inside the noise: three words from one set of runs."""
    submission = folder(bench.at)
    done = bench.rerun(submission)
    assert "check: " in done.stdout and "SEED=42 python train_gpt.py" in done.stdout
    assert "undetermined: reproduced on" in done.stdout.lower() and "never a confirmation" in done.stdout
    assert done.returncode == 3, "on this machine nothing is confirmed"
    assert [end.body["score"]["bpb"] for end in bench.book.of("end")] == [score(seed) for seed in SEEDS]
    assert f"ledger head {bench.book.head}" in done.stdout

    (submission / "submission.json").write_text(claim({s: round(score(s) - 0.02, 8) for s in SEEDS}))
    done = bench.rerun(submission)
    assert "not reproduced: worse than claimed on" in done.stdout and "by 0.02000 bpb" in done.stdout
    assert len(bench.book.of("end")) == 3 and "kept from ledger entry" in done.stderr

    noisy = {s: round(score(s) + d, 8) for s, d in zip(SEEDS, (0.005, -0.004, 0.001), strict=True)}
    (submission / "submission.json").write_text(claim(noisy))
    done = bench.rerun(submission)
    assert "undetermined on" in done.stdout and "seeds would decide at this spread" in done.stdout


def test_every_step_is_in_the_ledger_and_its_chain_holds(bench: Bench) -> None:
    bench.rerun(folder(bench.at), "--seeds", "42")
    kinds = [entry.kind for entry in bench.book.entries]
    assert kinds == ["plan", "environment", "start", "end"]
    environment = bench.book.entries[1].body
    assert environment["hardware"]["cores"] > 0 and environment["software"]["packages"]["torch"]
    assert [shard["tokens"] for shard in environment["data"]["shards"]] == [500, 500]
    assert environment["data"]["val_tokens"] == 500
    end = bench.book.entries[3].body
    assert (end["train_s"], end["eval_s"], end["val_tokens"]) == (599.0, 61.0, 62_021_846)
    assert (bench.at / end["log"]["file"]).stat().st_size == end["log"]["bytes"]
    assert golf_audit("ledger", "verify", bench.ledger, "--head", bench.book.head).returncode == 0


def test_a_dry_run_runs_nothing(bench: Bench) -> None:
    done = bench.rerun(folder(bench.at), "--dry-run")
    assert done.returncode == 0 and "GPU hours" in done.stdout and not bench.ledger.exists()


def test_without_yes_a_no_runs_nothing(bench: Bench) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "golf_audit", "rerun", str(folder(bench.at)), "--data", str(bench.data)],
        cwd=bench.at,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3 and "nothing was run" in done.stdout
    assert not list(bench.at.glob("*.jsonl"))


@pytest.mark.parametrize(
    ("first", "last", "ending", "reason"),
    [
        pytest.param("raise SystemExit(3)", "pass", "failed", "status 3", id="a status"),
        pytest.param(
            "raise ValueError('no such shape')",
            "pass",
            "failed",
            "1: ValueError: no such shape",
            id="an error",
        ),
        pytest.param("os.kill(os.getpid(), 9)", "pass", "killed", "signal 9", id="a signal"),
        pytest.param("return", "pass", "finished", "prints no final_int8_zlib_roundtrip", id="no score"),
        pytest.param(
            "[print('x' * 1000000) for _ in range(30)]", "pass", "flood", "16 MiB", id="too much output"
        ),
    ],
)
def test_a_run_without_a_score_says_how_it_ended(
    bench: Bench, first: str, last: str, ending: str, reason: str
) -> None:
    done = bench.rerun(folder(bench.at, first=first, last=last), "--seeds", "42")
    assert bench.endings == [ending]
    assert reason in bench.book.of("end")[0].body["reason"] and reason in done.stdout
    assert done.returncode == 3 and bench.book.of("end")[0].body["score"] is None


def test_a_run_that_does_not_end_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from golf_audit.dynamic.sandbox import Limits
    from golf_audit.rerun.launch import Task, run_task

    task = Task(("/bin/sh", "-c", "sleep 600 & sleep 600"), (), {"PATH": "/usr/bin:/bin"}, 1.0, Limits())
    began = time.monotonic()
    ended = run_task(task, bench.at / "out", sandbox=True)
    assert ended.how == "timeout" and time.monotonic() - began < 30


def test_what_a_stranger_tries_in_the_sandbox_fails(bench: Bench) -> None:
    """No network, no way to the ledger or to home, and the claimed logs are not there to be printed."""
    secret = bench.at / "secret"
    secret.write_text("a secret of the reviewer")
    secret.chmod(0o644)
    tries = (
        "import socket, glob; print('LOGS', glob.glob('*.log'))\n"
        f"    print('SECRET', os.path.exists({str(secret)!r}))\n"
        "    try:\n"
        "        socket.create_connection(('1.1.1.1', 53), 2); print('NETWORK')\n"
        "    except OSError: print('CUT')"
    )
    bench.rerun(folder(bench.at, first=tries), "--seeds", "42")
    text = (bench.at / bench.book.of("end")[0].body["log"]["file"]).read_text()
    assert "LOGS []" in text and "SECRET False" in text and "CUT" in text and "NETWORK" not in text


def test_what_a_run_prints_reaches_no_terminal_unescaped(bench: Bench) -> None:
    first = r"print('\x1b]0;owned\x07step:1/2 train_loss:1.0 train_time:1ms', flush=True); time.sleep(12)"
    done = bench.rerun(folder(bench.at, first=first, last="raise SystemExit('\\x1b[2J')"), "--seeds", "42")
    assert "\x1b" not in done.stdout + done.stderr
    assert "seed 42" in done.stderr


def test_processes_that_a_run_leaves_behind_are_ended(bench: Bench) -> None:
    first = "import subprocess; subprocess.Popen(['sleep', '4321'], start_new_session=True)"
    bench.rerun(folder(bench.at, first=first), "--seeds", "42")
    assert bench.endings == ["finished"]
    assert not _alive("sleep", "4321")


def _alive(*argv: str) -> bool:
    """True when a process with this command line lives."""
    wanted = "\0".join(argv) + "\0"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_text(errors="replace") == wanted:
                return True
        except OSError:
            continue
    return False


def test_a_killed_rerun_is_marked_and_goes_on(bench: Bench) -> None:
    submission = folder(bench.at, settings="SECONDS=600")
    victim = bench.start(submission, "42,314")
    busy = bench.rerun(submission, "--seeds", "42", "--dry-run")
    assert busy.returncode == 0
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=30)
    (submission / "README.md").write_text("# A small one\n\n    SECONDS=0 SEED=42 python train_gpt.py\n")
    done = bench.rerun(submission, "--seeds", "42,314")
    assert "an earlier run was broken off" in done.stderr
    assert bench.endings == ["interrupted", "finished", "finished"]
    first = bench.book.of("end")[0].body
    assert first["start"] == 2 and first["log"]["bytes"] > 0, "what it had written is kept"


def test_stopping_by_hand_ends_the_run_and_says_so(bench: Bench) -> None:
    process = bench.start(folder(bench.at, settings="SECONDS=600"), "42")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4 and "stopped by hand" in said and "Traceback" not in said
    assert bench.endings == ["interrupted"]


def test_logs_of_an_earlier_ledger_of_the_same_name_are_kept(bench: Bench) -> None:
    submission = folder(bench.at)
    bench.rerun(submission, "--seeds", "42")
    bench.ledger.unlink()
    bench.rerun(submission, "--seeds", "42")
    assert bench.endings == ["finished"] and not bench.book.problems
    assert len(list((bench.at / "runs-logs").glob("seed42-entry2.log*"))) == 2


def test_a_seed_that_another_process_runs_is_left_to_it(bench: Bench) -> None:
    submission = folder(bench.at, settings="SECONDS=600")
    other = bench.start(submission, "42")
    done = bench.rerun(submission, "--seeds", "42")
    assert "another process runs it" in done.stderr
    other.send_signal(signal.SIGINT)
    other.communicate(timeout=60)
    assert bench.endings == ["interrupted"] and not bench.book.problems


def test_an_altered_ledger_is_not_run_into(bench: Bench) -> None:
    submission = folder(bench.at)
    bench.rerun(submission, "--seeds", "42")
    bench.ledger.write_bytes(bench.ledger.read_bytes().replace(b'"seed":42,', b'"seed":43,', 1))
    done = bench.rerun(submission, "--seeds", "314")
    assert done.returncode == 1 and "altered" in done.stdout


def test_without_data_it_cannot_run(bench: Bench) -> None:
    submission = folder(bench.at)
    done = golf_audit("rerun", submission, "--ledger", bench.ledger, "--data", bench.at / "no", "--yes")
    assert done.returncode == 4 and "no such folder" in done.stderr


def test_the_unsafe_way_is_refused_in_ci_and_runs_elsewhere(bench: Bench) -> None:
    submission = folder(bench.at)
    refused = bench.rerun(submission, "--unsafe-no-sandbox", "--seeds", "42", CI="true")
    assert refused.returncode == 2 and "refused when CI=true" in refused.stderr and not bench.ledger.exists()
    done = bench.rerun(submission, "--unsafe-no-sandbox", "--seeds", "42")
    assert done.returncode == 3 and bench.endings == ["finished"]
    assert bench.book.of("environment")[0].body["software"]["sandbox"] == "none"


def wheel(at: Path, name: str = "golf_test_package", version: str = "1.0") -> Path:
    """A wheel that holds one module."""
    at.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    path = at / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "ANSWER = 42\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    at.chmod(0o755)
    path.chmod(0o644)
    return path


def test_packages_come_from_wheels_and_options_are_refused(bench: Bench) -> None:
    wheels = wheel(bench.at / "wheels").parent
    requirements = (
        "golf_test_package==1.0\n--index-url https://evil.invalid\n-e .\nx @ https://evil.invalid/x\n"
    )
    first = "import golf_test_package; print('ANSWER', golf_test_package.ANSWER)"
    submission = folder(bench.at, first=first, requirements=requirements)
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    done = bench.rerun(submission, "--seeds", "42", **index)
    assert "packages to install, in the sandbox, from wheels alone: golf_test_package==1.0" in done.stdout
    for line in ("requirements.txt:2", "requirements.txt:3", "requirements.txt:4"):
        assert f"refused in {line}" in done.stdout
    assert bench.endings == ["finished"], done.stderr
    assert bench.book.of("environment")[0].body["software"]["packages"]["golf_test_package"] == "1.0"
    absent = subprocess.run(
        [sys.executable, "-c", "import golf_test_package"], capture_output=True, check=False
    )
    assert absent.returncode != 0, "our own environment stays as it is"


def test_a_source_distribution_is_not_built(bench: Bench) -> None:
    """setup.py of a stranger is code; only wheels are taken."""
    import tarfile

    wheels = bench.at / "wheels"
    wheels.mkdir()
    setup = bench.at / "setup.py"
    setup.write_text(f"open({str(bench.at / 'owned')!r}, 'w')\n")
    with tarfile.open(wheels / "golf_test_package-1.0.tar.gz", "w:gz") as archive:
        archive.add(setup, "golf_test_package-1.0/setup.py")
    submission = folder(bench.at, requirements="golf_test_package==1.0\n")
    done = bench.rerun(submission, "--seeds", "42", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))
    assert done.returncode == 4 and "could not be installed" in done.stderr
    assert not (bench.at / "owned").exists()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2])
def test_torchrun_starts_several_ranks_that_talk_to_each_other(bench: Bench, processes: int) -> None:
    """Two gloo ranks in the sandbox: loopback works where the network is cut."""
    first = (
        "import torch, torch.distributed as dist; dist.init_process_group('gloo');"
        " t = torch.ones(1); dist.all_reduce(t); print('RANKS', int(t.item()), flush=True);"
        " rank = dist.get_rank(); dist.barrier(); dist.destroy_process_group();"
        " rank and exit(0)"
    )
    submission = folder(bench.at, first=first, command=f"torchrun --nproc_per_node={processes} train_gpt.py")
    done = bench.rerun(submission, "--seeds", "42")
    log = (bench.at / bench.book.of("end")[0].body["log"]["file"]).read_text()
    assert bench.endings == ["finished"], log
    assert log.count(f"RANKS {processes}") == processes
    assert json.loads(bench.ledger.read_text().splitlines()[0])["body"]["processes"] == processes
    assert "torch.distributed.run" in done.stdout
