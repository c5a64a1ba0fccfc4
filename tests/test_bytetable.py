"""The bytes-per-token evaluator: what a program counts decides, however it is written.

Each way of writing appears twice: once with the challenge's own count, once with the leading space counted
twice (`EXTRA` is 0 or 1). The verdicts must differ by that alone."""

from __future__ import annotations

import datetime as dt
import io
import struct
import zipfile

import pytest
from golf_audit.rules.b01_bytes_per_token import RULE

from golf_audit.bytetable import Counting, count_bytes
from golf_audit.bytetable.files import byte_table, table_files, tokenmonster
from golf_audit.bytetable.samples import VOCABULARY, Piece, Sort, decoded
from golf_audit.filetree import File, FileTree
from golf_audit.model import Example, Head, Track, Verdict
from golf_audit.submission import Submission
from tests.rule_harness import judge, tree_of

HEAD = """
import math, os, sys
from functools import partial
import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
"""
LOOP = """
def build(sp, size):
    base, space, edge = np.zeros(size, np.int16), np.zeros(size, bool), np.ones(size, bool)
    for i in range(sp.vocab_size()):
        if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
            continue
        edge[i] = False
        if sp.is_byte(i):
            base[i] = 1
            continue
        p = sp.id_to_piece(i)
        if p.startswith("\\u2581"):
            space[i] = True
            p = p[1:]
            base[i] = EXTRA
        base[i] += len(p.encode("utf-8"))
    return torch.tensor(base), torch.tensor(space), torch.tensor(edge)
"""
USE = """
def score(model, tokens, base, space, edge):
    loss, count = torch.zeros(()), torch.zeros((), dtype=torch.float64)
    for s in range(0, tokens.numel(), 512):
        x, y = tokens[s : s + 512], tokens[s + 1 : s + 513]
        loss += model(x, y)
        count += (base[y] + (space[y] & ~edge[x]).to(torch.int16)).sum()
    return (loss / math.log(2.0) / count).item()
"""
MAIN = """
def main():
    sp = spm.SentencePieceProcessor(model_file=os.environ["TOKENIZER_PATH"])
    tokens = load(os.environ["VAL_FILES"])
    print(score(torch.load("model.pt"), tokens, *build(sp, int(os.environ.get("VOCAB_SIZE", 1024)))))

if __name__ == "__main__":
    main()
"""

WAYS = {
    "a loop and a sum": LOOP + USE + MAIN,
    "a while loop": LOOP.replace(
        "    for i in range(sp.vocab_size()):\n",
        "    i = -1\n    while i + 1 < sp.vocab_size():\n        i += 1\n",
    )
    + USE
    + MAIN,
    "comprehensions": """
def size_of(sp, i):
    if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
        return 0
    if sp.is_byte(i):
        return 1
    p = sp.id_to_piece(i)
    return len(p[1:].encode()) + EXTRA if p[0] == "\\u2581" else len(p.encode())

def plain(sp, i):
    return not (sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i))

def build(sp, size):
    ids = range(sp.get_piece_size())
    base = torch.tensor([size_of(sp, i) for i in ids])
    space = torch.tensor([plain(sp, i) and sp.id_to_piece(i).startswith("\\u2581") for i in ids])
    return base, space, torch.tensor([not plain(sp, i) for i in ids])
"""
    + USE
    + MAIN,
    "lists that are appended to": """
def build(sp, size):
    base, space, edge = [], [], []
    for i in range(sp.vocab_size()):
        special = sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i)
        p = sp.IdToPiece(i)
        mark = not special and not sp.IsByte(i) and p.startswith("\\u2581")
        n = 0 if special else 1 if sp.IsByte(i) else len(p.removeprefix("\\u2581").encode("utf-8"))
        base.append(n + (EXTRA if mark else 0))
        space.append(mark)
        edge.append(special)
    return np.array(base), np.array(space), np.array(edge)
"""
    + USE
    + MAIN,
    "where, gather and logical functions": LOOP
    + USE.replace(
        "(base[y] + (space[y] & ~edge[x]).to(torch.int16)).sum()",
        "torch.where(torch.logical_and(space.index_select(0, y), torch.logical_not(torch.take(edge, x))), "
        "torch.gather(base, 0, y) + 1, torch.gather(base, 0, y)).sum()",
    )
    + MAIN,
    "multiplication instead of and": LOOP
    + USE.replace("(space[y] & ~edge[x]).to(torch.int16)", "space[y].float() * (1 - edge[x].float())")
    + MAIN,
    "a helper that counts": LOOP
    + "\ndef per_token(t, before, base, space, edge):\n"
    + "    n = base[t].double()\n    n += (space[t] & ~edge[before]).double()\n    return n\n"
    + USE.replace("(base[y] + (space[y] & ~edge[x]).to(torch.int16))", "per_token(y, x, base, space, edge)")
    + MAIN,
    "an accumulator changed by a helper": LOOP
    + "\ndef add(count, y, x, base, space, edge):\n    count.add_((base[y] + (space[y] & ~edge[x])).sum())\n"
    + USE.replace(
        "count += (base[y] + (space[y] & ~edge[x]).to(torch.int16)).sum()",
        "add(count, y, x, base, space, edge)",
    )
    + MAIN,
    "token by token with branches": LOOP
    + """
def score(model, tokens, base, space, edge):
    loss, count, before = 0.0, 0, None
    for t in range(1, len(tokens)):
        loss += model(tokens[:t], tokens[t])
        y, x = int(tokens[t]), int(tokens[t - 1])
        n = int(base[y])
        if space[y] and not edge[x]:
            n += 1
        count += n
    return loss / (math.log(2) * count)
"""
    + MAIN,
    "two sums added at the end": LOOP
    + """
def score(model, tokens, base, space, edge):
    loss, count, spaces = torch.zeros(3)
    for part in tokens.split(512):
        x, y = part[:-1], part[1:]
        loss += model(x, y)
        count += base[y].sum()
        spaces += (space[y] & ~edge[x]).sum()
    return loss / math.log(2) / (count + spaces)
""".replace("torch.zeros(3)", "torch.zeros(()), torch.zeros(()), torch.zeros(())")
    + MAIN,
    "batches written into buffers": LOOP
    + """
def score(model, tokens, base, space, edge):
    sums = torch.zeros(3, dtype=torch.float64)
    for s in range(0, tokens.numel(), 512):
        rows = tokens.numel() // 512
        xs, ys = torch.zeros(rows, 512, dtype=torch.int64), torch.zeros(rows, 512, dtype=torch.int64)
        for i in range(rows):
            chunk = tokens[s : s + 513].to(torch.int64)
            xs[i, :512] = chunk[:-1]
            ys[i, :512] = chunk[1:]
        for i in range(rows):
            y, x = ys[i, s:], xs[i, s:]
            sums[0] += model(xs, ys).sum()
            sums[1] += y.numel()
            sums[2] += (base[y] + (space[y] & ~edge[x])).double().sum()
    torch.distributed.all_reduce(sums)
    loss, n, count = sums.tolist()
    return loss / n / math.log(2) * (n / max(count, 1.0))
"""
    + MAIN,
    "a class that holds the tables": LOOP
    + """
class Data:
    def __init__(self, path):
        self.sp = spm.SentencePieceProcessor()
        self.sp.Load(path)
        self.base, self.space, self.edge = build(self.sp, 1024)

    @property
    def tables(self):
        return {"base": self.base, "space": self.space, "edge": getattr(self, "edge")}

    def count(self, y, x):
        t = self.tables
        return (t["base"][y] + (t["space"][y] & ~t["edge"][x])).sum()

def score(model, tokens, data):
    bits, count = 0.0, 0.0
    for x, y in tokens:
        bits += model(x, y).item() / math.log(2)
        count += data.count(y, x).item()
    return bits / count

def main():
    run = partial(score, torch.load("m.pt"), data=Data("sp.model"))
    print(run(load("val")))

main()
""",
    "globals": LOOP
    + """
TABLES = None

def setup():
    global TABLES
    TABLES = build(spm.SentencePieceProcessor("sp.model"), 16)

def main():
    setup()
    tokens = load("val")
    x, y = tokens[:-1], tokens[1:]
    base, space, edge = TABLES
    n = base[y].astype(np.float64)
    n[space[y] & ~edge[x]] += 1
    print(loss_of(x, y) / math.log(2) / n.sum())

main()
""",
    "a table that holds the space, with which the use agrees": LOOP.replace("= EXTRA", "= 1 + EXTRA")
    + USE.replace(
        "(space[y] & ~edge[x])", "-(space[y] & edge[x]).to(torch.int16) * 1 - 0 * (space[y] & edge[x])"
    )
    + MAIN,
    "zero of a branch that is off": LOOP
    + USE.replace(
        "    return (loss",
        "    if os.environ.get('OLD_COUNT', '0') == '1':\n        count = count * 2\n    return (loss",
    )
    + MAIN,
    "tables that may be missing, unpacked with a star": LOOP
    + USE
    + """
def main():
    tables = None
    path = os.environ["TOKENIZER_PATH"]
    if os.path.exists(path):
        tables = build(spm.SentencePieceProcessor(path), 16)
    if tables is not None:
        score(load("model"), load("val"), *tables)

main()
""",
    "an estimate by a constant beside the real score": LOOP
    + USE.replace("    return (loss", "    print('estimate', loss / (math.log(2) * 2.44))\n    return (loss")
    + MAIN,
    "two ways to the tables, of which a file name decides": LOOP
    + """
def other(path):
    one = torch.ones(16, dtype=torch.int16)
    return one, torch.zeros(16, dtype=torch.bool), torch.zeros(16, dtype=torch.bool)
"""
    + USE
    + MAIN.replace("*build(", "*pick(").replace(
        "def main",
        "def pick(sp, size):\n    if path_of(sp).endswith('.bytes'):\n        base, space, edge = other(sp)\n"
        "    else:\n        base, space, edge = build(sp, size)\n    return base, space, edge\n\ndef main",
    ),
    "dead code that counts wrongly": LOOP
    + "\ndef old_score(y, base):\n    return 1 / (base[y] * 3).sum()\n"
    + USE
    + MAIN,
}


def counting(text: str, **others: str) -> Counting:
    return _count({"train_gpt.py": HEAD + text, **{k.replace("__", "."): v for k, v in others.items()}})


def _count(files: dict[str, str]) -> Counting:
    tree = tree_of(files)
    made = Submission(Head("x", tree.fingerprint), Track.RECORD, dt.date(2026, 4, 20), tree)
    return count_bytes(tree, made.sources, made.config)


def verdict(text: str) -> tuple[Verdict, str]:
    found, reason, _ = judge(RULE, Example("A script.", {"train_gpt.py": HEAD + text}, Verdict.PASS))
    return found, reason


@pytest.mark.parametrize("way", WAYS)
def test_the_canonical_count_passes_however_it_is_written(way: str) -> None:
    """Protects honest participants from a reading that knows one spelling."""
    found, reason = verdict(WAYS[way].replace("EXTRA", "0"))
    assert found is Verdict.PASS, reason


@pytest.mark.parametrize("way", WAYS)
def test_a_space_counted_twice_fails_however_it_is_written(way: str) -> None:
    """Protects the metric from a count that hides behind another spelling."""
    found, reason = verdict(WAYS[way].replace("EXTRA", "1"))
    assert found is Verdict.FAIL, reason
    assert "leading space" in reason


def test_the_builder_may_live_in_another_file() -> None:
    text = "from tables import build\n" + USE + MAIN
    for extra, wrong in (("0", False), ("1", True)):
        found = counting(text, tables__py=HEAD + LOOP.replace("EXTRA", extra))
        assert [bool(c.differences) for c in found.counts] == [wrong]


MUST_FAIL = {
    "byte pieces by their name": (
        LOOP.replace("base[i] = 1\n            continue", "pass"),
        "length of their name",
    ),
    "byte pieces as the replacement character": (
        LOOP.replace("base[i] = 1\n", 'base[i] = len("\\ufffd".encode())\n'),
        "replacement character",
    ),
    "control pieces by their name": (
        LOOP.replace("            continue\n        edge", "            base[i] = 3; continue\n        edge"),
        "'<s>'",
    ),
    "the mark by its own bytes": (LOOP.replace("p = p[1:]", "pass"), "three bytes"),
    "a table times a factor": (
        LOOP.replace("return torch.tensor(base)", "return torch.tensor(base) * 2"),
        "wrongly",
    ),
}


def test_a_factor_on_the_sum_fails() -> None:
    found, reason = verdict(LOOP.replace("EXTRA", "0") + USE.replace("/ count)", "/ (count * 1.1))") + MAIN)
    assert found is Verdict.FAIL, reason


@pytest.mark.parametrize("case", MUST_FAIL)
def test_wrong_tables_fail_and_say_why(case: str) -> None:
    table, phrase = MUST_FAIL[case]
    found, reason = verdict(table.replace("EXTRA", "0") + USE + MAIN)
    assert found is Verdict.FAIL, reason
    assert phrase in reason


UNSETTLED = {
    "fewer bytes than the text has": USE.replace(" + (space[y] & ~edge[x]).to(torch.int16)", ""),
    "an unknown function in between": USE.replace(
        "loss / math.log(2.0) / count", "loss / math.log(2.0) / mend(count)"
    ),
    "a second score of which the division is not found": USE.replace(
        "    return (loss", "    keep(base[y].sum(), loss)\n    return (loss"
    ),
    "no division at all": USE.replace("loss / math.log(2.0) / count", "loss"),
}


@pytest.mark.parametrize("case", UNSETTLED)
def test_what_is_not_settled_is_neither_pass_nor_fail(case: str) -> None:
    found, reason = verdict(LOOP.replace("EXTRA", "0") + UNSETTLED[case] + MAIN)
    assert found is Verdict.UNDETERMINED, reason


HOSTILE = {
    "endless recursion": "def f(x):\n    return f(x + 1)\nf(0)\n",
    "an endless loop": "while True:\n    pass\n",
    "numbers without end": "x = 9\nfor i in range(10**9):\n    x = x ** x\n",
    "lists without end": "x = [0]\nwhile len(x) < 10**9:\n    x = x + x\ny = 'a' * 10**12\n",
    "ranges without end": (
        "for i in range(10**30):\n    pass\nlist(range(10**30)); len(range(10**30)); sum(range(10**9))\n"
    ),
    "deep calls": "".join(f"def f{i}(): return f{i + 1}()\n" for i in range(300)) + "f0()\n",
    "calls that double": "".join(f"def f{i}():\n    f{i + 1}(); f{i + 1}()\n" for i in range(40)) + "f0()\n",
    "text where a tokenizer is": (
        "import sentencepiece as s\ns.SentencePieceProcessor().id_to_piece('x').encode(7)\n"
    ),
    "strange formats": (
        "'{0:1000000000}'.format(1)\n'%1000000000d' % 1\n'a'.zfill(10**10)\nbytes(10**12)\n"
        "x = 'a' * 2**17\nx.replace('a', x)\nx.join([x] * 9**5)\n"
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_scripts_end_without_an_exception(case: str) -> None:
    found, _ = verdict(HOSTILE[case])
    assert found is Verdict.UNDETERMINED


@pytest.mark.parametrize(
    ("piece", "before", "count"),
    [
        (Piece("\u2581the"), Piece("a"), 4),
        (Piece("\u2581the"), Piece("<s>", Sort.CONTROL), 3),
        (Piece("\u00e9"), Piece("a"), 2),
        (Piece("<0xC3>", Sort.BYTE), Piece("a"), 1),
        (Piece("<s>", Sort.CONTROL), Piece("a"), 0),
        (Piece("\u2581"), Piece("a"), 1),
    ],
    ids=lambda value: ascii(value.text) if isinstance(value, Piece) else str(value),
)
def test_the_canonical_count(piece: Piece, before: Piece, count: int) -> None:
    """train_gpt.py of the challenge, build_sentencepiece_luts and eval_val."""
    assert piece.bytes_after(before) == count


def test_a_lone_byte_decodes_to_the_replacement_character() -> None:
    ids = [i for i, piece in enumerate(VOCABULARY) if piece.text in ("<0xC3>", "\u2581t")]
    assert decoded([ids[0]]) == "\ufffd"
    assert decoded([ids[1]]) == " t"


# -- tables in files -----------------------------------------------------------------------------------------


def npz(values: list[int], name: str = "base_bytes", descr: str = "<i2") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({len(values)},), }}".ljust(117) + "\n"
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", body + struct.pack(f"<{len(values)}h", *values))
    return out.getvalue()


def vocab(tokens: list[bytes]) -> bytes:
    records = (
        bytes([len(t)]) + t + b"\x80\x00" + b"\xff" * 6 + i.to_bytes(3, "little") + b"\0\0\0\0"
        for i, t in enumerate(tokens)
    )
    return b"\x02\x01\x01" + b"\0" * 21 + b"".join(records)


TOKENS = [bytes([i]) for i in range(1, 256)] + [b" the", "\u00e9".encode()]


@pytest.mark.parametrize(
    ("high", "wrong"), [(1, 0), (3, 128)], ids=["a byte counts one", "a byte counts three"]
)
def test_byte_tokens_of_a_shipped_table(high: int, wrong: int) -> None:
    """#1289: byte tokens counted as U+FFFD, which has three bytes."""
    values = [high if len(t) == 1 and t[0] > 127 else len(t) for t in TOKENS]
    files = {"t.meta.npz": npz(values), "t.vocab": vocab(TOKENS)}
    tree = FileTree({name: File(name, len(data), data) for name, data in files.items()})
    (found,) = table_files(tree)
    assert len(found.fragments or ()) == 128
    assert len(found.wrong) == wrong


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04" + b"\0" * 40, id="a torn archive"),
        pytest.param(npz([1, 2])[:-10], id="a cut archive"),
        pytest.param(npz([1, 2], "other"), id="another array"),
        pytest.param(npz([1, 2], descr="|O"), id="pickled objects"),
        pytest.param(npz([1, 2], descr="<i8"), id="shorter than its shape"),
        pytest.param(npz([1], descr="'+('9'*9**9)+'"), id="code in the header"),
    ],
)
def test_tables_that_cannot_be_read_are_none(data: bytes) -> None:
    assert byte_table(File("t.npz", len(data), data)) is None


@pytest.mark.parametrize("data", [b"", b"\x02" * 100, bytes(range(256)) * 50], ids=["empty", "twos", "bytes"])
def test_other_files_are_no_vocabulary(data: bytes) -> None:
    assert tokenmonster(data) is None
