"""Attention that sees later tokens, told from the text of a module's methods.

A call counts as open when it has neither mask nor causal flag, and its queries and keys come from one
argument that was not cut, cached or joined with another. Every other attention, and any doubt, means: left
to a run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

_PLAIN = "scaled_dot_product_attention"
_OTHER = re.compile(
    r"flash|flex_attention|attn_func|varlen|MultiheadAttention|_attention$|xformers|sdpa", re.IGNORECASE
)
_JOINS = ("cat", "concat", "roll", "pad")
_CACHED = re.compile(r"cache|past|mem|context|encoder|cross", re.IGNORECASE)


def open_attention(methods: Iterable[ast.AST]) -> ast.Call | None:
    """The attention of a model that is open; None where there is none, another kind, or a doubt."""
    found: list[ast.Call] = []
    for method in methods:
        for node in ast.walk(method):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name == _PLAIN:
                if not _open(node) or not _of_one_sequence(node, method):
                    return None
                found.append(node)
            elif _OTHER.search(name):
                return None
    return found[0] if found else None


def _open(call: ast.Call) -> bool:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in given or len(call.args) != 3 or any(isinstance(a, ast.Starred) for a in call.args):
        return False
    causal, mask = given.get("is_causal"), given.get("attn_mask")
    no_flag = causal is None or (isinstance(causal, ast.Constant) and causal.value is False)
    return no_flag and (mask is None or (isinstance(mask, ast.Constant) and mask.value is None))


def _of_one_sequence(call: ast.Call, method: ast.AST) -> bool:
    """True when queries and keys are made from the same single argument, as a whole."""
    if not isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    parameters = [a.arg for a in method.args.args if a.arg != "self"]
    sources = [_sources(side, method, set(parameters)) for side in call.args[:2]]
    return sources[0] is not None and sources[0] == sources[1] and len(sources[0]) == 1


def _sources(side: ast.expr, method: ast.AST, parameters: set[str]) -> set[str] | None:
    """The arguments that a side of the attention is made from; None where it is cut, cached or joined."""
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(method):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                for name in names:
                    if isinstance(name, ast.Name):
                        assigned.setdefault(name.id, []).append(node.value)
    found: set[str] = set()
    waiting, seen = [side], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        for node in ast.walk(part):
            cut = isinstance(node, ast.Subscript) and isinstance(node.slice, (ast.Slice, ast.Tuple))
            if cut or _CACHED.search(getattr(node, "attr", getattr(node, "id", ""))):
                return None
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _JOINS:
                return None
            if isinstance(node, ast.Name):
                found |= {node.id} & parameters
                waiting += assigned.get(node.id, [])
    return found


__all__ = ["open_attention"]
