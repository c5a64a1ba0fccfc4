"""Byte tables and vocabularies that a folder ships, read within bounds: .npz without pickles, TokenMonster.

A table from a file cannot be evaluated over sample pieces; it is held against the vocabulary beside it. Only
tokens that are no UTF-8 text by themselves are compared: whatever a vocabulary's markers do to words, such a
fragment can only stand for its own bytes. Counting it as U+FFFD, which has three, is the error of #1289.
"""

from __future__ import annotations

import ast
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from golf_audit.filetree import File, FileTree

_MEMBER_CAP = 8 * 2**20
"""Bytes of one array; a table of 2^16 entries has half a megabyte."""
_TOKENS_CAP = 2**18
_MAGIC = b"\x93NUMPY"
_INTEGERS = {
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "i8": "q",
    "u8": "Q",
    "b1": "?",
}
_BASE_NAMES = ("base_bytes", "base_bytes_lut", "token_bytes", "byte_lengths", "bytes")


@dataclass(frozen=True)
class Fragment:
    """A token that is a part of a character, and the bytes that a table counts for it."""

    token: int
    text: bytes
    counted: int


@dataclass(frozen=True)
class TableFile:
    """A byte table of the folder. `fragments` are the tokens that could be compared, None without a
    vocabulary to compare with."""

    file: str
    fragments: tuple[Fragment, ...] | None

    @property
    def wrong(self) -> tuple[Fragment, ...]:
        """Fragments that do not count their own bytes."""
        return tuple(f for f in self.fragments or () if f.counted != len(f.text))


def table_files(tree: FileTree) -> tuple[TableFile, ...]:
    """Every .npz of the folder that holds a byte table."""
    found = []
    for file in tree.matching(".npz"):
        table = byte_table(file)
        if table is not None:
            vocabulary = _beside(file, tree)
            fragments = None if vocabulary is None else tuple(_fragments(vocabulary, table))
            found.append(TableFile(file.path, fragments))
    return tuple(found)


def _beside(file: File, tree: FileTree) -> Mapping[int, bytes] | None:
    """The vocabulary of the same name, else the only one in the folder."""
    stem = file.path.split(".", 1)[0]
    candidates = [f for f in tree.matching(".vocab") if f.data is not None]
    own = [f for f in candidates if f.path.split(".", 1)[0] == stem] or candidates
    read = [tokenmonster(f.data) for f in own if f.data is not None]
    return read[0] if len(read) == 1 else None


def _fragments(vocabulary: Mapping[int, bytes], table: Sequence[int]) -> list[Fragment]:
    return [
        Fragment(token, text, int(table[token]))
        for token, text in sorted(vocabulary.items())
        if token < len(table) and not _is_text(text)
    ]


def _is_text(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def byte_table(file: File) -> tuple[int, ...] | None:
    """The array of bytes per token of an .npz file; None when it holds none that can be read."""
    if file.data is None:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            for name in _BASE_NAMES:
                if f"{name}.npy" in archive.namelist():
                    info = archive.getinfo(f"{name}.npy")
                    if info.file_size > _MEMBER_CAP:
                        return None
                    with archive.open(info) as stream:
                        return _integers(stream.read(_MEMBER_CAP))
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error):
        return None
    return None


def _integers(data: bytes) -> tuple[int, ...] | None:
    """A one-dimensional integer array in .npy format, version 1 or 2; anything else is None."""
    if data[:6] != _MAGIC or len(data) < 12:
        return None
    start, form = (10, "<H") if data[6] == 1 else (12, "<I")
    (length,) = struct.unpack_from(form, data, 8)
    try:
        header = ast.literal_eval(data[start : start + min(length, 10_000)].decode("latin-1").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(header, dict):
        return None
    kind, shape = header.get("descr"), header.get("shape")
    if (
        not isinstance(kind, str)
        or kind[1:] not in _INTEGERS
        or not isinstance(shape, tuple)
        or len(shape) != 1
    ):
        return None
    order = ">" if kind[0] == ">" else "<"
    count = shape[0]
    width = int(kind[2:])
    body = data[start + length :]
    if not isinstance(count, int) or not 0 <= count <= len(body) // width:
        return None
    return tuple(int(v) for v in struct.unpack_from(f"{order}{count}{_INTEGERS[kind[1:]]}", body))


def tokenmonster(data: bytes) -> Mapping[int, bytes] | None:
    """Tokens of a TokenMonster vocabulary by id; None when the bytes are no such file.

    Each record: length, the token, flags, number of words, two alternatives of three bytes, the id in three
    bytes, a score of four."""
    for start in range(8, 40):  # the header's length differs between versions; records tell where they start
        found = _records(data, start)
        if found is not None:
            return found
    return None


def _records(data: bytes, position: int) -> Mapping[int, bytes] | None:
    tokens: dict[int, bytes] = {}
    expected = 0
    while position < len(data) and len(tokens) < _TOKENS_CAP:
        length = data[position]
        end = position + 1 + length
        if length == 0 or end + 15 > len(data):
            break
        token = int.from_bytes(data[end + 8 : end + 11], "little")
        if token != expected:
            break
        tokens[token] = data[position + 1 : end]
        expected += 1
        position = end + 15
    return tokens if len(tokens) >= 256 else None
