"""How messages travel: the child's Sender, and our Receiver, which takes nothing on trust.

The submission runs in the process that writes, so every line is hostile input: each field has a type and a
bound, and the first departure ends the run's evidence with one clear error. Standard library only: the child
imports this before torch.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from golf_audit.dynamic.messages import KINDS, End, Gradient, Message, Runs, Score, Sink, Site, Start

MAX_LINE = 4 * 2**20
MAX_BYTES = 192 * 2**20
MAX_MESSAGES = 400_000
MAX_TEXT = 2_000
MAX_ITEMS = 200_000  # entries of one list
MAX_ROWS = 1 << 20  # rows of one score


class BadMessage(Exception):
    """A line that the recorder would not have written, or too much of them."""


_PACKED = ("losses", "fingerprints", "values")


def pack(numbers: Sequence[float]) -> str:
    """Little-endian float64 in base64."""
    return base64.b64encode(array("d", numbers).tobytes()).decode("ascii")


class Sender:
    """Numbers the messages and writes each as one line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._n = 0
        self._lock = threading.RLock()
        self._clock = time.monotonic  # the submission meets another clock
        self._start = self._clock()
        self._write: Callable[[int, memoryview], int] = os.write  # the submission may replace os.write

    def send(self, message: Message) -> None:
        """Write one message. Raises OSError when our process has closed its end.

        Threads of the submission print and read too, and so do finalizers in the middle of this call."""
        raw: dict[str, Any] = {"kind": message.kind}
        for spec in fields(message):
            value = getattr(message, spec.name)
            raw[spec.name] = pack(value) if spec.name in _PACKED else value
        raw["n"] = -1
        with self._lock:
            while raw["n"] != self._n:
                raw["n"], raw["t"] = self._n, round(self._clock() - self._start, 3)
                line = memoryview(json.dumps(raw).encode("ascii") + b"\n")
            self._n += 1
            while line:
                line = line[self._write(self._descriptor, line) :]


class Receiver:
    """Turns the bytes of a run into messages. The first bad line raises BadMessage and ends the evidence."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._rest = b""
        self._bytes = 0
        self._scores: list[int] = []  # rows of each score

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete."""
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise BadMessage(f"more than {MAX_BYTES >> 20} MiB of messages")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise BadMessage(f"a line longer than {MAX_LINE >> 20} MiB")
        new = [self._one(line) for line in lines]
        return new

    def finish(self) -> None:
        """The end of the stream: nothing may be left over."""
        if self._rest:
            raise BadMessage("the last message is not complete")

    def _one(self, line: bytes) -> Message:
        if len(line) > MAX_LINE:
            raise BadMessage(f"a line longer than {MAX_LINE >> 20} MiB")
        if len(self.messages) >= MAX_MESSAGES:
            raise BadMessage(f"more than {MAX_MESSAGES:,} messages")
        message = parse(line)
        self._in_order(message)
        self.messages.append(message)
        return message

    def _in_order(self, message: Message) -> None:
        if message.n != len(self.messages):
            raise BadMessage(f"message {message.n} came where {len(self.messages)} was expected")
        if isinstance(message, Start) != (message.n == 0):
            raise BadMessage("a run begins with one start message")
        if self.messages and isinstance(self.messages[-1], End):
            raise BadMessage("a message after the end")
        if isinstance(message, Score):
            if message.event != len(self._scores):
                raise BadMessage(f"score {message.event} came where {len(self._scores)} was expected")
            self._scores.append(len(message.losses))
        elif isinstance(message, Gradient):
            for first, length in message.rows:
                self._row(message.event, first, length)
        elif isinstance(message, Sink):
            for event, first, length, _ in message.rows:
                self._row(event, first, length)

    def _row(self, event: int, first: int, length: int) -> None:
        if event >= len(self._scores) or first < 0 or first + length > self._scores[event]:
            raise BadMessage(f"rows {first} to {first + length} of score {event} do not exist")


def parse(line: bytes) -> Message:
    """One line as a message. Raises BadMessage."""
    try:
        raw = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {str(error)[:80]}") from None
    if not isinstance(raw, dict):
        raise BadMessage("not an object")
    kind = raw.pop("kind", None)
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise BadMessage("no such kind of message")
    names = {spec.name for spec in fields(cls)}
    if set(raw) != names:
        raise BadMessage(f"{cls.kind}: fields {sorted(set(raw) ^ names)[:4]} missing or unknown")
    values = {}
    for spec in fields(cls):
        try:
            values[spec.name] = _READERS[str(spec.type)](raw[spec.name])
        except (TypeError, ValueError, OverflowError) as error:
            raise BadMessage(f"{cls.kind}.{spec.name}: {str(error)[:80]}") from None
    message = cls(**values)
    if isinstance(message, Score):
        _check_score(message)
    return message


def _check_score(score: Score) -> None:
    rows = sum(length for _, length in score.positions)
    if not rows == len(score.losses) == len(score.fingerprints):
        raise BadMessage("score: positions, losses and fingerprints differ in number")


def _no_constant(name: str) -> float:
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[name]


def _integer(raw: object) -> int:
    if type(raw) is not int or not -1 <= raw < 1 << 53:
        raise ValueError("a whole number is expected")
    return raw


def _number(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise ValueError("a number is expected")
    return float(raw)


def _optional(raw: object) -> float | None:
    return None if raw is None else _number(raw)


def _text(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > MAX_TEXT:
        raise ValueError(f"a text of at most {MAX_TEXT} characters is expected")
    return raw


def _flag(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("true or false is expected")
    return raw


def _list(raw: object) -> list[Any]:
    if not isinstance(raw, list) or len(raw) > MAX_ITEMS:
        raise ValueError(f"a list of at most {MAX_ITEMS} is expected")
    return raw


def _integers(raw: object, length: int) -> tuple[int, ...]:
    if not isinstance(raw, list) or len(raw) != length:
        raise ValueError(f"a list of {length} is expected")
    return tuple(_integer(value) for value in raw)


def _texts(raw: object) -> tuple[str, ...]:
    return tuple(_text(value) for value in _list(raw))


def _site(raw: object) -> Site:
    if not isinstance(raw, list) or len(raw) != 2:
        raise ValueError("a file and a line are expected")
    return _text(raw[0]), _integer(raw[1])


def _runs(raw: object) -> Runs:
    found = tuple((first, length) for first, length in (_integers(item, 2) for item in _list(raw)))
    if sum(length for _, length in found) > MAX_ROWS or any(length < 1 for _, length in found):
        raise ValueError("not a list of runs")
    return found


def _sink_rows(raw: object) -> tuple[tuple[int, int, int, int], ...]:
    found = tuple(_integers(item, 4) for item in _list(raw))
    if any(min(item) < 0 or item[2] < 1 or item[3] < 1 for item in found):
        raise ValueError("not a list of rows")
    return tuple((a, b, c, d) for a, b, c, d in found)


def _rows_of(width: int) -> Callable[[object], tuple[tuple[int, ...], ...]]:
    """Reads a list of rows of whole numbers."""

    def read(raw: object) -> tuple[tuple[int, ...], ...]:
        return tuple(_integers(item, width) for item in _list(raw))

    return read


def _packed(raw: object) -> array[float]:
    if not isinstance(raw, str) or len(raw) > MAX_LINE:
        raise ValueError("packed numbers are expected")
    numbers = array("d")
    try:
        numbers.frombytes(base64.b64decode(raw, validate=True))
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None
    return numbers


def _figures(raw: object) -> dict[str, float]:
    if not isinstance(raw, dict) or len(raw) > 64:
        raise ValueError("at most 64 figures are expected")
    return {_text(name): _number(value) for name, value in sorted(raw.items())}


_READERS: Mapping[str, Callable[[object], Any]] = {
    "int": _integer,
    "float": _number,
    "float | None": _optional,
    "str": _text,
    "bool": _flag,
    "tuple[str, ...]": _texts,
    "Site": _site,
    "Runs": _runs,
    "tuple[tuple[int, int, int, int], ...]": _sink_rows,
    "tuple[tuple[int, int], ...]": _rows_of(2),
    "tuple[tuple[int, int, int], ...]": _rows_of(3),
    "tuple[tuple[int, int, int, int, int], ...]": _rows_of(5),
    "Sequence[float]": _packed,
    "Mapping[str, float]": _figures,
}
