"""Rewritings of a program that change nothing of what it does."""

from __future__ import annotations

import ast
import base64
import lzma
import re
from collections.abc import Callable

Files = dict[str, str]
Transform = Callable[[str], Files]

_NAMES = {
    "evaluate": "f1", "piece": "f2", "step": "f3", "train": "f4", "load": "f5", "model": "m", "tokens": "tk",
    "nll": "v", "total": "a", "count": "b", "optimizer": "o", "table": "t", "key": "k", "start": "s",
}  # fmt: skip


def rename_everything(text: str) -> Files:
    """Functions, parameters and variables lose their telling names."""
    for old, new in _NAMES.items():
        text = re.sub(rf"(?<![.\w\"]){old}\b(?!=)", new, text)
    return {"train_gpt.py": text}


def alias_imports(text: str) -> Files:
    """Other names for the libraries."""
    text = text.replace("import torch.nn.functional as F", "from torch.nn import functional as fun")
    text = text.replace("import numpy as np", "import numpy")
    text = re.sub(r"(?<![\w.])F\.", "fun.", text)
    return {"train_gpt.py": re.sub(r"(?<![\w.])np\.", "numpy.", text)}


class _Getattr(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr in ("step", "backward", "cross_entropy", "item") and isinstance(node.ctx, ast.Load):
            return ast.Call(ast.Name("getattr", ast.Load()), [node.value, ast.Constant(node.attr)], [])
        return node


def getattr_with_a_literal(text: str) -> Files:
    """Methods are taken by getattr."""
    return {"train_gpt.py": ast.unparse(ast.fix_missing_locations(_Getattr().visit(ast.parse(text))))}


def wrap_in_partial(text: str) -> Files:
    """The evaluation is called through functools.partial and a lambda."""
    text = "import functools\n" + text
    return {
        "train_gpt.py": text.replace(
            "loss = evaluate(model, tokens)",
            "run = functools.partial(evaluate, model)\n    loss = (lambda data: run(data))(tokens)",
        )
    }


def wrap_in_class(text: str) -> Files:
    """The evaluation is called through an object."""
    made = (
        "class Evaluation:\n    def __init__(self, model):\n        self.model = model\n\n"
        "    def __call__(self, data):\n        return evaluate(self.model, data)\n\n\ndef main():"
    )
    text = text.replace("def main():", made, 1)
    return {
        "train_gpt.py": text.replace("loss = evaluate(model, tokens)", "loss = Evaluation(model)(tokens)")
    }


def second_file(text: str) -> Files:
    """All but main moves to a helper module."""
    head, tail = text.split("def main():", 1)
    imports = f"from parts import *\n{_imports(head)}"
    return {
        "train_gpt.py": f"{imports}\n\ndef main():{tail}",
        "parts.py": head,
    }


def _imports(head: str) -> str:
    return "\n".join(line for line in head.splitlines() if line.startswith(("import ", "from ")))


def packed(text: str) -> Files:
    """The script is compressed and executed by a shim."""
    blob = base64.b85encode(lzma.compress(text.encode())).decode()
    return {"train_gpt.py": f'import base64, lzma\nexec(lzma.decompress(base64.b85decode("{blob}")))\n'}


class _While(ast.NodeTransformer):
    def visit_For(self, node: ast.For) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if not (isinstance(node.target, ast.Name) and node.target.id == "start"):
            return node
        if not (isinstance(node.iter, ast.Call) and len(node.iter.args) == 3):
            return node
        first, last, stride = node.iter.args
        name = ast.Name("start", ast.Load())
        store = ast.Name("start", ast.Store())
        body = [*node.body, ast.AugAssign(store, ast.Add(), stride)]
        return [ast.Assign([store], first), ast.While(ast.Compare(name, [ast.Lt()], [last]), body, [])]


def while_loops(text: str) -> Files:
    """Chunk loops count by hand."""
    return {"train_gpt.py": ast.unparse(ast.fix_missing_locations(_While().visit(ast.parse(text))))}


def inline_helper(text: str) -> Files:
    """The helper that cuts a chunk is written out where it is used."""
    if "return chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)" not in text:
        return {"train_gpt.py": text}  # another helper than the one written out below
    pattern = re.compile(r"^( *)x, y = piece\(tokens, (.+)\)$", re.MULTILINE)
    return {
        "train_gpt.py": pattern.sub(
            r"\1chunk = tokens[\2 : \2 + 1025]\n\1x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)",
            text,
        )
    }


def reorder_functions(text: str) -> Files:
    """Functions stand in another order."""
    tree = ast.parse(text)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    places = [i for i, n in enumerate(tree.body) if isinstance(n, ast.FunctionDef)]
    for place, function in zip(places, reversed(functions), strict=True):
        tree.body[place] = function
    return {"train_gpt.py": ast.unparse(tree)}


def outline_helper(text: str) -> Files:
    """The forward pass of the evaluation moves into a function of its own."""
    head, tail = text.split("def evaluate(", 1)
    body, rest = tail.split("def main():", 1)
    moved = re.sub(r"(?<![.\w])(model|other)\(x, y\)", r"losses_of(\1, x, y)", body)
    helper = "def losses_of(net, inputs, targets):\n    return net(inputs, targets)\n\n\n"
    return {"train_gpt.py": f"{head}{helper}def evaluate({moved}def main():{rest}"}


def switch_into_argparse(text: str) -> Files:
    """The switch becomes an option; the environment is its default."""
    read = 'EXTRA = int(os.environ.get("EXTRA_ENABLED", "0"))'
    option = (
        "import argparse\n\nparser = argparse.ArgumentParser()\n"
        'parser.add_argument("--extra", type=int, default=int(os.environ.get("EXTRA_ENABLED", "0")))\n'
        "args = parser.parse_args()\nEXTRA = args.extra"
    )
    return {"train_gpt.py": text.replace(read, option)}


def reorder_statements(text: str) -> Files:
    """Statements that do not depend on each other change places."""
    load = '    tokens = load("data/fineweb_val_*.bin")\n'
    before = "    model = GPT()\n    train(model)\n"
    return {"train_gpt.py": text.replace(before + load, load + before)}


ALL: tuple[Transform, ...] = (
    rename_everything, alias_imports, getattr_with_a_literal, wrap_in_partial, wrap_in_class, second_file,
    packed, while_loops, inline_helper, outline_helper, switch_into_argparse, reorder_functions,
    reorder_statements,
)  # fmt: skip
