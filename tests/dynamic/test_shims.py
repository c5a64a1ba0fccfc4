"""Every stand-in against the real definition."""

from __future__ import annotations

import copy
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402, N812

from golf_audit.dynamic.child import script  # noqa: E402
from golf_audit.dynamic.child.context import Context  # noqa: E402
from golf_audit.dynamic.child.shims import (  # noqa: E402
    attention,
    clock,
    compiling,
    customops,
    devices,
    distributed,
    parallel,
    programs,
    tritonlanguage,
    tritonmodule,
)
from golf_audit.dynamic.child.shims.recurrent import convolution, scans  # noqa: E402
from golf_audit.dynamic.job import Job  # noqa: E402

tl = type("tl", (), {k: staticmethod(v) if callable(v) else v for k, v in tritonlanguage.namespace().items()})


@pytest.fixture
def context() -> Context:
    return Context(Job("t.py", "/s", "/d", "/w", "/d/v", 1024, 60.0), lambda message: None)


def heads(*shape: int) -> Any:
    torch.manual_seed(len(shape) + shape[0])
    return torch.randn(*shape)


def explicit(q: Any, k: Any, v: Any, *, causal: bool, left: int = -1) -> Any:
    """Attention of one head, written out."""
    scores = q @ k.T / math.sqrt(q.shape[-1])
    for i in range(len(q)):
        for j in range(len(k)):
            at = i + len(k) - len(q)
            if (causal and j > at) or (left >= 0 and j < at - left):
                scores[i, j] = -math.inf
    return torch.softmax(scores, -1) @ v


@pytest.mark.parametrize(("causal", "left"), [(True, -1), (False, -1), (True, 3)])
def test_dense_attention_with_shared_heads_and_windows(causal: bool, left: int) -> None:
    q, k, v = heads(2, 12, 4, 8), heads(2, 12, 2, 8), heads(2, 12, 2, 8)
    found = attention.dense3(q, k, v, causal=causal, window_size=(left, -1 if not causal else 0))
    for head in range(4):
        expected = explicit(q[1, :, head], k[1, :, head // 2], v[1, :, head // 2], causal=causal, left=left)
        torch.testing.assert_close(found[1, :, head], expected)


def test_varied_lengths_attend_only_within_their_piece() -> None:
    q, k, v = heads(10, 2, 8), heads(10, 2, 8), heads(10, 2, 8)
    offsets = torch.tensor([0, 3, 3, 10], dtype=torch.int32)  # one piece is empty
    found = attention.varied(q, k, v, offsets, offsets, 7, 7, causal=True)
    torch.testing.assert_close(found[:3, 1], explicit(q[:3, 1], k[:3, 1], v[:3, 1], causal=True))
    torch.testing.assert_close(found[3:, 0], explicit(q[3:, 0], k[3:, 0], v[3:, 0], causal=True))


def test_a_custom_operator_has_its_registered_gradient() -> None:
    op = customops.Op("test::square", lambda x, factor: x * x * factor)
    op.register_autograd(
        lambda ctx, grad: (grad * 2 * ctx.saved_tensors[0] * ctx.factor, None),
        setup_context=lambda ctx, inputs, output: (
            ctx.save_for_backward(inputs[0]),
            setattr(ctx, "factor", inputs[1]),
        ),
    )
    x = torch.randn(5, requires_grad=True)
    torch.ops.test.square(x, 3.0).sum().backward()
    torch.testing.assert_close(x.grad, 6 * x.detach())


def test_the_selective_scan_is_its_recurrence() -> None:
    batch, channels, states, length = 2, 3, 4, 5
    u, delta = torch.randn(batch, channels, length), torch.rand(batch, channels, length)
    a, d = -torch.rand(channels, states), torch.randn(channels)
    b, c = torch.randn(batch, states, length), torch.randn(batch, states, length)
    found = scans.selective_scan(u, delta, a, b, c, d)
    h = torch.zeros(channels, states)
    for t in range(length):
        step = delta[1, :, t, None]
        h = torch.exp(step * a) * h + step * b[1, :, t] * u[1, :, t, None]
        torch.testing.assert_close(found[1, :, t], h @ c[1, :, t] + d * u[1, :, t])


def test_the_causal_convolution_sees_no_later_step() -> None:
    x, weight = torch.randn(1, 3, 8), torch.randn(3, 4)
    changed = x.clone()
    changed[..., 5:] += 1
    one, two = convolution.causal_conv(x, weight), convolution.causal_conv(changed, weight)
    torch.testing.assert_close(one[..., :5], two[..., :5])
    torch.testing.assert_close(one[0, 1, 3], (x[0, 1, :4] * weight[1]).sum())


def softmax_kernel(x_ptr: Any, y_ptr: Any, columns: int, scale: float, BLOCK: int) -> None:  # noqa: N803
    """Written as triton kernels are."""
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    mask = cols < columns
    x = tl.load(x_ptr + row * columns + cols, mask=mask, other=-float("inf")).to(tl.float32) * scale
    e = tl.exp(x - tl.max(x, axis=0))
    tl.store(y_ptr + row * columns + cols, e / tl.sum(e, axis=0), mask=mask)


def strided_kernel(x_ptr: Any, y_ptr: Any, count: int, programs: int) -> None:
    """A loop whose bounds depend on the program: one program at a time."""
    for i in tl.range(tl.program_id(0), count, programs):
        tl.store(y_ptr + i, tl.load(x_ptr + i) * 2 + i)


def matmul_kernel(a: Any, b: Any, c: Any, K: int, BLOCK: int) -> None:  # noqa: N803
    row = tl.program_id(0) * BLOCK
    acc = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    for k in range(0, K, BLOCK):
        acc = tl.dot(a.load([row, k]), b.load([0, k]).T, acc)
    c.store([row, 0], tl.where(acc > 0, acc, 0.5 * acc))


def test_triton_kernels_run_as_their_text_says(context: Context) -> None:
    x = torch.randn(7, 10)
    y = torch.empty_like(x)
    tritonmodule.Kernel(context, softmax_kernel)[(7,)](x, y, 10, 0.5, BLOCK=16, num_warps=4)
    torch.testing.assert_close(y, torch.softmax(x * 0.5, -1))
    flat = torch.randn(23)
    out = torch.zeros(23)
    tritonmodule.Kernel(context, strided_kernel)[lambda meta: (4,)](flat, out, 23, 4)
    torch.testing.assert_close(out, flat * 2 + torch.arange(23))


def signs_kernel(x_ptr: Any, w_ptr: Any, y_ptr: Any, N: int, BLOCK: int) -> None:  # noqa: N803
    """Signs packed into integers, as binary networks multiply them."""
    rows, columns = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, BLOCK)
    x, w = tl.load(x_ptr + rows), tl.load(w_ptr + columns)
    unlike = tl.popc((x[:, None] ^ w[None, :]).to(tl.int32))
    tl.store(y_ptr + rows[:, None] * N + columns[None, :], 32 - 2 * unlike)


def test_bits_are_counted(context: Context) -> None:
    x, w = torch.randn(8, 32).sign(), torch.randn(4, 32).sign()
    packed = [((m > 0).int() << torch.arange(32, dtype=torch.int32)).sum(-1).int() for m in (x, w)]
    y = torch.zeros(8, 4, dtype=torch.int32)
    tritonmodule.Kernel(context, signs_kernel)[(2,)](*packed, y, 4, BLOCK=4)
    torch.testing.assert_close(y, (x @ w.T).int())


def test_triton_descriptors_are_zero_outside_and_written_inside(context: Context) -> None:
    a, b, c = torch.randn(10, 12), torch.randn(8, 12), torch.zeros(10, 8)
    given = [tritonmodule.Descriptor.from_tensor(t, [8, 8]) for t in (a, b, c)]
    tritonmodule.Kernel(context, matmul_kernel)[(2,)](*given, 12, BLOCK=8)
    product = a @ b.T
    torch.testing.assert_close(c, torch.where(product > 0, product, 0.5 * product))


def test_collectives_of_one_rank() -> None:
    given, out = torch.arange(6.0), torch.zeros(2, 3)
    work = distributed.into(out, given, async_op=True)
    assert work is not None and work.wait()
    torch.testing.assert_close(out, given.reshape(2, 3))
    parts = [torch.zeros(6)]
    assert distributed._gathered(parts, given) is None
    torch.testing.assert_close(parts[0], given)
    found: list[Any] = [None]
    distributed._objects(found, {"a": 1})
    assert found == [{"a": 1}]


def test_the_parallel_wrapper_keeps_names_and_values() -> None:
    inner = torch.nn.Linear(3, 2)
    wrapped = parallel.OneProcess(inner, device_ids=[0])
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    x = torch.randn(4, 3)
    torch.testing.assert_close(wrapped(x), inner(x))


def unwrapped(model: Any) -> Any:
    """As scripts do it: until there is nothing around the model."""
    for _ in range(4):
        if not hasattr(model, "_orig_mod"):
            return model
        model = model._orig_mod
    raise AssertionError("there is always something around it")


def test_a_compiled_module_is_around_the_module_as_pytorchs_own_is() -> None:
    """#846 unwraps in a loop: a module that is its own `_orig_mod` never came to an end there."""

    def facts(wrap: Any) -> list[Any]:
        inner = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout())
        inner.label = "a"
        model = wrap(inner)
        model.eval()
        model.label = "b"
        model.scale = torch.nn.Parameter(torch.ones(2))
        copied = copy.deepcopy(model)
        names = [name for name, _ in model.named_parameters()]
        wrapped = isinstance(model, torch.nn.Sequential)
        return [
            *(unwrapped(model) is inner, hasattr(inner, "_orig_mod"), wrapped, len(model)),
            *(
                names,
                list(model.state_dict()),
                inner.training,
                model.training,
                inner.label,
                inner.scale.shape,
            ),
            *(unwrapped(copied) is inner, unwrapped(copied).label, list(copied.state_dict())),
            torch.equal(model(torch.ones(1, 3)), inner(torch.ones(1, 3))),
        ]

    assert facts(compiling.compiled) == facts(lambda inner: torch.compile(inner, backend="eager"))
    assert compiling.compiled(len) is len and compiling.compiled(dynamic=False)(len) is len


def test_the_clock_passes_by_looks_and_sleeps() -> None:
    watch = clock.Clock()
    assert watch.look() == pytest.approx(clock.STEP)
    watch.sleep(2.0)
    assert watch.look() == pytest.approx(2.0 + 2 * clock.STEP)


def test_devices_are_rewritten_wherever_they_are_named() -> None:
    args, options = devices.rewrite((torch.zeros(1), "cuda:0"), {"device": "cuda", "pin_memory": True})
    assert args[1] == devices.CPU
    assert options == {"device": devices.CPU, "pin_memory": False}
    args, _ = devices.rewrite(("cudagraph", "->"), {})
    assert args == ("cudagraph", "->")  # other texts stay
    assert isinstance(devices.Device("cuda", 0), devices._REAL)


def test_python_312_strings_compile_here() -> None:
    space: dict[str, Any] = {"d": {"a": 1.5}}
    exec(script.compiled('x = f"{d["a"]:.2f} and {"inner" + f"{1}"}"', "t"), space)
    assert space["x"] == "1.50 and inner1"


def test_lrzip_gives_back_what_it_took(tmp_path: Path) -> None:
    programs.write(str(tmp_path), ["lrzip"])
    source = tmp_path / "x"
    source.write_bytes(bytes(range(256)) * 40)
    run = [str(tmp_path / "lrzip")]
    subprocess.run([*run, "-z", "-L", "9", "-o", str(tmp_path / "y"), str(source)], check=True)
    subprocess.run([*run, "-d", "-f", "-o", str(tmp_path / "z"), str(tmp_path / "y")], check=True)
    assert (tmp_path / "z").read_bytes() == source.read_bytes()
    assert (tmp_path / "y").stat().st_size < source.stat().st_size


def test_attention_of_pytorch_and_ours_agree() -> None:
    q, k, v = heads(1, 9, 2, 4), heads(1, 9, 2, 4), heads(1, 9, 2, 4)
    real = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), is_causal=True)
    torch.testing.assert_close(attention.attend(q, k, v, None, True, (100, 0)), real.transpose(1, 2))
