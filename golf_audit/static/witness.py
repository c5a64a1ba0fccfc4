"""A log is a witness of the branches that were taken: what a branch always prints stands in it.

Where the claimed logs hold what stands beside a branch but nothing of what the branch itself always prints,
the switch was off in that run, or the lines were taken out. Neither is shown: what happens there is in doubt.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from golf_audit.model import Where
from golf_audit.source import Sources
from golf_audit.trainlog import Final

LITERAL = 6
"""Characters of its own that a text needs before its absence from a log says anything."""
_PRINTS = re.compile(r"print|log|write|info", re.IGNORECASE)


def unseen(sources: Sources, places: Iterable[Where], logs: Sequence[str]) -> Where | None:
    """A branch around one of these places of which the logs show nothing, though they show its neighbours."""
    if not logs:
        return None
    for where in places:
        for found in _branches(sources, where):
            own, beside = found
            if own and beside and not any(_in(t, logs) for t in own) and any(_in(t, logs) for t in beside):
                return where
    return None


def _in(text: str, logs: Sequence[str]) -> bool:
    return any(text in log for log in logs)


def _branches(sources: Sources, where: Where) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """For each branch around a line, innermost last: what it always prints, and what is printed beside it."""
    module = sources.modules.get(where.file)
    if module is None or where.layer >= len(module.layers) or where.line is None:
        return
    tree = module.layers[where.layer].parsed.tree
    if tree is not None:
        yield from _around(tree, where.line)


def _around(tree: ast.Module, line: int) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    made = []
    for node in ast.walk(tree):
        for block in _blocks(node):
            for statement in block:
                if isinstance(statement, ast.If):
                    sides = [s for s in (statement.body, statement.orelse) if holds(s, line)]
                    made += [(_texts(side), _texts(block)) for side in sides]
    return tuple(made)


def holds(block: Sequence[ast.stmt], line: int) -> bool:
    """True when a line lies inside a block of statements."""
    return bool(block) and block[0].lineno <= line <= (block[-1].end_lineno or block[-1].lineno)


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _texts(block: Sequence[ast.stmt]) -> tuple[str, ...]:
    """The longest literal of every text that a block prints whatever happens."""
    found = []
    for statement in block:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and call.args and _PRINTS.search(ast.unparse(call.func)):
            pieces = [piece.strip() for piece in _literals(call.args[0])]
            longest = max(pieces, key=len, default="")
            if len(longest) >= LITERAL:
                found.append(longest)
    return tuple(found)


def _literals(text: ast.expr) -> Iterator[str]:
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        yield from re.split(r"[\n{}%]", text.value)
    elif isinstance(text, ast.JoinedStr):
        for part in text.values:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from part.value.split("\n")


def foreign(sources: Sources, results: Iterable[Final]) -> str | None:
    """A result line that no text of the program can have written: another script ran. A line without a loss
    may be a summary that was added by hand."""
    templates = {t for file in sources.executed for t in _templates(sources, file)}
    lines = (result.text for result in results if result.loss is not None)
    return next((x for x in lines if not any(t in x for t in templates)), None) if templates else None


def _templates(sources: Sources, file: str) -> Iterator[str]:
    """The longest literal of every text in a file that could be a result line's."""
    module = sources.modules.get(file)
    for layer in module.layers if module is not None else ():
        nodes = list(ast.walk(layer.parsed.tree)) if layer.parsed.tree is not None else []
        inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in (n for n in nodes if id(n) not in inside):
            if isinstance(node, ast.expr) and (isinstance(node, ast.JoinedStr) or _is_template(node)):
                longest = max((piece.strip() for piece in _literals(node)), key=len, default="")
                if len(longest) >= LITERAL:
                    yield longest


def _is_template(node: ast.AST) -> bool:
    """True for a text of its own that is filled by % or format, and for one that ends in a colon."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return any(sign in node.value for sign in "%{") or node.value.rstrip().endswith(":")
