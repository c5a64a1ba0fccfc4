"""Files, paths, the environment and the command line: where tokens come from and where texts go."""

from __future__ import annotations

import ast

from golf_audit.runconfig import RunConfig
from golf_audit.static.atoms import NONE, Taint, Tok
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import MISSING, Printed
from golf_audit.static.streams import stream_of
from golf_audit.static.values import Alt, Dct, Lib, Lst, Obj, Slot, Text, Unk, Value, known
from golf_audit.timeline import WRITTEN, Stream

RANKS = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "8",
    "LOCAL_WORLD_SIZE": "8",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
}
"""What torchrun sets in the process of rank 0 of 8."""


class Files(Machine):
    """The outside world."""

    config: RunConfig
    script: str
    environ: Obj

    def library_attribute(self, value: Lib, name: str) -> Value:
        full = f"{value.name}.{name}"
        if full == "os.environ":
            return self.environ
        if full in ("math.inf", "numpy.inf", "torch.inf"):
            return float("inf")
        if full in ("math.pi", "math.e"):
            return 3.141592653589793 if full == "math.pi" else 2.718281828459045
        if full == "sys.argv":
            return Lst(None, Unk(parts=(NONE,)))
        return Lib(full)

    def environment(self, name: str) -> Value:
        """The value of an environment variable in the run; MISSING where nothing sets it."""
        written = self.environ.attrs.get(name, MISSING)
        if written is not MISSING:
            return written
        if name in RANKS:
            return RANKS[name]
        if name in self.config.undecided:
            return Unk(parts=(NONE,))
        setting = self.config.explicit(name)
        if setting is None:
            return MISSING
        self.settings[name] = setting.value
        return setting.value

    def getenv(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        return self.environ_method(self.environ, "get", args)

    def parser(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        return Obj(Lib("argparse.ArgumentParser"), "parser")

    def parser_method(self, obj: Obj, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        """argparse: what a flag was in the run, else its default."""
        if name == "add_argument" and args and all(isinstance(a, str) for a in args):
            flag = max(args, key=len)
            attribute = keywords.get("dest") or flag.lstrip("-").replace("-", "_")
            obj.attrs[attribute] = self._flag(flag, keywords)
            return None
        if name in ("parse_args", "parse_known_args"):
            made = Obj(None)
            made.attrs = {k: v for k, v in obj.attrs.items() if isinstance(k, str)}
            return made if name == "parse_args" else (made, Lst([]))
        return obj

    def _flag(self, flag: str, keywords: dict[str, Value]) -> Value:
        setting = self.config.explicit(flag) or self.config.explicit(flag.lstrip("-").replace("-", "_"))
        action = keywords.get("action")
        if setting is None:
            default = keywords.get("default")
            return (
                default if "default" in keywords or not isinstance(action, str) else action == "store_false"
            )
        self.settings[flag] = setting.value
        if isinstance(action, str) and action.startswith("store_"):
            return str(setting.value).lower() in ("1", "true", "yes")
        kind = keywords.get("type")
        if isinstance(kind, Lib) and kind.name in ("builtins.int", "builtins.float"):
            try:
                return int(setting.value) if kind.last == "int" else float(setting.value)
            except ValueError:
                return Unk(kind="number")
        return setting.value

    def join_path(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        pieces: list[Value] = []
        for i, arg in enumerate(args):
            pieces += ["/", arg] if i else [arg]
        return self.text_of(pieces)

    def make_path(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        made = self.join_path(args, keywords, node) if args else "."
        return Text(made) if isinstance(made, str) else made

    def path_method(
        self, path: Text, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        """A method of a pathlib.Path; MISSING for those of a text."""
        if name in ("glob", "rglob"):
            return Lst(None, self.text_of([path, "/", args[0] if args else "*"]))
        if name in ("resolve", "absolute", "expanduser"):
            return path
        if name in ("exists", "is_file", "is_dir"):
            return self.exists([path], {}, node)
        if name in ("read_bytes", "read_text", "open", "write_text", "write_bytes"):
            return self.file_method(path, name, args, keywords, node)
        if name in ("mkdir", "unlink", "touch"):
            return None
        if name == "joinpath":
            return self.make_path([path, *args], {}, node)
        if name == "with_suffix" and args and isinstance(args[0], str):
            return Text(path.rpartition(".")[0] + args[0])
        if name == "iterdir":
            return Lst(None, self.text_of([path, "/*"]))
        return MISSING

    def glob(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        return Lst(
            None,
            Unk(
                parts=(
                    (
                        args[0]
                        if isinstance(args[0], str)
                        else args[0].text
                        if isinstance(args[0], Unk)
                        else "*"
                    ),
                    NONE,
                )
            )
            if args
            else Unk(),
        )

    def exists(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        text = self.path_text(args[0]) if args else ""
        if text in self.disk or stream_of(text) is not None:
            return True
        return Unk(kind="number")

    @staticmethod
    def path_text(value: Value) -> str:
        """The known part of a path."""
        return str(value) if isinstance(value, str) else value.text if isinstance(value, Unk) else ""

    def tokens_of(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """An array read from a file of tokens."""
        source = args[0] if args else keywords.get("file", keywords.get("filename"))
        if isinstance(source, Obj) and source.kind == "file":
            source = source.attrs.get("*path")
        if isinstance(source, Alt):
            return self.one_of([self.tokens_of([path], {}, node) for path in source.options])
        text = self.path_text(source)
        stream = stream_of(text)
        if stream is None:
            stored = self._stored(text)
            return Unk(self.taint(source) if stored is None else self.taint(stored))
        self.read(node, stream, text)
        return Unk(self.whole(stream), "array")

    def _stored(self, text: str) -> Value:
        slot = self.disk.get(text)
        return slot.value if slot is not None else None

    def open_file(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        mode = args[1] if len(args) > 1 else keywords.get("mode", "r")
        made = Obj(Lib("builtins.open"), "file")
        made.attrs = {"*path": args[0] if args else None, "*mode": mode}
        return made

    def file_method(
        self, value: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        """Methods of an open file, or of a path that is read or written whole."""
        holder = value
        if isinstance(value, Obj):
            holder, mode = value.attrs.get("*path"), value.attrs.get("*mode")
        else:
            mode = (
                "wb"
                if name == "write_bytes"
                else "w"
                if name == "write_text"
                else "rb"
                if name == "read_bytes"
                else "r"
            )
        if isinstance(holder, Alt) and name.startswith("read"):
            files = [self.open_file([path, mode], {}, node) for path in holder.options]
            return self.one_of([self.file_method(file, name, args, keywords, node) for file in files])
        text = self.path_text(holder)
        if name == "open":
            return self.open_file([holder, *args], keywords, node)
        if name in ("write", "write_bytes", "write_text", "writelines") and args:
            if isinstance(mode, str) and "b" in mode:
                self._write(text, args[0], node)
            else:
                self.report(self.text_of([args[0]]), node)
            return None
        if name in ("read", "read_bytes", "read_text", "readline", "readlines", "readinto"):
            stream = stream_of(text)
            if stream is not None and (not isinstance(mode, str) or "b" in mode):
                self.read(node, stream, text)
                if name == "readinto" and args and isinstance(args[0], Unk):
                    args[0].absorb(self.whole(stream))
                    for base in args[0].base if isinstance(args[0].base, tuple) else (args[0].base,):
                        if base is not None:  # a view of the whole array, not of a part
                            base.absorb(self.whole(stream))
                    return Unk(kind="number")
                return Unk(self.whole(stream))
            stored = self._stored(text)
            shared = isinstance(mode, str) and "+" in mode  # a counter that other processes move on
            return Unk(self.fresh_marks(), parts=(NONE,)) if stored is None or shared else stored
        if name in ("__enter__",):
            return value
        return None

    def load_file(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """torch.load and the like: what was saved there."""
        source = args[0] if args else None
        if isinstance(source, Obj) and source.kind == "buffer":
            return source.attrs.get("*content", Unk())
        if isinstance(source, Obj) and source.kind == "file":
            source = source.attrs.get("*path")
        text = self.path_text(source)
        stored = self._stored(text)
        if stored is not None:
            return stored
        stream = stream_of(text)
        if stream is not None:
            self.read(node, stream, text)
            return Unk(self.whole(stream), "array")
        return Dct(rest=Unk(self.taint(source)))

    def save_file(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        if len(args) < 2:
            return None
        value, target = args[0], args[1]
        if isinstance(target, Obj) and target.kind in ("buffer", "file"):
            if target.kind == "buffer":
                target.attrs["*content"] = self.frozen(value)
                return None
            target = target.attrs.get("*path")
        self._write(self.path_text(target), value, node)
        return None

    def _write(self, path: str, value: Value, node: ast.AST) -> None:
        self.save(node, path, self.taint(value))
        self.disk[path] = Slot(self._paid(self.frozen(value)))

    def _paid(self, value: Value, depth: int = 4) -> Value:
        """What is read back from a file: the training tokens in it have been paid for."""
        if isinstance(value, Unk):
            facts = frozenset(
                Tok(a.stream, a.marks, a.cuts | {WRITTEN})
                if isinstance(a, Tok) and a.stream is Stream.TRAIN
                else a
                for a in value.taint
            )
            if facts == value.taint:
                return value
            return Unk(facts, value.kind, value.roots, parts=value.parts, detached=value.detached)
        if isinstance(value, tuple) and depth:
            return tuple(self._paid(v, depth - 1) for v in value)
        if isinstance(value, Dct) and depth:
            made = Dct(
                {k: self._paid(v, depth - 1) for k, v in value.items.items()},
                self._paid(value.rest, depth - 1),
            )
            made.taint, made.default = value.taint, value.default
            return made
        if isinstance(value, Lst) and value.base is None and depth:
            items = [self._paid(v, depth - 1) for v in value.items] if value.items is not None else None
            return Lst(items, self._paid(value.rest, depth - 1), value.extra)
        return value

    def frozen(self, value: Value) -> Value:
        """What is written now: later changes of the parameters do not reach it."""
        if isinstance(value, Unk) and value.roots:
            return self.snapshot(value)
        if isinstance(value, Dct):
            made = Dct({k: self.frozen(v) for k, v in value.items.items()}, self.frozen(value.rest))
            made.taint = value.taint
            return made
        return value

    def dump_file(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """numpy.save and the like: the path comes first, then what is written."""
        if args:
            self.save_file([Lst([*args[1:], *keywords.values()]), args[0]], {}, node)
        return None

    def buffer(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        made = Obj(Lib("io.BytesIO"), "buffer")
        if args:
            made.attrs["*content"] = args[0]
        return made

    def dumped(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        if args:
            self.report(Unk(self.taint(args[0]), parts=(self.taint(args[0]),)), node)
        return None

    def report(self, value: Value, node: ast.AST) -> None:
        """A text goes out."""
        parts: tuple[str | Taint, ...]
        if isinstance(value, Unk):
            parts = value.parts if value.parts is not None else (value.taint,)
        elif known(value):
            parts = (str(value),)
        else:
            parts = (self.taint(value),)
        self.printed.append(
            Printed(
                self.next_event(),
                self.where(node),
                parts,
                self.calls(),
                tuple(self.conditions),
                self.loop_marks(),
            )
        )
