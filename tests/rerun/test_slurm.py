"""Reruns through a real Slurm on loopback, submitted by submitit. `make test-slurm` runs these.

Protects: one job per seed, nothing lost when a job is killed or requeued or when the submitting side dies.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from golf_audit.ledger import Ledger, read_ledger
from golf_audit.sweep import Target, sweep
from golf_audit.sweep.run import Audits
from golf_audit.sweep.slurm import by_slurm
from golf_audit.sweep.traces import How, Look, Traces
from tests.rerun.cluster import Cluster, cluster, missing
from tests.rerun.small import claim, data, folder, score
from tests.test_sweep import clone  # noqa: F401 - a fixture

pytestmark = pytest.mark.slurm
ROOT = Path(__file__).parents[2]
TINY = ROOT / "examples" / "track_non_record_16mb" / "2026-11-21_GolfRefTiny"
SEEDS = (42, 314, 999)


@pytest.fixture
def client(slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process submits to the cluster, and its jobs find the checkout."""
    monkeypatch.setenv("SLURM_CONF", slurm.environ["SLURM_CONF"])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    absent = missing()
    assert not absent, f"apt-get install slurm-wlm munge: {', '.join(absent)} missing"
    with cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


class Rerun:
    """`golf-audit rerun --launcher slurm` of one submission, in processes of its own."""

    def __init__(self, slurm: Cluster, at: Path, submission: Path, data_folder: Path) -> None:
        self.slurm, self.at = slurm, at
        self.ledger = at / "runs.jsonl"
        options = ["--launcher", "slurm", "--ledger", str(self.ledger), "--data", str(data_folder), "--yes"]
        self.command = [sys.executable, "-m", "golf_audit", "rerun", str(submission), *options]

    def start(self, *options: str) -> subprocess.Popen[str]:
        environ = {k: v for k, v in self.slurm.environ.items() if k != "CI"}
        return subprocess.Popen(
            [*self.command, *options],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str) -> tuple[int, str, str]:
        return ended(self.start(*options))

    @property
    def book(self) -> Ledger:
        return read_ledger(self.ledger)

    def jobs(self) -> dict[int, tuple[str, Path]]:
        """Job and folder by seed, of the starts that have no end."""
        if not self.ledger.exists():
            return {}
        over = {end.body["start"] for end in self.book.of("end")}
        found = {}
        for start in self.book.of("start"):
            place = self.at / "runs-logs" / f"entry{start.n}"
            if start.n not in over and (place / "job.id").exists():
                found[start.body["seed"]] = ((place / "job.id").read_text(), place)
        return found

    def endings(self) -> list[tuple[int, str]]:
        return sorted((end.body["seed"], end.body["ending"]) for end in self.book.of("end"))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=540)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def until(true: Callable[[], bool], seconds: float = 400.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.3)


def has_output(rerun: Rerun, seed: int) -> bool:
    """True once that seed's run has written something."""
    job = rerun.jobs().get(seed)
    return job is not None and any(log.stat().st_size for log in job[1].glob("start*.log"))


def kill_job(job: str) -> None:
    """End the job's process on the node as a dying machine would: at once, and without a word to anybody."""
    wanted = f"SLURM_JOB_ID={job}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line, environ = (path / "cmdline").read_bytes(), (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"submitit.core._submit" in line and b"srun" not in line and wanted in environ:
            os.kill(int(path.name), signal.SIGKILL)
            return
    raise AssertionError(f"job {job} has no process here")


def test_a_killed_job_is_reported_the_rest_finishes_and_it_alone_runs_again(
    slurm: Cluster, tmp_path: Path
) -> None:
    submission = folder(tmp_path, settings="SECONDS=15")
    rerun = Rerun(slurm, tmp_path, submission, data(tmp_path))
    process = rerun.start()
    until(lambda: has_output(rerun, 314))
    kill_job(rerun.jobs()[314][0])
    code, out, err = ended(process)
    assert rerun.endings() == [(42, "finished"), (314, "killed"), (999, "finished")]
    killed = next(end for end in rerun.book.of("end") if end.body["seed"] == 314)
    assert "no result" in killed.body["reason"] and killed.body["log"]["bytes"] > 0
    assert code == 3 and "seed 314: killed: Slurm job" in out and "seed 314: killed" in err

    code, out, err = rerun.run()
    assert rerun.endings() == [(42, "finished"), (314, "finished"), (314, "killed"), (999, "finished")]
    assert "seed 42: kept" in err and "reproduced on" in out
    scores = {e.body["seed"]: e.body["score"]["bpb"] for e in rerun.book.of("end") if e.body["score"]}
    assert scores == {seed: score(seed) for seed in SEEDS}
    assert not rerun.book.problems


def test_jobs_go_on_when_the_submitting_side_dies_and_are_followed_again(
    slurm: Cluster, tmp_path: Path
) -> None:
    rerun = Rerun(slurm, tmp_path, folder(tmp_path, settings="SECONDS=20"), data(tmp_path))
    process = rerun.start("--seeds", "42,314")
    until(lambda: has_output(rerun, 42) and has_output(rerun, 314))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    _, _, err = rerun.run("--seeds", "42,314")
    assert "following Slurm job" in err
    assert rerun.endings() == [(42, "finished"), (314, "finished")]
    assert len(rerun.book.of("start")) == 2, "no job was submitted twice"


def test_the_plan_shows_the_job(slurm: Cluster, tmp_path: Path) -> None:
    submission = folder(tmp_path, command="torchrun --nproc_per_node=8 train_gpt.py")
    code, out, _ = Rerun(slurm, tmp_path, submission, data(tmp_path)).run("--dry-run")
    assert code == 0
    assert "#SBATCH --gpus-per-node=8" in out and "#SBATCH --requeue" in out
    assert not (tmp_path / "runs.jsonl").exists()


def test_a_job_that_slurm_refuses_is_one_clear_error(slurm: Cluster, tmp_path: Path) -> None:
    rerun = Rerun(slurm, tmp_path, folder(tmp_path), data(tmp_path))
    code, _, err = rerun.run("--seeds", "42", "--nproc-per-node", "9")
    assert code == 4 and "sbatch refused the job" in err


def test_a_sweep_in_parts_finds_what_one_process_finds(
    client: None,
    clone: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    targets = [Target(number) for number in (1, 2, 3, 4)]
    rows = list(by_slurm(Audits(str(clone), ("R",)), targets, 2, tmp_path / "parts", cpus=1))
    alone = {row["pr"]: row["submissions"] for row in sweep(clone, targets, 1, ("R",))}
    assert {row["pr"]: row["submissions"] for row in rows} == alone
    assert not any(row["crash"] for row in rows)


def test_heads_of_a_sweeps_killed_job_are_rows_that_say_so(
    client: None,
    clone: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    work = Audits(str(clone / "no clone"), ("R",))
    rows = by_slurm(work, [Target(1), Target(2)], 1, tmp_path / "parts", cpus=1)
    assert [(row["pr"], "Slurm job ended before it" in row["crash"]) for row in rows] == [
        (1, True),
        (2, True),
    ]


def test_traces_of_several_heads_by_jobs(
    client: None,
    clone: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The same launcher, the same rows as here: a file for each submission in a folder that nodes see."""
    folder = tmp_path / "traces"
    folder.mkdir()
    work = Traces(str(clone), Look(str(folder), How("quick", "cpu", False)))
    rows = sorted(
        by_slurm(work, [Target(1), Target(3)], 2, tmp_path / "parts", cpus=1), key=lambda r: r["pr"]
    )
    assert [row["pr"] for row in rows] == [1, 3] and not any(row["crash"] for row in rows)
    (one,) = rows[0]["submissions"]
    assert one["ending"] == "ok" and one["attested"] and (folder / one["file"]).is_file(), one
    assert rows[1]["submissions"] == []


def test_three_seeds_of_golf_ref_with_one_job_requeued_in_the_middle(slurm: Cluster, tmp_path: Path) -> None:
    """The bundled submission, shortened by its README's command; without its logs nothing else is stated."""
    submission = tmp_path / "records" / "track_non_record_16mb" / "2026-11-21_GolfRefTiny"
    shutil.copytree(TINY, submission, ignore=shutil.ignore_patterns("*.log"))
    short = "ITERATIONS=12 GLOBAL_TTT_EPOCHS=0 EVAL_STRIDE=64"
    (submission / "README.md").write_text(
        f"# tiny\n\n    {short} SEED=42 DATA_PATH=./data python train_gpt.py\n"
    )
    (submission / "submission.json").write_text(claim(dict.fromkeys(SEEDS, 4.0)))
    made = [sys.executable, "-m", "golf_ref", "data", "--preset", "tiny", "--out", str(tmp_path / "tiny")]
    subprocess.run(
        made, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True
    )
    rerun = Rerun(slurm, tmp_path, submission, tmp_path / "tiny" / "data")
    process = rerun.start()
    until(lambda: has_output(rerun, 42))
    slurm.ask("scontrol", "requeue", rerun.jobs()[42][0])
    code, out, err = ended(process)
    assert rerun.endings() == [(42, "finished"), (42, "interrupted"), (314, "finished"), (999, "finished")]
    assert "requeued" in err
    assert [s.body["attempt"] for s in rerun.book.of("start") if s.body["seed"] == 42] == [1, 2]
    assert code == 3 and f"ledger head {rerun.book.head}" in out
    assert not rerun.book.problems
