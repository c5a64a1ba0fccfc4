"""Shell text -> words and operators with their lines. Reads, never expands or executes.

The standard library's shlex keeps no positions and does not know `$(...)`, `${X:-d}` or which quotes forbid
expansion, so the few rules of POSIX quoting are applied here. Unbalanced quotes are taken literally: README
prose ends up here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

TEXT_CAP = 60_000
"""Characters of one script or code block that are read."""
QUOTE_CAP = 20_000
"""Characters that one quoted string may span."""

UNCLOSED_CAP = 20
"""Unclosed brackets after which one may no longer span lines."""

_ORDINARY = re.compile(r"[^\\ \t#'\"$`<>|&;()\n]+")
_CONTINUATION = re.compile(
    r"\\[ \t]*\n"
)  # a blank after the backslash is an error in a shell, a slip in a README
_OPERATOR = re.compile(r"\|\||&&|;;|\|&|[;&|()\n]")
_REDIRECT = re.compile(r"&>>?|<<<|>>|[<>]&|>\||[<>]")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_PLACEHOLDER = re.compile(r"<[A-Za-z][\w ./|-]{0,40}>")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_]\w*)\1")


class Part(Enum):
    """What a piece of a word is."""

    TEXT = "text"
    VARIABLE = "variable"  # the inside of ${...}, or a name
    OPAQUE = "opaque"  # $(...), backticks, $((...)), <placeholder>


@dataclass(frozen=True)
class Word:
    """One word: its pieces in order, on a 1-based line of the text. `quoted`: some of it stood in quotes."""

    parts: tuple[tuple[Part, str], ...]
    line: int
    quoted: bool = False

    @property
    def plain(self) -> str:
        """The text pieces alone: the name before `=`, or a command's own name."""
        return "".join(text for part, text in self.parts if part is Part.TEXT)

    @property
    def static(self) -> bool:
        """True when nothing in the word needs expansion."""
        return all(part is Part.TEXT for part, _ in self.parts)


@dataclass(frozen=True)
class Operator:
    """A separator: ; & | && || ;; ( ) or a newline."""

    text: str
    line: int


Token = Word | Operator


def tokens(text: str, first_line: int = 1) -> list[Token]:
    """All words and operators of a text whose first line has this number."""
    return _Scanner(text[:TEXT_CAP], first_line).run()


class _Scanner:
    def __init__(self, text: str, line: int) -> None:
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.at = 0
        self.line = line
        self.out: list[Token] = []
        self.parts: list[tuple[Part, str]] = []
        self.started = self.quoted = False
        self.word_line = line
        self.skip_word = False  # the target of a redirection
        self.heredocs: list[str] = []
        self.unclosed = 0

    def run(self) -> list[Token]:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        self._end_word()
        return self.out

    def _step(self, char: str) -> None:
        text, at = self.text, self.at
        if plain := _ORDINARY.match(text, at):
            self._add(Part.TEXT, plain.group())
            self.at = plain.end()
        elif char == "\\":
            self._escape()
        elif char in " \t":
            self._end_word()
            self.at += 1
        elif char == "#" and not self.started:
            end = text.find("\n", at)
            self.at = len(text) if end < 0 else end
        elif char in "'\"":
            self._quote(char)
        elif char in "$`":
            self._dollar(char)
        elif char in "<>" and self._special_angle():
            return
        elif found := _OPERATOR.match(text, at):
            self._operator(found.group())
        else:
            self._add(Part.TEXT, char)
            self.at += 1

    def _escape(self) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        continued = _CONTINUATION.match(self.text, self.at)
        if continued:
            self._end_word()
            self.line += 1
            self.at = continued.end()
            return
        if following:
            self._add(Part.TEXT, following)
        self.at += 2

    def _quote(self, quote: str) -> None:
        end = self._closing(quote)
        if end < 0:  # an apostrophe in prose
            self._add(Part.TEXT, quote)
            self.at += 1
            return
        self._start()
        self.quoted = True
        start, self.at = self.at + 1, self.at + 1
        if quote == "'":
            self._add(Part.TEXT, self.text[start:end])
        while quote == '"' and self.at < end:
            char = self.text[self.at]
            if char in "$`":
                self._dollar(char, end)
            elif char == "\\" and self.text[self.at + 1] in '"\\$`\n':
                if self.text[self.at + 1] != "\n":
                    self._add(Part.TEXT, self.text[self.at + 1])
                self.at += 2
            else:
                self._add(Part.TEXT, char)
                self.at += 1
        self.line += self.text.count("\n", start, end)
        self.at = end + 1

    def _closing(self, quote: str) -> int:
        at = self.at + 1
        limit = min(len(self.text), at + QUOTE_CAP)
        while at < limit:
            if self.text[at] == "\\" and quote == '"':
                at += 1
            elif quote == '"' and self.text.startswith("$(", at):
                at = self._balanced(at + 1, "()", limit) - 1  # quotes in a command substitution are its own
            elif self.text[at] == quote:
                return at
            at += 1
        return -1

    def _dollar(self, char: str, limit: int | None = None) -> None:
        """$name, ${...}, $(...), `...`; a lone $ is text."""
        text, at = self.text, self.at
        end = len(text) if limit is None else limit
        if char == "`":
            close = text.find("`", at + 1, end)
            self._opaque(at, close + 1 if close > 0 else at + 1)
        elif text.startswith("${", at):
            close = self._balanced(at + 1, "{}", end)
            self._add(Part.VARIABLE, text[at + 2 : close - 1])
            self.line += text.count("\n", at, close)
            self.at = close
        elif text.startswith("$(", at):
            self._opaque(at, self._balanced(at + 1, "()", end))
        elif found := _NAME.match(text, at + 1, end):
            self._add(Part.VARIABLE, found.group())
            self.at = found.end()
        else:
            self._add(Part.TEXT, "$")
            self.at += 1

    def _opaque(self, start: int, end: int) -> None:
        self._add(Part.OPAQUE, self.text[start:end])
        self.line += self.text.count("\n", start, end)
        self.at = end

    def _balanced(self, at: int, pair: str, limit: int) -> int:
        """The index after the bracket that closes the one at `at`; the end of its line when none does."""
        newline = self.text.find("\n", at, limit)
        line_end = newline if newline >= 0 else limit
        # texts full of unclosed brackets are not scripts: stop looking across their lines
        stop = line_end if self.unclosed > UNCLOSED_CAP else min(limit, at + QUOTE_CAP)
        depth = 0
        for index in range(at, stop):
            depth += (self.text[index] == pair[0]) - (self.text[index] == pair[1])
            if depth == 0:
                return index + 1
        self.unclosed += 1
        return line_end

    def _special_angle(self) -> bool:
        """Placeholders, here-documents and redirections; True when something was taken."""
        text, at = self.text, self.at
        if found := _PLACEHOLDER.match(text, at):
            self._add(Part.OPAQUE, found.group())
        elif found := _HEREDOC.match(text, at):
            self._end_word()
            self.heredocs.append(found.group(2))
        elif found := _REDIRECT.match(text, at):
            self._redirect()
        else:
            return False
        self.at = found.end()
        return True

    def _redirect(self) -> None:
        """Drop the descriptor before a redirection, and the target after it."""
        if self.started and len(self.parts) == 1 and self.parts[0][1].isdigit():
            self.parts, self.started = [], False
        self._end_word()
        self.skip_word = True

    def _operator(self, operator: str) -> None:
        if operator == "&" and self.text.startswith("&>", self.at):
            self._redirect()
            self.at += 2
            return
        self._end_word()
        self.skip_word = False
        self.out.append(Operator(operator, self.line))
        self.at += len(operator)
        if operator == "\n":
            self.line += 1
            for delimiter in self.heredocs:
                self._skip_heredoc(delimiter)
            self.heredocs = []

    def _skip_heredoc(self, delimiter: str) -> None:
        end = re.compile(rf"^\t*{delimiter}[ \t]*$", re.MULTILINE).search(self.text, self.at)
        stop = end.end() if end else len(self.text)
        self.line += self.text.count("\n", self.at, stop)
        self.at = stop

    def _start(self) -> None:
        if not self.started:
            self.started, self.word_line = True, self.line

    def _add(self, part: Part, text: str) -> None:
        self._start()
        if part is Part.TEXT and self.parts and self.parts[-1][0] is Part.TEXT:
            text = self.parts.pop()[1] + text
        self.parts.append((part, text))

    def _end_word(self) -> None:
        if self.started and not self.skip_word:
            self.out.append(Word(tuple(self.parts), self.word_line, self.quoted))
        if self.started:
            self.skip_word = False
        self.parts, self.started, self.quoted = [], False, False
