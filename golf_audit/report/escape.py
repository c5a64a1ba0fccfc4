"""One escaping function per target. Every string that a submission can influence passes one of them.

visible    what all of them share: no control, bidi or invisible character survives, and no log command
terminal   one line for a terminal or a plain log
markdown   prose in a GitHub comment: nothing becomes HTML, an image, a link, a mention or a reference
html       text of an HTML element in a comment
page       text and attributes of the HTML page, whose writer escapes markup;  page_text: the finished page
code       a code span;  fence: a code block
annotation the message of a GitHub workflow command;  attribute: one of its properties
message    plain text in SARIF, where brackets would make links
path       a POSIX path that is relative and stays inside the repository;  uri: the same, percent-encoded
data       a string inside JSON;  json_text: the finished JSON
"""

from __future__ import annotations

import html as _html
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

QUOTE_CAP = 200
"""Characters of a quoted line that a report shows; JSON keeps all of them."""
PROSE_CAP = 2_000
"""Characters of a sentence that a report shows; JSON keeps all of them."""

# Control, format (bidi, zero width, tags), surrogate, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Letters by category that are drawn as nothing: Hangul fillers and the Braille blank.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# What a GitHub runner obeys on any line of a log: "::error ..." at its start and "##[error]" anywhere.
_COMMAND = re.compile(r"::(?=[A-Za-z-]+(?: |::|$))")


def visible(text: str, cap: int = PROSE_CAP) -> str:
    """Printable text on one line, at most `cap` characters of the source; undecodable bytes show as \\xNN."""
    cut = text[:cap]
    shown = cut if cut.isascii() and cut.isprintable() else "".join(_seen(c) for c in cut)
    shown = _COMMAND.sub(r":\\x3a", shown).replace("##[", r"#\x23[")
    return shown + " ..." if len(text) > cap else shown


def _seen(char: str) -> str:
    if unicodedata.category(char) not in _UNSEEN and char not in _BLANK:
        return char
    if char in _SHORT:
        return _SHORT[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, kept by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def terminal(text: str, cap: int = PROSE_CAP) -> str:
    """One line that cannot move the cursor, colour, retitle, link or reorder."""
    return visible(text, cap)


# --- Markdown -------------------------------------------------------------------------------------------

_ISSUES = "https://redirect.github.com/openai/parameter-golf/issues/"
"""GitHub's own redirect host: a link through it leaves no "mentioned this" event on what it points to."""

_AROUND = re.compile(r"([(\"']*)(.*?)([)\"',.;:]*)", re.DOTALL)
_REFERENCE = re.compile(r"#(\d{1,6})")
_HOT = re.compile(r"[@#$\\`_<>\[\]]|://|www\.|gh-\d", re.IGNORECASE)
_MARKS = re.compile(r"([\\`*_{}\[\]#|~$@])")
_BLOCK_START = re.compile(r"\d{1,9}(?=[.)](?: |$))|(?=[-+](?: |$)|--|=)")


def markdown(text: str, cap: int = PROSE_CAP) -> str:
    """Prose in a comment. A word that GitHub would bring to life becomes code, "#123" a quiet link."""
    prose = "".join(_word(word) for word in re.split(r"([ |])", visible(text, cap).strip(" ")))
    start = _BLOCK_START.match(prose)  # a list, a rule or a heading underline
    return f"{start[0]}\\{prose[start.end() :]}" if start else prose


def _word(word: str) -> str:
    match = _AROUND.fullmatch(word)
    before, core, after = match.groups() if match else ("", word, "")
    while after.startswith(")") and core.count("(") > core.count(")"):
        core, after = core + ")", after[1:]
    reference = _REFERENCE.fullmatch(core)
    if reference:
        middle = f"[#{reference[1]}]({_ISSUES}{reference[1]})"
    elif _HOT.search(core) and any(c.isalnum() for c in core):
        middle = code(core)
    else:
        middle = _literal(core)
    return _literal(before) + middle + _literal(after)


def _literal(text: str) -> str:
    marked = _MARKS.sub(r"\\\1", text)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def html(text: str) -> str:
    """Text inside an HTML element of a comment. Mentions are dead only inside <code>."""
    return _html.escape(visible(text, QUOTE_CAP))


def page(text: str, cap: int = PROSE_CAP) -> str:
    """Printable text of the page, code included: its writer escapes markup, and no line begins with it."""
    cut = text[:cap]
    shown = cut if cut.isascii() and cut.isprintable() else "".join(_seen(c) for c in cut)
    return shown + " ..." if len(text) > cap else shown


def page_text(text: str) -> str:
    """The finished page, made inert in a CI log; a browser shows the same."""
    return text.replace("##[", "##&#91;")


def code(text: str, *, in_table: bool = False) -> str:
    """A code span. Only a table needs its pipes escaped: there they end the cell even inside the span."""
    shown = visible(text, QUOTE_CAP) or " "
    runs = [len(run) for run in re.findall(r"`+", shown)]
    ticks = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    if in_table:
        shown = shown.replace("|", "\\|")
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def fence(text: str, language: str = "", indent: str = "", cap: int = QUOTE_CAP) -> str:
    """A code block whose fence is longer than any run of backticks in it. Lines are kept."""
    lines = [visible(line, cap) for line in text.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    ticks = "`" * max(3, longest + 1)
    return "\n".join(indent + line for line in (ticks + language, *lines, ticks))


# --- GitHub workflow commands ---------------------------------------------------------------------------


def annotation(lines: Sequence[str]) -> str:
    """The message of a workflow command. The breaks between the lines are the only ones."""
    return "%0A".join(visible(line).replace("%", "%25") for line in lines)


def attribute(text: str) -> str:
    """A property of a workflow command."""
    return visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


# --- SARIF and JSON -------------------------------------------------------------------------------------


def message(text: str) -> str:
    """Plain text of SARIF, where unescaped brackets are links."""
    return re.sub(r"([\\\[\]])", r"\\\1", visible(text))


def path(text: str) -> str:
    """A relative POSIX path without `.` or `..`. Of an absolute one its name, or all from records/ on."""
    posix = text.replace("\\", "/")
    parts = [part for part in posix.split("/") if part not in ("", ".")]
    absolute = posix.startswith("/") or bool(re.match(r"[A-Za-z]:", posix))
    if absolute and "records" in parts:
        parts = parts[parts.index("records") :]
    elif absolute:
        parts = parts[-1:]
    return "/".join(part for part in parts if part != "..") or "."


def uri(text: str) -> str:
    """A relative URI reference of a path: no scheme, no authority, no `..`."""
    inside = path(text)
    try:
        encoded = inside.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte: no such file can exist, show its code
        encoded = inside.encode("utf-8", "backslashreplace")
    return quote(encoded, safe="/-._~")


def data(text: str) -> str:
    """A string inside JSON: lone surrogates, which strict readers refuse, show as text."""
    return "".join(_seen(c) if unicodedata.category(c) == "Cs" else c for c in text)


def json_text(text: str) -> str:
    """Finished ASCII JSON, made inert inside HTML and on a line of a CI log; it parses to the same."""
    return text.replace("<", "\\u003c").replace("##[", "##\\u005b")
