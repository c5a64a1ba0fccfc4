"""Functions of torch and numpy that mean more than that they depend on their arguments."""

from __future__ import annotations

import ast

from golf_audit.static.atoms import NONE, Cnt, Dep, Grad, Ix, Lost, Sc, Tilt, Tok, union
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.places import NOWHERE, At
from golf_audit.static.values import (
    Alt,
    Args,
    Bound,
    Dct,
    Fn,
    Keywords,
    Lib,
    Lst,
    Obj,
    Part,
    Root,
    Unk,
    Value,
)
from golf_audit.timeline import Stream

FRESH = frozenset(
    [
        "zeros",
        "ones",
        "empty",
        "full",
        "randn",
        "rand",
        "arange",
        "eye",
        "linspace",
        "zeros_like",
        "ones_like",
        "empty_like",
        "full_like",
        "randn_like",
        "rand_like",
        "tensor_split",
    ]
)

_HOLDERS = ("ModuleList", "ModuleDict", "Sequential", "ParameterList", "ParameterDict")
"""Modules that hold others, or parameters, under an index or a name."""


class TensorCalls(Machine):
    """Functions on tensors."""

    def loss_call(self, args: Args, keywords: Keywords, node: ast.AST) -> Unk:
        """A cross entropy: which argument holds the targets is told by what they depend on."""
        values = [*args, *keywords.values()]
        facts = [self.taint(v) for v in values]
        target = keywords.get("target", keywords.get("targets", keywords.get("labels")))
        if target is None and len(args) > 1:
            target = args[1]
        if (
            target is None
            or not any(isinstance(a, Tok) for a in self.taint(target))
            or (isinstance(target, Unk) and target.kind == "logits")
        ):
            plain = [
                v
                for v, f in zip(values, facts, strict=True)
                if any(isinstance(a, Tok) for a in f) and not (isinstance(v, Unk) and v.kind == "logits")
            ]
            target = plain[-1] if plain else target
        logits = union([f for v, f in zip(values, facts, strict=True) if v is not target])
        return Unk(self.score(node, logits, self.taint(target)), "nll")

    def _layer(self, fn: Lib, args: Args, keywords: Keywords) -> Value:
        if fn.last == "Parameter":
            return self._parameter(args, keywords)
        made = Obj(fn, "module", self.new_root(fn.last, leaf=False))
        assert made.root is not None
        for root in self.roots_in((*args, *keywords.values())):
            made.root.find().join(root)
        if fn.last in _HOLDERS:
            held = Lst(list(args)) if fn.last == "Sequential" else args[0] if args else None
            empty: Value = Dct() if fn.last.endswith("Dict") else Lst([])
            held = empty if held is None else held
            made.attrs["*items"] = self._parameters(held, made.root) if "Parameter" in fn.last else held
        return made

    def _parameters(self, held: Value, root: Root) -> Value:
        """Tensors in a ParameterList or ParameterDict become parameters of it."""
        parameter = Unk(roots=frozenset({root}))
        if isinstance(held, Dct):
            return Dct(dict.fromkeys(held.items, parameter), None if held.rest is None else parameter)
        items = self.sequence(held)
        return Lst(None, parameter) if items is None else Lst([parameter] * len(items))

    def _parameter(self, args: Args, keywords: Keywords) -> Value:
        root = self.new_root("parameter", leaf=True)
        facts = self.facts_of(args, keywords)
        root.state = frozenset(a.event for a in facts if isinstance(a, Dep))
        return Unk(roots=frozenset({root}))

    def fresh(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """zeros, arange ...: no content; arange keeps where its bounds vary."""
        marks = frozenset(a for a in self.facts_of(args, keywords) if isinstance(a, Ix))
        counts_up = "arange" in ast.unparse(getattr(node, "func", node))
        kind = "mask" if "bool" in self.quote_keyword(node, "dtype") else ""
        made = Unk(marks if counts_up else NONE, kind)
        made.flat = _one_axis(node, args)
        if counts_up:
            made.form = self.form_of(args[0]) if len(args) > 1 else NOWHERE
        if keywords.get("requires_grad") is True:
            made.roots = frozenset({self.new_root("tensor", leaf=True)})
        return made

    @staticmethod
    def quote_keyword(node: ast.AST, name: str) -> str:
        """How an argument is written in a call."""
        found = [k.value for k in node.keywords if k.arg == name] if isinstance(node, ast.Call) else []
        return ast.unparse(found[0]) if found else ""

    def random_tokens(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Unk(frozenset({Tok(Stream.RANDOM)}))

    def deep_copy(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return self.copied(args[0] if args else None, {}, {})

    def copied(self, value: Value, objects: dict[int, Value], roots: dict[int, Root]) -> Value:
        """A deep copy: parameters are copied with their state."""
        if isinstance(value, Unk):
            if not value.roots:
                return Unk(value.taint, value.kind, parts=value.parts)
            return Unk(
                value.taint,
                value.kind,
                frozenset(self._copied_root(r.find(), roots) for r in value.roots),
                detached=value.detached,
            )
        if id(value) in objects:
            return objects[id(value)]
        if isinstance(value, Obj):
            made = Obj(
                value.cls,
                value.kind,
                self._copied_root(value.root.find(), roots) if value.root is not None else None,
            )
            objects[id(value)] = made
            made.taint = value.taint
            made.attrs = {k: self.copied(v, objects, roots) for k, v in value.attrs.items()}
            return made
        if isinstance(value, tuple):
            return tuple(self.copied(v, objects, roots) for v in value)
        if isinstance(value, Lst):
            items = [self.copied(v, objects, roots) for v in value.items] if value.items is not None else None
            return Lst(items, self.copied(value.rest, objects, roots), value.extra, value.base)
        if isinstance(value, Dct):
            copy = Dct(
                {k: self.copied(v, objects, roots) for k, v in value.items.items()},
                self.copied(value.rest, objects, roots),
            )
            copy.taint, copy.default = value.taint, value.default
            return copy
        return value

    def _copied_root(self, root: Root, roots: dict[int, Root]) -> Root:
        if root.number not in roots:
            made = self.new_root(root.name, leaf=root.leaf)
            made.state, made.extra = root.state, root.extra
            roots[root.number] = made
        return roots[root.number]

    def table_add(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """np.add.at(table, index, value)."""
        if len(args) >= 2 and isinstance(args[0], Unk):
            facts = self.index_taint(args[1])
            added = self.table_facts(node, args[0], facts)
            args[0].absorb(added or facts | union([self.taint(a) for a in args[2:]]))
        return None

    def counted_table(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        facts = self.taint(args[0]) if args else NONE
        return Unk(self.table_facts(node, None, facts))

    def positions(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        facts = self.facts_of(args, keywords)
        kept = frozenset(a for a in facts if not isinstance(a, (Tok, Sc, At)))
        return Unk(kept | self.beginnings(facts), "positions")

    def permuted(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """argsort, randperm, permutation, shuffle: indices, or a list, in another order."""
        turned = self.reorder(node, self.quote(node))
        if args and isinstance(args[0], Lst):
            self.shuffled(args[0], turned)
        return Unk(self.facts_of(args, keywords) | turned)

    def where_call(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) < 3:
            return self.positions(args, keywords, node)
        test, a, b = (self.taint(v) for v in args[:3])
        facts = self.combined(node, [a, b]) | frozenset(x for x in test if not isinstance(x, (Tok, Ix, Cnt)))
        if all(any(isinstance(x, Sc) for x in side) for side in (a, b)) and any(
            isinstance(x, Sc) for x in test
        ):
            facts |= self.select(node, facts | test)
        kinds = {v.kind for v in args[1:3] if isinstance(v, Unk)}
        return Unk(facts, next((k for k in ("logp", "prob", "logits") if k in kinds), ""))

    def log_normaliser(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """log1p(q * expm1(b)), however spelled, is the normaliser of a tilted distribution."""
        facts = self.facts_of(args, keywords)
        operand = node.args[0] if isinstance(node, ast.Call) and node.args else None
        return Unk(facts | {Tilt()} if _tilts(operand) else facts)

    def stacked(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        value = args[0] if args else None
        items = self.sequence(value) if not isinstance(value, Unk) else None
        taints = [self.taint(i) for i in items] if items else [self.taint(value)]
        kinds = {i.kind for i in items if isinstance(i, Unk)} if items else {self._kind_of_element(value)}
        kind = next((k for k in ("logp", "prob", "logits") if k in kinds), "")
        self.evenly(node, taints)
        return Unk(self.scattered(self.combined(node, taints)), kind)

    def _kind_of_element(self, value: Value) -> str:
        element = self.any_element(value) if isinstance(value, (Lst, tuple)) else value
        return element.kind if isinstance(element, Unk) else ""

    def blended(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Unk(self.combined(node, [self.taint(a) for a in args]))

    def softmax(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        name = ast.unparse(getattr(node, "func", node))
        return Unk(self.facts_of(args, keywords), "logp" if "log_softmax" in name else "prob")

    def gather_call(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if args and isinstance(args[0], Unk):
            return self.tensor_method(args[0], "gather", args[1:], keywords, node)
        return Unk(self.facts_of(args, keywords))

    def gradient(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """torch.autograd.grad: an adaptation that is not written back yet."""
        loss = self.taint(args[0]) if args else NONE
        facts = frozenset(a for a in loss if isinstance(a, (Tok, Dep)))
        made = self.adapt(node, "tensor", facts | {Grad()}, "gradient", scratch=True)
        return Lst(None, Unk(facts | made | {Grad()}))

    def with_gradient(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """mlx.nn.value_and_grad(model, loss): what is called later for the loss and its gradient."""
        functions = [a for a in args if isinstance(a, (Fn, Bound, Part))]
        return Part(Lib("golf.loss_and_gradient"), (functions[0],), {}) if functions else Unk()

    def loss_and_gradient(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """The loss function is called, and its gradient is a value of its own: nothing has changed yet."""
        loss = self.call(args[0], args[1:], keywords, node)
        facts = frozenset(a for a in self.taint(loss) if isinstance(a, (Tok, Dep, Lost)))
        return loss, Unk(facts | {Grad()})

    def gathered_objects(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) >= 2 and isinstance(args[0], Lst):
            self.set_element(args[0], Unk(), args[1])
        return None

    def gathered(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """torch.distributed.gather(tensor, list)."""
        into = args[1] if len(args) > 1 else keywords.get("gather_list")
        for option in into.options if isinstance(into, Alt) else (into,):
            if isinstance(option, Lst):
                self.set_element(option, Unk(), args[0])
        return None

    def same_on_ranks(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return None

    def fused(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return self.loss_call(args, keywords, node)

    def no_grad(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Obj(None, "no_grad")

    def enable_grad(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Obj(None, "grad")

    def set_grad(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        truth = self.truth(args[0]) if args else None
        self.grad = truth is not False
        return Obj(None, "grad" if self.grad else "no_grad")

    def run_backward(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        self.backward(self.facts_of(args, keywords))
        return None

    def initialise(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """torch.nn.init.*: parameters start anew."""
        if args and isinstance(args[0], Unk) and args[0].roots:
            for root in {r.find() for r in args[0].roots}:
                self.update(node, root, NONE, replace=True)
        return args[0] if args else None

    def is_tensor(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return (
            True
            if args and isinstance(args[0], Unk) and (args[0].roots or args[0].base is not None)
            else Unk(kind="number")
        )


def _one_axis(call: ast.AST, args: Args) -> bool:
    """True for zeros(n), full(n, value): a number says how long the only axis is."""
    name = _called(call) if isinstance(call, ast.Call) else ""
    if name not in ("zeros", "ones", "empty", "full") or not args:
        return False
    size, others = args[0], args[2 if name == "full" else 1 :]
    counted = type(size) is int or (isinstance(size, Unk) and size.kind == "number")
    return counted and all(isinstance(other, Lib) for other in others)


def _tilts(operand: ast.AST | None) -> bool:
    """True for q * expm1(b) and q * (exp(b) - 1)."""
    if not isinstance(operand, ast.BinOp) or not isinstance(operand.op, ast.Mult):
        return False
    return any(_grows(side) for side in (operand.left, operand.right))


def _grows(factor: ast.AST) -> bool:
    if isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Sub):
        one = isinstance(factor.right, ast.Constant) and factor.right.value == 1
        return one and isinstance(factor.left, ast.Call) and _called(factor.left) == "exp"
    return isinstance(factor, ast.Call) and _called(factor) == "expm1"


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]
