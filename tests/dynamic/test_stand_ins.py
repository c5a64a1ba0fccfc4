"""More stand-ins beside the real thing: collectives, operators, precision, optimisers, programs, the hub."""

from __future__ import annotations

import inspect
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golf_audit.dynamic.child import script  # noqa: E402
from golf_audit.dynamic.child.context import Context  # noqa: E402
from golf_audit.dynamic.child.shims import (  # noqa: E402
    attention,
    clock,
    cuda,
    customops,
    hub,
    loading,
    precision,
    programs,
    seeds,
    small,
)
from golf_audit.dynamic.child.shims.recurrent import convolution  # noqa: E402
from golf_audit.dynamic.job import Job  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture
def context() -> Context:
    return Context(Job("t.py", "/s", "/d", "/w", "/d/v", 1024, 60.0), lambda message: None)


# -- torch.distributed


@pytest.mark.skipif(sys.platform != "linux", reason="trace is for Linux")
@pytest.mark.parametrize("world", [1, 2])
def test_collectives_give_what_a_real_gloo_group_gives(world: int, tmp_path: Path) -> None:
    """Every reduction of every collective, objects, and the gradients of DistributedDataParallel."""
    line = [sys.executable, "-W", "ignore", "tests/dynamic/collectives.py", str(tmp_path), str(world)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        line, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    agree, lacking = json.loads(done.stdout)
    assert {"DistributedDataParallel", "all_reduce SUM", "broadcast", "all_gather_object"} <= set(agree)
    assert len(agree) + len(lacking) == 4 * 5 + 8 + 1


# -- operators, precision, optimisers, files


def test_an_operator_is_what_the_real_library_makes_of_it() -> None:
    """The value and the gradient of the same definition under torch.library and under the stand-in."""

    def cubed(x: torch.Tensor, factor: float) -> torch.Tensor:
        return x * x * x * factor

    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.factor = inputs[1]

    def gradient(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grad * 3 * x * x * ctx.factor, None

    found = []
    for define, name in (
        (torch.library.custom_op, "golfreal::cubed"),
        (customops.custom_op, "golfours::cubed"),
    ):
        made = define(name, mutates_args=())(cubed)
        made.register_fake(lambda x, factor: torch.empty_like(x))
        made.register_autograd(gradient, setup_context=keep)
        x = torch.linspace(-1, 1, 5, requires_grad=True)
        space, own = name.split("::")
        y = getattr(getattr(torch.ops, space), own)(x, 0.5)
        y.sum().backward()
        found.append((y.detach(), x.grad))
    torch.testing.assert_close(found[0], found[1])


def states(mode: Any) -> list[bool]:
    """Whether gradients are on: inside a block, inside two ways of decorating, and afterwards."""
    found = []
    with mode():
        found.append(torch.is_grad_enabled())
    with mode(mode=False):
        found.append(torch.is_grad_enabled())
    found.append(mode()(torch.is_grad_enabled)())
    found.append(mode(torch.is_grad_enabled)())
    return [*found, torch.is_grad_enabled()]


def test_inference_mode_turns_gradients_off_where_the_real_one_does() -> None:
    assert states(precision.no_grad_for_inference) == states(torch.inference_mode)


def test_autocast_takes_what_the_real_one_takes_and_changes_nothing() -> None:
    x = torch.randn(3, 3)
    for mode in (torch.autocast, precision.NoAutocast):
        with mode("cpu", dtype=torch.bfloat16, enabled=True, cache_enabled=True):
            found = x @ x

        @mode(device_type="cpu", dtype=torch.bfloat16)
        def decorated(y: torch.Tensor) -> torch.Tensor:
            return y @ y

        assert decorated(x).dtype is found.dtype
        assert (found.dtype is torch.float32) is (mode is precision.NoAutocast)


def weights(optimizer: Any, **options: Any) -> torch.Tensor:
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 4)
    step = optimizer(model.parameters(), lr=0.1, **options)
    for _ in range(3):
        step.zero_grad(set_to_none=True)
        model(torch.ones(2, 4)).pow(2).sum().backward()
        step.step()
    return model.weight.detach()


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_fused_and_capturable_optimizers_take_the_plain_steps(name: str) -> None:
    plain = getattr(torch.optim, name)
    stand_in = type(name, (plain,), {})
    small._plain(stand_in)
    expected = weights(plain)
    for options in ({"capturable": True}, {"fused": True}, {"capturable": True, "fused": True}):
        torch.testing.assert_close(weights(stand_in, **options), expected)


class Anything:
    """An object that weights_only, the default of newer versions, refuses."""

    def __init__(self) -> None:
        self.value = 3


def test_a_checkpoint_with_any_object_is_loaded_as_older_versions_did(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.pt"
    torch.save({"w": torch.arange(3), "a": Anything()}, file)
    monkeypatch.setattr(torch, "load", torch.load)  # put back afterwards
    loading.install(context)
    for options in ({}, {"weights_only": True}, {"map_location": "cuda:0"}, {"mmap": True}):
        found = torch.load(file, **options)
        assert found["a"].value == 3 and found["w"].tolist() == [0, 1, 2]


# -- torch.cuda


def test_torch_cuda_answers_under_the_real_names_alone() -> None:
    """A misspelt stand-in would never be called, and a script would ask a device that is not there."""
    missing = [name for name in cuda.answers() if not hasattr(torch.cuda, name)]
    assert set(missing) <= {"reset_accumulated_memory_stats"}, missing  # older versions have it
    for ours, real in (
        (cuda.Stream, torch.cuda.Stream),
        (cuda.Event, torch.cuda.Event),
        (cuda.Scaler, torch.amp.GradScaler),
    ):
        own = {name for name, value in vars(ours).items() if callable(value) and name[:2] != "__"}
        assert own <= set(dir(real)), own - set(dir(real))


def test_the_scaler_is_the_real_one_switched_off() -> None:
    real, ours = torch.amp.GradScaler("cpu", enabled=False), cuda.Scaler()
    loss = torch.ones(1)
    assert ours.scale(loss) is loss and real.scale(loss) is loss
    assert ours.get_scale() == real.get_scale() == 1.0
    assert ours.state_dict() == real.state_dict() == {}
    for scaler in (real, ours):
        parameter = torch.nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([parameter], lr=0.5)
        parameter.grad = torch.ones(2)
        scaler.step(optimizer)
        scaler.update()
        assert parameter.tolist() == [0.5, 0.5]


def test_a_cuda_graph_ends_the_run_and_says_why() -> None:
    with pytest.raises(NotImplementedError, match="CUDA graphs"):
        cuda.Graph()


# -- attention, convolution, the hub


def test_packed_attention_is_the_same_attention() -> None:
    torch.manual_seed(3)
    qkv = torch.randn(2, 7, 3, 2, 4)
    q, k, v = qkv.unbind(2)
    torch.testing.assert_close(attention.packed(qkv, causal=True), attention.dense(q, k, v, causal=True))
    flat, offsets = qkv.reshape(14, 3, 2, 4), torch.tensor([0, 7, 14], dtype=torch.int32)
    found = attention.packed_varied(flat, offsets, 7, causal=True)
    torch.testing.assert_close(found.reshape(2, 7, 2, 4), attention.dense(q, k, v, causal=True))


def test_scale_and_softcap_are_those_of_the_definition() -> None:
    torch.manual_seed(4)
    q, k, v = torch.randn(1, 5, 1, 4), torch.randn(1, 5, 1, 4), torch.randn(1, 5, 1, 4)
    scores = 0.3 * q[0, :, 0] @ k[0, :, 0].T
    scores = 2.0 * torch.tanh(scores / 2.0)
    scores = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf)
    expected = torch.softmax(scores, -1) @ v[0, :, 0]
    found = attention.dense(q, k, v, softmax_scale=0.3, causal=True, softcap=2.0)
    torch.testing.assert_close(found[0, :, 0], expected)


def test_the_causal_convolution_is_pytorchs_own_with_padding() -> None:
    torch.manual_seed(5)
    x, real = torch.randn(2, 3, 9), torch.nn.Conv1d(3, 3, 4, padding=3, groups=3)
    found = convolution.causal_conv(x, real.weight[:, 0], real.bias, activation="silu")
    torch.testing.assert_close(found, torch.nn.functional.silu(real(x)[..., :9]))


def test_the_hub_gives_flash_attention_and_refuses_other_kernels(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, functions in (("flash_attn", attention.FLASH2), ("flash_attn_interface", attention.FLASH3)):
        made = ModuleType(name)
        made.__dict__.update(functions)
        monkeypatch.setitem(sys.modules, name, made)
    q = torch.randn(1, 6, 2, 4)
    found = hub.kernel("kernels-community/flash-attn3").flash_attn_func(q, q, q, causal=True)
    torch.testing.assert_close(found, attention.dense3(q, q, q, causal=True))
    two = hub.kernel("kernels-community/flash-attn", revision="v1")
    assert two.flash_attn_interface.flash_attn_varlen_func is attention.varied
    with pytest.raises(NotImplementedError, match="no stand-in for the hub kernel someone/activation"):
        hub.kernel("someone/activation")


# -- the clock, programs, the script itself


CLOCKS = ("time", "perf_counter", "monotonic", "time_ns", "perf_counter_ns", "monotonic_ns")


def test_every_clock_of_the_time_module_is_replaced_and_repeats(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same looks give the same times, whatever the machine does meanwhile; an hour's sleep is none."""
    kinds = [type(getattr(time, name)()) for name in CLOCKS]
    for name in (*CLOCKS, "sleep"):
        monkeypatch.setattr(time, name, getattr(time, name))  # put back afterwards
    told = []
    for _ in range(2):
        clock.install(context)
        looks = [(getattr(time, name)(), getattr(time, name)()) for name in CLOCKS]
        assert [type(first) for first, _ in looks] == kinds
        assert all(first < second for first, second in looks)
        before = time.perf_counter()
        time.sleep(3600)
        assert time.perf_counter() - before >= 3600
        told.append(looks)
    assert told[0] == told[1]
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)


def test_a_script_that_seeds_nothing_draws_the_same_numbers(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """#1375: PyTorch's own seed is another one in each process, so that no two runs could be compared."""
    monkeypatch.setattr(np.random, "default_rng", np.random.default_rng)  # put back afterwards
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    told = []
    for _ in range(2):
        seeds.install(context)
        drawn = np.random.default_rng().random(), np.random.default_rng(7).random()
        told.append((torch.rand(3).tolist(), random.random(), np.random.rand(), *drawn))
    torch.set_rng_state(states[0])
    random.setstate(states[1])
    np.random.set_state(states[2])
    assert told[0] == told[1]
    assert told[0][-1] == np.random.Generator(np.random.PCG64(7)).random(), "a seed that is given counts"


@pytest.fixture
def installed(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has an lrzip of its own, and then the stand-ins."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "lrzip").write_text("#!/bin/sh\necho real\n")
    (own / "lrzip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    monkeypatch.setattr(programs.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    programs.install(context)
    return tmp_path


def output(*line: str, given: str = "") -> str:
    return subprocess.run(line, input=given, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="trace is for Linux")
def test_programs_that_are_there_stay_and_missing_ones_are_given(installed: Path) -> None:
    assert output("lrzip") == "real\n"
    assert "H100" in output("nvidia-smi")
    assert output("pip", "install", "--upgrade", "something") == ""


@pytest.mark.skipif(sys.platform != "linux", reason="trace is for Linux")
def test_pyminify_gives_back_a_program_of_the_same_meaning(installed: Path) -> None:
    """Identity is a minifier that saves nothing."""
    text = "def f(x):\n    return x + 1  # plus one\n"
    source, target = installed / "a.py", installed / "b.py"
    source.write_text(text)
    assert output("pyminify", "--no-rename-locals", "-", given=text) == text
    assert output("pyminify", str(source)) == text
    output("pyminify", str(source), "--output", str(target))
    assert target.read_text() == text


def test_class_attributes_take_the_small_values_when_their_class_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only those that the class has, in that class alone; derived ones follow, others are untouched."""
    import builtins

    monkeypatch.setattr(builtins, "__build_class__", builtins.__build_class__)
    script.overriding({"Config.dim": 64, "Config.absent": 1})
    space: dict[str, Any] = {"__name__": "t"}
    text = """
class Base: pass
class Config(Base):
    dim = 512
    heads = 4
class Other:
    dim = 512
class Derived(Config): pass
"""
    exec(text, space)
    assert (space["Config"].dim, space["Config"].heads, space["Other"].dim) == (64, 4, 512)
    assert space["Derived"].dim == 64 and not hasattr(space["Config"], "absent")
    assert inspect.getmro(space["Config"])[1] is space["Base"]
