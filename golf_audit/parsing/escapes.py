"""Values of string literals: escapes of str, bytes and f-string text."""

from __future__ import annotations

import re
import unicodedata

from golf_audit.parsing.problem import NotPythonError

_SIMPLE = {
    "\n": "", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b",
    "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_OCTAL_OR_SIMPLE = r"""[\n\\'"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2}"""
_BYTES = re.compile(rf"\\({_OCTAL_OR_SIMPLE}|x)")
_TEXT = re.compile(rf"\\({_OCTAL_OR_SIMPLE}|u[0-9a-fA-F]{{4}}|U[0-9a-fA-F]{{8}}|N\{{[^}}]+\}}|[xuUN])")
_FORMATTED = re.compile(_TEXT.pattern + r"|\{\{|\}\}")
_FORMATTED_RAW = re.compile(r"\{\{|\}\}")


def decode(body: str, prefix: str) -> str | bytes:
    """The value of a literal without its quotes. `prefix` is lower case: "", "r", "b", "rb", "u"."""
    if "b" in prefix:
        if not body.isascii():
            raise NotPythonError("a bytes literal may hold ASCII characters only")
        return (body if "r" in prefix else _BYTES.sub(_replace, body)).encode("latin-1")
    if "r" in prefix or "\\" not in body:
        return body
    return _TEXT.sub(_replace, body)


def decode_formatted(body: str, raw: bool) -> str:
    """The value of the text between the expressions of an f-string."""
    if raw:
        return _FORMATTED_RAW.sub(lambda brace: brace[0][0], body)
    return _FORMATTED.sub(_replace, body)


def _replace(found: re.Match[str]) -> str:
    code = found[1]
    if code is None:  # a doubled brace
        return found[0][0]
    if code in _SIMPLE:
        return _SIMPLE[code]
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF if found.re is _BYTES else int(code, 8))
    if len(code) == 1:
        raise NotPythonError(f"a truncated \\{code} escape in a string")
    if code[0] != "N":
        value = int(code[1:], 16)
        if value > 0x10FFFF:
            raise NotPythonError("an escape beyond the last Unicode character")
        return chr(value)
    try:
        return unicodedata.lookup(code[2:-1])
    except KeyError:
        raise NotPythonError(f"an unknown Unicode character name {code[2:-1][:40]!r}") from None
