"""What a shell script would run, without running it: each simple command with the environment it would get.

Loops over literal lists are unrolled (`for SEED in 42 314 999`); bodies of if and while are read as
conditional; functions and `case` are not followed and are said to be there. A value that depends on anything
outside the text is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from golf_audit.runconfig.words import Operator, Part, Token, Word, tokens

LOOP_CAP = 24
"""Values of one loop that are unrolled."""
CALL_CAP = 400
"""Simple commands taken from one text."""
DEPTH_CAP = 12
"""Nesting of compound commands, and of ${X:-${Y:-...}}, that is followed."""
SKIP_CAP = 20
"""Places per script that are listed as not followed."""
VALUE_CAP = 4_000
"""Characters of one value; a script that doubles a variable 200 times does not get further."""
STEP_CAP = 20_000
"""Statements read, loop rounds counted."""

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=")
_EXPANSION = re.compile(r"([A-Za-z_]\w*|[0-9@*#])(?::?([-=?+])(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Value:
    """A variable or word: its text (None: not told by the script), its line, as much as is known."""

    text: str | None
    line: int
    plain: str = ""


@dataclass(frozen=True)
class Call:
    """One simple command: exported environment with prefix assignments, and its words."""

    line: int
    environment: Mapping[str, Value]
    words: tuple[Value, ...]
    conditional: bool = False


@dataclass
class Shell:
    """The state of one reading. `exported` names reach the commands; `skipped` says what was not followed."""

    variables: dict[str, Value] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)
    export_all: bool = False
    steps: int = 0
    expansions: int = 0  # depth of the ${X:-...} being read

    def read(self, text: str, first_line: int = 1) -> None:
        """Read a script or code block; state carries over to the next one."""
        self._block(_Cursor(tokens(text, first_line)), (), 0, conditional=False)

    def _block(self, cursor: _Cursor, stops: tuple[str, ...], depth: int, *, conditional: bool) -> None:
        """Statements up to one of the stop words, which is left to the caller."""
        while (word := cursor.word()) is not None:
            if word in stops:
                return
            self.steps += 1
            if depth > DEPTH_CAP or self.steps > STEP_CAP or len(self.calls) >= CALL_CAP:
                self._skip(cursor.line, "the rest: nested too deep or too long")
                cursor.to_end()
                return
            self._statement(cursor, word, depth, conditional)

    def _statement(self, cursor: _Cursor, word: str, depth: int, conditional: bool) -> None:
        if word == "for":
            self._for(cursor, depth, conditional)
        elif word in ("while", "until", "if"):
            cursor.advance()
            self._branches(cursor, "fi" if word == "if" else "done", depth)
        elif word == "case":
            self._skip(cursor.line, "a `case` statement")
            self._forget(cursor.past("esac"))
        elif word == "function" or cursor.defines_function():
            self._skip(cursor.line, "a shell function")
            self._forget(cursor.past("}"))
        elif word in ("{", "}", "!", "do", "then", "done", "fi", "else", "elif", "esac"):
            cursor.advance()
        else:
            self._simple(cursor.statement(), conditional)

    def _skip(self, line: int, what: str) -> None:
        if (line, what) not in self.skipped and len(self.skipped) < SKIP_CAP:
            self.skipped.append((line, what))

    def _forget(self, words: list[Word]) -> None:
        """What code that is not followed may set is unknown from here on."""
        for word in words:
            if name := _assigned(word):
                self.variables[name] = Value(None, word.line)
                self.exported.add(name)

    def _for(self, cursor: _Cursor, depth: int, conditional: bool) -> None:
        line = cursor.line
        cursor.advance()
        head = cursor.statement()
        start = cursor.after_do()
        if start is None:
            self._skip(line, "a loop without `do`")
            return
        name = head[0].plain if head else ""
        listed = len(head) > 2 and head[1].plain == "in"
        values = [self._expand(word) for word in head[2:]] if listed else [Value(None, line)]
        words = [Value(item, v.line) for v in values for item in _items(v)]
        for value in words[:LOOP_CAP] or [Value(None, line)]:
            cursor.at = start
            if name:
                self.variables[name] = value
            self._block(cursor, ("done",), depth + 1, conditional=conditional)
        cursor.advance()

    def _branches(self, cursor: _Cursor, end: str, depth: int) -> None:
        """Every branch of an if, or a loop body: read once, its commands marked conditional."""
        while (word := cursor.word()) is not None and word != end:
            if word in ("then", "else", "elif", "do"):
                cursor.advance()
            before = dict(self.variables)
            self._block(cursor, ("then", "else", "elif", "do", end), depth + 1, conditional=True)
            for name, value in self.variables.items():
                old = before.get(name)
                if old is not None and old.text != value.text:
                    self.variables[name] = Value(None, value.line)
        cursor.advance()

    def _simple(self, words: list[Word], conditional: bool) -> None:
        prefix: dict[str, Value] = {}
        while words and (name := _assigned(words[0])):
            prefix[name] = self._assign(words.pop(0), name)
        if not words:
            self.variables.update(prefix)
            if self.export_all:
                self.exported.update(prefix)
            return
        head = words[0].plain
        if head in ("export", "declare", "typeset", "readonly", "local"):
            options = "".join(word.plain for word in words[1:] if word.plain.startswith("-"))
            self._declare(words[1:], exports=head == "export" or "x" in options)
        elif head == "set":
            self.export_all |= any(w.plain in ("-a", "allexport") for w in words)
        elif head == "unset":
            for word in words[1:]:
                self.variables.pop(word.plain, None)
        else:
            inherited = {n: v for n, v in self.variables.items() if n in self.exported}
            expanded = tuple(value for word in words for value in self._split(word))
            self.calls.append(Call(words[0].line, {**inherited, **prefix}, expanded, conditional))

    def _declare(self, words: list[Word], *, exports: bool) -> None:
        for word in words:
            name = _assigned(word)
            if name:
                self.variables[name] = self._assign(word, name)
            elif re.fullmatch(r"[A-Za-z_]\w*", word.plain) and word.static:
                name = word.plain
            if name and exports:
                self.exported.add(name)

    def _assign(self, word: Word, name: str) -> Value:
        """The value of NAME=..., with what came before for NAME+=."""
        (_, first), *rest = word.parts
        appended = first.startswith(f"{name}+=")
        tail = first[len(name) + 1 + appended :]
        value = self._expand(Word(((Part.TEXT, tail), *rest), word.line, word.quoted))
        if not appended:
            return value
        old = self.variables.get(name)
        known = old is not None and old.text is not None and value.text is not None
        return Value(f"{old.text}{value.text}"[:VALUE_CAP] if known and old else None, word.line)

    def _expand(self, word: Word) -> Value:
        """The word with its variables filled in; what is known of it is in `plain`."""
        known = True
        pieces: list[str] = []
        for part, text in word.parts:
            piece = text if part is Part.TEXT else self._variable(text) if part is Part.VARIABLE else None
            known = known and piece is not None
            if piece is None and part is Part.VARIABLE and text in self.variables:
                piece = self.variables[text].plain
            pieces.append(piece or "")
        whole = "".join(pieces)
        known = known and len(whole) <= VALUE_CAP
        return Value(whole if known else None, word.line, whole[:VALUE_CAP])

    def _split(self, word: Word) -> list[Value]:
        """An unquoted variable becomes as many words as it holds: `env $COMMON python train_gpt.py`."""
        value = self._expand(word)
        if word.quoted or word.static or value.text is None:
            return [value]
        line = self.variables[word.parts[0][1]].line if word.parts[0][1] in self.variables else word.line
        items = value.text.split()
        return [Value(item, line if len(items) > 1 else word.line, item) for item in items]

    def _variable(self, inner: str) -> str | None:
        """$X, ${X}, ${X:-default}, ${X:=default}, ${X:+other}; None for anything else."""
        found = _EXPANSION.fullmatch(inner)
        if not found:
            return None
        name, operator, word = found.groups()
        value = self.variables.get(name)
        if operator in ("-", "="):
            if value is not None and value.text != "":
                return value.text
            expanded = self._text(word)
            if operator == "=":
                self.variables[name] = Value(expanded, 0)
            return expanded
        if operator == "+":
            return None if value is None else self._text(word)
        return None if value is None else value.text

    def _text(self, text: str) -> str | None:
        """The default inside ${X:-...}: one word."""
        if self.expansions >= DEPTH_CAP:
            return None
        self.expansions += 1
        values = [self._expand(word).text for word in tokens(text) if isinstance(word, Word)]
        self.expansions -= 1
        known = [v for v in values if v is not None]
        return " ".join(known) if len(known) == len(values) else None


def _items(value: Value) -> list[str | None]:
    """What a loop takes from one word: an expanded variable may hold several."""
    return [value.text] if value.text is None else list(value.text.split())


def _assigned(word: Word) -> str:
    """The name of NAME=value, "" for another word."""
    if not word.parts or word.parts[0][0] is not Part.TEXT:
        return ""
    found = _ASSIGNMENT.match(word.parts[0][1])
    return found.group(1) if found else ""


@dataclass
class _Cursor:
    """A place in a list of tokens."""

    items: list[Token]
    at: int = 0

    @property
    def line(self) -> int:
        return self.items[min(self.at, len(self.items) - 1)].line

    def word(self) -> str | None:
        """The plain text of the next word, separators passed over; None at the end."""
        while self.at < len(self.items):
            item = self.items[self.at]
            if isinstance(item, Word):
                return item.plain if item.static and not item.quoted else " "
            self.at += 1
        return None

    def advance(self) -> None:
        self.at += 1

    def to_end(self) -> None:
        self.at = len(self.items)

    def past(self, closer: str) -> list[Word]:
        """Behind the next word of this text; the words on the way."""
        start = self.at
        while (word := self.word()) is not None:
            self.at += 1
            if word == closer:
                break
        return [item for item in self.items[start : self.at] if isinstance(item, Word)]

    def after_do(self) -> int | None:
        """The place behind the next `do`, None when there is none."""
        while (word := self.word()) is not None:
            self.at += 1
            if word == "do":
                return self.at
        return None

    def statement(self) -> list[Word]:
        """The words up to the next separator."""
        words: list[Word] = []
        while self.at < len(self.items):
            item = self.items[self.at]
            if isinstance(item, Operator):
                break
            words.append(item)
            self.at += 1
        return words

    def defines_function(self) -> bool:
        """name() { ..."""
        following = self.items[self.at + 1 : self.at + 3]
        return [t.text for t in following if isinstance(t, Operator)] == ["(", ")"]
