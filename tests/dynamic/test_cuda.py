"""`--device cuda` as far as it can be tested without a GPU: what is bound, replaced, refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from golf_audit.cli import cli

from golf_audit.dynamic import command as commands
from golf_audit.dynamic import sandbox
from golf_audit.dynamic.messages import Message
from tests.dynamic.fake import JOB

torch = pytest.importorskip("torch")

from golf_audit.dynamic.child import run as child  # noqa: E402
from golf_audit.dynamic.child import shims  # noqa: E402
from golf_audit.dynamic.child.context import Context  # noqa: E402
from golf_audit.dynamic.child.recorder import flow  # noqa: E402
from golf_audit.dynamic.child.shims import attention  # noqa: E402

CUDA = replace(JOB, device="cuda")
EXAMPLE = Path(__file__).parents[2] / "examples/track_10min_16mb/2026-04-20_ScoreFirstTTT"


def test_the_device_files_are_bound_and_nothing_else_of_dev(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "sda"):
        (tmp_path / name).write_text("")
    (tmp_path / "nvidia-caps").mkdir()
    found = sandbox.cuda_devices(tmp_path)
    assert [Path(f).name for f in found] == ["nvidia-uvm", "nvidia0", "nvidiactl"]
    fds = sandbox.Descriptors(3)
    line = sandbox.command(["true"], (), {}, sandbox.Limits(), stage=tmp_path, fds=fds, devices=found)
    text = " ".join(line)
    assert all(f"--dev-bind {name} {name}" in text for name in found)
    assert text.index("--dev /dev") < text.index("--dev-bind"), "the empty /dev comes first"


def test_without_a_device_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "require_sandbox", lambda: None)
    monkeypatch.setattr(commands, "cuda_devices", lambda: sandbox.cuda_devices(tmp_path))
    with pytest.raises(sandbox.SandboxUnavailable, match="no /dev/nvidia"):
        commands.plan("quick", "cuda", False)
    done = CliRunner().invoke(cli, ["trace", str(EXAMPLE), "--device", "cuda"])
    assert done.exit_code == 4
    assert len(done.output.strip().splitlines()) == 1 and "--device cpu needs none" in done.output


def test_a_torch_without_cuda_ends_the_run_with_that_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device files may be there and torch be one for the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    end = child._missing(CUDA)
    assert end is not None and end.status == 1 and "torch finds no GPU" in end.detail
    assert child._missing(JOB) is None


def test_what_a_gpu_makes_needless_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    for module in (*shims.ALWAYS, *shims.ON_CPU):
        name = module.__name__.rpartition(".")[2]
        monkeypatch.setattr(module, "install", lambda context, name=name: installed.append(name))
    shims.install(Context(CUDA, lambda message: None))
    assert not {"devices", "precision", "cuda"} & set(installed)
    installed.clear()
    shims.install(Context(JOB, lambda message: None))
    assert {"devices", "precision", "cuda"} <= set(installed)


def test_a_flash_attention_that_is_installed_stays_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flash_attn").mkdir()
    (tmp_path / "flash_attn" / "__init__.py").write_text("def flash_attn_func(*args):\n    return 'real'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("flash_attn", "flash_attn.flash_attn_interface", "flash_attn_interface", "hopper")
    before = {name: module for name, module in sys.modules.items() if name.startswith(names)}
    told: list[Message] = []
    try:
        for name in before:
            del sys.modules[name]
        attention.install(Context(CUDA, told.append))
        import flash_attn

        assert flash_attn.flash_attn_func() == "real"
        assert hasattr(sys.modules["flash_attn_interface"], "flash_attn_func"), "which is not installed"
        for name in [n for n in sys.modules if n.startswith(names)]:
            del sys.modules[name]
        attention.install(Context(JOB, told.append))
        assert sys.modules["flash_attn"].__version__ == "2.8.3", "on a CPU the stand-in takes its place"
    finally:
        for name in [n for n in sys.modules if n.startswith(names)]:
            del sys.modules[name]
        sys.modules.update(before)


def test_ids_follow_a_call_without_its_device() -> None:
    """Ids lie beside the CPU: an index comes there too, and a device among the options is not theirs."""
    index = torch.tensor([1, 0])
    assert flow.as_ids({"dim": 0, "device": "cuda", "dtype": torch.float32, "index": index}, {}).keys() == {
        "dim",
        "index",
    }
