"""Words under which code prints a setting: `f"stride:{args.eval_stride}"` prints EVAL_STRIDE as `stride`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from golf_audit.parsing import flatten

_LABEL = re.compile(r"(?<![\w.\-/])([A-Za-z_]\w{1,59})[:=]$")
_FILLED = re.compile(r"(?<![\w.\-/])([A-Za-z_]\w{1,59})[:=]\s*(?:[%{]|$)")
"""In a plain string, a label whose value comes from elsewhere."""


def labels(trees: Iterable[ast.Module], canonical: Callable[[str], str | None]) -> dict[str, str]:
    """Label -> the one setting that is printed behind it; `canonical` names the setting of an attribute.

    A label that anything else is printed behind, anywhere, stands for nothing."""
    found: dict[str, set[str | None]] = {}
    for tree in trees:
        for label, attribute in _printed(tree):
            name = canonical(attribute) if attribute is not None else None
            found.setdefault(label, set()).add(name)
    return {label: name for label, names in found.items() if len(names) == 1 and (name := next(iter(names)))}


def _printed(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """Every label with the attribute behind it; None where it is no attribute as it stands."""
    parts: set[int] = set()
    for node in flatten(tree):  # a string is visited before its parts
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            yield from _joined(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield from ((label, None) for label in _FILLED.findall(node.value[:2000]))


def _joined(text: ast.JoinedStr) -> Iterator[tuple[str, str | None]]:
    for before, part in zip(text.values, text.values[1:], strict=False):
        if not (isinstance(before, ast.Constant) and isinstance(part, ast.FormattedValue)):
            continue
        label = _LABEL.search(str(before.value))
        if label is not None:
            plain = part.format_spec is None and part.conversion == -1
            value = part.value
            yield label[1], value.attr if plain and isinstance(value, ast.Attribute) else None
