"""Windows past the last full one, whose scored part is cut from the end: the last targets are scored again.

Only the common shape of a sliding evaluation is told: starts from range(0, tokens, stride) that no test keeps
a full window away from the end, and a scored part that begins `stride` before each window's end.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from golf_audit.model import Where
from golf_audit.source import Sources
from golf_audit.timeline import Score

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def repeated_tail(sources: Sources, score: Score) -> Where | None:
    """Where the windows of a score start that go on past the last full window; None where none do."""
    for where in (score.where, *(call.where for call in reversed(score.path))):
        module = sources.modules.get(where.file)
        layer = module.layers[where.layer] if module and where.layer < len(module.layers) else None
        if layer is None or layer.parsed.tree is None or where.line is None:
            continue
        for function in _around(layer.parsed.tree, where.line):
            starts = next((s for s in _starts(function) if _from_the_end(function, s)), None)
            if starts is not None:
                return layer.at(starts.lineno)
    return None


def _around(tree: ast.Module, line: int) -> Iterator[_Function]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            yield node


def _starts(function: _Function) -> Iterator[ast.Call]:
    """The range(0, tokens, stride) of a list of window starts that no test bounds by a full window."""
    for node in ast.walk(function):
        if isinstance(node, ast.ListComp) and len(node.generators) == 1:
            generator = node.generators[0]
            steps = _steps(generator.iter)
            if steps is not None and all(_keeps_short_windows(t, steps) for t in generator.ifs):
                assert isinstance(generator.iter, ast.Call)
                yield generator.iter


def _steps(node: ast.expr) -> str | None:
    """The step of range(0, end, step)."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "range" and len(node.args) == 3:
        return ast.unparse(node.args[2]) if _is(node.args[0], 0) else None
    return None


def _keeps_short_windows(test: ast.expr, stride: str) -> bool:
    """True for `min(ws + length, tokens) - ws >= 1`, or `>= stride`: far less than a window is one."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(_keeps_short_windows(part, stride) for part in test.values)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    calls = (n for n in ast.walk(test.left) if isinstance(n, ast.Call))
    cut = any(ast.unparse(call.func) == "min" for call in calls)
    least = ast.unparse(test.comparators[0])
    return cut and (type(test.ops[0]), least) in ((ast.GtE, "1"), (ast.Gt, "0"), (ast.GtE, stride))


def _from_the_end(function: _Function, starts: ast.Call) -> bool:
    """True where the scored part begins at max(length - stride, 0), for the stride of these starts."""
    stride = ast.unparse(starts.args[2])
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "max" and len(node.args) == 2:
            first, second = node.args
            cut = isinstance(first, ast.BinOp) and isinstance(first.op, ast.Sub) and _is(second, 0)
            if cut and isinstance(first, ast.BinOp) and ast.unparse(first.right) == stride:
                return True
    return False


def _is(node: ast.expr, number: int) -> bool:
    return isinstance(node, ast.Constant) and node.value == number


__all__ = ["repeated_tail"]
