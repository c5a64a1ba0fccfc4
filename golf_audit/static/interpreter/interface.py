"""What the parts of the interpreter ask of each other: each method is defined by one part."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from golf_audit.static.atoms import Taint
from golf_audit.static.interpreter.joins import Joins
from golf_audit.static.interpreter.state import MISSING
from golf_audit.static.values import Args, Cls, Dct, Env, Fn, Keywords, Lib, Lst, Obj, Text, Unk, Value

Handler = Callable[[Any, Args, Keywords, ast.AST], Value]


class Machine(Joins):
    """The interpreter as each of its parts sees it."""

    forced: dict[int, bool]

    def binary(self, node: ast.AST, op: ast.operator, left: Value, right: Value) -> Value:
        raise NotImplementedError

    def percent(self, text: str, right: Value) -> Value:
        raise NotImplementedError

    def text_of(self, values: list[Value]) -> Value:
        raise NotImplementedError

    def dict_item(self, value: Dct, index: Value, default: Value = MISSING) -> Value:
        raise NotImplementedError

    def index(self, node: ast.expr) -> Value:
        raise NotImplementedError

    def index_taint(self, index: Value) -> Taint:
        raise NotImplementedError

    def item(self, value: Value, index: Value, node: ast.AST) -> Value:
        raise NotImplementedError

    def store_key(self, made: Dct, key: Value, value: Value) -> None:
        raise NotImplementedError

    def compares_scores(self, test: ast.expr | None) -> bool:
        raise NotImplementedError

    def load(self, name: str, env: Env) -> Value:
        raise NotImplementedError

    def eval(self, node: ast.expr) -> Value:
        raise NotImplementedError

    def in_abstract_loop(self) -> bool:
        raise NotImplementedError

    def set_element(self, holder: Lst, index: Value, value: Value) -> None:
        raise NotImplementedError

    def append(self, holder: Lst, value: Value) -> None:
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Value) -> None:
        raise NotImplementedError

    def extend(self, holder: Lst, value: Value) -> None:
        raise NotImplementedError

    def set_attribute(self, holder: Value, name: str, value: Value, node: ast.AST) -> None:
        raise NotImplementedError

    def set_item(self, holder: Value, index: Value, value: Value, node: ast.AST) -> None:
        raise NotImplementedError

    def table_facts(self, node: ast.AST, holder: Value, index: Taint) -> Taint:
        raise NotImplementedError

    def write_parameter(self, node: ast.AST, holder: Unk, facts: Taint) -> None:
        raise NotImplementedError

    def block(self, body: Sequence[ast.stmt]) -> bool:
        raise NotImplementedError

    def call_expression(self, node: ast.Call) -> Value:
        raise NotImplementedError

    def call(self, fn: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST | None) -> Value:
        raise NotImplementedError

    def call_function(
        self, fn: Fn, args: list[Value], keywords: dict[str, Value], node: ast.AST, receiver: Value = None
    ) -> Value:
        raise NotImplementedError

    def facts_of(self, args: list[Value], keywords: dict[str, Value]) -> Taint:
        raise NotImplementedError

    def function(self, node: Any) -> Value:
        raise NotImplementedError

    def invoke(self, holder: Obj, name: str, args: list[Value], node: ast.AST) -> Value:
        raise NotImplementedError

    def call_object(self, obj: Obj, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        raise NotImplementedError

    def instantiate(self, cls: Cls, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        raise NotImplementedError

    def make_class(self, node: ast.ClassDef) -> Value:
        raise NotImplementedError

    def obj_item(self, value: Obj, index: Value, node: ast.AST) -> Value:
        raise NotImplementedError

    def opaque(self, obj: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        raise NotImplementedError

    @staticmethod
    def only_marks(taint: Taint) -> Taint:
        raise NotImplementedError

    def attribute(self, value: Value, name: str, node: ast.AST) -> Value:
        raise NotImplementedError

    @staticmethod
    def kinds_of_modules(obj: Obj) -> list[Value]:
        raise NotImplementedError

    def permuted(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        raise NotImplementedError

    def shuffled(self, value: Lst, facts: Taint) -> None:
        raise NotImplementedError

    def ordered(self, value: Value, key: Value, node: ast.AST) -> None:
        raise NotImplementedError

    def tensor_method(
        self, value: Unk, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        raise NotImplementedError

    def environ_method(self, obj: Obj, name: str, args: list[Value]) -> Value:
        raise NotImplementedError

    def method(
        self, receiver: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        raise NotImplementedError

    def environment(self, name: str) -> Value:
        raise NotImplementedError

    def file_method(
        self, value: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        raise NotImplementedError

    def library_attribute(self, value: Lib, name: str) -> Value:
        raise NotImplementedError

    def parser_method(self, obj: Obj, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        raise NotImplementedError

    def path_method(
        self, path: Text, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        raise NotImplementedError

    def report(self, value: Value, node: ast.AST) -> None:
        raise NotImplementedError

    def element_or_unknown(self, value: Value) -> Value:
        raise NotImplementedError

    def listed(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        raise NotImplementedError

    def loss_call(self, args: Args, keywords: Keywords, node: ast.AST) -> Unk:
        raise NotImplementedError

    def fresh_marks(self) -> Taint:
        raise NotImplementedError

    def library(self, fn: Lib, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        raise NotImplementedError

    def import_module(self, name: str, *, whole: bool, node: ast.AST) -> Value:
        raise NotImplementedError

    def import_name(self, module: str, name: str, node: ast.AST) -> Value:
        raise NotImplementedError
