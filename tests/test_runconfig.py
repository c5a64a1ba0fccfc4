"""What was run: precedence, per seed, conflicts, and what is not believed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import pytest

from golf_audit.claims import read_claims
from golf_audit.filetree import File, FileTree
from golf_audit.load import load_pull_request
from golf_audit.runconfig import Origin, RunConfig, resolve
from golf_audit.source import read_sources
from golf_audit.specimen import log
from golf_audit.support import find_support
from golf_audit.trainlog import read_logs

SCRIPT = """
import os

class Hyperparameters:
    seed = int(os.environ.get("SEED", 1337))
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ttt_lr = float(os.environ.get("TTT_LR", 0.002))
    ttt_epochs = int(os.environ.get("TTT_EPOCHS", 3))
    loop_end = int(os.environ.get("LOOP_END", 5)) - 1
    train_seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 1024))
    eval_seq_len = int(os.environ.get("EVAL_SEQ_LEN", train_seq_len))
    compressor = os.environ.get("COMPRESSOR", "brotli")
    data_dir = os.environ.get("DATA_DIR", "./data")
    layers = [int(i) for i in os.environ.get("LAYERS", "1,2").split(",")]
    width = 512
"""
CLAIM = {"val_bpb": 1.0801, "seed_results": {"42": {"val_bpb": 1.0801}}}
RUN = "torchrun --nproc_per_node=8 train_gpt.py"


def config(files: Mapping[str, str]) -> RunConfig:
    """The configuration of a folder that holds the script above and these files."""
    texts = {"train_gpt.py": SCRIPT, "submission.json": json.dumps(CLAIM), **files}
    tree = FileTree({p: File(p, len(t.encode()), t.encode()) for p, t in sorted(texts.items())})
    claims, logs = read_claims(tree), read_logs(tree)
    return resolve(tree, read_sources(tree), claims, logs, find_support(claims, logs))


def readme(*commands: str) -> str:
    return "# Run\n\n" + "\n\n".join(f"```bash\n{command}\n```" for command in commands) + "\n"


def run_log(seed: int = 42, bpb: float = 1.0801, **settings: object) -> str:
    return log(seed, bpb, settings=settings)


@pytest.mark.parametrize(
    ("files", "value", "origin"),
    [
        pytest.param({}, "0", Origin.CODE, id="the code's default when nobody says anything"),
        pytest.param({"run.sh": f"TTT_ENABLED=1 {RUN}"}, "1", Origin.SHELL, id="a script over the default"),
        pytest.param(
            {"README.md": readme(f"TTT_ENABLED=1 {RUN}")}, "1", Origin.README, id="a README over the default"
        ),
        pytest.param(
            {"submission.json": json.dumps(CLAIM | {"env": {"TTT_ENABLED": "1"}})},
            "1",
            Origin.SUBMISSION,
            id="submission.json over the default",
        ),
        pytest.param(
            {
                "submission.json": json.dumps(CLAIM | {"env": {"TTT_ENABLED": "1"}}),
                "README.md": readme(f"TTT_ENABLED=0 {RUN}"),
            },
            "0",
            Origin.README,
            id="a command over submission.json",
        ),
        pytest.param(
            {"train_seed42.log": run_log(ttt_enabled=True)}, "1", Origin.LOG, id="a log over the default"
        ),
        pytest.param(
            {
                "README.md": readme(f"TTT_ENABLED=0 TTT_LR=0.1 {RUN}"),
                "train_seed42.log": run_log(ttt_enabled=True),
            },
            "1",
            Origin.LOG,
            id="a log over the README",
        ),
    ],
)
def test_the_strongest_origin_decides(files: Mapping[str, str], value: str, origin: Origin) -> None:
    """Log beats command beats default: defaults say off while the run had it on (#1958)."""
    found = config(files).setting("TTT_ENABLED")
    assert found is not None and (found.value, found.origin) == (value, origin)


def test_every_origin_stays_with_its_position() -> None:
    """The report prints README.md:n, train_seed42.log:n and the default in code from one setting."""
    found = config(
        {"README.md": readme(f"TTT_ENABLED=1 {RUN}"), "train_seed42.log": run_log(ttt_enabled=True)}
    )
    setting = found.setting("ttt_enabled")
    assert setting is not None and setting.default is not None
    assert [w.file for w in setting.witnesses] == ["train_seed42.log", "README.md"]
    assert all(w.line and w.quote for w in setting.witnesses)
    assert (setting.default.value, setting.default.where and setting.default.where.line) == ("0", 6)
    assert found.conflicts == ()


@pytest.mark.parametrize("spelling", ["TTT_LR", "ttt_lr", "Hyperparameters.ttt_lr", "h.ttt_lr"])
def test_a_setting_is_found_under_every_spelling(spelling: str) -> None:
    """Rules ask by variable, the static engine by attribute."""
    assert config({"README.md": readme(f"TTT_LR=5e-4 {RUN}")}).literal(spelling) == 0.0005


def test_an_interpreter_tells_a_statement_from_a_default() -> None:
    """Each read has its own default; only what was stated may replace it."""
    found = config({"README.md": readme(f"TTT_LR=5e-4 {RUN}")})
    assert found.explicit("TTT_LR") is not None
    assert found.explicit("TTT_EPOCHS") is None and found.get("TTT_EPOCHS") == "3"
    assert found.get("NO_SUCH_SETTING") is None


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        pytest.param("TTT_ENABLED=1", {"ttt_enabled": True}, id="1 and True"),
        pytest.param("TTT_LR=5e-4", {"ttt_lr": 0.0005}, id="two spellings of a number"),
        pytest.param("TTT_LR=0.00049", {"ttt_lr": "0.000"}, id="a number that the log rounds"),
        pytest.param("LAYERS=3,4", {"layers": [3, 4]}, id="a list"),
        pytest.param(
            "DATA_DIR=./data", {"data_dir": "/workspace/data"}, id="the same folder on another machine"
        ),
        pytest.param("SEED=7", {"ttt_epochs": 3}, id="the seed of another run in the README"),
        pytest.param("LOOP_END=5", {"loop_end": 4}, id="an attribute computed from its variable"),
        pytest.param("TTT_ENABLED=1", {}, id="a value against the code's default"),
        pytest.param("TTT_ENABLED=1", {"ttt_enabled": "active=1"}, id="a printed word that is no value"),
    ],
)
def test_what_only_looks_different_is_no_conflict(command: str, printed: Mapping[str, object]) -> None:
    """A conflict accuses; it must be one."""
    found = config({"README.md": readme(f"{command} {RUN}"), "train_seed42.log": run_log(**printed)})
    assert found.conflicts == ()


@pytest.mark.parametrize(
    ("command", "printed", "name"),
    [
        pytest.param(
            "TTT_EPOCHS=3 COMPRESSOR=lzma", {"ttt_epochs": 3, "compressor": "zstd"}, "COMPRESSOR", id="a word"
        ),
        pytest.param("TTT_EPOCHS=3 TTT_LR=0.1", {"ttt_epochs": 3, "ttt_lr": 0.2}, "TTT_LR", id="a number"),
        pytest.param("TTT_LR=0.1", {"ttt_lr": 0.2}, "TTT_LR", id="a command that the log refutes altogether"),
    ],
)
def test_a_real_difference_is_a_conflict(command: str, printed: Mapping[str, object], name: str) -> None:
    """#61: the README's command is not the run of the log."""
    found = config({"README.md": readme(f"{command} {RUN}"), "train_seed42.log": run_log(**printed)})
    assert [(c.name, c.chosen.origin, c.others[0].origin) for c in found.conflicts] == [
        (name, Origin.LOG, Origin.README)
    ]


def test_of_several_commands_the_log_chooses() -> None:
    """A smoke test or an ablation beside the run does not describe it."""
    commands = readme(f"TTT_EPOCHS=1 COMPRESSOR=none {RUN}", f"TTT_EPOCHS=5 COMPRESSOR=lzma {RUN}")
    found = config({"README.md": commands, "train_seed42.log": run_log(ttt_epochs=5)})
    assert found.get("COMPRESSOR") == "lzma"
    assert [c.chosen for c in found.commands] == [False, True]


def test_commands_that_nothing_tells_apart_are_a_conflict() -> None:
    """The first is taken, and that it is a guess is said: against the default too."""
    found = config({"README.md": readme(RUN, f"TTT_EPOCHS=0 {RUN}")})
    assert found.get("TTT_EPOCHS") == "3"
    assert [(c.name, c.chosen.value, c.others[0].value) for c in found.conflicts] == [
        ("TTT_EPOCHS", "3", "0")
    ]


def test_a_listing_says_nothing_of_what_it_does_not_name() -> None:
    """ "What changed": COMPRESSOR=... in a README does not mean that all else was at its default."""
    listing = "TTT_LR=0.5\nCOMPRESSOR=zstd\nLAYERS=3,4"
    found = config(
        {"README.md": readme(f"TTT_EPOCHS=9 COMPRESSOR=lzma TTT_LR=0.5 LAYERS=3,4 {RUN}", listing)}
    )
    assert [(c.name, c.chosen.value, c.others[0].value) for c in found.conflicts] == [
        ("COMPRESSOR", "lzma", "zstd")
    ]


def test_figures_of_a_log_are_no_settings() -> None:
    """`val_tokens:62021632 train_shards:80` describes data; a dump line of any name is kept."""
    lines = "eval:done tokens:7 val_bpb=1.1\ncompressor:enabled:auto\n"
    found = config({"train_seed42.log": run_log(unheard_of=3) + lines})
    assert found.get("unheard_of") == "3" and found.get("COMPRESSOR") == "brotli"
    assert {"tokens", "val_bpb", "train_shards", "val_tokens"}.isdisjoint(found.settings)


def test_a_refuted_command_leaves_its_other_settings_undecided() -> None:
    """Neither its value nor the default is known to have been run."""
    found = config(
        {"README.md": readme(f"TTT_LR=0.1 COMPRESSOR=lzma {RUN}"), "train_seed42.log": run_log(ttt_lr=0.2)}
    )
    assert found.get("COMPRESSOR") == "brotli" and list(found.undecided) == ["COMPRESSOR"]


def test_a_value_that_the_command_does_not_tell_is_undecided() -> None:
    """TTT_ENABLED=$1 may be either."""
    assert list(config({"run.sh": f"TTT_ENABLED=$1 {RUN}"}).undecided) == ["TTT_ENABLED"]


def test_only_settings_that_differ_are_kept_per_seed() -> None:
    """Each supporting run keeps its own seed and nothing else."""
    claim = {"val_bpb": 1.08, "seed_results": {"42": {"val_bpb": 1.0801}, "7": {"val_bpb": 1.0799}}}
    found = config(
        {
            "submission.json": json.dumps(claim),
            "train_seed42.log": run_log(42, 1.0801, ttt_epochs=3),
            "train_seed7.log": run_log(7, 1.0799, ttt_epochs=3),
        }
    )
    assert {seed: sorted(own) for seed, own in found.per_seed.items()} == {7: ["SEED"], 42: ["SEED"]}
    assert (found.get("SEED", seed=7), found.get("SEED", seed=42)) == ("7", "42")
    assert found.get("TTT_EPOCHS", seed=7) == "3"


def test_logs_of_other_runs_do_not_speak_for_the_claim() -> None:
    """An ablation log beside the claimed one is not the configuration that was run."""
    found = config(
        {
            "train_seed42.log": run_log(42, 1.0801, ttt_enabled=False),
            "ablation_seed43.log": run_log(43, 1.0555, ttt_enabled=True),
        }
    )
    assert found.get("TTT_ENABLED") == "0"


def test_without_a_supporting_run_only_what_all_logs_say_counts() -> None:
    """No log is known to be the run: one log's word is not enough."""
    logs = {
        "a.log": run_log(1, 1.2, ttt_enabled=True, ttt_epochs=4),
        "b.log": run_log(2, 1.3, ttt_enabled=False, ttt_epochs=4),
    }
    found = config(logs)
    assert (found.get("TTT_ENABLED"), found.get("TTT_EPOCHS")) == ("0", "4")


def test_a_default_follows_the_setting_that_stands_in() -> None:
    """EVAL_SEQ_LEN defaults to what TRAIN_SEQ_LEN was set to."""
    found = config({"README.md": readme(f"TRAIN_SEQ_LEN=2048 {RUN}")})
    setting = found.setting("EVAL_SEQ_LEN")
    assert setting is not None and (setting.value, setting.origin) == ("2048", Origin.CODE)


def test_a_variable_that_no_code_takes_is_named() -> None:
    """#1855's command sets PHASED_TTT_ENABLED; its script does not read it."""
    found = config({"README.md": readme(f"PHASED_TTT_ENABLED=1 TTT_ENABLED=1 {RUN}")})
    assert [s.name for s in found.unread] == ["PHASED_TTT_ENABLED"]


@pytest.mark.parametrize(
    ("script", "command"),
    [
        pytest.param(SCRIPT, "NCCL_NET=Socket", id="a library's own variable"),
        pytest.param(SCRIPT + "\nNAMES = ['EXTRA']\n", "EXTRA=1", id="a name that the code mentions"),
        pytest.param(
            SCRIPT + "\nfor k in keys():\n    os.environ.get(k)\n", "EXTRA=1", id="reads of computed names"
        ),
        pytest.param(SCRIPT + f"\nBLOB = '{'A' * 5000}'\n", "EXTRA=1", id="a payload that was not unpacked"),
        pytest.param("print('packed')\n", "EXTRA=1", id="a script without a single setting"),
        pytest.param("def broken(:\n", "EXTRA=1", id="a script that does not parse"),
    ],
)
def test_a_name_that_may_be_read_is_not_called_unread(script: str, command: str) -> None:
    """Nothing found is not proof."""
    assert config({"train_gpt.py": script, "README.md": readme(f"{command} {RUN}")}).unread == ()


def test_settings_printed_in_passing_are_readings_unless_they_move() -> None:
    """Classic logs have no dump; a value that changes during the run is no setting."""
    lines = ["ttt: epochs=5 ttt_epochs:4 ttt_lr=0.1", "ttt_lr=0.2", "step:10/20 compressor:1"]
    found = config({"train_seed42.log": log(extra=lines)})
    assert found.get("TTT_EPOCHS") == "4" and found.get("TTT_LR") == "0.002"


def test_a_setting_printed_under_another_word_is_a_reading() -> None:
    """#61: `stride:256` in the log, and the code prints args.eval_stride behind that word."""
    stride = '    eval_stride = int(os.environ.get("EVAL_STRIDE", 0))\n'
    prints = 'args = Hyperparameters()\nprint(f"final val_bpb:{bpb:.4f} stride:{args.eval_stride} end")\n'
    made = {"train_seed42.log": log(extra=["final_x stride:256 end"])}
    found = config({"train_gpt.py": SCRIPT + stride + prints, **made})
    assert found.get("EVAL_STRIDE") == "256" and found.settings["EVAL_STRIDE"].origin is Origin.LOG
    for other in (
        'print(f"{n} stride:{width}")\n',
        'print("stride:" + str(3))\n',
        'print("stride=%d" % 3)\n',
    ):
        doubtful = config({"train_gpt.py": SCRIPT + stride + prints + other, **made})
        assert doubtful.get("EVAL_STRIDE") == "0", "another thing is printed behind that word too"


def test_counts_cover_every_origin() -> None:
    """The report's last line: N from the logs, N from the README, N defaults."""
    found = config({"README.md": readme(f"TTT_LR=5e-4 {RUN}")})
    assert found.counts[Origin.README] == 1 and found.counts[Origin.LOG] == 0
    assert sum(found.counts.values()) == len(found.settings)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("pr", "folder", "name", "value", "default"),
    [
        pytest.param(
            1958, "PreQuantTTT_on_SOTA", "PREQUANT_TTT_ENABLED", "1", "0", id="off by default, on in the run"
        ),
        pytest.param(
            2135, "PR2130Base_Calib32", "NGRAM_TILT_ENABLED", "1", "0", id="a tilt switched on by the run"
        ),
        pytest.param(
            549, "LegalTTT_ParallelMuon", "TTT_ENABLED", "1", "0", id="test-time training by the README"
        ),
    ],
)
def test_real_submissions_ran_with_the_switch_on(
    pr: int, folder: str, name: str, value: str, default: str
) -> None:
    """Judged by their defaults these would all be judged on a run that never happened."""
    clone = os.environ.get("GOLF_AUDIT_CLONE")
    if not clone:
        pytest.skip("GOLF_AUDIT_CLONE names no clone of the challenge")
    (submission,) = (s for s in load_pull_request(clone, pr) if folder in s.name)
    setting = submission.config.setting(name)
    assert setting is not None and setting.default is not None
    assert (setting.value, setting.default.value) == (value, default)
    assert {w.file for w in setting.witnesses} >= {"README.md"}
