"""What calls of libraries mean. A function that is not named here depends on all of its arguments."""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Callable
from typing import Any

from golf_audit.static.calls import names_loss
from golf_audit.static.expressions import MISSING, PURE_ERRORS
from golf_audit.static.files import Files
from golf_audit.static.machine import ProgramEndError
from golf_audit.static.values import (
    NONE,
    Alt,
    Bound,
    Cls,
    Dct,
    Dep,
    Fn,
    Ix,
    Lib,
    Lst,
    Method,
    Obj,
    Own,
    Part,
    Root,
    Sc,
    Super,
    Taint,
    Text,
    Tok,
    Unk,
    Value,
    capped,
    known,
    union,
)
from golf_audit.timeline import Stream

Args = list[Value]
Keywords = dict[str, Value]
Handler = Callable[["Library", Args, Keywords, ast.AST], Value]
_PURE = frozenset(
    [
        "int",
        "float",
        "bool",
        "str",
        "abs",
        "round",
        "len",
        "min",
        "max",
        "sum",
        "sorted",
        "pow",
        "divmod",
        "chr",
        "ord",
        "hash",
        "repr",
        "ascii",
        "bin",
        "hex",
    ]
)
_FRESH = frozenset(
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
_MODULES = ("torch.nn.", "transformers.", "flash_attn.", "fla.", "torch.nn.modules.")
_NATIVE = ("ctypes.CDLL", "ctypes.cdll", "torch.utils.cpp_extension", "cffi.", "torch.ops.")
_SAME = frozenset(
    ["compile", "DistributedDataParallel", "DDP", "checkpoint", "FullyShardedDataParallel", "script", "jit"]
)
_NETWORK = (
    "huggingface_hub.",
    "requests.get",
    "requests.post",
    "urllib.request.",
    "kernels.get_kernel",
    "wget.",
    "datasets.load_dataset",
    "torch.hub.load",
    "gdown.",
    "socket.create_connection",
)
_SHELLS = frozenset(
    ["subprocess.run", "subprocess.check_call", "subprocess.call", "subprocess.check_output", "os.system"]
)
_DOWNLOADS = re.compile(r"\b(pip3?\s+install|apt(-get)?\s|curl\s|wget\s|git\s+clone|huggingface-cli)")
_WORDS = {
    "torch.distributed.get_rank": 0,
    "torch.distributed.get_world_size": 8,
    "torch.distributed.is_initialized": True,
    "torch.distributed.is_available": True,
    "torch.cuda.is_available": True,
    "torch.cuda.device_count": 8,
    "torch.distributed.is_nccl_available": True,
}


class Library(Files):
    """Calls of library functions."""

    def library(self, fn: Lib, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """Call a name of a library."""
        name = fn.name
        if name.startswith(_NETWORK) or (name in _SHELLS and self._downloads(args)):
            self.fetch(node, name)
        if name in _WORDS:
            return _WORDS[name]
        handler = _BY_NAME.get(name) or (_BY_LAST.get(fn.last) if not name.startswith("builtins.") else None)
        if handler is not None:
            return handler(self, args, keywords, node)
        if name.startswith("builtins."):
            return self._builtin(fn.last, args, keywords, node)
        if name.startswith("math.") and all(known(a) for a in args):
            return self._math(fn.last, args)
        if "optim" in name and fn.last[:1].isupper() and "lr_scheduler" not in name:
            made = Obj(fn, "optimizer")
            made.attrs["*params"] = Lst([*args, *keywords.values()])
            return made
        if names_loss(fn.last) and len(args) + len(keywords) >= 2:
            return self.loss_call(args, keywords, node)
        if fn.last[:1].isupper() and (name.startswith(_MODULES) or ".nn." in name):
            return self._layer(fn, args, keywords)
        if name.startswith(_NATIVE):
            return Unk(self.facts_of(args, keywords) | self.lost(f"native code ({name})", node))
        return self._any_function(fn, args, keywords, node)

    def _downloads(self, args: Args) -> bool:
        """True when a command that is started installs or downloads something."""
        items = self.sequence(args[0]) if args and isinstance(args[0], (Lst, tuple)) else args[:1]
        words = " ".join(self.path_text(item) for item in items or ())
        return _DOWNLOADS.search(words) is not None

    def _any_function(self, fn: Lib, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        for arg in (*args, *keywords.values()):
            if isinstance(arg, (Fn, Bound)) and fn.last in ("map", "filter", "starmap", "submit", "imap"):
                return Lst(
                    None, self.call(arg, [self.any_element(a) for a in args if a is not arg], {}, node)
                )
        taints = [self.taint(a) for a in (*args, *keywords.values())]
        kinds = {a.kind for a in args if isinstance(a, Unk)}
        kind = next((k for k in ("logp", "prob", "logits") if k in kinds), "")
        if not taints:
            return Unk(self.fresh_marks())
        return Unk(union(taints), kind)

    def fresh_marks(self) -> Taint:
        """A number from outside: it may differ in every iteration of the innermost loop."""
        loops = [loop for loop in self.live if not loop.counted]
        return frozenset({Ix(loops[-1].number, loops[-1].iteration)}) if loops else NONE

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

    def _math(self, name: str, args: Args) -> Value:
        try:
            return getattr(math, name)(*args)
        except PURE_ERRORS:
            return Unk(kind="number")

    def _layer(self, fn: Lib, args: Args, keywords: Keywords) -> Value:
        if fn.last == "Parameter":
            return self._parameter(args, keywords)
        made = Obj(fn, "module", self.new_root(fn.last, leaf=False))
        assert made.root is not None
        for root in self.roots_in((*args, *keywords.values())):
            made.root.find().join(root)
        if fn.last in ("ModuleList", "ModuleDict", "Sequential", "ParameterList", "ParameterDict") and args:
            made.attrs["*items"] = args[0] if fn.last != "Sequential" else Lst(list(args))
        elif fn.last in ("ModuleList", "ParameterList"):
            made.attrs["*items"] = Lst([])
        return made

    def _parameter(self, args: Args, keywords: Keywords) -> Value:
        root = self.new_root("parameter", leaf=True)
        facts = self.facts_of(args, keywords)
        root.state = frozenset(a.event for a in facts if isinstance(a, Dep))
        return Unk(roots=frozenset({root}))

    # --- builtins --------------------------------------------------------------------------------------

    def _builtin(self, name: str, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if name in ("super",):
            return self._super()
        if name in _PURE and self._computable(args, keywords):
            try:
                values = [self.sequence(a) if isinstance(a, Lst) else a for a in args]
                made = getattr(builtins, name)(*values)
                return Lst(made) if isinstance(made, list) else made
            except PURE_ERRORS:
                return Unk(kind="number")
        handler = _BUILTINS.get(name)
        if handler is not None:
            return handler(self, args, keywords, node)
        if name.endswith(("Error", "Exception", "Exit", "Warning", "Interrupt")):
            return Obj(Lib(f"builtins.{name}"))
        return Unk(self.facts_of(args, keywords))

    def _computable(self, args: Args, keywords: Keywords) -> bool:
        if keywords:
            return False
        for arg in args:
            if isinstance(arg, Unk):
                return False
            items = self.sequence(arg)
            if not known(arg) and (items is None or not all(known(i) for i in items)):
                return False
        return bool(args)

    def _super(self) -> Value:
        for frame in reversed(self.frames):
            if frame.fn is not None and frame.fn.owner is not None and isinstance(frame.receiver, Obj):
                return Super(frame.receiver, frame.fn.owner)
        return Unk()

    def number_of(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """int(), float(), len() and the like: a number; of a container only its marks."""
        value = args[0] if args else 0
        if isinstance(value, (Lst, Dct, tuple)) or (
            isinstance(node, ast.Call) and ast.unparse(node.func) == "len"
        ):
            return Unk(frozenset(a for a in self.taint(value) if isinstance(a, Ix)), "number")
        facts = self.facts_of(args, keywords)
        return Unk(facts, "number")

    def smallest(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """min() and minimum(): of scores a Select."""
        facts = self.facts_of(args, keywords)
        scored = [a for a in args if any(isinstance(x, Sc) for x in self.taint(a))]
        kinds = {a.kind if isinstance(a, Unk) else "number" for a in args}
        kind = "number" if kinds == {"number"} else ""
        if scored and (len(args) == 1 or len(scored) > 1):
            return Unk(facts | self.select(node, facts), kind)
        if len(args) == 1 and isinstance(args[0], (Lst, tuple)):
            found = self.any_element(args[0])
            return Unk() if found is None else found
        return Unk(self.combined(node, [self.taint(a) for a in args]), kind)

    def range_of(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if all(isinstance(a, int) for a in args) and args:
            try:
                return range(*args)
            except PURE_ERRORS:
                return Unk(kind="number")
        return Lst(None, Unk(self.facts_of(args, keywords), "number"))

    def listed(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if not args:
            return Lst([])
        items = self.sequence(args[0])
        if items is not None:
            return Lst(list(items))
        if isinstance(args[0], Lst):
            source = args[0]
            return Lst(
                list(source.items) if source.items is not None else None,
                source.rest,
                source.extra,
                source.base,
            )
        return Lst(None, self.any_element(args[0]))

    def tupled(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        items = self.sequence(args[0]) if args else []
        return tuple(items) if items is not None else self.listed(args, keywords, node)

    def dicted(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Dct(dict(keywords))
        if args and isinstance(args[0], Dct):
            made.items = {**args[0].items, **made.items}
            made.rest, made.taint = args[0].rest, args[0].taint
        elif args:
            items = self.sequence(args[0])
            if items is not None and all(isinstance(i, tuple) and len(i) == 2 for i in items):
                for key, value in items:
                    self.store_key(made, key, value)
            else:
                element = self.any_element(args[0])
                made.rest = element[1] if isinstance(element, tuple) and len(element) == 2 else element
        return made

    def zipped(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        sequences = [self.sequence(a) for a in args]
        if all(s is not None for s in sequences) and sequences:
            return Lst([tuple(t) for t in zip(*[s for s in sequences if s is not None], strict=False)])
        return Lst(None, tuple(self._element_or_unknown(a) for a in args))

    def _element_or_unknown(self, value: Value) -> Value:
        found = self.any_element(value)
        return Unk() if found is None else found

    def enumerated(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        items = self.sequence(args[0]) if args else None
        start = args[1] if len(args) > 1 else keywords.get("start", 0)
        if items is not None and isinstance(start, int):
            return Lst([(start + i, item) for i, item in enumerate(items)])
        return Lst(None, (Unk(kind="number"), self._element_or_unknown(args[0] if args else None)))

    def sorted_list(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = self.listed(args, {}, node)
        self.ordered(made, keywords.get("key"), node)
        return made

    def mapped(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        items = self.sequence(args[1]) if len(args) == 2 else None
        if items is not None and len(items) <= 12:
            return Lst([self.call(args[0], [item], {}, node) for item in items])
        return Lst(None, self.call(args[0], [self._element_or_unknown(a) for a in args[1:]], {}, node))

    def filtered(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return self.listed(args[1:], {}, node)

    def next_of(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        found = self.any_element(args[0]) if args else None
        if isinstance(args[0] if args else None, Obj):
            made = self.invoke(args[0], "__next__", [], node)
            return Unk(self.taint(args[0])) if made is None else made
        return (args[1] if len(args) > 1 else Unk()) if found is None else found

    def get_attribute(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) >= 2 and isinstance(args[1], str):
            holder = args[0]
            if len(args) > 2 and isinstance(holder, (Obj, Cls)) and not self._has(holder, args[1]):
                return args[2]
            return self.attribute(holder, args[1], node)
        return Unk(self.facts_of(args, keywords))

    def set_attribute_call(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) == 3 and isinstance(args[1], str):
            self.set_attribute(args[0], args[1], args[2], node)
        elif len(args) == 3 and isinstance(args[0], Obj):
            if args[0].root is not None:
                for root in self.roots_in(args[2]):
                    args[0].root.find().join(root)
            args[0].taint |= self.taint(args[2])
        return None

    def has_attribute(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) == 2 and isinstance(args[1], str) and isinstance(args[0], (Obj, Cls)):
            if self._has(args[0], args[1]):
                return True
            return False if not getattr(args[0], "kind", "") else Unk(kind="number")
        return Unk(kind="number")

    @staticmethod
    def _has(holder: Value, name: str) -> bool:
        if isinstance(holder, Obj):
            return name in holder.attrs or (
                isinstance(holder.cls, Cls)
                and (holder.cls.lookup(name) is not None or name in holder.cls.attrs)
            )
        return isinstance(holder, Cls) and (holder.lookup(name) is not None or name in holder.attrs)

    def instance_of(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) != 2:
            return Unk(kind="number")
        value, wanted = args
        names = {o.name for o in (wanted if isinstance(wanted, tuple) else (wanted,)) if isinstance(o, Lib)}
        if known(value) or isinstance(value, (tuple, Lst, Dct)):
            kinds = {"Lst": "list", "Dct": "dict", "Text": "str"}
            own = kinds.get(type(value).__name__, type(value).__name__)
            return f"builtins.{own}" in names or (own == "bool" and "builtins.int" in names)
        if isinstance(value, Obj) and isinstance(value.cls, Cls):
            options = wanted if isinstance(wanted, tuple) else (wanted,)
            if all(isinstance(o, (Cls, Lib)) for o in options):
                return any(_derives(value.cls, o) for o in options)
        return Unk(kind="number")

    def printed_text(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        spaced: list[Value] = []
        for i, arg in enumerate(args):
            spaced += [" ", arg] if i else [arg]
        self.report(self.text_of(spaced), node)
        return None

    def stop(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        raise ProgramEndError

    def execute(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Unk(self.lost("text that is executed", node))

    # --- torch and numpy -------------------------------------------------------------------------------

    def fresh(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """zeros, arange ...: no content; arange keeps where its bounds vary."""
        marks = frozenset(a for a in self.facts_of(args, keywords) if isinstance(a, Ix))
        made = Unk(marks if "arange" in ast.unparse(getattr(node, "func", node)) else NONE)
        if keywords.get("requires_grad") is True:
            made.roots = frozenset({self.new_root("tensor", leaf=True)})
        return made

    def random_tokens(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Unk(frozenset({Tok(Stream.RANDOM)}))

    def switch(self, kind: str) -> Handler:
        raise NotImplementedError

    def same(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """A wrapper: the value itself."""
        if not args:
            return Lib("golf.same")
        return args[0]

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
        return Unk(frozenset(a for a in facts if not isinstance(a, (Tok, Sc))), "positions")

    def where_call(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) < 3:
            return self.positions(args, keywords, node)
        test, a, b = (self.taint(v) for v in args[:3])
        facts = self.combined(node, [a, b]) | frozenset(x for x in test if not isinstance(x, (Tok, Ix)))
        if all(any(isinstance(x, Sc) for x in side) for side in (a, b)) and any(
            isinstance(x, Sc) for x in test
        ):
            facts |= self.select(node, facts | test)
        kinds = {v.kind for v in args[1:3] if isinstance(v, Unk)}
        return Unk(facts, next((k for k in ("logp", "prob", "logits") if k in kinds), ""))

    def stacked(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        value = args[0] if args else None
        items = self.sequence(value) if not isinstance(value, Unk) else None
        taints = [self.taint(i) for i in items] if items else [self.taint(value)]
        kinds = {i.kind for i in items if isinstance(i, Unk)} if items else {self._kind_of_element(value)}
        kind = next((k for k in ("logp", "prob", "logits") if k in kinds), "")
        return Unk(self.combined(node, taints), kind)

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
        made = self.adapt(node, "tensor", facts | {_grad()}, "gradient", scratch=True)
        return Lst(None, Unk(facts | made | {_grad()}))

    def partial(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if not args:
            return Unk()
        return Part(args[0], tuple(args[1:]), dict(keywords))

    def gathered_objects(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) >= 2 and isinstance(args[0], Lst):
            self._set_element(args[0], Unk(), args[1])
        return None

    def gathered(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """torch.distributed.gather(tensor, list)."""
        into = args[1] if len(args) > 1 else keywords.get("gather_list")
        for option in into.options if isinstance(into, Alt) else (into,):
            if isinstance(option, Lst):
                self._set_element(option, Unk(), args[0])
        return None

    def same_on_ranks(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return None

    def fused(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return self.loss_call(args, keywords, node)

    def default_dict(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Dct()
        made.default = args[0] if args else None
        return made

    def counter(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Dct(rest=Unk(kind="number"))
        if args:
            made.taint |= self.table_facts(node, made, self.taint(args[0]))
        return made

    def deque(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return self.listed(args, {}, node)

    def thread(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Obj(Lib("threading.Thread"), "thread")
        made.attrs = {"*target": keywords.get("target"), "*args": keywords.get("args", ())}
        return made

    def pool(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Obj(Lib("concurrent.futures.Executor"), "pool")

    def simple_namespace(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Obj(None)
        made.attrs = dict(keywords)
        return made

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

    def replaced(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """dataclasses.replace."""
        if args and isinstance(args[0], Obj):
            made = Obj(args[0].cls, args[0].kind, args[0].root)
            made.attrs = {**args[0].attrs, **keywords}
            return made
        return Unk()

    def reduced(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) >= 2:
            element = self._element_or_unknown(args[1])
            return self.call(args[0], [element, element], {}, node)
        return Unk()


def _grad() -> Any:
    from golf_audit.static.values import Grad

    return Grad()


def _derives(cls: Cls, other: Value) -> bool:
    if cls is other:
        return True
    if isinstance(other, Lib):
        return other.name in cls.libraries()
    return any(isinstance(b, Cls) and _derives(b, other) for b in cls.bases)


_BUILTINS: dict[str, Handler] = {
    "int": Library.number_of,
    "float": Library.number_of,
    "bool": Library.number_of,
    "len": Library.number_of,
    "min": Library.smallest,
    "range": Library.range_of,
    "list": Library.listed,
    "set": Library.listed,
    "frozenset": Library.listed,
    "reversed": Library.listed,
    "iter": Library.listed,
    "tuple": Library.tupled,
    "dict": Library.dicted,
    "zip": Library.zipped,
    "enumerate": Library.enumerated,
    "sorted": Library.sorted_list,
    "map": Library.mapped,
    "filter": Library.filtered,
    "next": Library.next_of,
    "getattr": Library.get_attribute,
    "setattr": Library.set_attribute_call,
    "hasattr": Library.has_attribute,
    "isinstance": Library.instance_of,
    "print": Library.printed_text,
    "exit": Library.stop,
    "quit": Library.stop,
    "exec": Library.execute,
    "eval": Library.execute,
    "open": Library.open_file,
    "str": lambda m, a, k, n: m.text_of(a[:1]),
    "repr": lambda m, a, k, n: m.text_of(a[:1]),
    "__import__": lambda m, a, k, n: (
        m.import_module(a[0], whole=False, node=n) if a and isinstance(a[0], str) else Unk()
    ),
    "vars": lambda m, a, k, n: Dct(dict(a[0].attrs)) if a and isinstance(a[0], Obj) else Dct(),
    "callable": lambda m, a, k, n: (
        True if a and isinstance(a[0], (Fn, Bound, Cls, Lib, Part)) else Unk(kind="number")
    ),
    "type": lambda m, a, k, n: a[0].cls if a and isinstance(a[0], Obj) else Unk(),
    "any": lambda m, a, k, n: Unk(m.facts_of(a, k), "number"),
    "all": lambda m, a, k, n: Unk(m.facts_of(a, k), "number"),
    "id": lambda m, a, k, n: Unk(kind="number"),
    "globals": lambda m, a, k, n: Dct(m.frame.env.globals.vars),
    "slice": lambda m, a, k, n: slice(*a) if 1 <= len(a) <= 3 else Unk(),
}
_BY_NAME: dict[str, Handler] = {
    "torch.no_grad": Library.no_grad,
    "torch.inference_mode": Library.no_grad,
    "torch.enable_grad": Library.enable_grad,
    "torch.set_grad_enabled": Library.set_grad,
    "torch.autograd.grad": Library.gradient,
    "torch.autograd.backward": Library.run_backward,
    "copy.deepcopy": Library.deep_copy,
    "copy.copy": Library.same,
    "torch.distributed.gather": Library.gathered,
    "torch.distributed.gather_object": Library.gathered,
    "functools.partial": Library.partial,
    "numpy.add.at": Library.table_add,
    "sys.exit": Library.stop,
    "os._exit": Library.stop,
    "collections.defaultdict": Library.default_dict,
    "collections.Counter": Library.counter,
    "collections.OrderedDict": Library.dicted,
    "collections.deque": Library.deque,
    "threading.Thread": Library.thread,
    "types.SimpleNamespace": Library.simple_namespace,
    "argparse.Namespace": Library.simple_namespace,
    "argparse.ArgumentParser": Library.parser,
    "os.getenv": Library.getenv,
    "glob.glob": Library.glob,
    "os.path.join": Library.join_path,
    "pathlib.Path": Library.make_path,
    "os.path.exists": Library.exists,
    "os.path.isfile": Library.exists,
    "torch.load": Library.load_file,
    "torch.save": Library.save_file,
    "pickle.loads": Library.same,
    "pickle.dumps": Library.same,
    "numpy.load": Library.load_file,
    "safetensors.torch.load_file": Library.load_file,
    "safetensors.torch.save_file": Library.save_file,
    "safetensors.torch.save": Library.same,
    "safetensors.torch.load": Library.same,
    "numpy.fromfile": Library.tokens_of,
    "numpy.memmap": Library.tokens_of,
    "torch.from_file": Library.tokens_of,
    "io.BytesIO": Library.buffer,
    "io.open": Library.open_file,
    "json.dump": Library.dumped,
    "functools.reduce": Library.reduced,
    "dataclasses.replace": Library.replaced,
    "dataclasses.asdict": Library.same,
    "itertools.chain": lambda m, a, k, n: Lst(None, m.any_element(Lst([m.any_element(x) for x in a]))),
    "golf.same": Library.same,
    "importlib.import_module": _BUILTINS["__import__"],
    "os.path.dirname": lambda m, a, k, n: (
        a[0].rpartition("/")[0] or "." if a and isinstance(a[0], str) else Unk(parts=(NONE,))
    ),
    "os.path.basename": lambda m, a, k, n: (
        a[0].rpartition("/")[2] if a and isinstance(a[0], str) else (a[0] if a else Unk())
    ),
    "os.path.abspath": Library.same,
    "os.path.realpath": Library.same,
    "os.path.expanduser": Library.same,
    "os.fspath": Library.same,
    "math.ceil": Library.number_of,
    "math.floor": Library.number_of,
    "logging.info": Library.printed_text,
    "tqdm.tqdm": Library.same,
    "tqdm.auto.tqdm": Library.same,
    "tqdm.trange": Library.range_of,
    "torch.utils.data.DataLoader": Library.same,
    "dataclasses.field": lambda m, a, k, n: k.get("default", Unk()),
}
_BY_LAST: dict[str, Handler] = {
    **dict.fromkeys(_FRESH, Library.fresh),
    **dict.fromkeys(_SAME, Library.same),
    **dict.fromkeys(("ThreadPoolExecutor", "ProcessPoolExecutor", "ThreadPool", "Pool"), Library.pool),
    "randint": Library.random_tokens,
    "where": Library.where_call,
    "stack": Library.stacked,
    "cat": Library.stacked,
    "concatenate": Library.stacked,
    "concat": Library.stacked,
    "hstack": Library.stacked,
    "vstack": Library.stacked,
    "nonzero": Library.positions,
    "argwhere": Library.positions,
    "flatnonzero": Library.positions,
    "searchsorted": Library.positions,
    "bincount": Library.counted_table,
    "minimum": Library.smallest,
    "min": Library.smallest,
    "amin": Library.smallest,
    "fmin": Library.smallest,
    "maximum": Library.blended,
    "logaddexp": Library.blended,
    "lerp": Library.blended,
    "softmax": Library.softmax,
    "log_softmax": Library.softmax,
    "gather": Library.gather_call,
    "take_along_dim": Library.gather_call,
    "take_along_axis": Library.gather_call,
    "Parameter": lambda m, a, k, n: m._parameter(a, k),
    "all_gather_object": Library.gathered_objects,
    "all_gather": Library.gathered_objects,
    "all_gather_into_tensor": Library.gathered_objects,
    "all_reduce": Library.same_on_ranks,
    "broadcast": Library.same_on_ranks,
    "barrier": Library.same_on_ranks,
    "broadcast_object_list": Library.same_on_ranks,
    "is_tensor": Library.is_tensor,
    "synchronize": Library.same_on_ranks,
    "manual_seed": Library.same_on_ranks,
    "clip_grad_norm_": Library.same_on_ranks,
    "empty_cache": Library.same_on_ranks,
    **dict.fromkeys(
        [
            "zeros_",
            "ones_",
            "normal_",
            "uniform_",
            "xavier_uniform_",
            "xavier_normal_",
            "kaiming_uniform_",
            "kaiming_normal_",
            "orthogonal_",
            "constant_",
            "trunc_normal_",
            "eye_",
        ],
        Library.initialise,
    ),
}
__all__ = ["MISSING", "Library", "Method", "Own", "Text", "capped"]
