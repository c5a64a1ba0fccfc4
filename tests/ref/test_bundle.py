"""The script made from the modules: complete, unambiguous, runnable; its papers say what its logs say."""

import ast
import json
import re
import subprocess
import sys

import pytest

from golf_ref import onefile
from golf_ref.bundle import Author, claimed_tag, read_run, requirements, write_papers, write_script
from golf_ref.codecs import pack_script
from golf_ref.config import PRESETS, hyperparameters, preset
from golf_ref.onefile import MODULES, make_script

AUTHOR = Author("A. Person", "aperson", "a title", "a blurb")
LOG = """\
Hyperparameters:
  seed: 42
  world_size: 1
300/300 train_loss: 1.7897 train_time: 0.5m tok/s: 9588
Code size (uncompressed): 145262 bytes
Code size (compressed): 47397 bytes
Serialized model quantized+brotli: 90261 bytes
Total submission size quantized+brotli: 137658 bytes
quantized val_loss:2.05697522 val_bpb:3.08182447 eval_time:795ms
quantized_ttt val_loss:1.50000000 val_bpb:2.50000000 eval_time:8012ms
quantized_ttt_phased val_loss:1.93629785 val_bpb:2.90102186 eval_time:8012ms
"""


@pytest.mark.parametrize("name", list(PRESETS))
def test_the_script_parses_and_holds_the_settings_of_its_preset(name):
    script = make_script(preset(name))
    tree = ast.parse(script)
    assert "golf_ref" not in {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found = dict(re.findall(r'^    (\w+): \w+ = .*os\.environ\.get\("\w+", "(.*?)"\)', script, re.MULTILINE))
    for key, value in hyperparameters(preset(name)).items():
        assert found[key] == (str(int(value)) if isinstance(value, bool) else str(value))


def test_the_example_in_the_tree_is_this_golf_ref():
    """It is the auditor's positive control: `make example` runs and writes it anew."""
    example = onefile.Path(__file__).parents[2] / "examples/track_non_record_16mb/2026-11-21_GolfRefTiny"
    assert (example / "train_gpt.py").read_text(encoding="utf-8") == make_script(preset("tiny"))


def test_every_top_level_name_of_every_module_is_in_the_script():
    script_names = set(onefile.top_level_names(ast.parse(make_script(preset("tiny"))).body))
    for module in MODULES:
        source = (onefile.Path(onefile.__file__).with_name(f"{module}.py")).read_text(encoding="utf-8")
        assert script_names >= set(onefile.top_level_names(ast.parse(source).body)), module


def test_no_module_that_a_run_needs_is_left_out():
    """pipeline and all it imports, directly or not, is in MODULES or is config."""
    folder = onefile.Path(onefile.__file__).parent
    needed, todo = set(), ["pipeline", "data", "log", "distributed"]
    while todo:
        module = todo.pop()
        if module in needed:
            continue
        needed.add(module)
        text = (folder / f"{module}.py").read_text(encoding="utf-8")
        todo += re.findall(r"^from golf_ref\.(\w+) import", text, re.MULTILINE)
    assert needed - {"config"} == set(MODULES)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("def f(): ...", "f = 1", "f is defined in"),
        ("import math as m", "import cmath as m", "m would mean"),
        ("def math(): ...", "import math", "math would mean"),
        ("x = 1", "from golf_ref.later import y", "not above it"),
        ("x = 1", "from golf_ref.first import x as y", "not above it"),
    ],
    ids=["two definitions", "two imports", "import and definition", "out of order", "renamed"],
)
def test_a_merge_that_would_change_a_meaning_is_refused(first, second, message, tmp_path, monkeypatch):
    (tmp_path / "first.py").write_text(f'"""One."""\n{first}\n')
    (tmp_path / "second.py").write_text(f'"""Two."""\n{second}\n')
    monkeypatch.setattr(onefile, "MODULES", ("first", "second"))
    monkeypatch.setattr(onefile, "__file__", str(tmp_path / "onefile.py"))
    with pytest.raises(ValueError, match=message):
        make_script(preset("tiny"))


def test_the_packed_script_runs_and_shows_its_source_to_inspect(tmp_path):
    source = "import inspect\ndef f():\n    return 7\nprint(f(), inspect.getsource(f).count('return'))\n"
    for codec in ("brotli", "lzma", "zlib"):
        (tmp_path / "packed.py").write_bytes(pack_script(source, codec))
        done = subprocess.run(
            [sys.executable, "packed.py"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout == "7 1\n"
    with pytest.raises(ValueError, match="no Python module"):
        pack_script(source, "lrzip")


def test_requirements_pin_what_is_installed_and_name_the_rest():
    text = requirements("import torch, os\nfrom brotli import compress\nfrom surely_not_here import x\n")
    brotli, optional, torch_line = text.splitlines()
    assert re.fullmatch(r"brotli==\S+", brotli) and re.fullmatch(r"torch==[\d.]+", torch_line)
    assert optional == "# optional, where a CUDA device can use it: surely_not_here"


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("naive", "quantized"),
        ("pr1394", "quantized_sliding_window"),
        ("pr1493", "quantized_ttt"),
        ("pr1855", "quantized_ttt_phased"),
    ],
)
def test_the_claimed_line_follows_from_the_configuration(name, tag):
    assert claimed_tag(preset(name)) == tag


def test_the_papers_repeat_the_log_and_do_not_take_a_better_line(tmp_path):
    cfg = preset("tiny")
    write_script(cfg, tmp_path, packed=False)
    for seed in (42, 7):
        text = LOG.replace("seed: 42", f"seed: {seed}").replace("2.90102186", f"2.9{seed:02}00000")
        (tmp_path / f"train_seed{seed}.log").write_text(text)
    claim = write_papers(cfg, tmp_path, sorted(tmp_path.glob("*.log")), AUTHOR)
    assert claim == json.loads((tmp_path / "submission.json").read_text())
    assert claim["val_bpb"] == pytest.approx((2.942 + 2.907) / 2)
    assert claim["seeds"] == [7, 42] and claim["bytes_total"] == 137658 and claim["bytes_code"] == 47397
    readme = (tmp_path / "README.md").read_text()
    assert "2.92450000" in readme and "2.90700000" in readme and "2.5000" not in readme
    assert {p.name for p in tmp_path.iterdir()} >= {"train_gpt.py", "requirements.txt", "README.md"}


def test_a_log_without_the_claimed_line_is_refused(tmp_path):
    (tmp_path / "train_seed42.log").write_text(LOG.replace("quantized_ttt_phased", "quantized_ttt_other"))
    with pytest.raises(ValueError, match="no line matches"):
        read_run(preset("tiny"), tmp_path / "train_seed42.log")


def test_two_logs_of_one_seed_are_refused(tmp_path):
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(LOG)
    with pytest.raises(ValueError, match="two logs of one seed"):
        write_papers(preset("tiny"), tmp_path, [tmp_path / "a.log", tmp_path / "b.log"], AUTHOR)
