"""JSON with positions: every value knows its line and column, and broken files are explained in one sentence.

Small slips are read past (text after the object, a trailing comma, missing closing brackets) and reported;
anything else stops the reader. The standard library's parser gives no positions, hence this one."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import Any

from golf_audit.text import Text

DEPTH_CAP = 100
"""Nested objects and arrays that are followed."""
_NUMBER_CAP = 400  # characters of a number; longer ones are an attack on int()
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]\w{0,40}")
_STRINGS = JSONDecoder()  # raw_decode reads one string and says where it ends
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Position:
    """1-based line and column of a value, and the text of a scalar as written."""

    line: int
    column: int
    text: str = ""


@dataclass(frozen=True)
class JsonProblem:
    """What is wrong with a text, and where. `fatal`: no value could be read. Not `invalid`: still JSON."""

    message: str
    line: int
    column: int
    fatal: bool = False
    invalid: bool = True


@dataclass(frozen=True)
class Document:
    """A parsed text: its value, the position of every JSON pointer ("" is the root), and its problems."""

    value: Any
    positions: dict[str, Position]
    problems: tuple[JsonProblem, ...] = ()

    @property
    def readable(self) -> bool:
        """False when no value could be made of the text."""
        return not any(problem.fatal for problem in self.problems)

    def at(self, pointer: str) -> Position:
        """The position of a pointer, or of the nearest parent that has one."""
        while pointer not in self.positions and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.positions.get(pointer, Position(1, 1))


def parse(text: Text) -> Document:
    """Parse decoded text. Never raises; what is wrong is in `problems`."""
    reader = _Reader(text.text)
    if text.lossy:
        reader.note("bytes that are not valid UTF-8 were replaced", 0, invalid=False)
    if text.encoding != "utf-8":
        reader.note(
            f"starts with a byte order mark ({text.encoding}); plain UTF-8 is expected", 0, invalid=False
        )
    try:
        value = reader.document()
    except _StopReadingError:
        return Document(None, reader.positions, tuple(reader.problems))
    return Document(value, reader.positions, tuple(reader.problems))


def step(pointer: str, key: str | int) -> str:
    """The pointer of a member (RFC 6901)."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"


class _StopReadingError(Exception):
    """The text cannot be read any further; the reason is in the reader's problems."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.end = len(text)
        self.positions: dict[str, Position] = {}
        self.problems: list[JsonProblem] = []
        self._breaks = [m.start() for m in re.finditer("\n", text)]

    def document(self) -> Any:
        start = self._skip(0)
        self._prologue(start)
        value, index = self._value(start, "", 0)
        index = self._skip(index)
        if index < self.end:
            more = "a second object" if self.text[index] == "{" else "text"
            self.note(f"{more} after the closing brace, starting with {self._excerpt(index)}", index)
        return value

    def note(self, message: str, index: int, *, fatal: bool = False, invalid: bool = True) -> None:
        line, column = self._place(index)
        self.problems.append(JsonProblem(message, line, column, fatal, invalid))

    def _stop(self, message: str, index: int) -> _StopReadingError:
        self.note(message, min(index, self.end), fatal=True)
        return _StopReadingError(message)

    def _prologue(self, start: int) -> None:
        """The kinds of files that are not JSON at all."""
        if start >= self.end:
            raise self._stop("the file is empty", 0)
        head = self.text[start : start + 400]
        if "<<" in head.split("\n", 1)[0] and head.startswith(("cat", "tee", "echo")):
            raise self._stop("a shell command (here-document) was committed instead of its output", start)
        if head.startswith("```") or re.match(r"json\s*\{", head):
            raise self._stop(
                f"starts with {self._excerpt(start)}, left over from a Markdown code fence", start
            )
        if head.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            raise self._stop("holds an unresolved merge conflict", start)
        if head[0] not in "{[" and not _NUMBER.match(head) and head[0] != '"' and not self._constant(start):
            raise self._stop(f"starts with {self._excerpt(start)}, not with an object", start)

    def _value(self, index: int, pointer: str, depth: int) -> tuple[Any, int]:
        if index >= self.end:
            raise self._stop("the file ends where a value is expected", index)
        if depth > DEPTH_CAP:
            raise self._stop(f"nested deeper than {DEPTH_CAP} levels", index)
        self._mark(pointer, index, "")
        char = self.text[index]
        if char == "{":
            return self._object(index, pointer, depth)
        if char == "[":
            return self._array(index, pointer, depth)
        if char == '"':
            value, after = self._string(index)
            self._mark(pointer, index, value)
            return value, after
        return self._scalar(index, pointer)

    def _scalar(self, index: int, pointer: str) -> tuple[Any, int]:
        number = _NUMBER.match(self.text, index)
        if number is not None:
            return self._number(number, pointer)
        constant = self._constant(index)
        if constant is not None:
            self._mark(pointer, index, constant)
            return _CONSTANTS[constant], index + len(constant)
        word = _WORD.match(self.text, index + (self.text[index] in "+-"))
        if word is not None and word[0] in ("NaN", "Infinity", "nan", "inf"):
            raise self._stop(f"{word[0]} is not a JSON number", index)
        raise self._stop(self._expected(index, "a value"), index)

    def _number(self, match: re.Match[str], pointer: str) -> tuple[int | float, int]:
        digits = match[0]
        if len(digits) > _NUMBER_CAP:
            raise self._stop(f"a number of {len(digits):,} characters", match.start())
        after = self.text[match.end() : match.end() + 1]
        if after == "_":
            raise self._stop("a number with underscores; JSON allows digits only", match.start())
        if after.isalnum() or after == ".":
            raise self._stop(f"{self._excerpt(match.start())} is not a JSON number", match.start())
        self._mark(pointer, match.start(), digits)
        return (float(digits) if any(c in digits for c in ".eE") else int(digits)), match.end()

    def _constant(self, index: int) -> str | None:
        word = _WORD.match(self.text, index)
        return word[0] if word is not None and word[0] in _CONSTANTS else None

    def _string(self, index: int) -> tuple[str, int]:
        try:
            value, end = _STRINGS.raw_decode(self.text, index)
            return str(value), end
        except JSONDecodeError as error:
            if "Unterminated" in error.msg:
                raise self._stop("a string that is never closed", index) from None
            if "control character" in error.msg:
                raise self._stop(
                    "a string with a raw line break or tab; write \\n or \\t", error.pos
                ) from None
            raise self._stop(f"a broken escape in a string ({error.msg})", error.pos) from None

    def _object(self, start: int, pointer: str, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        index = self._skip(start + 1)
        while True:
            if index >= self.end:
                self.note("an object that is never closed: } is missing", self.end)
                return found, index
            if self.text[index] == "}":
                return found, index + 1
            if self.text[index] != '"':
                raise self._stop(self._expected(index, "a name in double quotes"), index)
            key_at = index
            key, index = self._string(index)
            index = self._skip(index)
            if self.text[index : index + 1] != ":":
                raise self._stop(self._expected(index, f"a colon after {_short(key)}"), index)
            if key in found:
                self.note(f"the name {_short(key)} occurs twice; the last one counts", key_at, invalid=False)
            found[key], index = self._value(self._skip(index + 1), step(pointer, key), depth + 1)
            index = self._after_item(index, "}")

    def _array(self, start: int, pointer: str, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        index = self._skip(start + 1)
        while True:
            if index >= self.end:
                self.note("a list that is never closed: ] is missing", self.end)
                return found, index
            if self.text[index] == "]":
                return found, index + 1
            value, index = self._value(index, step(pointer, len(found)), depth + 1)
            found.append(value)
            index = self._after_item(index, "]")

    def _after_item(self, index: int, closing: str) -> int:
        """Past the comma; a comma before the closing bracket is noted and forgiven."""
        index = self._skip(index)
        if index >= self.end or self.text[index] == closing:
            return index
        if self.text[index] != ",":
            message = self._expected(index, f"a comma or {closing}")
            raise self._stop(
                f"{message} (a missing comma, or a quote inside a string that is not escaped)", index
            )
        after = self._skip(index + 1)
        if after < self.end and self.text[after] == closing:
            self.note(f"a comma before the closing {closing}", index)
        return after

    def _mark(self, pointer: str, index: int, text: str) -> None:
        line, column = self._place(index)
        self.positions[pointer] = Position(line, column, text)

    def _place(self, index: int) -> tuple[int, int]:
        line = bisect_left(self._breaks, index)
        start = self._breaks[line - 1] + 1 if line else 0
        return line + 1, index - start + 1

    def _skip(self, index: int) -> int:
        match = _SPACE.match(self.text, index)
        return match.end() if match else index

    def _expected(self, index: int, what: str) -> str:
        if index >= self.end:
            return f"the file ends where {what} is expected"
        rest = self.text[index : index + 2]
        if rest in ("//", "/*") or rest[:1] == "#":
            return "a comment; JSON has none"
        if rest[:1] == "'":
            return "single quotes; JSON takes double quotes only"
        return f"{self._excerpt(index)} where {what} is expected"

    def _excerpt(self, index: int) -> str:
        return _short(self.text[index : index + 60].split("\n", 1)[0])


def _short(text: str) -> str:
    cut = text.strip()[:24]
    return f'"{cut}"'
