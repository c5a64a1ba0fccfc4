"""Literals that carry something else: packed data that nothing was seen to execute, and C or CUDA sources.

What the machine did not follow is decoded by its looks, so that no payload is a silent gap."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass

from golf_audit.model import Where
from golf_audit.peel.decoders import (
    DecodeError,
    gunzip,
    inflate,
    unbase64,
    unbase85,
    unbrotli,
    unbzip,
    unhex,
    unxz,
)

MINIMUM = 400
"""Characters of a literal that is looked at; a packed helper of less is shorter than its unpacking."""
_SOURCE_MINIMUM = 120
_BITS_PER_CHARACTER = 4.3
"""Entropy of packed text: base64 6.0, base85 6.4; hexadecimal (4.0) is told by its alphabet."""

_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}\Z")
_BASE85 = re.compile(r"[0-9A-Za-z!#$%&()*+\-;<=>?@^_`{|}~]+\Z")
_C = re.compile(
    r"^\s*#\s*include\s*[<\"]|__global__\s+void|extern\s+\"C\"|\btorch::Tensor\b|PYBIND11_MODULE",
    re.MULTILINE,
)

_PACKERS: tuple[tuple[bytes, str, Callable[[bytes], bytes]], ...] = (
    (b"\xfd7zXZ\x00", "lzma", unxz),
    (b"]\x00\x00", "lzma", unxz),
    (b"\x1f\x8b", "gzip", gunzip),
    (b"BZh", "bzip2", unbzip),
    (b"\x78\x01", "zlib", inflate),
    (b"\x78\x5e", "zlib", inflate),
    (b"\x78\x9c", "zlib", inflate),
    (b"\x78\xda", "zlib", inflate),
)


@dataclass(frozen=True)
class Payload:
    """Something that a literal carries: how it was unpacked (nothing for plain text), what it is, how large.

    `kind` is "Python source", "C source", "CUDA source", "text" or "binary"; all but the last have `text`."""

    where: Where
    how: tuple[str, ...]
    kind: str
    size: int  # bytes, unpacked
    text: str = ""
    path: str = ""  # where the script writes it, when it does


@dataclass(frozen=True)
class Opaque:
    """A literal that looks packed and could not be unpacked; `why` is a sentence."""

    where: Where
    why: str


def embedded(
    nodes: Iterable[ast.AST], met: Container[int], locate: Callable[[ast.AST], Where]
) -> Iterator[Payload | Opaque]:
    """Payloads in literals of a script, except in those whose use was followed (`met`, by id)."""
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, (str, bytes)):
            continue
        if len(node.value) >= _SOURCE_MINIMUM and id(node) not in met:
            found = _literal(locate(node), node.value)
            if found is not None:
                yield found


def describe(where: Where, content: str | bytes, how: tuple[str, ...], path: str = "") -> Payload:
    """The payload that a literal unpacks to."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Payload(where, how, "binary", len(data), path=path)
    if "\0" in text:
        return Payload(where, how, "binary", len(data), path=path)
    return Payload(where, how, _kind_of_text(text, path), len(data), text, path)


def _kind_of_text(text: str, path: str) -> str:
    if path.endswith(".py"):
        return "Python source"
    if path.endswith((".cu", ".cuh")) or "__global__" in text:
        return "CUDA source"
    if path.endswith((".c", ".cc", ".cpp", ".h", ".hpp")) or _C.search(text[:20_000]):
        return "C source"
    if re.search(r"^(?:import|from|def|class) \w", text[:20_000], re.MULTILINE):
        return "Python source"
    return "text"


def _literal(where: Where, value: str | bytes) -> Payload | Opaque | None:
    if isinstance(value, bytes):
        return _packed(where, value, ()) if len(value) >= MINIMUM else None
    if len(value) >= _SOURCE_MINIMUM and _C.search(value[:20_000]):
        return describe(where, value, ())
    if len(value) < MINIMUM:
        return None
    return _textual(where, value)


def _textual(where: Where, value: str) -> Payload | Opaque | None:
    body = value.replace("\r", "").replace("\n", "")
    if not _dense(body):
        return None
    for pattern, name, decode in (
        (_HEX, "hex", unhex),
        (_BASE64, "base64", unbase64),
        (_BASE85, "base85", unbase85),
    ):
        if not pattern.match(body):
            continue
        try:
            data = decode(body)
        except DecodeError:
            continue
        found = _packed(where, data, (name,))
        if found is not None:
            return found
    return Opaque(
        where, f"a literal of {len(value):,} characters that looks packed and could not be unpacked"
    )


def _dense(body: str) -> bool:
    """True for text with the entropy of packed data and no blanks: code, prose and tables have neither."""
    sample = body[:5000]
    if any(c in sample for c in " \t\n,'\"\\") or len(sample) < MINIMUM:
        return False
    counts = Counter(sample)
    entropy = -sum(n / len(sample) * math.log2(n / len(sample)) for n in counts.values())
    return entropy >= (_BITS_PER_CHARACTER if not _HEX.match(sample) else 3.5)


def _packed(where: Where, data: bytes, how: tuple[str, ...]) -> Payload | None:
    """Data that begins like a compressed stream, or is brotli, or was encoded text."""
    for magic, name, unpack in _PACKERS:
        if data.startswith(magic):
            try:
                return describe(where, unpack(data), (*how, name))
            except DecodeError:
                return describe(where, data, how)
    if not how:
        return None
    try:
        return describe(where, unbrotli(data), (*how, "brotli"))
    except DecodeError:
        pass  # most data is not brotli; its bytes are described as they are
    return describe(where, data, how)
