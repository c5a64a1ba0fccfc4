"""Which script a run starts with, what it launches, and where a position leads."""

from __future__ import annotations

import pytest

from golf_audit.filetree import File, FileTree
from golf_audit.source import Sources, read_sources

LONG = "x = 1\n" * 900


def sources(files: dict[str, str]) -> Sources:
    made = {path: File(path, len(text.encode()), text.encode()) for path, text in files.items()}
    return read_sources(FileTree(made))


ENTRIES = {
    "train_gpt.py at the top": ({"train_gpt.py": "a=1", "train_gpt_v2.py": "b=1"}, "train_gpt.py"),
    "train_gpt.py below, where the top has none": (
        {"human/train_gpt.py": "a=1", "prepare.py": "b=1"},
        "human/train_gpt.py",
    ),
    "the train_gpt_*.py that README starts": (
        {
            "train_gpt_a.py": "a=1",
            "train_gpt_long_name.py": "b=1",
            "README.md": "```\nRUN_ID=x torchrun --standalone \\\n"
            "  --nproc_per_node=8 train_gpt_long_name.py\n```",
        },
        "train_gpt_long_name.py",
    ),
    "the only train_gpt_*.py": ({"train_gpt_lzma.py": "a=1", "prepare.py": "b=1"}, "train_gpt_lzma.py"),
    "the script of a shell script": (
        {
            "run.sh": "set -e\npython3 prepare.py\ntorchrun -n 8 records/x/main.py\n",
            "main.py": "a=1",
            "b.py": "b=1",
        },
        "main.py",
    ),
    "the only script": ({"solution.py": "a=1"}, "solution.py"),
    "an empty train_gpt.py, when nothing else can be it": (
        {"train_gpt.py": "", "notes.md": "x"},
        "train_gpt.py",
    ),
    "another script, when train_gpt.py is empty and README starts it": (
        {"train_gpt.py": "", "train.py": "a=1", "data.py": "b=1", "README.md": "    python train.py"},
        "train.py",
    ),
    "none in a folder of logs": ({"train.log": "step:1"}, None),
    "none where two scripts have equal rights": ({"a.py": "a=1", "b.py": "b=1"}, None),
}


@pytest.mark.parametrize(("files", "entry"), ENTRIES.values(), ids=ENTRIES.keys())
def test_the_entry_is(files: dict[str, str], entry: str | None) -> None:
    assert sources(files).entry == entry


def test_an_empty_script_and_a_missing_one_are_faults() -> None:
    """#73 was merged with a train_gpt.py of 0 bytes, and seven folders copy it."""
    assert [f.what for f in sources({"train_gpt.py": ""}).faults] == ["empty: it holds no statement"]
    assert [f.what for f in sources({"x.log": ""}).faults] == [
        "no train_gpt.py and no script that stands for it"
    ]


LAUNCHES = {
    "an import": ({"train_gpt.py": "import helper"}, ["helper.py"]),
    "an import inside a function": ({"train_gpt.py": "def f():\n    from helper import a"}, ["helper.py"]),
    "an import of a member": ({"train_gpt.py": "from pkg.sub import x"}, ["pkg/__init__.py", "pkg/sub.py"]),
    "a member that is a module": ({"train_gpt.py": "from pkg import sub"}, ["pkg/__init__.py", "pkg/sub.py"]),
    "an import by name": (
        {"train_gpt.py": "import importlib\nimportlib.import_module('helper')"},
        ["helper.py"],
    ),
    "__import__": ({"train_gpt.py": "h = __import__('helper')"}, ["helper.py"]),
    "sys.path and pathlib": (
        {
            "train_gpt.py": "import sys\nfrom pathlib import Path\nHERE = Path(__file__).resolve().parent\n"
            "sys.path.insert(0, str(HERE / 'vendor'))\nfrom deep import x"
        },
        ["vendor/deep.py"],
    ),
    "exec of a sibling's text, as #1412 does": (
        {"train_gpt.py": "exec(open(__file__.replace('train_gpt.py', 'helper.py')).read())"},
        ["helper.py"],
    ),
    "compile of a sibling's text": (
        {
            "train_gpt.py": "import os\n"
            "p = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'helper.py')\n"
            "with open(p) as f: code = f.read()\nexec(compile(code, p, 'exec'), globals())"
        },
        ["helper.py"],
    ),
    "runpy": (
        {"train_gpt.py": "import runpy\nrunpy.run_path('helper.py', run_name='__main__')"},
        ["helper.py"],
    ),
    "an importlib spec": (
        {
            "train_gpt.py": "import importlib.util as u, os\nHERE = os.path.dirname(__file__)\n"
            "s = u.spec_from_file_location('h', os.path.join(HERE, 'helper.py'))\n"
            "m = u.module_from_spec(s)\ns.loader.exec_module(m)"
        },
        ["helper.py"],
    ),
    "a function that loads the file it is given": (
        {
            "train_gpt.py": "from pathlib import Path\nimport importlib.util as u\ndef load(path, name):\n"
            "    s = u.spec_from_file_location(name, path)\n    m = u.module_from_spec(s)\n"
            "    s.loader.exec_module(m)\n    return m\n"
            "h = load(Path(__file__).with_name('helper.py'), 'h')"
        },
        ["helper.py"],
    ),
    "a subprocess": (
        {
            "train_gpt.py": "import subprocess, sys\n"
            "subprocess.run([sys.executable, 'helper.py', '--x'], check=True)"
        },
        ["helper.py"],
    ),
    "a command line": ({"train_gpt.py": "import os\nos.system('python helper.py --seed 1')"}, ["helper.py"]),
    "torchrun from Python": (
        {"train_gpt.py": "import subprocess\nsubprocess.check_call(['torchrun', '-n', '8', 'helper.py'])"},
        ["helper.py"],
    ),
    "an interpreter that the environment names": (
        {
            "train_gpt.py": "import os, subprocess\n"
            "subprocess.run([os.environ.get('P', 'torchrun'), 'helper.py'])"
        },
        ["helper.py"],
    ),
    "python after other words of a shell command": (
        {"train_gpt.py": "import os\nos.system('cd . && OMP=1 python3 -u helper.py')"},
        ["helper.py"],
    ),
    "a copy of a script is not a run of it": (
        {
            "train_gpt.py": "import subprocess\n"
            "subprocess.run(['curl', '-o', 'get-pip.py', 'https://x/get-pip.py'])"
        },
        [],
    ),
    "a compiled program, as #119 does": (
        {"train_gpt.py": "import subprocess\nsubprocess.run(['./runtime', 'a'])"},
        ["runtime"],
    ),
    "nothing of the folder": ({"train_gpt.py": "import torch\nfrom helpers import x\nimport os.path"}, []),
    "a name in a text or a comment": ({"train_gpt.py": "# import helper\nx = 'import helper'"}, []),
    "a file that is only read": ({"train_gpt.py": "code = open('helper.py').read()\nprint(code)"}, []),
    "itself": ({"train_gpt.py": "code = open(__file__).read()\nexec(code)"}, []),
}
FOLDER = {
    "helper.py": "a = 1",
    "pkg/__init__.py": "",
    "pkg/sub.py": "x = 1",
    "vendor/deep.py": "x = 1",
    "runtime": "\x7fELF",
}


@pytest.mark.parametrize(("files", "launched"), LAUNCHES.values(), ids=LAUNCHES.keys())
def test_a_script_launches(files: dict[str, str], launched: list[str]) -> None:
    """Siblings that run are counted as code (A02) and read by every rule; others are not."""
    found = sources(FOLDER | files)
    assert list(found.launched["train_gpt.py"]) == launched
    assert list(found.executed) == ["train_gpt.py", *launched]
    assert found.faults == ()


def test_launching_is_followed_through_packages_and_search_paths() -> None:
    """#998: a launcher of twelve lines, a vendored package with relative imports, a helper beside it."""
    found = sources(
        {
            "train_gpt.py": "import sys\nfrom pathlib import Path\n"
            "sys.path.insert(0, str(Path(__file__).parent / 'v'))\n"
            "from pkg.cli import main\nmain()",
            "v/pkg/__init__.py": "",
            "v/pkg/cli.py": "from . import model\nfrom .deep.er import x\nimport beside",
            "v/pkg/model.py": LONG,
            "v/pkg/deep/er.py": "from ..model import y",
            "v/beside.py": "import train_gpt",
            "prepare.py": "import train_gpt",
        }
    )
    assert set(found.executed) == {
        "train_gpt.py",
        "v/pkg/__init__.py",
        "v/pkg/cli.py",
        "v/pkg/model.py",
        "v/pkg/deep/er.py",
        "v/beside.py",
    }


MAINS = {
    "the script itself": ({"train_gpt.py": LONG + "import helper", "helper.py": LONG * 2}, "train_gpt.py"),
    "the file that a launcher executes": (
        {"train_gpt.py": "exec(open('train_gpt_decode.py').read())", "train_gpt_decode.py": LONG},
        "train_gpt_decode.py",
    ),
    "the file that a launcher imports, two steps on": (
        {"train_gpt.py": "from a import main\nmain()", "a.py": "from b import main", "b.py": LONG},
        "b.py",
    ),
    "a launcher whose target is missing": (
        {"train_gpt.py": "from absent import main\nmain()"},
        "train_gpt.py",
    ),
    "two files that import each other": (
        {"train_gpt.py": "import a", "a.py": "import train_gpt\nx=1"},
        "a.py",
    ),
}


@pytest.mark.parametrize(("files", "main"), MAINS.values(), ids=MAINS.keys())
def test_the_work_is_done_by(files: dict[str, str], main: str) -> None:
    found = sources(files).main
    assert found is not None and found.file == main


def test_gaps_count_only_in_files_that_a_run_executes() -> None:
    """A smoke test that execs what it likes is no gap in the evidence about the run."""
    dark = "import os, runpy\nrunpy.run_path(os.environ['A'])"
    assert sources({"train_gpt.py": LONG, "smoke_test.py": dark}).faults == ()
    found = sources({"train_gpt.py": "import smoke_test", "smoke_test.py": dark})
    assert [(f.where.file, f.where.line) for f in found.faults] == [("smoke_test.py", 2)]


def test_a_broken_file_is_a_fault_with_its_line() -> None:
    found = sources({"train_gpt.py": LONG, "old.py": "x = 1\nprint x\n"})
    assert [(f.where.file, f.where.line) for f in found.faults] == [("old.py", 2)]
    assert found.modules["old.py"].program.parsed.tree is None


def test_a_position_quotes_its_line() -> None:
    found = sources({"train_gpt.py": "if a:\n    train( 'x' )  # now\n" + "y = 1; " * 200 + "z = 2\n"})
    module = found.entry_module
    assert module is not None
    layer = module.program
    assert layer.parsed.tree is not None
    where = layer.where(layer.parsed.tree.body[0].body[0])  # type: ignore[attr-defined]
    assert (where.line, where.column, where.quote) == (2, 5, "train( 'x' )  # now")
    last = layer.where(layer.parsed.tree.body[-1])
    assert (last.line, last.column) == (3, 1401)
    assert last.quote.endswith("z = 2") and len(last.quote) <= 200


def test_bytes_of_any_kind_are_read() -> None:
    """UTF-16 from PowerShell, a BOM, CRLF, Latin-1 and noise: text, or a fault, never an exception."""
    script = "x = 'a'\ny = 2\n"
    for data in (script.encode("utf-8-sig"), script.encode("utf-16"), script.replace("\n", "\r\n").encode()):
        found = read_sources(FileTree({"train_gpt.py": File("train_gpt.py", len(data), data)}))
        assert found.faults == () and found.entry_module is not None
        assert found.entry_module.program.lines[1] == "y = 2"
    for data in (b"x = '\xe9'\n", bytes(range(256)) * 40, b"\x80\x02}q\x00."):
        found = read_sources(FileTree({"train_gpt.py": File("train_gpt.py", len(data), data)}))
        assert found.faults != ()
