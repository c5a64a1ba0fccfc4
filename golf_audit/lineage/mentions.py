"""Whom do a README and submission.json name as the base? Reading alone; nothing is looked up.

A README names many pull requests: its base, those it takes an idea from, those it beats. What tells them
apart is the word in front ("built on", "fork of", "Base:") or behind ("the #1787 stack"). A word and a
number belong together only within one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from golf_audit.claims import Claims
from golf_audit.filetree import File, FileTree
from golf_audit.lineage.model import Mention, Name, Word
from golf_audit.model import Where
from golf_audit.text import lines

PARAGRAPH_CAP = 6_000
"""Characters of one paragraph that are searched."""
MENTIONS_CAP = 400
"""Mentions of one text; the longest real README has 60."""

_REF = re.compile(
    r"(?:\bPRs?[ _-]?#?|(?<![\w/])#|openai/parameter-golf#|\bpull/)([1-9]\d{1,4})(?![\w%]|\.\d)"
)
_FOLDER = re.compile(r"(?<![\w-])20\d\d-\d\d-\d\d_[A-Za-z0-9][\w.+-]{2,150}")
_LINK = re.compile(r"\[([^\[\]]{0,200})\]\(([^()\s]{0,300})\)")
_MARKS = re.compile(r"[*`]|(?<!\w)_(?=\w)|\b_(?!\w)")

_LEAD = (
    (
        Word.FORKED,
        r"\b(?:fork(?:ed)?|branched|copied|derived)\s+(?:directly\s+)?(?:of|from)\b"
        r"|\b(?:parent|base)[ -]?(?:pr|submission|record|script|code|codebase|stack|model|run)?s?\s*"
        r"(?:[:=|]|is\b)",
    ),
    (
        Word.BUILT,
        r"\b(?:built|builds?|building)\s+(?:\w+ly\s+)?(?:off\s+)?(?:on(?:\s+top)?(?:\s+of)?|upon|from)\b"
        r"|\bbased\s+(?:\w+ly\s+)?(?:on|upon|off)\b"
        r"|\bstart(?:s|ed|ing)?\s+(?:\w+ly\s+)?from\b"
        r"|\bon\s+top\s+of\b|\bstack(?:s|ed|ing)?\s+(?:up)?on\b|\bextend(?:s|ing)\b"
        r"|\bchang\w+\s+(?:vs\.?|versus|from|since|over|relative\s+to|against)(?!\w)"
        r"|\bbyte-identical\s+to\b|\bparent\b|\btakes\s+(?=\[?(?:PR|#))",
    ),
    (Word.STACK, r"\binherit(?:s|ed|ing)?\b[^.|]{0,30}?\bfrom\b|\binherit(?:s|ing)\b|\blineage\b"),
    (
        Word.COMPARED,
        r"\bvs\.?(?!\w)|\bversus\b|\b(?:over|against|beats?|below)\b|\bcompared\s+(?:to|with)\b"
        r"|\brelative\s+to\b",
    ),
)
_LEADS = tuple((word, re.compile(pattern, re.IGNORECASE)) for word, pattern in _LEAD)
_TRAIL = re.compile(
    r"(?:\s*\([^()]{0,60}\))?(?:\s+[\w@-]+){0,2}?\s+(?:upstream\s+)?(?:base|stack|codebase)\b", re.IGNORECASE
)
_REACH = 70
"""Characters between the word and the first number."""
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|\s[-\u2013\u2014]\s")
_IDEAS = r"(?:findings?|ablations?|results?|showing|approach|ideas?|techniques?|estimates?)"
_IDEA = re.compile(rf"\b{_IDEAS}\b", re.IGNORECASE)
_IDEA_OF = re.compile(rf"[)\]]?(?:['\u2019]s\s+(?:\w+\s+)?|\s+){_IDEAS}\b", re.IGNORECASE)
_LIST = re.compile(r"(?:[^().;:]|\([^()]{0,80}\)){0,90}")
_JOINS = re.compile(r"[,&/+]|\band\b|->|\u2192")
_TAKES = re.compile(r"\b(?:with|from|using|adding|plus|by adding|idea|port\w*|for)\b", re.IGNORECASE)
_IN_NAME = re.compile(r"(?:(?<=[_-])on_?|PR)#?([1-9]\d{2,4})(?:Base)?(?![0-9])")

_DECLARES = re.compile(
    r"(?:base|parent|based_on|built_on|builds_on|derived_from|forked_from|fork_of|branched_from)"
    r"(?:_?(?:prs?|submissions?|record|script|model|code|stack|recipe|folder|number|url|id))*",
    re.IGNORECASE,
)
_LINEAGE = re.compile(r"(?:implementation_)?lineage(?:_prs?)?", re.IGNORECASE)
_COMPARES = re.compile(r"(?:comparison_)?baseline(?:_(?:pr|submission|record|name))?", re.IGNORECASE)
_NUMBER = re.compile(r"#?([1-9]\d{1,4})")
_INNER = ("pr", "base", "parent", "record", "folder", "submission", "name", "number")


def mentions(tree: FileTree, claims: Claims, folder: str) -> tuple[Mention, ...]:
    """Every place that names another submission, plainest word first, then in the order of the text."""
    found = [*_declared(claims)]
    for file in _readmes(tree):
        found += _in_readme(file)
    found += _in_folder_name(folder)
    return tuple(sorted(found[:MENTIONS_CAP], key=lambda m: -m.word))


# -- submission.json


def _declared(claims: Claims) -> Iterator[Mention]:
    if claims.raw is None:
        return
    for key, value in claims.raw.items():
        word = _key_word(key)
        if word is None:
            continue
        for pointer, text in _texts(value, f"/{_escaped(key)}"):
            for name in names(text) or _bare(key, pointer, text):
                yield Mention(name, word, key, claims.where(pointer))


def _key_word(key: str) -> Word | None:
    if _DECLARES.fullmatch(key):
        return Word.DECLARED
    if _LINEAGE.fullmatch(key):
        return Word.STACK
    return Word.COMPARED if _COMPARES.fullmatch(key) else None


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """The texts and numbers of a value; an object that holds a number and a folder is one text."""
    if isinstance(value, Mapping):
        inside = {str(k).lower(): v for k, v in value.items() if str(k).lower() in _INNER}
        told = [f"#{v}" if k in ("pr", "number") else str(v) for k, v in inside.items() if _is_plain(v)]
        yield from _plain(", ".join(told), pointer)
    elif isinstance(value, list):
        for index, inner in enumerate(value[:20]):
            yield from _plain(inner, f"{pointer}/{index}")
    else:
        yield from _plain(value, pointer)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _plain(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if _is_plain(value):
        yield pointer, str(value)[:PARAGRAPH_CAP]


def _bare(key: str, pointer: str, text: str) -> list[Name]:
    """A number alone is a pull request only under a key that speaks of one."""
    spoken = re.search(r"pr(?![a-z])|prs(?![a-z])|number", f"{key} {pointer}", re.IGNORECASE)
    match = _NUMBER.fullmatch(text.strip())
    return [Name(int(match[1]))] if match and spoken else []


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def names(text: str) -> list[Name]:
    """Pull requests and folders that a text names, each once; a folder beside one number is that number's."""
    numbers = list(dict.fromkeys(int(m[1]) for m in _REF.finditer(text)))
    folders = list(dict.fromkeys(m[0].rstrip(".") for m in _FOLDER.finditer(text)))
    if len(folders) == 1 and numbers:
        return [Name(numbers[0], folders[0]), *(Name(n) for n in numbers[1:])]
    return [*(Name(n) for n in numbers), *(Name(None, f) for f in folders if not numbers)]


# -- README


def _readmes(tree: FileTree) -> list[File]:
    found = [f for f in tree.matching(".md") if f.text is not None and "/" not in f.path]
    return [f for f in found if f.name.lower().startswith("readme")]


def _in_readme(file: File) -> Iterator[Mention]:
    assert file.text is not None
    for numbers, text in _paragraphs(file.text.text):
        for start, name, word, says in _in_paragraph(text):
            line = next(number for offset, number in reversed(numbers) if offset <= start)
            quote = text[max(0, start - 60) : start + 100].strip()
            yield Mention(name, word, says, Where(file.path, line, quote=quote))


def _paragraphs(text: str) -> Iterator[tuple[list[tuple[int, int]], str]]:
    """Paragraphs on one line each without emphasis and links, with the line number of every offset. A
    heading, an item of a list and a row of a table stand alone."""
    offsets: list[tuple[int, int]] = []
    joined = ""
    for number, line in lines(text):
        plain = _MARKS.sub("", _LINK.sub(_unlinked, line[:PARAGRAPH_CAP])).strip()
        alone = re.match(r"(?:#{1,6} |[-+|] ?|\d+[.)] )", plain) is not None
        if joined and (not plain or alone or len(joined) + len(plain) > PARAGRAPH_CAP):
            yield offsets, joined
            offsets, joined = [], ""
        if plain:
            offsets.append((len(joined), number))
            joined += plain + " "
    if joined:
        yield offsets, joined


def _unlinked(match: re.Match[str]) -> str:
    return match[1] if _REF.search(match[1]) else f"{match[1]} ({match[2]})"


def _in_paragraph(text: str) -> Iterator[tuple[int, Name, Word, str]]:
    """(offset, name, word, how it is said); a number that a plainer word has taken is not taken again."""
    taken: set[int] = set()
    for word, pattern in _LEADS:
        for lead in pattern.finditer(text):
            for start, name in _after(text, lead.end()):
                if start not in taken:
                    taken.add(start)
                    yield start, name, word, " ".join(lead[0].split()).strip(" :=|").lower()
    for match in _REF.finditer(text):
        if match.start() in taken:
            continue
        trail = _TRAIL.match(text, match.end())
        word, says = (Word.STACK, trail[0].split()[-1].lower()) if trail else (Word.CREDITED, "named")
        yield match.start(), Name(int(match[1])), word, says


def _after(text: str, start: int) -> Iterator[tuple[int, Name]]:
    """The first name behind a word, and those that a list adds to it."""
    end = _SENTENCE_END.search(text, start)
    window = text[start : end.start() if end else len(text)][: _REACH + 200]
    refs = sorted([*_REF.finditer(window), *_FOLDER.finditer(window)], key=lambda m: m.start())
    before = 0
    for index, ref in enumerate(refs):
        between = window[before : ref.start()]
        if index == 0 and len(between) > _REACH:
            return
        if index and not _lists(between):
            return
        if index == 0 and (_IDEA.search(between) or _IDEA_OF.match(text, start + ref.end())):
            return
        before = ref.end()
        name = Name(int(ref[1])) if ref.re is _REF else Name(None, ref[0].rstrip("."))
        yield start + ref.start(), name


def _lists(between: str) -> bool:
    """True where the text between two names joins them, and does not say what is taken from the second."""
    return bool(_LIST.fullmatch(between) and _JOINS.search(between) and not _TAKES.search(between))


def _in_folder_name(folder: str) -> Iterator[Mention]:
    own = folder.rstrip("/").rsplit("/", 1)[-1]
    for match in _IN_NAME.finditer(own):
        says = "the folder's name"
        yield Mention(Name(int(match[1])), Word.STACK, says, Where(".", quote=own[:200]))
