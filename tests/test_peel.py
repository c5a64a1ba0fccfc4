"""Packed layers are unpacked by following constants, never by executing; what stays closed is named."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import zlib
from pathlib import Path

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golf_audit.filetree import File, FileTree
from golf_audit.peel.decoders import OUTPUT_CAP, DecodeError, gunzip, inflate, unbrotli, unbzip, unxz
from golf_audit.source import Module, read_sources

INNER = "import os\nprint('inside', os.getpid())\n" + "".join(f"value_{n} = {n} * {n}\n" for n in range(120))
RAW = [{"id": lzma.FILTER_LZMA2}]


def folder(**files: str | bytes) -> FileTree:
    """A submission of these files; a double underscore in a name is a dot, a triple one a slash."""
    made = {}
    for name, content in files.items():
        path = name.replace("___", "/").replace("__", ".")
        data = content.encode() if isinstance(content, str) else content
        made[path] = File(path, len(data), data)
    return FileTree(made)


def peeled(script: str, **siblings: str | bytes) -> Module:
    module = read_sources(folder(train_gpt__py=script, **siblings)).entry_module
    assert module is not None
    return module


def b85(data: bytes) -> str:
    return base64.b85encode(data).decode()


PRINTABLE = "".join(chr(33 + n * n * 31 % 94) for n in range(3000)).translate(
    dict.fromkeys(map(ord, "'\",\\"))
)
XZ = b85(lzma.compress(INNER.encode()))
RAW_XZ = b85(lzma.compress(INNER.encode(), format=lzma.FORMAT_RAW, filters=RAW))
DEFLATED = b85(zlib.compress(INNER.encode()))
PIECES = [XZ[at : at + 100] for at in range(0, len(XZ), 100)]
IMPORTS = "import lzma as L,base64 as B\n"

SHIMS = {
    "raw LZMA2 with its filters, as 78 pull requests do it": (
        f"{IMPORTS}exec(L.decompress(B.b85decode({RAW_XZ!r}),format=L.FORMAT_RAW,"
        'filters=[{"id":L.FILTER_LZMA2}]))\n',
        "base85, lzma raw",
    ),
    "raw LZMA2 with a preset in the filter": (
        f"{IMPORTS}exec(L.decompress(B.b85decode({RAW_XZ!r}),format=L.FORMAT_RAW,"
        "filters=[{'id':L.FILTER_LZMA2,'preset':9|L.PRESET_EXTREME}]).decode('utf-8'))",
        "base85, lzma raw",
    ),
    "xz of bytes, on one line": (
        f"import lzma,base64;exec(lzma.decompress(base64.b85decode({XZ.encode()!r})))",
        "base85, lzma",
    ),
    "many adjacent literals": (
        f"{IMPORTS}exec(L.decompress(B.b85decode((\n" + "\n".join(map(repr, PIECES)) + "\n))))",
        "base85, lzma",
    ),
    "a tuple of literals that is joined": (
        f"{IMPORTS}_DATA = ({', '.join(map(repr, PIECES))},)\n"
        f"exec(L.decompress(B.b85decode(''.join(_DATA))))",
        "base85, lzma",
    ),
    "a list that is filled by append": (
        f"{IMPORTS}d = []\n"
        + "".join(f"d.append({p!r})\n" for p in PIECES)
        + "exec(L.decompress(B.b85decode(''.join(d))))",
        "base85, lzma",
    ),
    "a sum of names": (
        f"{IMPORTS}a = {XZ[:200]!r}\nb = {XZ[200:]!r}\na += b\nexec(L.decompress(B.b85decode(a)))",
        "base85, lzma",
    ),
    "a triple-quoted literal whose line ends are replaced": (
        IMPORTS
        + 'b = b"""\n'
        + "\n".join(PIECES).replace("\\", "\\\\").replace('"', '\\"')
        + '"""\nexec(L.decompress(B.b85decode(b.replace(b"\\n", b""))).decode("utf-8"))',
        "base85, lzma",
    ),
    "names bound one after the other, with linecache": (
        f"{IMPORTS}import linecache as C\nS = L.decompress(B.b85decode({XZ!r}))\nS = S.decode()\n"
        "F = __file__ + '.x.py'\nC.cache[F] = (len(S), None, S.splitlines(True), F)\n"
        "exec(compile(S, F, 'exec'))",
        "base85, lzma",
    ),
    "functions imported by name": (
        f"from base64 import b85decode\nfrom zlib import decompress\n"
        f"exec(decompress(b85decode({DEFLATED!r})))",
        "base85, zlib",
    ),
    "base64 and brotli": (
        "import brotli as R, base64\n"
        f"exec(R.decompress(base64.b64decode({base64.b64encode(brotli.compress(INNER.encode())).decode()!r})))",
        "base64, brotli",
    ),
    "hexadecimal and bzip2": (
        f"import bz2\nexec(bz2.decompress(bytes.fromhex({bz2.compress(INNER.encode()).hex()!r})))",
        "hex, bzip2",
    ),
    "base32 and gzip": (
        "import gzip, base64 as b\n"
        f"exec(gzip.decompress(b.b32decode({base64.b32encode(gzip.compress(INNER.encode())).decode()!r})))",
        "base32, gzip",
    ),
    "a function of the script that unpacks": (
        f"{IMPORTS}def unpack(data, key=None):\n    raw = B.b85decode(data)\n"
        f"    return L.decompress(raw).decode()\n"
        f"if __name__ == '__main__':\n    exec(unpack({XZ!r}))",
        "base85, lzma",
    ),
    "a temporary file and runpy": (
        f"{IMPORTS}import os, runpy, tempfile\nc = L.decompress(B.b85decode({XZ!r}))\n"
        "d = tempfile.mkdtemp()\nf = os.path.join(d, 'train_gpt.py')\nopen(f, 'wb').write(c)\n"
        "runpy.run_path(f, run_name='__main__')",
        "base85, lzma",
    ),
    "a file beside the script and runpy": (
        f"{IMPORTS}import os, runpy\nc = L.decompress(B.b85decode({XZ!r}))\n"
        "p = os.path.join(os.path.dirname(os.path.abspath(__file__)), '_train.py')\n"
        "with open(p, 'wb') as out: out.write(c)\nrunpy.run_path(p, run_name='__main__')",
        "base85, lzma",
    ),
    "an importlib spec, under a condition": (
        f"{IMPORTS}import importlib.util as IU, os, sys\nc = L.decompress(B.b85decode({XZ!r}))\n"
        f"p = '/tmp/inner.py'\n"
        "if not os.path.exists(p) or os.path.getsize(p) != len(c):\n"
        "    with open(p, 'wb') as out: out.write(c)\n"
        "s = IU.spec_from_file_location('__main__', p)\nm = IU.module_from_spec(s)\nm.__name__ = '__main__'\n"
        "sys.modules['__main__'] = m\ns.loader.exec_module(m)",
        "base85, lzma",
    ),
    "a named temporary file and a subprocess": (
        f"{IMPORTS}import subprocess, sys, tempfile\n"
        f"with tempfile.NamedTemporaryFile(suffix='.py', delete=False) as f:\n"
        f"    f.write(L.decompress(B.b85decode({XZ!r})))\n"
        f"subprocess.run([sys.executable, f.name], check=True)",
        "base85, lzma",
    ),
    "a payload in a file of the folder": (
        "import lzma\nfrom pathlib import Path\n"
        "exec(lzma.decompress((Path(__file__).parent / 'code.xz').read_bytes()))",
        "read from code.xz, lzma",
    ),
}


@pytest.mark.parametrize(("script", "how"), SHIMS.values(), ids=SHIMS.keys())
def test_a_packed_script_is_unpacked(script: str, how: str) -> None:
    """Each form of the census; H02, and every rule that reads code, depends on it."""
    module = peeled(script, code__xz=lzma.compress(INNER.encode()))
    assert module.program.text == INNER
    assert module.program.how == how
    assert (module.faults, module.gaps) == ((), ())


def test_positions_lead_from_the_inner_line_to_the_payload() -> None:
    script = f"import lzma, base64\nx = 1; exec(lzma.decompress(base64.b85decode({XZ!r})))\n"
    layer = peeled(script).program
    assert layer.payload is not None
    assert (layer.payload.layer, layer.payload.line, layer.payload.column) == (0, 2, 46)
    assert layer.payload.quote.startswith("x = 1; exec(") and len(layer.payload.quote) <= 200
    assert layer.parsed.tree is not None
    where = layer.where(layer.parsed.tree.body[1])
    assert (where.file, where.layer, where.line, where.column) == ("train_gpt.py", 1, 2, 1)
    assert where.payload_line == 2
    assert where.quote == "print('inside', os.getpid())"


def test_a_shim_inside_a_shim_is_unpacked_twice() -> None:
    middle = f"import zlib, base64\nexec(zlib.decompress(base64.b85decode({DEFLATED!r})))"
    outer = f"{IMPORTS}exec(L.decompress(B.b85decode({b85(lzma.compress(middle.encode()))!r})))"
    module = peeled(outer)
    assert [layer.outer for layer in module.layers] == [None, 0, 1]
    assert module.program.text == INNER


def test_shims_are_opened_eight_deep_and_no_deeper() -> None:
    text = INNER
    for _ in range(12):
        text = f"import zlib\nexec(zlib.decompress({zlib.compress(text.encode())!r}))"
    module = peeled(text)
    assert len(module.layers) == 9
    assert any("more than 8 times" in fault.what for fault in module.faults)


def test_a_bundle_of_modules_becomes_named_layers() -> None:
    """#2052: local modules are installed in sys.modules from literals by a function of the script."""
    script = (
        "import sys, types\n"
        "def install(name, source):\n"
        "    module = types.ModuleType(name)\n"
        "    sys.modules[name] = module\n"
        "    exec(compile(source, module.__file__, 'exec'), module.__dict__)\n"
        "install('tools.quant', 'def grid(): return 1\\n')\n"
        "install('tools.load', 'import tools.quant\\n')\n"
        + "from tools.quant import grid\n"
        + "x = grid()\n" * 50
    )
    module = peeled(script)
    assert [(layer.name, layer.text) for layer in module.layers[1:]] == [
        ("tools.quant", "def grid(): return 1\n"),
        ("tools.load", "import tools.quant\n"),
    ]
    assert module.program.index == 0, "the readable script stays the program"
    assert module.gaps == (), "the call inside install() was followed for both modules"


def test_files_that_an_outer_layer_writes_are_found_by_the_inner_one() -> None:
    """#1518: a packed runner imports modules that the shim unpacked beside it."""
    parts = [
        "import helper\nhelper.run()\n" + "x = 1\n" * 400,
        "def run(): pass\n",
        "int main() { return 0; }\n" * 8,
    ]
    payload = b85(lzma.compress("\n#---\n".join(parts).encode()))
    script = (
        f"{IMPORTS}import os, sys, tempfile\n"
        f"t = L.decompress(B.b85decode({payload!r})).decode().split('\\n#---\\n')\n"
        "d = tempfile.mkdtemp()\n"
        "for n, c in zip(['runner.py', 'helper.py', 'native/kernel.cpp'], t):\n"
        "    f = os.path.join(d, n); os.makedirs(os.path.dirname(f), exist_ok=True)\n"
        "    open(f, 'w').write(c)\n"
        "sys.path.insert(0, d)\nexec(open(os.path.join(d, 'runner.py')).read())"
    )
    module = peeled(script, helper__py="raise SystemExit  # not the one that is imported\n")
    assert module.program.text == parts[0]
    helper = module.named("helper")
    assert helper is not None and helper.text == parts[1]
    assert helper.payload == module.program.payload
    assert [(p.kind, p.text) for p in module.payloads] == [("C source", parts[2])]


def test_carried_sources_and_data_are_described() -> None:
    """#1857 and #2123 carry scorers in C, #2012 a dictionary: payloads, never silent gaps."""
    words = "\n".join(f"word{n}" for n in range(2000))
    packed = base64.b64encode(zlib.compress(words.encode())).decode()
    lines = "\n".join(repr(packed[at : at + 120]) for at in range(0, len(packed), 120))
    weights = base64.b85encode(bytes(n * n * 31 % 251 for n in range(3000))).decode()
    module = peeled(
        "import base64, zlib\n"
        f"WORDS = (\n{lines}\n)\n"
        "SCORER = '''#include <stdint.h>\nint score(int x) { return x; }\n" + "// more\n" * 20 + "'''\n"
        "KERNEL = '''__global__ void k(float *x) { x[0] = 1; }\n" + "// more\n" * 20 + "'''\n"
        f"WEIGHTS = {weights!r}\n"
        "def load(data): return zlib.decompress(base64.b64decode(data)).decode()\n"
        "def words(): return load(WORDS)\n" + "print(words())\n" * 60
    )
    assert [(p.kind, p.how) for p in module.payloads] == [
        ("text", ("base64", "zlib")),
        ("C source", ()),
        ("CUDA source", ()),
        ("binary", ("base85",)),
    ]
    assert module.payloads[0].text == words
    assert len(module.layers) == 1


CLOSED = {
    "a text from the network": (
        "import urllib.request as u\nexec(u.urlopen('http://x').read())",
        "executes a text that could not be followed",
    ),
    "a text that depends on a secret": (
        "import os, zlib\nexec(zlib.decompress(os.environ['CODE'].encode()))",
        "executes a text that could not be followed",
    ),
    "truncated data": (
        f"{IMPORTS}exec(L.decompress(B.b85decode({XZ[:-40]!r})))",
        "ends too early",
    ),
    "damaged data": (
        f"{IMPORTS}exec(L.decompress(B.b85decode({'A' * 40 + XZ[40:]!r})))",
        "not lzma data",
    ),
    "a marshalled code object": (
        "import marshal\nexec(marshal.loads(b'" + "a" * 500 + "'))",
        "a marshalled code object",
    ),
    "zstd, which needs a package": (
        "import zstandard as z\nexec(z.decompress(b'" + "a" * 500 + "'))",
        "zstd data",
    ),
    "a file that is not in the folder": (
        "exec(open('other.py').read())",
        "could not be followed",
    ),
    "a script above the folder": (
        "import runpy\nfrom pathlib import Path\n"
        "runpy.run_path(str(Path(__file__).resolve().parents[2] / 'train_gpt.py'))",
        "executes ../../train_gpt.py, which is not in the submission's folder",
    ),
    "a name that the environment gives": (
        "import os, runpy\nrunpy.run_path(os.environ['SCRIPT'])",
        "a file whose name could not be followed",
    ),
    "a literal with its own packing": (
        f"KEY = {PRINTABLE!r}",
        "looks packed and could not be unpacked",
    ),
}


@pytest.mark.parametrize(("script", "says"), CLOSED.values(), ids=CLOSED.keys())
def test_what_cannot_be_opened_is_named_with_its_line(script: str, says: str) -> None:
    """An unread part is `undetermined` with its reason, never a silent pass."""
    sources = read_sources(folder(train_gpt__py=script))
    found = [fault for fault in sources.faults if says in fault.what]
    assert found, sources.faults
    assert found[0].where.file == "train_gpt.py" and found[0].where.line is not None


HIDDEN = b85(zlib.compress(b"print('hidden')"))
EVASIONS = {
    "exec under another name": "e = exec\ndef f(x): e(x)\nf(open(p).read())",
    "exec by attribute": "import builtins as b\nb.exec(load())",
    "exec by a name that is put together": "import builtins\n"
    "def f(x): getattr(builtins, 'ex' + 'ec')(x)\nf(y)",
    "exec of __import__": "__import__('builtins').exec(load())",
    "exec with starred arguments": "a = load()\nexec(*a)",
    "exec in a comprehension": "[exec(c) for c in load()]",
    "exec in a lambda": "run = lambda c: exec(c)\nrun(load())",
    "exec in a default": "def f(x=exec(load())): pass",
    "exec in a decorator": "@exec(load())\ndef f(): pass",
    "exec in a method": "class A:\n    def go(self): exec(self.text)\nA().go()",
    "a code object made a function": "import types\ntypes.FunctionType(compile(load(), 'x', 'exec'), {})()",
    "a name that a function changes": "c = 'x = 1'\ndef f():\n    global c\n    c = load()\nf()\nexec(c)",
    "a name that globals() changes": "c = 'x = 1'\nglobals()[key()] = load()\nexec(c)",
    "a name that a handler changes": "c = 'x = 1'\ntry:\n    c = int(c)\nexcept ValueError:\n"
    "    c = load()\nexec(c)",
    "a name that a loop changes": "c = 'x = 1'\nwhile more():\n    c = load()\nexec(c)",
    "a name that a branch changes": "import os\nc = 'x = 1'\nif os.environ.get('A'):\n"
    "    c = load()\nexec(c)",
    "a name that a loop variable shadows": "c = 'x = 1'\nfor c in load():\n    exec(c)",
    "a function that is also called with a constant": "def f(c): exec(c)\nf('x = 1')\nf(load())",
    "a name that a parameter shadows": "c = 'x = 1'\ndef f(c): exec(c)\nf(load())",
    "a name of an enclosing function": "c = 'x = 1'\ndef f():\n    c = load()\n"
    "    def g(): exec(c)\n    g()\nf()",
    "a list that is changed": "c = ['x = 1']\nc.insert(0, load())\nexec(c[0])",
    "a dictionary that is changed": "c = {'a': 'x = 1'}\nc['a'] = load()\nexec(c['a'])",
    "a decoder that is replaced": (
        f"import zlib, base64\nzlib.decompress = load()\nexec(zlib.decompress(base64.b85decode({HIDDEN!r})))"
    ),
    "a decoder from a file of the folder": (
        f"import zlib, codec\nexec(codec.decompress(zlib.decompress(codec.b85decode({HIDDEN!r}))))"
    ),
    "a standard module that a file of the folder shadows": (
        f"import bz2, base64\nexec(bz2.decompress(base64.b85decode({b85(bz2.compress(b'x = 1'))!r})))"
    ),
    "names from a star import of the folder": "c = 'x = 1'\nfrom codec import *\nexec(c)",
}


@pytest.mark.parametrize("script", EVASIONS.values(), ids=EVASIONS.keys())
def test_what_is_executed_is_not_guessed(script: str) -> None:
    """Wherever a name may hold something else, the call is a named gap; it never passes as followed."""
    sources = read_sources(folder(train_gpt__py=script, bz2__py="x = 1", codec__py="c = 1"))
    assert any("could not be followed" in fault.what for fault in sources.faults), sources.faults


QUIET = {
    "model.eval() and torch.compile are methods": "import torch\nm.eval()\nm = torch.compile(m)\n"
    "model.exec(x)\n",
    "a script that packs itself": (
        "import base64, lzma\nencoded = base64.b85encode(lzma.compress(code)).decode()\n"
        "wrapper = b'import lzma as L,base64 as B\\nexec(L.decompress(B.b85decode(\"' + encoded + "
        "b'\")))\\n'\n"
    ),
    "weights that are unpacked from the artifact": "import zlib\n"
    "q = zlib.decompress(open('final_model.ptz', "
    "'rb').read())\n",
    "a long docstring and a help text": f"'''{'The order of the layers follows the paper. ' * 40}'''\n",
    "a long table of names": f"NAMES = '{','.join(f'name_{n}' for n in range(300))}'\n",
    "a long regular expression": "import re\nP = re.compile(r'" + "(?:[a-z]+|[0-9]{2,4})" * 40 + "')\n",
    "prose without one space": f"x = '{'a' * 3000}'\n",
    "a url and a path": f"U = 'https://huggingface.co/{'a/b-c_d' * 90}'\n",
    "its own source, read for the log": "code = open(__file__).read()\nprint(len(code))\n",
    "an import of a package": "import torch, numpy as np\nimport importlib\n"
    "importlib.import_module('flash_attn_interface')\n",
    "a tool that is started": "import subprocess\nsubprocess.run(['nvidia-smi'], check=False)\n"
    "subprocess.run(cmd)\n",
    "exec in a function that nothing names": "def debug(text):\n    exec(text)\n",
    "a name called exec of an object": "class A:\n    def exec(self, q): return q\nA().exec(q)\n",
}


@pytest.mark.parametrize("script", QUIET.values(), ids=QUIET.keys())
def test_honest_code_leaves_no_fault_and_no_layer(script: str) -> None:
    sources = read_sources(folder(train_gpt__py=script + "x = 1\n" * 20))
    module = sources.entry_module
    assert module is not None
    assert (sources.faults, len(module.layers), module.payloads) == ((), 1, ())


BOMB = b"\0" * (OUTPUT_CAP * 4)
BOMBS = {
    "zlib": (inflate, zlib.compress(BOMB)),
    "gzip": (gunzip, gzip.compress(BOMB)),
    "xz": (unxz, lzma.compress(BOMB, preset=0)),
    "bzip2": (unbzip, bz2.compress(BOMB)),
    "brotli": (unbrotli, brotli.compress(BOMB, quality=1)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_stops_at_the_cap(name: str) -> None:
    decoder, data = BOMBS[name]
    with pytest.raises(DecodeError, match="more than"):
        decoder(data)  # type: ignore[operator]


def test_an_lzma_dictionary_of_four_gigabytes_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**32 - 1}]
    with pytest.raises(DecodeError, match="dictionary"):
        unxz(b"\x00", lzma.FORMAT_RAW, filters)


GREEDY = {
    "a repeated text": "x = 'a' * 10**12\nexec(x)",
    "a text that doubles": "x = 'aaaaaaaa'\n" + "x = x + x\n" * 60 + "exec(x)",
    "a replacement that grows": "x = 'a' * 100000\n" + "x = x.replace('a', x)\n" * 5 + "exec(x)",
    "a number with a billion digits": "x = 10 ** 10 ** 9\nexec(str(x))",
    "a shift": "x = 1 << 10**12\nexec(str(x))",
    "a list that doubles": "x = [1]\n" + "x = x + x\n" * 60 + "exec(str(x))",
    "a loop in a loop in a loop": "for a in [1] * 2000:\n for b in [1] * 2000:\n"
    "  for c in [1] * 2000:\n   exec(d)",
    "a chain of 60 calls in 12 functions that call each other in a chain": (
        "".join(f"def f{n}(x): return f{n + 1}(x{'.strip()' * 60})\n" for n in range(12))
        + "def f12(x): exec(x)\nf0(load())"
    ),
    "functions that call each other": "def f(x): return g(x)\ndef g(x): return f(x)\nexec(f('a'))",
    "a range of a billion": "exec(''.join(chr(c) for c in range(10**9)))",
    "format with a huge width": "x = '{:>999999999}'.format('a')\nexec(x)",
    "an f-string with a huge width": "w = 999999999\nx = f'{1:>{w}}'\nexec(x)",
    "padding": "x = 'a'.ljust(10**10).center(10**10).zfill(10**10)\nexec(x)",
}


@pytest.mark.parametrize("script", GREEDY.values(), ids=GREEDY.keys())
def test_the_evaluator_cannot_be_made_to_eat_memory_or_time(script: str) -> None:
    """Constants are combined under caps; the call that was not followed stays a named gap."""
    sources = read_sources(folder(train_gpt__py=script))
    assert sources.faults


def test_nothing_of_a_submission_is_executed(tmp_path: Path) -> None:
    """The evaluator knows `open` and `exec`; they must only be modelled."""
    marker = (tmp_path / "ran").as_posix()
    script = (
        f"open({marker!r}, 'w').write('x')\nexec('open({marker!r}, \"w\")')\n"
        f"import os, subprocess\nos.system('touch {marker}')\nsubprocess.run(['touch', {marker!r}])\n"
    )
    read_sources(folder(train_gpt__py=script))
    assert list(tmp_path.iterdir()) == []


# fmt: off
FUNCTIONS = st.sampled_from([
    "B.b85decode", "L.decompress", "Z.decompress", "bytes", "str", "len", "list", "zip", "open", "exec",
    "Path", "os.path.join", "os.path.dirname", "tempfile.mkdtemp", "runpy.run_path", "subprocess.run", "chr",
    "types.ModuleType", "U.spec_from_file_location", "sys.path.insert", "int", "dict", "f",
    "bytes.fromhex", "compile",
])
METHODS = st.sampled_from([
    "decode", "encode", "replace", "join", "split", "read", "write", "read_text", "write_bytes", "parent",
    "resolve", "with_name", "append", "loader", "exec_module", "items", "get", "__dict__",
    "partition", "strip",
])
SHAPES = st.sampled_from([
    "x = {}", "x += {}", "x, y = {}", "exec({})", "for y in {}: x = x + y", "while {}: x = y", "f({})",
    "with open('a', 'wb') as y: y.write({})", "if {}: x = y\nelse: x = 'b'", "def f(a): return {}",
    "try: x = {}\nexcept A: y = x", "x.a = {}", "x[{}] = y", "import a as x",
])
# fmt: on
LEAVES = st.sampled_from(
    ("x", "y", "'a'", "b'a'", "''", "0", "-1", "10**9", "__file__", "None", "'w'", "sys", "f")
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions over smaller ones, of every shape that the evaluator knows."""
    some = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(FUNCTIONS, some).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(inner, METHODS, some).map(lambda p: f"({p[0]}).{p[1]}({p[2]})"),
        st.tuples(inner, METHODS).map(lambda p: f"({p[0]}).{p[1]}"),
        st.tuples(inner, st.sampled_from("+*%/-|^"), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}:]"),
        st.tuples(inner, inner).map(lambda p: f"[{p[0]} for y in {p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} if {p[1]} else x)"),
        st.tuples(inner, inner).map(lambda p: f"{{{p[0]}: {p[1]}}}"),
        some.map(lambda p: f"[{p}]"),
        inner.map(lambda p: f"f'{{{p}}}'"),
    )


STATEMENTS = st.tuples(SHAPES, st.recursive(LEAVES, larger, max_leaves=8)).map(
    lambda p: p[0].replace("{}", p[1])
)
HEADER = (
    "import base64 as B, lzma as L, zlib as Z, importlib.util as U\n"
    "import os, runpy, subprocess, sys, tempfile, types\n"
    "from pathlib import Path\n"
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STATEMENTS, max_size=12).map("\n".join))
def test_any_program_is_read_without_an_exception(program: str) -> None:
    read_sources(folder(train_gpt__py=HEADER + program))
