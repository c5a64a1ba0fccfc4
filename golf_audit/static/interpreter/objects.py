"""Methods of modules, optimisers, threads, buffers and other library objects."""

from __future__ import annotations

import ast

from golf_audit.static.atoms import NONE, Dep, Grad, Lost, Out, Par, Tok
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import MISSING
from golf_audit.static.values import Alt, Bound, Cls, Dct, Fn, Lib, Lst, Obj, Unk, Value, known

_SELF = frozenset(
    [
        "to",
        "cuda",
        "cpu",
        "float",
        "half",
        "bfloat16",
        "double",
        "eval",
        "train",
        "requires_grad_",
        "apply",
        "compile",
        "share_memory",
        "half_",
        "type",
        "to_empty",
    ]
)


KINDS = 8
"""Classes of modules that are told apart in one model."""


class Objects(Machine):
    """Methods of instances."""

    def _object_method(
        self, obj: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        if not isinstance(obj, Obj):
            return Unk(self.facts_of(args, keywords))
        if obj.root is not None:
            return self._module_method(obj, name, args, keywords, node)
        if obj.kind == "optimizer":
            return self._optimizer_method(obj, name, args, keywords, node)
        if obj.kind == "buffer":
            return self._buffer_method(obj, name, args)
        if obj.kind == "file":
            return self.file_method(obj, name, args, keywords, node)
        if obj.kind == "parser":
            return self.parser_method(obj, name, args, keywords)
        if obj.kind == "thread":
            return self._thread_method(obj, name, node)
        if obj.kind == "environ":
            return self.environ_method(obj, name, args)
        if obj.kind == "pool" and args:
            return self._pool_method(name, args, keywords, node)
        if obj.kind == "hook" and name == "remove":
            root = obj.attrs["*root"].find()
            root.hooks = [hook for hook in root.hooks if _made_at(hook) != _made_at(obj.attrs["*hook"])]
            return None
        if obj.kind == "future" and name == "result":
            return obj.attrs["*result"]
        if name == "__class__":
            return obj.cls
        if name in ("__enter__",):
            return obj
        facts = self.facts_of(args, keywords)
        obj.taint |= facts
        return Unk(self.taint(obj))

    def environ_method(self, obj: Obj, name: str, args: list[Value]) -> Value:
        if name in ("get", "setdefault", "pop") and args:
            default = args[1] if len(args) > 1 else None
            found = self.environment(args[0]) if isinstance(args[0], str) else MISSING
            if name == "setdefault" and isinstance(args[0], str) and found is MISSING:
                obj.attrs[args[0]] = default
            return default if found is MISSING else found
        if name in ("copy",):
            return obj
        return None

    def _thread_method(self, obj: Obj, name: str, node: ast.AST) -> Value:
        if name in ("start", "run"):
            target = obj.attrs.get("*target")
            own = obj.cls.lookup("run") if isinstance(obj.cls, Cls) else None
            if isinstance(own, Fn):
                self.call_function(own, [obj], {}, node, obj)
            elif target is not None:
                self.call(target, self.sequence(obj.attrs.get("*args", ())) or [], {}, node)
        return None

    def _pool_method(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """A pool of threads runs what it is given, here at once."""
        if name == "submit":
            made = Obj(Lib("concurrent.futures.Future"), "future")
            made.attrs["*result"] = self.call(args[0], args[1:], keywords, node)
            return made
        if name in ("map", "imap", "starmap"):
            element = [self.any_element(a) for a in args[1:]]
            return Lst(None, self.call(args[0], element, {}, node))
        return None

    def _buffer_method(self, obj: Obj, name: str, args: list[Value]) -> Value:
        if name in ("getvalue", "read", "getbuffer"):
            return obj.attrs.get("*content", Unk())
        if name == "write" and args:
            obj.attrs["*content"] = args[0]
        return None

    def _module_method(
        self, obj: Obj, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        assert obj.root is not None
        parameter = Unk(roots=frozenset({obj.root}))
        if name in _SELF:
            return obj
        if name in ("parameters", "buffers"):
            return Lst(None, parameter)
        if name in ("named_parameters", "named_buffers"):
            return Lst(None, (Unk(parts=(NONE,)), parameter))
        if name in ("modules", "children"):
            return Lst([*self.kinds_of_modules(obj), Obj(Lib("torch.nn.Module"), "module", obj.root)])
        if name in ("named_modules", "named_children"):
            return Lst(None, (Unk(parts=(NONE,)), Obj(Lib("torch.nn.Module"), "module", obj.root)))
        if name == "state_dict":
            return Dct(rest=Unk(roots=frozenset({obj.root}), detached=True))
        if name == "load_state_dict" and args:
            return self._load(obj, args[0], node)
        if name == "update" and args and isinstance(obj.cls, Cls) and "mlx.nn.Module" in obj.cls.libraries():
            return self._updated(obj, args[0], node)
        if name in ("register_forward_hook", "register_forward_pre_hook") and args:
            obj.root.find().hooks.append(args[0])
            handle = Obj(Lib("torch.utils.hooks.RemovableHandle"), "hook")
            handle.attrs["*hook"], handle.attrs["*root"] = args[0], obj.root
            return handle
        if name == "register_buffer" and len(args) > 1 and isinstance(args[0], str):
            obj.attrs[args[0]] = args[1]
            return None
        if name in (
            "register_parameter",
            "add_module",
            "append",
            "extend",
            "insert",
            "__setattr__",
            "update",
        ):
            for root in self.roots_in(tuple(args)):
                obj.root.find().join(root)
            if len(args) > 1 and isinstance(args[0], str):
                obj.attrs[args[0]] = args[1]
            elif args and isinstance(obj.attrs.get("*items"), Lst):
                self.append(obj.attrs["*items"], args[-1])
            return obj
        if name == "zero_grad":
            self.forgetting(obj.root).grad = NONE
            return None
        if name in ("forward", "__call__", "module"):
            return self.call_object(obj, args, keywords, node)
        if name in ("items", "values", "keys"):
            items = obj.attrs.get("*items")
            if isinstance(items, Lst):
                return items
            if isinstance(items, Dct):
                return self.method(items, name, args, keywords, node)
            return Lst(None, (Unk(parts=(NONE,)), obj) if name == "items" else obj)
        if name in ("no_sync",):
            return Unk()
        return self.opaque(obj, args, keywords, node)

    @staticmethod
    def kinds_of_modules(obj: Obj) -> list[Value]:
        """One module for each class of the submission among the parts of a module."""
        found: dict[int, Obj] = {}
        waiting: list[Value] = list(obj.attrs.values())
        for _ in range(400):
            if not waiting or len(found) >= KINDS:
                break
            value = waiting.pop()
            if isinstance(value, Obj) and value.root is not None and isinstance(value.cls, Cls):
                if id(value.cls) in found:
                    continue
                found[id(value.cls)] = value
                waiting += value.attrs.values()
            elif isinstance(value, Obj) and "*items" in value.attrs:
                waiting.append(value.attrs["*items"])
            elif isinstance(value, Lst):
                waiting += [*(value.items or ()), value.rest]
            elif isinstance(value, (tuple, Alt)):
                waiting += value.options if isinstance(value, Alt) else value
        return list(found.values())

    def _load(self, obj: Obj, state: Value, node: ast.AST) -> Value:
        assert obj.root is not None
        root = obj.root.find()
        facts = self.taint(state)
        kept = frozenset(a for a in facts if not isinstance(a, (Out, Par)))
        self.update(node, root, kept, replace=True)
        return Unk()

    def _updated(self, obj: Obj, tree: Value, node: ast.AST) -> Value:
        """MLX: the parameters become those of a tree, by a step where a gradient is in it."""
        assert obj.root is not None
        facts = self.taint(tree)
        if not any(isinstance(a, Grad) for a in facts):
            return self._load(obj, tree, node)
        learned = frozenset(a for a in facts if isinstance(a, (Tok, Dep, Grad, Lost)))
        self.update(node, obj.root.find(), learned)
        return obj

    def _optimizer_method(
        self, obj: Obj, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        roots = self.roots_in(obj.attrs.get("*params"))
        if name == "step":
            if args and not known(args[0]):  # LBFGS calls its closure
                self.call(args[0], [], {}, node)
            for root in sorted(roots, key=lambda r: r.number):
                if root.grad:
                    self.update(node, root, root.grad | {Grad()})
            return Unk()
        if name == "apply_gradients":  # MLX: what the parameters would become
            return Unk(self.facts_of(args, keywords))
        if name == "update" and len(args) > 1:  # MLX: update(model, gradients)
            for root in self.roots_in(args[0]):
                self.update(node, root, self.taint(args[1]) | {Grad()})
            return None
        if name == "zero_grad":
            for root in roots:
                self.forgetting(root).grad = NONE
            return None
        if name == "add_param_group":
            self.append(obj.attrs["*params"], args[0])
            return None
        if name == "state_dict":
            return Dct(rest=Unk())
        return Unk()


def _made_at(fn: Value) -> int:
    """Where a function is written: one handle stands for all hooks that a loop has registered."""
    if isinstance(fn, Bound):
        return id(fn.fn.node)
    return id(fn.node) if isinstance(fn, Fn) else id(fn)
