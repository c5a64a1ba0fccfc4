"""The allow-list: functions, methods and operators that the evaluator may apply to constants.

Nothing here reads a file, imports or executes; results are capped before they are computed."""

from __future__ import annotations

import ast
import lzma
import operator
import posixpath
import zlib
from collections.abc import Callable
from typing import Any

from golf_audit.peel.values import SIZE_CAP, PathValue


class NotPureError(Exception):
    """The operation is not on the list, or not for these operands."""


CONSTANTS = {
    **{
        f"lzma.{name}": getattr(lzma, name)
        for name in dir(lzma)
        if name.startswith(("FORMAT_", "FILTER_", "PRESET_"))
    },
    "zlib.MAX_WBITS": zlib.MAX_WBITS,
    "os.sep": "/",
    "os.linesep": "\n",
}

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}


_SEQUENCES = (str, bytes, list, tuple)


def binary(operation: ast.operator, left: Any, right: Any) -> Any:
    """left op right for numbers, strings, bytes, lists and paths."""
    if isinstance(left, PathValue) and isinstance(operation, ast.Div):
        return PathValue(posixpath.join(left.text, _path_text(right)))
    if isinstance(operation, ast.Mult):
        return _repeat(left, right)
    if isinstance(left, int) and isinstance(right, int):
        if max(left.bit_length(), right.bit_length()) > 128:
            raise NotPureError
        return _apply(operation, left, right)
    if not isinstance(operation, ast.Add) or type(left) not in _SEQUENCES or type(left) is not type(right):
        raise NotPureError
    if len(left) + len(right) > SIZE_CAP:
        raise NotPureError
    return left + right


def _repeat(left: Any, right: Any) -> Any:
    if isinstance(left, int) and not isinstance(right, int):
        left, right = right, left
    if isinstance(left, int) and isinstance(right, int):
        return left * right if max(left.bit_length(), right.bit_length()) <= 64 else _refuse()
    if type(left) not in _SEQUENCES or not isinstance(right, int):
        raise NotPureError
    if len(left) * max(right, 0) > SIZE_CAP:
        raise NotPureError
    return left * right


def _refuse() -> Any:
    raise NotPureError


def _apply(operation: ast.operator, left: int, right: int) -> int:
    function = _ARITHMETIC.get(type(operation))
    if function is None or (right == 0 and type(operation) in (ast.FloorDiv, ast.Mod)):
        raise NotPureError
    result: int = function(left, right)
    return result


def _path_text(value: Any) -> str:
    if isinstance(value, PathValue):
        return value.text
    if isinstance(value, str):
        return value
    raise NotPureError


METHODS: dict[type, set[str]] = {  # every method of a list or dict that is not here changes it
    str: {
        "decode", "encode", "endswith", "find", "join", "lower", "lstrip", "partition", "removeprefix",
        "removesuffix", "replace", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith",
        "strip", "upper",
    },
    bytes: {
        "decode", "hex", "join", "lstrip", "partition", "replace", "rsplit", "rstrip", "split", "splitlines",
        "strip", "startswith", "endswith",
    },
    list: {"copy", "index"},
    tuple: {"index"},
    dict: {"get", "items", "keys", "values"},
}  # fmt: skip


def method(value: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    """value.name(*args, **keywords) for the listed methods of constants."""
    if name not in METHODS.get(type(value), ()):
        raise NotPureError
    if name == "join":
        args = [list(args[0])] if len(args) == 1 and isinstance(args[0], (list, tuple, str)) else _refuse()
        if sum(len(piece) + len(value) for piece in args[0]) > SIZE_CAP:
            raise NotPureError
    if name == "replace" and len(args) >= 2 and value.count(args[0]) * len(args[1]) > SIZE_CAP:
        raise NotPureError
    result = getattr(value, name)(*args, **keywords)
    return list(result) if isinstance(value, dict) and name != "get" else result


def _text(value: Any = "", encoding: str = "utf-8", errors: str = "strict") -> str:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode(encoding, errors)
    return value.text if isinstance(value, PathValue) else str(value)


def _bytes(value: Any = b"", encoding: str = "utf-8") -> bytes:
    if isinstance(value, str):
        return value.encode(encoding)
    if isinstance(value, (list, tuple, bytes, bytearray)):
        return bytes(value)
    raise NotPureError


def _join(first: Any, *rest: Any) -> str:
    return posixpath.join(_path_text(first), *map(_path_text, rest))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builtins.bytearray": _bytes,
    "builtins.bytes": _bytes,
    "builtins.chr": chr,
    "builtins.dict": lambda *pairs, **more: dict(*pairs, **more),
    "builtins.int": lambda value=0, base=10: (
        int(value, base) if isinstance(value, str) and len(value) < 40 else _refuse()
    ),
    "builtins.len": len,
    "builtins.list": list,
    "builtins.ord": ord,
    "builtins.reversed": lambda value: list(reversed(value)),
    "builtins.str": _text,
    "builtins.tuple": tuple,
    "builtins.zip": lambda *values: list(zip(*values, strict=False)),
    "os.fspath": _path_text,
    "os.path.abspath": lambda path: posixpath.normpath(_path_text(path)),
    "os.path.basename": lambda path: posixpath.basename(_path_text(path)),
    "os.path.dirname": lambda path: posixpath.dirname(_path_text(path)),
    "os.path.expanduser": _path_text,
    "os.path.join": _join,
    "os.path.normpath": lambda path: posixpath.normpath(_path_text(path)),
    "os.path.realpath": lambda path: posixpath.normpath(_path_text(path)),
    "os.path.split": lambda path: posixpath.split(_path_text(path)),
    "os.path.splitext": lambda path: posixpath.splitext(_path_text(path)),
    "pathlib.Path": lambda *parts: PathValue(_join(*parts) if parts else "."),
    "pathlib.PurePath": lambda *parts: PathValue(_join(*parts) if parts else "."),
}


def path_attribute(path: PathValue, name: str) -> Any:
    """path.parent, path.name and the like."""
    if name == "parent":
        return PathValue(posixpath.dirname(path.text.rstrip("/")) or ".")
    if name == "parents":
        found, at = [], posixpath.normpath(path.text)
        while at not in ("", ".", "/"):
            at = posixpath.dirname(at)
            found.append(PathValue(at or "."))
        return found
    if name == "name":
        return posixpath.basename(path.text)
    if name == "stem":
        return posixpath.splitext(posixpath.basename(path.text))[0]
    if name == "suffix":
        return posixpath.splitext(path.text)[1]
    raise NotPureError


def path_method(path: PathValue, name: str, args: list[Any]) -> Any:
    """path.resolve(), path.with_name(...) and the like; nothing that touches a file."""
    if name in ("resolve", "absolute"):
        return PathValue(posixpath.normpath(path.text))
    if name in ("expanduser", "as_posix", "__str__", "__fspath__"):
        return path if name == "expanduser" else path.text
    if name == "joinpath":
        return PathValue(_join(path, *args))
    if name == "with_name" and len(args) == 1:
        return PathValue(posixpath.join(posixpath.dirname(path.text), _path_text(args[0])))
    if name == "with_suffix" and len(args) == 1:
        return PathValue(posixpath.splitext(path.text)[0] + _path_text(args[0]))
    raise NotPureError
