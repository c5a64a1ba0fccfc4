"""Does the script reach into the process that watches it? Then what a run says may be of the script's making.

The recorder lives in the process of the submission. Nothing can keep a script from its objects, and no honest
script of the challenge looks for them: these are the names by which one would find them, or switch them off.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from golf_audit.model import Where
from golf_audit.parsing import flatten
from golf_audit.submission import Submission

_NAMES = frozenset(
    (
        *("get_objects", "get_referrers", "get_referents"),  # gc
        *("_getframe", "_current_frames", "settrace", "setprofile", "addaudithook"),  # sys
        *("currentframe", "getouterframes", "getinnerframes"),  # inspect
        *("__closure__", "cell_contents", "__globals__", "__self__", "f_back", "f_locals", "f_globals"),
        *("_pop_mode", "_pop_mode_temporarily", "_get_current_function_mode_stack"),  # torch.overrides
        *("_pop_torch_function_stack", "_get_function_stack_at", "_unset_dispatch_mode"),  # torch._C
        *("DisableTorchFunction", "DisableTorchFunctionSubclass"),
        "pythonapi",  # ctypes
    )
)
_TEXTS = ("golf_audit", "/proc/self/mem", "/proc/self/fd")


def reaching(submission: Submission) -> Iterator[tuple[str, Where]]:
    """Each such name of the executed code, and where it stands."""
    sources = submission.sources
    for path in sources.executed:
        module = sources.modules.get(path)
        for layer in module.layers if module is not None else ():
            for node in flatten(layer.parsed.tree) if layer.parsed.tree is not None else ():
                name = _name(node)
                if name:
                    yield name, layer.at(getattr(node, "lineno", 1))


def _name(node: ast.AST) -> str:
    """The telling name of a node; empty for all others."""
    if isinstance(node, ast.Attribute):
        return node.attr if node.attr in _NAMES else ""
    if isinstance(node, ast.Name):
        return node.id if node.id in _NAMES else ""
    if isinstance(node, ast.ImportFrom | ast.Import):
        whole = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        return next((n for n in whole if n in _NAMES or n.startswith(_TEXTS)), "")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if node.value in _NAMES or node.value.startswith(_TEXTS) else ""
    return ""
