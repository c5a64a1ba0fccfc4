"""Bytes of unknown origin -> text, line by line. Nothing here raises on bad content.

Handles what real submissions hold (formats.md b1): UTF-8 with and without BOM, UTF-16 from PowerShell
redirects, CRLF, bare carriage returns of progress bars, ANSI colours.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

LINE_CAP = 10_000
"""Characters of a line that any regular expression may see."""

# CSI (colours, cursor), OSC (titles, links) and the two-character escapes.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\)?|[@-Z\\-_])")


@dataclass(frozen=True)
class Text:
    """Decoded text with the encoding that was found; `lossy` when bytes had to be replaced."""

    text: str
    encoding: str
    lossy: bool = False


def decode(data: bytes) -> Text:
    """Decode by BOM, then UTF-16 by its NULs, then UTF-8, then UTF-8 with replacement (`lossy`)."""
    for bom, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(bom):
            text = data.decode(encoding, errors="replace")
            return Text(text, encoding, lossy="\ufffd" in text)
    # ASCII in UTF-16 is valid UTF-8 full of NULs, so its NULs are looked for first.
    head = data[:512]
    for encoding, nuls in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if len(head) >= 4 and nuls.count(0) > len(head) // 4:
            text = data.decode(encoding, errors="replace")
            return Text(text, encoding, lossy="\ufffd" in text)
    try:
        return Text(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return Text(data.decode("utf-8", errors="replace"), "utf-8", lossy=True)


def strip_ansi(line: str) -> str:
    """The line without terminal escape sequences."""
    return _ANSI.sub("", line) if "\x1b" in line else line


def lines(text: str) -> list[tuple[int, str]]:
    """(1-based line number, line) of every line, capped, without ANSI.

    A progress bar that rewrites its line with carriage returns gives one entry per state, all with the
    same line number, so that positions agree with what an editor shows."""
    out: list[tuple[int, str]] = []
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        states = raw.split("\r") if "\r" in raw else (raw,)
        out += [(number, strip_ansi(state[:LINE_CAP])) for state in states]
    return out
