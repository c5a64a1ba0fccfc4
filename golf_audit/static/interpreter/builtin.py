"""Python's built-in functions."""

from __future__ import annotations

import ast
import builtins

from golf_audit.static.atoms import Ix, Sc, union
from golf_audit.static.interpreter.interface import Handler, Machine
from golf_audit.static.interpreter.state import PURE_ERRORS, ProgramEndError
from golf_audit.static.values import (
    Args,
    Bound,
    Cls,
    Dct,
    Fn,
    Keywords,
    Lib,
    Lst,
    Obj,
    Part,
    Super,
    Unk,
    Value,
    known,
)

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


class Builtins(Machine):
    """Calls of built-in functions."""

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
        handler = BUILTINS.get(name)
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
        whole = isinstance(node, ast.Call) and ast.unparse(node.func) == "int"
        return Unk(facts, "number", form=self.form_of(value) if whole and args else None)

    def smallest(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """min() and minimum(): of scores a Select."""
        if "key" in keywords:
            return self._best_by(args, keywords["key"], node)
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

    def largest(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """max(): with a key it chooses as min() does."""
        if "key" in keywords:
            return self._best_by(args, keywords["key"], node)
        kinds = {a.kind if isinstance(a, Unk) else "number" for a in args}
        plain = len(args) > 1 and kinds == {"number"}
        return Unk(self.facts_of(args, {}), "number" if plain else "")

    def _best_by(self, args: Args, key: Value, node: ast.AST) -> Value:
        """min(..., key=f): one of the values, by what f makes of each: a Select where that is a score."""
        options = args if len(args) > 1 else self.sequence(args[0])
        options = [self.element_or_unknown(args[0])] * 2 if options is None else options
        keys = [self.taint(self.call(key, [option], {}, node)) for option in options]
        found = self.one_of(list(options))
        scored = sum(any(isinstance(a, Sc) for a in facts) for facts in keys)
        return self.with_facts(found, self.select(node, union(keys))) if scored > 1 else found

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
        if items is not None:
            return tuple(items)
        made = self.listed(args, keywords, node)
        made.fixed = True
        return made

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
        return Lst(None, tuple(self.element_or_unknown(a) for a in args))

    def element_or_unknown(self, value: Value) -> Value:
        found = self.any_element(value)
        return Unk() if found is None else found

    def enumerated(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        items = self.sequence(args[0]) if args else None
        start = args[1] if len(args) > 1 else keywords.get("start", 0)
        if items is not None and isinstance(start, int):
            return Lst([(start + i, item) for i, item in enumerate(items)])
        return Lst(None, (Unk(kind="number"), self.element_or_unknown(args[0] if args else None)))

    def sorted_list(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = self.listed(args, {}, node)
        self.ordered(made, keywords.get("key"), node)
        return made

    def mapped(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        items = self.sequence(args[1]) if len(args) == 2 else None
        if items is not None and len(items) <= 12:
            return Lst([self.call(args[0], [item], {}, node) for item in items])
        return Lst(None, self.call(args[0], [self.element_or_unknown(a) for a in args[1:]], {}, node))

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

    def evaluate_text(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Unk(self.lost("text that is evaluated", node))

    def execute(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """exec() of a text that was not peeled: it can change any name of the program."""
        self.unread.append(("text that is executed and could not be read", self.where(node)))
        return None


def _derives(cls: Cls, other: Value) -> bool:
    if cls is other:
        return True
    if isinstance(other, Lib):
        return other.name in cls.libraries()
    return any(isinstance(b, Cls) and _derives(b, other) for b in cls.bases)


BUILTINS: dict[str, Handler] = {
    "int": Builtins.number_of,
    "float": Builtins.number_of,
    "bool": Builtins.number_of,
    "len": Builtins.number_of,
    "min": Builtins.smallest,
    "max": Builtins.largest,
    "range": Builtins.range_of,
    "list": Builtins.listed,
    "set": Builtins.listed,
    "frozenset": Builtins.listed,
    "reversed": Builtins.listed,
    "iter": Builtins.listed,
    "tuple": Builtins.tupled,
    "dict": Builtins.dicted,
    "zip": Builtins.zipped,
    "enumerate": Builtins.enumerated,
    "sorted": Builtins.sorted_list,
    "map": Builtins.mapped,
    "filter": Builtins.filtered,
    "next": Builtins.next_of,
    "getattr": Builtins.get_attribute,
    "setattr": Builtins.set_attribute_call,
    "hasattr": Builtins.has_attribute,
    "isinstance": Builtins.instance_of,
    "print": Builtins.printed_text,
    "exit": Builtins.stop,
    "quit": Builtins.stop,
    "exec": Builtins.execute,
    "eval": Builtins.evaluate_text,
    "open": lambda m, a, k, n: m.open_file(a, k, n),
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
    "hash": lambda m, a, k, n: Unk(m.hashed(m.facts_of(a, k)), "number"),
    "any": lambda m, a, k, n: Unk(m.facts_of(a, k), "number"),
    "all": lambda m, a, k, n: Unk(m.facts_of(a, k), "number"),
    "id": lambda m, a, k, n: Unk(kind="number"),
    "globals": lambda m, a, k, n: Dct(m.frame.env.globals.vars),
    "slice": lambda m, a, k, n: slice(*a) if 1 <= len(a) <= 3 else Unk(),
}
