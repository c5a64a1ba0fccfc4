"""Methods of tensors: views, copies, in-place changes, gathers."""

from __future__ import annotations

import ast

from golf_audit.static.atoms import NONE, Cnt, Lost, Out, Sc, Tok, capped, union
from golf_audit.static.interpreter.calls import names_loss
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.positions import ELEMENTWISE
from golf_audit.static.places import At
from golf_audit.static.values import Cls, Lst, Unk, Value

VIEWS = frozenset(
    [
        "view",
        "reshape",
        "squeeze",
        "unsqueeze",
        "transpose",
        "permute",
        "flatten",
        "detach",
        "numpy",
        "T",
        "mT",
        "data",
        "contiguous",
        "narrow",
        "select",
        "chunk",
        "split",
        "unbind",
        "expand",
        "expand_as",
        "view_as",
        "movedim",
        "swapaxes",
        "diagonal",
        "unfold",
        "t",
        "ravel",
        "real",
        "requires_grad_",
        "pin_memory",
    ]
)

MOVING = frozenset(["narrow", "select", "chunk", "split", "unbind", "unfold", "diagonal"])
"""Views whose elements stand elsewhere."""

COPIES = frozenset(
    [
        "to",
        "float",
        "double",
        "half",
        "bfloat16",
        "long",
        "int",
        "bool",
        "clone",
        "cpu",
        "cuda",
        "copy",
        "astype",
        "type",
        "type_as",
        "short",
        "uint8",
        "tolist",
        "item",
    ]
)

POSITIONS = frozenset(
    ["nonzero", "argmax", "argmin", "argsort", "argwhere", "flatnonzero", "searchsorted", "bucketize"]
)

TABLE_WRITES = frozenset(
    ["index_add_", "scatter_add_", "scatter_", "index_put_", "scatter_reduce_", "index_fill_", "index_copy_"]
)


class Tensors(Machine):
    """Methods of tensors and other unknown values."""

    def tensor_method(
        self, value: Unk, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        """A method of a tensor or another unknown value."""
        if name == "backward":
            self.backward(self.taint(value))
            return None
        if name in (
            "size",
            "numel",
            "dim",
            "stride",
            "element_size",
            "nelement",
            "is_floating_point",
            "ndimension",
        ):
            return Unk(self.only_marks(value.taint), "number")
        if value.kind == "native":
            return self._native(value, args, keywords)
        if name in ("data_as", "data_ptr"):
            return Unk(value.taint, "pointer", base=value)
        if name == "requires_grad_":
            return self._leaf(value, args)
        if name in ("grad",):
            return Unk()
        if name == "glob" or name == "rglob":
            return Lst(None, self.text_of([value, "/", args[0] if args else "*"]))
        if value.parts is not None and name in (
            "exists",
            "is_file",
            "is_dir",
            "mkdir",
            "endswith",
            "startswith",
            "isdigit",
        ):
            return Unk(kind="number")
        if value.parts is not None and name in (
            "open",
            "read_bytes",
            "read_text",
            "write_text",
            "write_bytes",
        ):
            return self.file_method(value, name, args, keywords, node)
        if value.parts is not None and name in (
            "strip",
            "lower",
            "upper",
            "replace",
            "rstrip",
            "lstrip",
            "as_posix",
            "resolve",
            "with_suffix",
            "encode",
            "absolute",
            "expanduser",
            "relative_to",
        ):
            return value
        if name.endswith("_") and not name.endswith("__") and name not in ("requires_grad_",):
            return self._in_place(value, name, args, keywords, node)
        if name in ("gather", "take_along_dim", "index_select") or (name == "pick"):
            return self._gather(value, args, keywords, node)
        if name in ("permutation", "shuffle") and args:
            return self.permuted(args, keywords, node)
        if name in POSITIONS:
            facts = self.taint(value) | self.facts_of(args, keywords)
            turned = self.reorder(node, self.quote(node)) if name == "argsort" else NONE
            turned |= self.beginnings(facts) if name in ("nonzero", "argwhere", "flatnonzero") else NONE
            return Unk(frozenset(a for a in facts if not isinstance(a, (Tok, Sc, At))) | turned, "positions")
        if name in ("log_softmax", "softmax"):
            return Unk(self.taint(value), "logp" if name == "log_softmax" else "prob")
        if name in VIEWS:
            facts = self.scattered(value.taint) if name in MOVING else value.taint
            detached = value.detached or name == "detach"
            return Unk(facts, value.kind, value.roots, value, value.parts, detached, value.form)
        if name in COPIES:
            kind = "number" if name in ("item",) else value.kind
            return self.snapshot(value, kind)
        if name in ("min", "minimum", "fmin", "amin") and any(isinstance(a, Sc) for a in self.taint(value)):
            facts = self.taint(value) | self.facts_of(args, keywords)
            return Unk(facts | self.select(node, facts))
        if name in ("new_zeros", "new_empty", "new_full", "new_ones", "new_tensor"):
            return Unk(self.facts_of(args, keywords) if name == "new_tensor" else NONE)
        if name in ("register_hook", "record_stream", "synchronize", "register_post_accumulate_grad_hook"):
            return None
        if names_loss(name) and len(args) >= 2:
            return self.loss_call(args, keywords, node)
        facts = self.combined(
            node, [self.taint(value), *(self.taint(a) for a in args), self.facts_of([], keywords)]
        )
        if name not in ELEMENTWISE:
            facts = self.scattered(facts)
        if name in ("max", "sum", "mean") and value.flat and not args and not keywords:
            facts = self.single(facts, told=True)
        return Unk(facts, value.kind if value.kind in ("logp", "prob", "logits", "number") else "")

    def _native(self, value: Unk, args: list[Value], keywords: dict[str, Value]) -> Value:
        """Native code may write into every array that it is given."""
        facts = self.taint(value) | self.facts_of(args, keywords)
        lost = frozenset(a for a in facts if isinstance(a, Lost))
        for arg in (*args, *keywords.values()):
            if isinstance(arg, Unk) and (arg.kind == "pointer" or arg.base is not None):
                arg.absorb(lost)
        return Unk(facts)

    def _leaf(self, value: Unk, args: list[Value]) -> Value:
        if (args and args[0] is False) or value.roots:
            return value
        root = self.new_root("tensor", leaf=True)
        value.roots = frozenset({root})
        return value

    def _in_place(
        self, value: Unk, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        value.flat = value.flat and name not in ("resize_", "unsqueeze_", "set_")
        facts = self.facts_of(args, keywords)
        facts |= self.chosen_by(facts)
        if value.roots:
            if name in (
                "zero_",
                "fill_",
                "uniform_",
                "normal_",
                "kaiming_uniform_",
                "trunc_normal_",
                "orthogonal_",
                "constant_",
            ):
                for root in {r.find() for r in value.roots}:
                    self.update(node, root, NONE, replace=True)
            elif name in ("copy_", "set_"):
                self.write_parameter(node, value, facts)
            else:
                self.write_parameter(node, value, facts | self.taint(value))
            return value
        if name in TABLE_WRITES:
            index = self.taint(args[1]) if len(args) > 1 else self.taint(keywords.get("index"))
            if name == "index_put_" and args:
                index = self.taint(args[0])
            added = self.table_facts(node, value, index)
            if added:
                value.absorb(added)
                return value
        if (
            name in ("zero_", "fill_", "normal_", "uniform_", "random_")
            and not self.weak
            and value.base is None
        ):
            value.taint = NONE
            return value
        if name in ("share_memory_", "record_stream_"):
            return value
        old = value.taint
        value.absorb(self.combined(node, [old, facts]))
        return value

    def _gather(self, value: Unk, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        index = union([self.taint(a) for a in args[1:]] + [self.taint(keywords.get("index"))])
        facts = self.taint(value)
        # a place that the model itself computed (top-k, routing) is no target
        tokens = any(isinstance(a, Tok) for a in index) and not any(isinstance(a, Out) for a in index)
        model = not value.roots and any(isinstance(a, Out) for a in facts)
        if tokens and (model or value.kind in ("logp", "prob", "logits")):
            return Unk(self.score(node, facts, index), "gold")
        if any(isinstance(a, Cnt) for a in facts):
            facts = self.column(facts) if self.of_tokens(index) else facts
            index = self.placeless(index) | self.looked_up(index, facts)
        return Unk(capped(facts | index), value.kind)

    def _autograd_function(self, cls: Cls, args: list[Value], node: ast.AST) -> Value:
        facts = [self.taint(a) for a in args]
        if len(args) >= 2 and (names_loss(cls.name) or "CE" in cls.name or "Loss" in cls.name):
            return self.loss_call(args, {}, node)
        return Unk(union(facts), "logits")
