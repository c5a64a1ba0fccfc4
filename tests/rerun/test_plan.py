"""What a rerun would be given: the configuration of the claim, and nothing that a stranger smuggles in."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.errors import AuditError
from golf_audit.filetree import File, FileTree
from golf_audit.load import load_folder
from golf_audit.rerun import environment
from golf_audit.rerun.local import write_program
from golf_audit.rerun.packages import wanted
from golf_audit.rerun.plan import Plan, claimed_seeds, plan_rerun
from golf_audit.reruns import program_files, program_fingerprint
from golf_audit.source import Sources
from golf_audit.submission import Case
from tests.rerun.small import SEEDS, folder

HEAD = "import os\n\nSEED = int(os.environ.get('SEED', '1'))\n"


def planned(submission_folder: Path, **options: object) -> Plan:
    submission = load_folder(submission_folder)
    case = Case(submission, submission.date)
    report = audit(case, registry.pick(["R"]), restricted=True)
    return plan_rerun(case, report, claimed_seeds(submission), **options)  # type: ignore[arg-type]


def rewritten(made: Path, script: str, readme: str) -> Path:
    """The folder with another script and README, and without logs that would say otherwise."""
    (made / "train_gpt.py").write_text(script)
    (made / "README.md").write_text(f"# A small one\n\n```bash\n{readme}\n```\n")
    for log in made.glob("*.log"):
        log.unlink()
    return made


def test_the_claimed_seeds_and_the_readmes_settings_are_run(tmp_path: Path) -> None:
    plan = planned(folder(tmp_path, settings="NOISE=0.5"))
    assert plan.seeds == SEEDS
    assert plan.environ(314) == {"NOISE": "0.5", "SEED": "314"}
    assert plan.command(314) == ("python", "train_gpt.py")
    assert plan.tag == "final_int8_zlib_roundtrip"


def test_defaults_are_left_to_the_code(tmp_path: Path) -> None:
    plan = planned(folder(tmp_path, settings="NOISE=0.0"))
    assert plan.environ(42) == {"SEED": "42"}


def test_torchrun_gets_the_processes_of_the_claim(tmp_path: Path) -> None:
    made = folder(tmp_path, command="torchrun --standalone --nproc_per_node=8 train_gpt.py")
    plan = planned(made)
    assert plan.processes == 8
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=8")
    assert plan.command(42) == ("python", *launch, "train_gpt.py")
    assert planned(made, processes=2).processes == 2


def test_a_record_whose_folder_names_no_processes_runs_on_eight(tmp_path: Path) -> None:
    made = rewritten(folder(tmp_path, track="track_10min_16mb"), HEAD, "SEED=42 python train_gpt.py")
    assert planned(made).processes == 8


def test_what_belongs_to_a_machine_or_loads_code_is_not_carried_over(tmp_path: Path) -> None:
    names = ("RUN_ID", "LD_PRELOAD", "DATA_PATH", "OTHER", "LR")
    script = HEAD + "".join(f"{name} = os.environ.get('{name}', '')\n" for name in names)
    settings = (
        "RUN_ID=abc LD_PRELOAD=/tmp/evil.so PYTHONPATH=/tmp/evil MASTER_PORT=1 "
        "DATA_PATH=/workspace/x/data/datasets/fineweb10B_sp1024 OTHER=/home/me/secret LR=0.1"
    )
    made = rewritten(folder(tmp_path), script, f"{settings} SEED=42 python train_gpt.py")
    plan = planned(made)
    assert plan.environ(42) == {"DATA_PATH": "./data/datasets/fineweb10B_sp1024", "LR": "0.1", "SEED": "42"}
    assert "OTHER=/home/me/secret names a place on another machine" in plan.problems


def test_what_only_the_log_tells_is_run_and_told(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "train_gpt.py").write_text(HEAD + "LR = float(os.environ.get('LR', '0.5'))\nprint(LR)\n")
    for log in made.glob("*.log"):
        log.write_text(log.read_text().replace("world_size:1", "world_size:1 lr:0.1"))
    plan = planned(made)
    assert plan.environ(42) == {"LR": "0.1", "SEED": "42"}
    assert plan.problems == ("LR=0.1 is only printed by the log, no command gives it",)


def test_a_seed_that_is_a_flag_is_passed_as_one(tmp_path: Path) -> None:
    script = (
        "import argparse\n\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--seed', type=int, default=1)\n"
        "parser.add_argument('--lr', type=float, default=0.5)\n"
        "args = parser.parse_args()\nprint(args.seed, args.lr)\n"
    )
    made = rewritten(folder(tmp_path), script, "python train_gpt.py --seed 42 --lr 0.1")
    plan = planned(made)
    assert plan.command(314) == ("python", "train_gpt.py", "--lr", "0.1", "--seed", "314")
    assert "SEED" not in plan.environ(314)


def test_a_script_without_a_seed_says_so(tmp_path: Path) -> None:
    plan = planned(rewritten(folder(tmp_path), "print('no seed')\n", "python train_gpt.py"))
    assert any("takes a seed" in problem for problem in plan.problems)


def test_the_expected_time_is_that_of_the_logs_and_has_a_limit(tmp_path: Path) -> None:
    plan = planned(folder(tmp_path))
    assert plan.expected_s == pytest.approx(599 + 61)
    assert plan.limit_s == pytest.approx(2 * 660 + 900)
    assert plan.gpu_hours == pytest.approx(3 * 660 / 3600)


@pytest.mark.parametrize("seeds", [[], [1, 1], list(range(101))])
def test_no_seeds_or_the_same_twice_is_refused(tmp_path: Path, seeds: list[int]) -> None:
    submission = load_folder(folder(tmp_path))
    case = Case(submission, submission.date)
    with pytest.raises(AuditError, match="different seeds"):
        plan_rerun(case, audit(case, []), seeds)


def test_a_folder_without_a_script_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "train_gpt.py").unlink()
    with pytest.raises(AuditError, match="no train_gpt"):
        planned(made)


def test_the_program_holds_no_papers_and_no_logs(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "notes.txt").write_text((made / "train_seed42.log").read_text())
    (made / "words.txt").write_text("the\nof\n")
    (made / "lib").mkdir()
    (made / "lib" / "tables.py").write_text("TABLE = 1\n")
    submission = load_folder(made)
    assert [file.path for file in program_files(submission)] == ["lib/tables.py", "train_gpt.py", "words.txt"]
    target = tmp_path / "program"
    target.mkdir()
    write_program(planned(made), target)
    assert sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()) == [
        "lib/tables.py",
        "train_gpt.py",
        "words.txt",
    ]


def test_a_link_in_the_folder_is_not_followed_into_a_run(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "weights.bin").symlink_to("/etc/passwd")
    target = tmp_path / "program"
    target.mkdir()
    plan = planned(made)
    write_program(plan, target)
    assert not os.path.lexists(target / "weights.bin")
    assert "weights.bin (symbolic link) was not read: the run does not find it" in plan.problems


def test_the_programs_fingerprint_is_over_names_and_bytes(tmp_path: Path) -> None:
    made = folder(tmp_path)
    first = program_fingerprint(load_folder(made))
    (made / "README.md").write_text("another")
    assert program_fingerprint(load_folder(made)) == first
    (made / "lossless.py").write_text("")
    assert program_fingerprint(load_folder(made)) != first


def requirements(text: str) -> FileTree:
    data = text.encode()
    return FileTree({"requirements.txt": File("requirements.txt", len(data), data)})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--extra-index-url https://evil.invalid", "an option"),
        ("-e git+https://evil.invalid/x", "an option"),
        ("-r more.txt", "an option"),
        ("package @ https://evil.invalid/x.whl", "an address"),
        ("https://evil.invalid/x.whl", "not a name with versions"),
        ("git+https://evil.invalid/x", "not a name with versions"),
        ("./local", "not a name with versions"),
        ("package \\", "goes on in the next line"),
        ("p\u0430ckage", "characters that no requirement has"),
        ("package==1; import os", "not a name with versions"),
        ("x" * 400, "too long"),
    ],
)
def test_lines_that_choose_where_code_comes_from_are_refused(line: str, why: str) -> None:
    found = wanted(requirements(f"# a comment\n{line}\nnumpy\n"), Sources({}))
    assert [(refused.line, refused.why) for refused in found.refused] == [(2, why)]
    assert found.present == ("numpy",) and found.missing == ()


def test_what_is_here_is_told_from_what_is_missing() -> None:
    found = wanted(
        requirements("numpy>=1\nnumpy==0.0.1\nno-such-package-here\nx; sys_platform == 'win32'\n"),
        Sources({}),
    )
    assert found.present == ("numpy>=1",)
    assert found.missing == ("numpy==0.0.1", "no-such-package-here")


def shard(path: Path, count: int, tokens: int, magic: int = environment.MAGIC) -> None:
    path.write_bytes(struct.pack("<256i", magic, 1, count, *[0] * 253) + bytes(2 * tokens))


def test_data_are_told_by_header_size_and_hash(tmp_path: Path) -> None:
    shard(tmp_path / "fineweb_val_000000.bin", 100, 100)
    shard(tmp_path / "fineweb_val_bytes_000000.bin", 100, 100)
    shard(tmp_path / "fineweb_train_000000.bin", 7, 7)
    found = environment.fingerprint(tmp_path)
    assert found.val_tokens == 100
    before = found.fingerprint
    shard(tmp_path / "fineweb_train_000000.bin", 8, 8)
    assert environment.fingerprint(tmp_path).fingerprint != before


@pytest.mark.parametrize(("count", "tokens", "magic"), [(100, 99, environment.MAGIC), (100, 100, 7)])
def test_a_header_that_does_not_fit_its_file_counts_nothing(
    tmp_path: Path, count: int, tokens: int, magic: int
) -> None:
    shard(tmp_path / "fineweb_val_000000.bin", count, tokens, magic)
    found = environment.fingerprint(tmp_path)
    assert found.val_tokens == 0 and found.shards[0].tokens is None


def with_places(at: Path, *settings: str) -> Path:
    """A folder whose README names places."""
    names = [setting.partition("=")[0] for setting in settings]
    script = HEAD + "".join(f"{name} = os.environ.get('{name}', '')\n" for name in names)
    return rewritten(folder(at), script, f"{' '.join(settings)} SEED=42 python train_gpt.py")


def test_places_of_another_machine_are_found_again_in_the_data_folder(tmp_path: Path) -> None:
    """#1967 names /runpod-volume/...; without its data the run would die at once."""
    data = tmp_path / "own"
    (data / "datasets" / "fineweb_x").mkdir(parents=True)
    (data / "models").mkdir()
    (data / "models" / "x.model").touch()
    made = with_places(
        tmp_path,
        "DATA_PATH=/runpod-volume/caseops/datasets/fineweb_x",
        "TOKENIZER_PATH=/runpod-volume/tokenizers/x.model",
        "OTHER=/runpod-volume/none",
    )
    plan = planned(made, data=data)
    found = {
        "DATA_PATH": "./data/datasets/fineweb_x",
        "TOKENIZER_PATH": "./data/models/x.model",
        "SEED": "42",
    }
    assert plan.environ(42) == found
    told = "\n".join(plan.problems)
    assert "TOKENIZER_PATH=/runpod-volume/tokenizers/x.model is not there; ./data/models/x.model is" in told
    assert (
        f"OTHER=/runpod-volume/none names a place on another machine, and {data} holds none like it" in told
    )


def test_data_that_are_not_there_are_told_before_a_run_dies_of_it(tmp_path: Path) -> None:
    data = tmp_path / "own"
    (data / "datasets" / "here").mkdir(parents=True)
    made = with_places(tmp_path, "DATA_PATH=./data/datasets/here", "VAL=./data/datasets/gone")
    plan = planned(made, data=data)
    assert [p for p in plan.problems if "data" in p] == [f"VAL=./data/datasets/gone is not in {data}"]


def test_what_is_imported_and_neither_here_nor_required_is_told(tmp_path: Path) -> None:
    made = folder(tmp_path, requirements="golf-test-package==1.0\nflash-attn-3\n")
    script = made / "train_gpt.py"
    extra = "import golf_test_package\nimport golf_absent\nfrom flash_attn_interface import x\n"
    guarded = "try:\n    import golf_optional\nexcept ImportError:\n    pass\n"
    script.write_text(extra + guarded + script.read_text())
    plan = planned(made)
    told = [problem for problem in plan.problems if "imported" in problem]
    assert told == ["golf_absent (train_gpt.py, line 2) is imported, and is neither here nor required"]
    assert plan.packages.missing == ("golf-test-package==1.0", "flash-attn-3")


def test_an_environment_of_the_reviewers_own_is_taken_as_it_is(tmp_path: Path) -> None:
    plan = planned(folder(tmp_path, requirements="golf-test-package==1.0\n"), install=False)
    assert plan.packages.missing == () and "not installed, as asked: golf-test-package==1.0" in plan.problems
