"""triton.language over tensors: a kernel is ordinary Python, so it runs with blocks in place of registers.

A Block is a tensor whose first dimension counts programs. All programs of a grid run together while their
control flow agrees; a kernel whose loops depend on its program id is run again, one program at a time
(Serial). Kernels only write what they compute, so the second run finds the same inputs: nothing is written
before the ids are used in control flow, or it is written again.
"""

from __future__ import annotations

import builtins
import contextvars
from typing import Any

import torch

_PROGRAM: contextvars.ContextVar[tuple[Any, Any]] = contextvars.ContextVar("program")


class Serial(Exception):
    """Control flow depends on which program runs."""


def launch(function: Any, arguments: dict[str, Any], grid: tuple[int, ...], *, together: bool) -> None:
    """Run a kernel for every program of a grid of three dimensions."""
    size = grid[0] * grid[1] * grid[2]
    ids = torch.arange(size)
    axes = (ids % grid[0], ids // grid[0] % grid[1], ids // (grid[0] * grid[1]))
    if together:
        _run(function, arguments, tuple(Block(axis) for axis in axes), grid)
    else:
        for n in builtins.range(size):
            _run(function, arguments, tuple(Block(axis[n : n + 1]) for axis in axes), grid)


def _run(function: Any, arguments: dict[str, Any], axes: Any, grid: Any) -> None:
    token = _PROGRAM.set((axes, grid))
    try:
        function(**arguments)
    finally:
        _PROGRAM.reset(token)


class Block:
    """A block of values for each program; `data` has the programs (or 1) in its first dimension."""

    def __init__(self, data: Any) -> None:
        self.data = data

    @property
    def rank(self) -> int:
        return int(self.data.dim()) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape[1:])

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    @property
    def T(self) -> Block:  # noqa: N802
        return Block(self.data.transpose(-1, -2))

    def to(self, dtype: Any, **options: Any) -> Block:
        return Block(self.data.to(dtype if isinstance(dtype, torch.dtype) else torch.float32))

    def __getitem__(self, key: Any) -> Block:
        keys = key if isinstance(key, tuple) else (key,)
        return Block(self.data[(slice(None), *keys)])

    def __bool__(self) -> bool:
        return bool(self._one())

    def __index__(self) -> int:
        return int(self._one())

    def __int__(self) -> int:
        return int(self._one())

    def __float__(self) -> float:
        return float(self._one())

    def _one(self) -> Any:
        """The value when it is the same for all programs."""
        flat = self.data.reshape(-1)
        if flat.numel() > 1:
            raise Serial
        return flat[0]

    def __neg__(self) -> Block:
        return Block(-self.data)

    def __invert__(self) -> Block:
        return Block(~self.data)

    def __hash__(self) -> int:
        return id(self)

    def __getattr__(self, name: str) -> Any:
        """Methods are the functions of the language: x.sum(axis), x.exp()."""
        if name.startswith("__") or name not in _FUNCTIONS:
            raise AttributeError(name)
        return lambda *args, **options: _FUNCTIONS[name](self, *args, **options)


def _pair(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands with as many dimensions: a scalar of each program meets a block of each."""
    if isinstance(a, Block) and isinstance(b, Block):
        while a.rank < b.rank:
            a = Block(a.data.unsqueeze(1))
        while b.rank < a.rank:
            b = Block(b.data.unsqueeze(1))
    return _raw(a), _raw(b)


def _raw(value: Any) -> Any:
    return value.data if isinstance(value, Block) else value


def _operator(name: str) -> None:
    import operator

    function = getattr(operator, name)

    def forward(self: Block, other: Any) -> Any:
        if isinstance(other, Pointer):
            return other + self
        a, b = _pair(self, other)
        return Block(function(a, b))

    def backward(self: Block, other: Any) -> Any:
        a, b = _pair(self, other)
        return Block(function(b, a))

    bare = name.strip("_")
    setattr(Block, f"__{bare}__", forward)
    if bare not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Block, f"__r{bare}__", backward)


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
):
    _operator(_name)


class Pointer:
    """Places in a tensor's memory."""

    def __init__(self, memory: Any, at: Any) -> None:
        self.memory = memory  # one dimension, the whole storage
        self.at = at

    @classmethod
    def to(cls, tensor: Any) -> Pointer:
        """A pointer to a tensor's first element."""
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        return cls(
            tensor.detach().as_strided((size,), (1,), 0), Block(torch.tensor([tensor.storage_offset()]))
        )

    @property
    def dtype(self) -> Any:
        return _PointerType(self.memory.dtype)

    def __add__(self, offset: Any) -> Pointer:
        return Pointer(self.memory, self.at + offset)

    __radd__ = __add__

    def __sub__(self, offset: Any) -> Pointer:
        return Pointer(self.memory, self.at - offset)

    def __getitem__(self, key: Any) -> Pointer:
        return Pointer(self.memory, self.at[key])

    def to_type(self, dtype: Any) -> Pointer:
        return self


class _PointerType:
    def __init__(self, element: Any) -> None:
        self.element_ty = element


def _where_to(pointer: Pointer, mask: Any, value: Any = None) -> tuple[Any, Any, Any]:
    """Addresses, mask and value in one shape."""
    at = pointer.at
    blocks = [x for x in (at, mask, value) if isinstance(x, Block)]
    rank = max(x.rank for x in blocks)
    parts = []
    for x in (at, mask if mask is not None else True, value):
        data = _raw(x)
        data = data if isinstance(data, torch.Tensor) else torch.tensor(data if data is not None else 0)[None]
        while data.dim() < rank + 1:
            data = data.unsqueeze(1)
        parts.append(data)
    at_, inside, values = torch.broadcast_tensors(*parts)  # type: ignore[no-untyped-call]
    return at_, inside, values


def load(pointer: Pointer, mask: Any = None, other: Any = 0, **options: Any) -> Block:
    """Values at addresses; `other` where masked out."""
    at, inside, missing = _where_to(pointer, mask, other if isinstance(other, Block) else None)
    values = pointer.memory[torch.where(inside, at, torch.zeros_like(at)).long()]
    fill = (
        missing.to(values.dtype)
        if isinstance(other, Block)
        else torch.as_tensor(other if other is not None else 0).to(values.dtype)
    )
    return Block(torch.where(inside, values, fill))


def store(pointer: Pointer, value: Any, mask: Any = None, **options: Any) -> None:
    """Write values at addresses."""
    at, inside, values = _where_to(pointer, mask, value)
    pointer.memory[at[inside].long()] = values[inside].to(pointer.memory.dtype)


def atomic_add(pointer: Pointer, value: Any, mask: Any = None, **options: Any) -> None:
    """Add values at addresses; the same address may occur often."""
    at, inside, values = _where_to(pointer, mask, value)
    pointer.memory.index_add_(0, at[inside].long(), values[inside].to(pointer.memory.dtype))


def program_id(axis: int = 0) -> Any:
    """Which program of the grid this is."""
    return _PROGRAM.get()[0][axis]


def num_programs(axis: int = 0) -> int:
    """The size of the grid."""
    return int(_PROGRAM.get()[1][axis])


def arange(start: int, end: int) -> Block:
    """start, start + 1 ... end - 1."""
    return Block(torch.arange(int(start), int(end))[None])


def zeros(shape: Any, dtype: Any = torch.float32) -> Block:
    """A block of zeros."""
    return full(shape, 0, dtype)


def full(shape: Any, value: Any, dtype: Any = torch.float32) -> Block:
    """A block of one value."""
    dims = [int(n) for n in shape]
    if isinstance(value, Block):
        return Block(value.data.reshape(-1, *[1] * len(dims)).to(dtype).expand(-1, *dims).clone())
    return Block(torch.full((1, *dims), value, dtype=dtype))


def where(condition: Any, a: Any, b: Any) -> Block:
    """a where the condition holds, else b."""
    rank = max(x.rank for x in (condition, a, b) if isinstance(x, Block))
    parts = []
    for x in (condition, a, b):
        data = _raw(x)
        while isinstance(data, torch.Tensor) and data.dim() < rank + 1:
            data = data.unsqueeze(1)
        parts.append(data)
    return Block(torch.where(*parts))


def dot(a: Block, b: Block, acc: Any = None, **options: Any) -> Block:
    """Matrix product in float32."""
    product = a.data.float() @ b.data.float()
    return Block(product if acc is None else product + _raw(acc))


def _axis(axis: Any, rank: int) -> int:
    return int(axis) + 1 if axis >= 0 else int(axis) + rank + 1


def _reduce(function: str) -> Any:
    def reduce(x: Block, axis: Any = None, **options: Any) -> Block:
        keep = bool(options.get("keep_dims"))
        dims = [_axis(axis, x.rank)] if axis is not None else list(builtins.range(1, x.rank + 1))
        return Block(getattr(torch, function)(x.data, dim=dims, keepdim=keep))

    return reduce


def _argument(function: str) -> Any:
    return lambda x, axis=0, **options: Block(getattr(torch, function)(x.data, dim=_axis(axis, x.rank)))


def _one(function: str) -> Any:
    def apply(x: Any, *args: Any, **options: Any) -> Any:
        data = x.data if isinstance(x, Block) else torch.tensor(x)
        return Block(
            getattr(torch, function)(data if data.is_floating_point() or function == "abs" else data.float())
        )

    return apply


def _two(function: str) -> Any:
    def apply(a: Any, b: Any, **options: Any) -> Any:
        if not isinstance(a, Block) and not isinstance(b, Block):
            return builtins.max(a, b) if function == "maximum" else builtins.min(a, b)
        x, y = _pair(a, b)
        x, y = (v if isinstance(v, torch.Tensor) else torch.tensor(v) for v in (x, y))
        return Block(getattr(torch, function)(x, y))

    return apply


def reshape(x: Block, *shape: Any, **options: Any) -> Block:
    """The block in another shape."""
    dims = shape[0] if isinstance(shape[0], (tuple, list)) else shape
    return Block(x.data.reshape(x.data.shape[0], *[int(n) for n in dims]))


def permute(x: Block, *order: Any) -> Block:
    """Dimensions in another order."""
    dims = order[0] if isinstance(order[0], (tuple, list)) else order
    return Block(x.data.permute(0, *[int(n) + 1 for n in dims]))


def split(x: Block) -> tuple[Block, Block]:
    """Both halves of a last dimension of two."""
    return Block(x.data[..., 0]), Block(x.data[..., 1])


def cdiv(a: Any, b: Any) -> Any:
    """Division rounded up."""
    return (a + b - 1) // b


def range_(*bounds: Any, **options: Any) -> Any:
    """A loop. Bounds that differ between programs end the joint run."""
    return builtins.range(*(int(bound) for bound in bounds))


class constexpr:  # noqa: N801
    """A value known to the compiler."""

    def __new__(cls, value: Any) -> Any:
        return value


_FUNCTIONS: dict[str, Any] = {
    **{
        name: _one(name)
        for name in (
            "exp",
            "exp2",
            "log",
            "log2",
            "sqrt",
            "rsqrt",
            "abs",
            "sigmoid",
            "sin",
            "cos",
            "floor",
            "ceil",
            "erf",
            "tanh",
        )
    },
    "sum": _reduce("sum"),
    "max": _reduce("amax"),
    "min": _reduce("amin"),
    "argmax": _argument("argmax"),
    "argmin": _argument("argmin"),
    "maximum": _two("maximum"),
    "minimum": _two("minimum"),
    "reshape": reshape,
    "permute": permute,
    "trans": lambda x, *order: permute(x, *order) if order else x.T,
    "split": split,
    "popc": lambda x: Block(
        sum((x.data >> bit) & 1 for bit in builtins.range(8 * x.data.element_size())).int()
    ),
    "softmax": lambda x, **options: Block(torch.softmax(x.data, dim=-1)),
    "cumsum": lambda x, axis=0, **options: Block(torch.cumsum(x.data, dim=_axis(axis, x.rank))),
}


def namespace() -> dict[str, Any]:
    """The content of triton.language."""
    dtypes = {
        name: getattr(torch, name)
        for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8")
    }
    return {
        **_FUNCTIONS,
        **dtypes,
        "bfloat16": torch.float32,
        "int1": torch.bool,
        "constexpr": constexpr,
        "tensor": Block,
        "load": load,
        "store": store,
        "atomic_add": atomic_add,
        "program_id": program_id,
        "num_programs": num_programs,
        "arange": arange,
        "zeros": zeros,
        "full": full,
        "where": where,
        "dot": dot,
        "view": reshape,
        "cdiv": cdiv,
        "range": range_,
        "static_range": range_,
        "fma": lambda a, b, c: a * b + c,
        "fdiv": lambda a, b, **options: a / b,
        "div_rn": lambda a, b: a / b,
        "zeros_like": lambda x: Block(torch.zeros_like(x.data)),
        "expand_dims": lambda x, axis: Block(x.data.unsqueeze(_axis(axis, x.rank + 1))),
        "broadcast_to": lambda x, *shape: Block(
            x.data.expand(-1, *(shape[0] if isinstance(shape[0], (tuple, list)) else shape))
        ),
        "cast": lambda x, dtype, **options: x.to(dtype),
        "debug_barrier": lambda: None,
        "static_assert": lambda *args: None,
        "static_print": lambda *args: None,
        "device_assert": lambda *args: None,
        "multiple_of": lambda x, n: x,
        "max_contiguous": lambda x, n: x,
        "assume": lambda condition: None,
        "swizzle2d": None,
    }
