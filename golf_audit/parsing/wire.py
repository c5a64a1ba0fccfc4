"""A tree as bytes and back: a flat list of numbers for a stack machine, and a table of strings.

Nothing is unpickled: the reader knows only `ast` classes, strings, bytes, numbers and the three constants,
and reads without recursion, so that neither a hostile parser nor a deep tree can do harm in our process.

    frame    numbers, then strings: "<QQ" byte lengths of both parts
    numbers  array of 64-bit integers, in postorder: children push values, their node pops them
    strings  "<Q" count, 32-bit lengths in bytes, UTF-8 (lone surrogates allowed)
"""

from __future__ import annotations

import ast
import gc
import struct
from array import array
from typing import Any

from golf_audit.parsing import nodes

_VALUE, _LIST = 0, 1  # operations: push string table entry (tag, index), pop n values into a list
_NONE, _ELLIPSIS, _TRUE, _FALSE = 2, 3, 4, 5
_SMALL = 6  # push the number that follows
_FIRST_NODE = 16

_CLASSES: list[type[ast.AST]] = [
    kind
    for _, kind in sorted(vars(ast).items())
    if isinstance(kind, type) and issubclass(kind, ast.AST) and kind.__module__ in ("ast", "_ast")
]
_CLASSES += [kind for kind in nodes.NEWER if kind not in _CLASSES]
_KIND = {kind: _FIRST_NODE + index for index, kind in enumerate(_CLASSES)}
_PLACED = [bool(kind._attributes) for kind in _CLASSES]
_CONSTANTS = {None: _NONE, ...: _ELLIPSIS, True: _TRUE, False: _FALSE}
_TEXT, _BYTES, _INT, _FLOAT, _COMPLEX = range(5)


class UnreadableError(ValueError):
    """A frame that no encoder of ours wrote."""


def encode(tree: ast.Module) -> bytes:
    """The frame of a tree. Writes it back to front, so that a plain stack visits children first."""
    numbers: list[int] = []
    table: dict[tuple[int, str], int] = {}
    emit = numbers.append
    waiting: list[Any] = [tree]
    take, put = waiting.pop, waiting.append
    while waiting:
        item = take()
        kind = _KIND.get(type(item))
        if kind is not None:
            if _PLACED[kind - _FIRST_NODE]:
                numbers += (item.end_col_offset, item.end_lineno, item.col_offset, item.lineno)
            emit(kind)
            for name in item._fields:
                put(getattr(item, name))
        elif type(item) is list:
            numbers += (len(item), _LIST)
            waiting += item
        elif item is None or item is True or item is False or item is ...:
            emit(_CONSTANTS[item])
        elif type(item) is int and 0 <= item < 2**62:
            numbers += (item, _SMALL)
        else:
            key = _key(item)
            numbers += (table.setdefault(key, len(table)), key[0], _VALUE)
    numbers.reverse()
    return _frame(array("q", numbers).tobytes(), [text for _, text in table])


def _key(value: str | bytes | float | complex) -> tuple[int, str]:
    if isinstance(value, str):
        return _TEXT, value
    if isinstance(value, bytes):
        return _BYTES, value.decode("latin-1")
    if isinstance(value, int):
        return _INT, hex(value)
    if isinstance(value, float):
        return _FLOAT, value.hex()
    return _COMPLEX, value.imag.hex()


def _frame(numbers: bytes, strings: list[str]) -> bytes:
    parts = [text.encode("utf-8", "surrogatepass") for text in strings]
    lengths = array("I", map(len, parts))
    body = struct.pack("<Q", len(parts)) + lengths.tobytes() + b"".join(parts)
    return struct.pack("<QQ", len(numbers), len(body)) + numbers + body


def decode(frame: bytes) -> ast.Module:
    """The tree of a frame. Raises UnreadableError when the frame is not well formed."""
    enabled = gc.isenabled()
    gc.disable()  # a hundred thousand new nodes without one cycle: collections would double the time
    try:
        tree = _run(*_open(frame))
    except (LookupError, TypeError, ValueError, ArithmeticError, StopIteration, struct.error) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from None
    finally:
        if enabled:
            gc.enable()
    if not isinstance(tree, ast.Module):
        raise UnreadableError("not a module")
    return tree


def _open(frame: bytes) -> tuple[array[int], list[str]]:
    size, rest = struct.unpack_from("<QQ", frame)
    if 16 + size + rest != len(frame):
        raise UnreadableError("a frame of another length")
    numbers = array("q")
    numbers.frombytes(frame[16 : 16 + size])
    (count,) = struct.unpack_from("<Q", frame, 16 + size)
    lengths = array("I")
    at = 16 + size + 8 + count * lengths.itemsize
    lengths.frombytes(frame[16 + size + 8 : at])
    strings = []
    for length in lengths:
        strings.append(frame[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    return numbers, strings


def _run(numbers: array[int], strings: list[str]) -> Any:
    stack: list[Any] = []
    push = stack.append
    following = iter(numbers).__next__
    shared: dict[int, ast.AST] = {}  # operators and contexts carry no position: one object each
    for operation in iter(following, None):
        if operation >= _FIRST_NODE:
            kind = _CLASSES[operation - _FIRST_NODE]
            count = len(kind._fields)
            if not count and not _PLACED[operation - _FIRST_NODE]:
                push(shared.setdefault(operation, kind()))
                continue
            if count:
                if len(stack) < count:
                    raise UnreadableError("a node without its fields")
                node = kind(*stack[-count:])
                del stack[-count:]
            else:
                node = kind()
            if _PLACED[operation - _FIRST_NODE]:
                node.lineno = following()  # type: ignore[attr-defined]
                node.col_offset = following()  # type: ignore[attr-defined]
                node.end_lineno = following()  # type: ignore[attr-defined]
                node.end_col_offset = following()  # type: ignore[attr-defined]
            push(node)
        elif operation == _VALUE:
            push(_value(following(), strings[following()]))
        elif operation == _LIST:
            count = following()
            values = stack[len(stack) - count :]
            del stack[len(stack) - count :]
            push(values)
        elif operation == _SMALL:
            push(following())
        else:
            push((None, ..., True, False)[operation - _NONE])
    (tree,) = stack
    return tree


def _value(tag: int, text: str) -> str | bytes | int | float | complex:
    if tag == _TEXT:
        return text
    if tag == _BYTES:
        return text.encode("latin-1")
    if tag == _INT:
        return int(text, 16)
    if tag == _FLOAT:
        return float.fromhex(text)
    if tag == _COMPLEX:
        return complex(0.0, float.fromhex(text))
    raise UnreadableError(f"tag {tag}")
