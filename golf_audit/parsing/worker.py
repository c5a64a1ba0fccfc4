"""The worker process: texts in, trees out, one at a time, until its input ends.

It is started isolated (`python -I`, own sys.path), so nothing of the current folder or of a submission can be
imported. LibCST's native parser recurses and may kill the process; that is what the process is for.

    request   "<Q" length, UTF-8 text              answer   "<BQ" kind and length, body
    kinds     TREE: a wire frame    PROBLEM: "<I" 1-based line or 0, sentence    READY: sent once, at start
"""

from __future__ import annotations

import ast
import contextlib
import gc
import re
import struct
import sys
import threading
from typing import BinaryIO

import libcst as cst

from golf_audit.parsing import statements, wire
from golf_audit.parsing.cursor import DEPTH_CAP
from golf_audit.parsing.problem import AstrayError, NotPythonError, TooDeepError
from golf_audit.parsing.repair import repaired

READY, TREE, PROBLEM = 0, 1, 2
STACK = 256 * 2**20  # bytes; LibCST's recursion needs about 60 kB for a bracket
MEMORY_CAP = 2 * 2**30  # bytes of address space, where the platform can limit it
FRAME_CAP = 32 * 2**20  # bytes; the largest real script needs 4 MiB
_POSITION = re.compile(r"error at (\d{1,9}):(\d{1,9})")


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end. Never raises on a bad text."""
    _send(answers, READY, b"")
    while len(header := requests.read(8)) == 8:
        text = requests.read(struct.unpack("<Q", header)[0]).decode("utf-8", "surrogatepass")
        _send(answers, *answer(text))
        del text
        gc.collect()  # while the other side is busy with the tree


def answer(text: str) -> tuple[int, bytes]:
    """(kind, body) for one text."""
    try:
        frame = wire.encode(_tree(text))
    except cst.ParserSyntaxError as error:
        return _refused(error.message, text)
    except UnicodeEncodeError:
        return _problem("not valid Python: it holds half of a surrogate pair", None)
    except NotPythonError as problem:
        return _problem(f"not valid Python: {problem.says}", problem.line)
    except (TooDeepError, RecursionError):
        return _problem(f"nested deeper than {DEPTH_CAP} levels, not analysed", None)
    except MemoryError:
        return _problem("needs more memory than the parser may use, not analysed", None)
    except (AstrayError, KeyError) as error:  # a concrete tree that the lowering does not know
        return _problem(f"syntax that this version does not know: {error}", None)
    if len(frame) > FRAME_CAP:
        return _problem(f"a syntax tree of {len(frame):,} bytes, over the limit", None)
    return TREE, frame


def _tree(text: str) -> ast.Module:
    try:
        return statements.module(text, cst.parse_module(text))
    except cst.ParserSyntaxError:
        other = repaired(text)
        if other is None:
            raise
    return statements.module(other, cst.parse_module(other), text)


def _refused(message: str, text: str) -> tuple[int, bytes]:
    """LibCST's parser names a position and every token it expected; its tokenizer a reason only."""
    found = _POSITION.search(message)
    if found is None:
        return _problem(f"not valid Python: {message.removeprefix('tokenizer error: ')[:200]}", None)
    line, column = int(found[1]), int(found[2])
    if line > text.count("\n") + (not text.endswith("\n")):
        return _problem("not valid Python: it ends in the middle of a statement", text.count("\n") or 1)
    return _problem(f"not valid Python at line {line}, column {column}", line)


def _problem(says: str, line: int | None) -> tuple[int, bytes]:
    return PROBLEM, struct.pack("<I", line or 0) + says.encode("utf-8", "replace")


def _send(answers: BinaryIO, kind: int, body: bytes) -> None:
    answers.write(struct.pack("<BQ", kind, len(body)))
    answers.write(body)
    answers.flush()


def _limit_memory() -> None:
    """Keep a hostile text from taking all memory. Windows has no such limit; the text's length is capped."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    cap = MEMORY_CAP if hard == resource.RLIM_INFINITY else min(MEMORY_CAP, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses; the deadline and the length cap remain
        resource.setrlimit(resource.RLIMIT_AS, (cap, hard))


def _never_validate(_: cst.CSTNode) -> None:
    """LibCST checks on construction that a tree can be *written*: it wants blanks in the minified but legal
    `1or 2`. The grammar has accepted the text already and the lowering checks what the grammar does not."""


def main() -> None:
    """Serve standard input on a thread with a large stack."""
    _limit_memory()
    setattr(cst.CSTNode, "__post_init__", _never_validate)  # noqa: B010 - typed as final
    gc.collect()
    gc.freeze()
    gc.disable()  # trees have no cycles; collections during a parse would double its time
    sys.setrecursionlimit(20 * DEPTH_CAP)
    threading.stack_size(STACK)
    thread = threading.Thread(target=serve, args=(sys.stdin.buffer, sys.stdout.buffer))
    thread.start()
    thread.join()
