"""A small abstract machine over a script: which text does it execute, which files does it launch?

It follows constants through names, allow-listed functions, written files and the script's own functions.
Where it does not know, it goes both ways and forgets what it cannot be sure of. It executes nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping

from golf_audit.parsing import flatten
from golf_audit.peel.evaluate import Evaluator
from golf_audit.peel.values import Frame, Function, Known, ModuleObject, Name

_LOOP_CAP = 2_000  # turns of a loop over constants
_NAMESPACES = ("globals", "locals", "vars")


class Machine(Evaluator):
    """Runs the statements of one script; `results` are what its sinks were seen to do."""

    def run(self, tree: ast.Module) -> None:
        """Module level first, then with unknown arguments every function that was not called but is named
        somewhere: a sink in a function that nobody can call executes nothing."""
        frame = Frame({"__file__": Known(self.script), "__name__": None})
        self.block(tree.body, frame)
        for node in self.nodes:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node in self.entered:
                continue
            if node.decorator_list or node.name.startswith("__") or self.mentioned(node.name):
                self.enter(Function(node, frame), None, {}, frame)

    # -- statements ----------------------------------------------------------------------------------------

    def block(self, statements: Iterable[ast.stmt], frame: Frame) -> None:
        """Run statements one after the other."""
        for statement in statements:
            self.spend()
            handler = _STATEMENTS.get(type(statement))
            if handler is not None:
                handler(self, statement, frame)

    def bind(self, target: ast.expr, value: Known | None, frame: Frame) -> None:
        """Assign to a name, to several, or to something that is only evaluated."""
        if isinstance(target, ast.Name):
            frame.names[target.id] = None if target.id in self.shared else value
        elif isinstance(target, (ast.Tuple, ast.List)):
            items: list[Known | None] = [None] * len(target.elts)
            if (
                value is not None
                and isinstance(value.value, (list, tuple))
                and len(value.value) == len(items)
            ):
                items = [value.become(item) for item in value.value]
            for element, item in zip(target.elts, items, strict=True):
                self.bind(element, item, frame)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, None, frame)
        elif isinstance(target, (ast.Attribute, ast.Subscript)):
            self._store(target, value, frame)

    def _store(self, target: ast.Attribute | ast.Subscript, value: Known | None, frame: Frame) -> None:
        holder = self.evaluate(target.value, frame)
        if isinstance(target, ast.Subscript):
            self._store_item(target, holder, value, frame)
        elif holder is not None and isinstance(holder.value, Name):
            self.world.patched.add(f"{holder.value.dotted}.{target.attr}")
        elif holder is not None and isinstance(holder.value, ModuleObject) and target.attr == "__name__":
            holder.value.name = value.value if value is not None and isinstance(value.value, str) else ""

    def _store_item(
        self, target: ast.Subscript, holder: Known | None, value: Known | None, frame: Frame
    ) -> None:
        key = self.evaluate(target.slice, frame)
        call = target.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _NAMESPACES:
            if key is not None and isinstance(key.value, str):
                frame.root().names[key.value] = value
            else:
                frame.root().forget()
        elif isinstance(call, ast.Name) and holder is not None and isinstance(holder.value, (list, dict)):
            frame.change(call.id, None)

    def _assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self.evaluate(node.value, frame)
        for target in node.targets:
            self.bind(target, value, frame)

    def _annotated(self, node: ast.AnnAssign, frame: Frame) -> None:
        if node.value is not None:
            self.bind(node.target, self.evaluate(node.value, frame), frame)

    def _augmented(self, node: ast.AugAssign, frame: Frame) -> None:
        right = self.evaluate(node.value, frame)
        if isinstance(node.target, ast.Name):
            _, left = frame.get(node.target.id)
            self.bind(node.target, self.operate(node.op, left, right), frame)

    def _expression(self, node: ast.Expr, frame: Frame) -> None:
        self.evaluate(node.value, frame)

    def _import(self, node: ast.Import, frame: Frame) -> None:
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.split(".")[0]
            frame.names[alias.asname or name] = None if self.world.shadows(name) else self.named(name)

    def _import_from(self, node: ast.ImportFrom, frame: Frame) -> None:
        own = bool(node.level) or not node.module or self.world.shadows(node.module)
        for alias in node.names:
            if alias.name == "*":
                if own:
                    frame.forget()
            else:
                frame.names[alias.asname or alias.name] = (
                    None if own else self.named(f"{node.module}.{alias.name}")
                )

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults, *node.decorator_list):
            if default is not None:
                self.evaluate(default, frame)
        frame.names[node.name] = None if node.name in self.shared else Known(Function(node, frame))

    def _class(self, node: ast.ClassDef, frame: Frame) -> None:
        for part in (*node.bases, *node.decorator_list, *(keyword.value for keyword in node.keywords)):
            self.evaluate(part, frame)
        frame.names[node.name] = None
        self.block(node.body, Frame(outer=frame))

    def _if(self, node: ast.If, frame: Frame) -> None:
        test = self.evaluate(node.test, frame)
        if test is not None and isinstance(test.value, (bool, int, str, bytes, type(None))):
            self.block(node.body if test.value else node.orelse, frame)
            return
        before = dict(frame.names)
        self.block(node.body, frame)
        after = frame.names
        frame.names = dict(before)
        self.block(node.orelse, frame)
        for name in {*after, *frame.names}:  # a name is known afterwards when both ways agree
            if after.get(name) != frame.names.get(name):
                frame.names[name] = None

    def _try(self, node: ast.Try, frame: Frame) -> None:
        """A handler may have run instead: what it binds differently is unknown, but for modules that may be
        missing (`try: import lzma`)."""
        before = dict(frame.names)
        self.block(node.body, frame)
        self.block(node.orelse, frame)
        for handler in node.handlers:
            other = Frame(dict(before), frame.outer)
            self.block(handler.body, other)
            for name, value in other.names.items():
                kept = frame.names.get(name)
                if before.get(name) != value != kept and not (
                    kept is not None and isinstance(kept.value, Name)
                ):
                    frame.names[name] = None
        self.block(node.finalbody, frame)

    def _for(self, node: ast.For | ast.AsyncFor, frame: Frame) -> None:
        items = self.evaluate(node.iter, frame)
        if items is not None and isinstance(items.value, (list, tuple)) and len(items.value) <= _LOOP_CAP:
            for item in items.value:
                self.bind(node.target, items.become(item), frame)
                self.block(node.body, frame)
        else:
            self.bind(node.target, None, frame)
            self._repeated(node.body, frame)
        self.block(node.orelse, frame)

    def _while(self, node: ast.While, frame: Frame) -> None:
        self.evaluate(node.test, frame)
        self._repeated(node.body, frame)
        self.block(node.orelse, frame)

    def _repeated(self, body: list[ast.stmt], frame: Frame) -> None:
        """A body that runs an unknown number of times: what it assigns is unknown before and after."""
        changed = {
            node.id
            for statement in body
            for node in flatten(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        frame.names.update(dict.fromkeys(changed))
        self.block(body, frame)
        frame.names.update(dict.fromkeys(changed))

    def _with(self, node: ast.With | ast.AsyncWith, frame: Frame) -> None:
        for item in node.items:
            value = self.evaluate(item.context_expr, frame)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, frame)
        self.block(node.body, frame)

    def _match(self, node: ast.Match, frame: Frame) -> None:
        self.evaluate(node.subject, frame)
        for case in node.cases:
            self._repeated(case.body, frame)

    def _others(self, node: ast.stmt, frame: Frame) -> None:
        """return, raise, assert, del: their expressions may hold a sink."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child, frame)

    # -- functions of the script ---------------------------------------------------------------------------

    def enter(
        self,
        function: Function,
        args: list[Known | None] | None,
        keywords: Mapping[str, Known | None],
        frame: Frame,
    ) -> Known | None:
        """Call a function of the script; its value when it has a single, known return.

        `args` None: nobody is seen calling it, it is entered for the sinks in it."""
        node = function.node
        self.entered.add(node)
        if node in self.active or not self.worth_entering(node):
            return None
        self.active.add(node)
        before, self.world.assuming = self.world.assuming, args is None
        inner = Frame(self._parameters(node.args, args, keywords, frame), function.scope)
        self.block(node.body, inner)
        returns = [s for s in flatten(node) if isinstance(s, ast.Return)]
        value = self.evaluate(returns[0].value, inner) if len(returns) == 1 and returns[0].value else None
        self.active.discard(node)
        self.world.assuming = before
        return value

    def _parameters(
        self,
        declared: ast.arguments,
        args: list[Known | None] | None,
        keywords: Mapping[str, Known | None],
        frame: Frame,
    ) -> dict[str, Known | None]:
        names: dict[str, Known | None] = {}
        positional = [*declared.posonlyargs, *declared.args]
        for param, default in zip(reversed(positional), reversed(declared.defaults), strict=False):
            names[param.arg] = self.evaluate(default, frame)
        for other in (*positional, *declared.kwonlyargs, declared.vararg, declared.kwarg):
            if other is not None:
                names.setdefault(other.arg, None)
        if args is None:
            return dict.fromkeys(names)
        for param, value in zip(positional, args, strict=False):
            names[param.arg] = value
        names.update({name: value for name, value in keywords.items() if name in names})
        return names


_STATEMENTS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.AnnAssign: Machine._annotated,
    ast.Assert: Machine._others,
    ast.Assign: Machine._assign,
    ast.AsyncFor: Machine._for,
    ast.AsyncFunctionDef: Machine._function,
    ast.AsyncWith: Machine._with,
    ast.AugAssign: Machine._augmented,
    ast.ClassDef: Machine._class,
    ast.Delete: Machine._others,
    ast.Expr: Machine._expression,
    ast.For: Machine._for,
    ast.FunctionDef: Machine._function,
    ast.If: Machine._if,
    ast.Import: Machine._import,
    ast.ImportFrom: Machine._import_from,
    ast.Match: Machine._match,
    ast.Raise: Machine._others,
    ast.Return: Machine._others,
    ast.Try: Machine._try,
    ast.TryStar: Machine._try,
    ast.While: Machine._while,
    ast.With: Machine._with,
}
