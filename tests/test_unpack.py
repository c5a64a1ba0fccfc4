"""`golf-audit unpack` writes layers where it was told to and nowhere else."""

from __future__ import annotations

import base64
import lzma
import os
import sys
from pathlib import Path

import pytest

from golf_audit.errors import AuditError
from golf_audit.filetree import File, FileTree
from golf_audit.source import Sources, read_sources
from golf_audit.unpack import write_layers

INNER = "print('inside')\n" * 100
PACKED = base64.b85encode(lzma.compress(INNER.encode())).decode()
SHIM = f"import lzma, base64\nexec(lzma.decompress(base64.b85decode({PACKED!r})))\n"


def sources(files: dict[str, str]) -> Sources:
    made = {path: File(path, len(text.encode()), text.encode()) for path, text in files.items()}
    return read_sources(FileTree(made))


def module(name: str) -> str:
    """A script that installs a module by this name from a literal."""
    return f"import types\nm = types.ModuleType({name!r})\nexec('a = 1\\n', m.__dict__)\n" + "x = 1\n" * 50


def files_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_layers_become_files(tmp_path: Path) -> None:
    lines = write_layers(sources({"train_gpt.py": SHIM, "old/train_gpt.py": SHIM}), tmp_path / "out")
    assert files_in(tmp_path / "out") == ["old/train_gpt.py.1.py", "train_gpt.py.1.py"]
    assert (tmp_path / "out" / "train_gpt.py.1.py").read_text() == INNER
    assert lines[0].endswith("the program, 1,600 characters, base85, lzma, from train_gpt.py line 2")


def test_payloads_become_files(tmp_path: Path) -> None:
    scorer = "#include <math.h>\n" + "int f() { return 1; }\n" * 9
    script = f"from pathlib import Path\nPath('a/../../score.c').write_text({scorer!r})\n" + "x = 1\n" * 200
    write_layers(sources({"train_gpt.py": script}), tmp_path)
    assert files_in(tmp_path) == ["train_gpt.py.payload1.score.c"]


def test_a_plain_script_writes_nothing(tmp_path: Path) -> None:
    assert write_layers(sources({"train_gpt.py": "x = 1"}), tmp_path / "out") == [
        "nothing is packed: every script is readable as it is"
    ]
    assert not (tmp_path / "out").exists()


NAMES = ["../../out", "/etc/cron.d/x", "..", "C:\\windows\\x", "a\0b", "\x1b[31mred", "nul", "x" * 500, "a/b"]


@pytest.mark.parametrize("name", NAMES, ids=[repr(n)[:20] for n in NAMES])
def test_names_from_a_submission_stay_inside(tmp_path: Path, name: str) -> None:
    """Module names come from hostile text: no separators, devices or escapes reach the file system."""
    out = tmp_path / "deep" / "out"
    write_layers(sources({"train_gpt.py": module(name)}), out)
    written = files_in(tmp_path)
    assert len(written) == 1 and written[0].startswith("deep/out/train_gpt.py.1.")
    assert all(c.isalnum() or c in "._-/" for c in written[0]) and len(written[0]) < 150


def test_names_that_become_equal_are_told_apart(tmp_path: Path) -> None:
    script = "exec('a = 1\\n' * 90)\n"
    write_layers(
        sources({"a?/train_gpt.py": script, "a*/train_gpt.py": script, "A_/train_gpt.py": script}), tmp_path
    )
    assert len(files_in(tmp_path)) == 3


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "train_gpt.py.1.py"
    mine.write_text("mine")
    with pytest.raises(AuditError, match="exists"):
        write_layers(sources({"train_gpt.py": SHIM, "a.py": SHIM}), tmp_path)
    assert mine.read_text() == "mine"
    assert files_in(tmp_path) == ["train_gpt.py.1.py"], "nothing is written by halves"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_in_the_target_is_not_followed(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "old").symlink_to(elsewhere)
    with pytest.raises(AuditError, match="leads out of"):
        write_layers(sources({"old/train_gpt.py": SHIM}), out)
    assert files_in(elsewhere) == []
    os.unlink(out / "old")
    (out / "train_gpt.py.1.py").symlink_to(elsewhere / "new.py")
    with pytest.raises(AuditError, match="exists"):
        write_layers(sources({"train_gpt.py": SHIM}), out)
    assert files_in(elsewhere) == []
