"""The triton package: kernels run as Python over tensors (tritonlanguage.py), as their text says."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from typing import Any

import torch

from golf_audit.dynamic.child.context import Context, Quiet, module
from golf_audit.dynamic.child.shims import tritonlanguage as language
from golf_audit.dynamic.child.shims.tritonlanguage import Block, Pointer, Serial


class Kernel:
    """A triton.jit function: kernel[grid](...) runs every program of the grid."""

    def __init__(self, context: Context, function: Any, settings: dict[str, Any] | None = None) -> None:
        self.context = context
        self.fn = function
        self.settings = settings or {}
        self.__name__ = getattr(function, "__name__", "kernel")
        code = getattr(function, "__code__", None)
        self.names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Called from another kernel."""
        return self.fn(*args, **options)

    def __getitem__(self, grid: Any) -> Any:
        return lambda *args, **options: self.run(*args, grid=grid, **options)

    def run(self, *args: Any, grid: Any, **options: Any) -> None:
        """Launch. Options that are no parameter (num_warps ...) belong to the compiler."""
        self.context.used("triton", f"kernel {self.__name__} run as Python over tensors")
        named = {**dict(zip(self.names, args, strict=False)), **self.settings}
        named.update({name: value for name, value in options.items() if name in self.names})
        shape = tuple(grid(named)) if callable(grid) else tuple(grid)
        shape = ((*shape, 1, 1, 1))[:3]
        given = {name: _argument(value) for name, value in named.items()}
        with torch.no_grad(), torch._C.DisableTorchFunction():
            try:
                language.launch(self.fn, given, shape, together=True)
            except Serial:
                language.launch(self.fn, given, shape, together=False)


def _argument(value: Any) -> Any:
    return Pointer.to(value) if isinstance(value, torch.Tensor) else value


class Config:
    """triton.Config: what autotuning would choose from."""

    def __init__(self, kwargs: dict[str, Any], *args: Any, **options: Any) -> None:
        self.kwargs = kwargs


class Descriptor:
    """TensorDescriptor: blocks of a matrix by their corner, zero outside."""

    def __init__(self, base: Any, shape: Any, strides: Any, block_shape: Any) -> None:
        self.base, self.shape, self.strides, self.block_shape = (
            base,
            list(shape),
            list(strides),
            list(block_shape),
        )

    @classmethod
    def from_tensor(cls, tensor: Any, block_shape: Any, *args: Any) -> Descriptor:
        """A descriptor of a whole tensor."""
        return cls(tensor, tensor.shape, tensor.stride(), block_shape)

    def _window(self, corner: Any) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        view = self.base.as_strided(self.shape, self.strides)
        starts = [int(c) for c in corner]
        ends = [min(s + b, n) for s, b, n in zip(starts, self.block_shape, view.shape, strict=True)]
        inside = tuple(slice(s, max(e, s)) for s, e in zip(starts, ends, strict=True))
        return inside, tuple(slice(0, max(e - s, 0)) for s, e in zip(starts, ends, strict=True))

    def load(self, corner: Any) -> Block:
        """The block at a corner."""
        inside, part = self._window(corner)
        block = torch.zeros(self.block_shape, dtype=self.base.dtype)
        block[part] = self.base.as_strided(self.shape, self.strides)[inside]
        return Block(block[None])

    def store(self, corner: Any, value: Any) -> None:
        """Write the part of a block that lies inside."""
        inside, part = self._window(corner)
        self.base.as_strided(self.shape, self.strides)[inside] = value.data[0][part].to(self.base.dtype)


def install(context: Context) -> None:
    """Offer triton, triton.language and triton.tools.tensor_descriptor where no GPU runs the real ones."""
    if context.job.device != "cpu":
        return

    def jit(function: Any = None, **options: Any) -> Any:
        return Kernel(context, function) if function is not None else (lambda inner: Kernel(context, inner))

    def autotune(configs: Any = (), key: Any = (), **options: Any) -> Any:
        chosen = configs[0].kwargs if configs else {}
        return lambda kernel: Kernel(context, kernel.fn, {**kernel.settings, **chosen})

    def heuristics(values: Any) -> Any:
        return lambda kernel: kernel

    triton: Any = module(
        "triton",
        __version__="3.4.0",
        jit=jit,
        autotune=autotune,
        heuristics=heuristics,
        Config=Config,
        cdiv=lambda a, b: -(-a // b),
        next_power_of_2=lambda n: 1 << max(n - 1, 0).bit_length(),
        set_allocator=Quiet(),
    )
    triton.__path__ = []
    triton.__spec__ = ModuleSpec("triton", None)
    module("triton.language", **language.namespace())
    extra: Any = module("triton.language.extra", libdevice=triton.language)
    extra.__path__ = []
    module("triton.language.extra.libdevice", **language.namespace())
    module("triton.language.extra.cuda", libdevice=triton.language)
    tools: Any = module("triton.tools")
    tools.__path__ = []
    module("triton.tools.tensor_descriptor", TensorDescriptor=Descriptor)
    module("triton.runtime", driver=Quiet("driver"), **{"__getattr__": Quiet})
    module("triton.testing", **{"__getattr__": Quiet})
