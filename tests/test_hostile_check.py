"""Hostile folders: `golf-audit check` gives one clear line and exit 2, or findings, never a traceback.

Every case runs the real command in a process of its own, as a user or a gate would.
"""

from __future__ import annotations

import base64
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LEGAL = Path(__file__).parents[1] / "examples" / "track_10min_16mb" / "2026-04-20_ScoreFirstTTT"
FORMATS = ("text", "json", "markdown", "sarif", "github")


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "golf_audit", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="strict", cwd=cwd, timeout=120, check=False
    )


def folder_with(tmp_path: Path, **changed: bytes | None) -> Path:
    """The legal example with files replaced (bytes), added, or removed (None). `__` in a name is a dot."""
    folder = tmp_path / "track_10min_16mb" / "2026-04-20_Hostile"
    folder.mkdir(parents=True)
    files: dict[str, bytes | None] = {p.name: p.read_bytes() for p in LEGAL.iterdir()}
    files |= {name.replace("__", "."): data for name, data in changed.items()}
    for name, data in files.items():
        if data is not None:
            (folder / name).write_bytes(data)
    return folder


def assert_clean(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.returncode in codes, (done.returncode, done.stderr, done.stdout[-2000:])


# --- usage: one line, exit 2 ------------------------------------------------------------------------------


def test_missing_folder_is_one_line(tmp_path: Path) -> None:
    done = run("check", tmp_path / "nowhere")
    assert_clean(done, 2)
    assert "no such folder" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_file_instead_of_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "train_gpt.py").write_text("pass\n")
    done = run("check", tmp_path / "train_gpt.py")
    assert_clean(done, 2)
    assert len(done.stderr.strip().splitlines()) == 1


def test_empty_folder_is_one_line(tmp_path: Path) -> None:
    done = run("check", tmp_path)
    assert_clean(done, 2)
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_is_a_finding(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    (folder / "submission.json").chmod(0)
    assert_clean(run("check", folder), 1, 3)


def test_not_a_clone_is_one_line(tmp_path: Path) -> None:
    done = run("check", "--repo", tmp_path, "--pr", "1")
    assert_clean(done, 2)
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check"], id="no folder at all"),
        pytest.param(["check", ".", "--pr", "3"], id="a pull request without a clone"),
        pytest.param(["check", "--repo", "."], id="a clone without a pull request"),
        pytest.param(["check", ".", "--as-of", "tomorrow"], id="a date that is none"),
        pytest.param(["check", ".", "--rule", "Z99"], id="a rule that does not exist"),
        pytest.param(["check", ".", "--strict", "--exit-zero"], id="two flags that contradict"),
        pytest.param(["rules", "Z99"], id="the page of a rule that does not exist"),
        pytest.param(["schema", "nothing"], id="a schema that does not exist"),
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert_clean(run(*arguments, cwd=LEGAL), 2)


# --- submission.json ---------------------------------------------------------------------------------------

BROKEN_JSON = {
    "text after the closing brace": b'{"val_bpb": 1.1}\nSee README\n',
    "object never closed": b'{"val_bpb": 1.1, "name": "x"',
    "trailing comma": b'{"val_bpb": 1.1,}',
    "unterminated string with a raw newline": b'{"name": "first\nsecond", "val_bpb": 1.1}',
    "markdown fence residue": b'json\n{"val_bpb": 1.1}',
    "unescaped quote inside a string": b'{"name": "the "best" run", "val_bpb": 1.1}',
    "a shell heredoc": b'cat > submission.json <<EOF\n{"val_bpb": 1.1}\nEOF\n',
    "NaN for a number": b'{"val_bpb": NaN}',
    "an empty file": b"",
    "not an object": b"[1, 2, 3]",
    "binary": bytes(range(256)) * 4,
    "100,000 nested brackets": b"[" * 100_000,
    "a number of 100,000 digits": b'{"val_bpb": ' + b"9" * 100_000 + b"}",
}


@pytest.mark.parametrize("data", [pytest.param(d, id=i) for i, d in BROKEN_JSON.items()])
def test_broken_submission_json_is_a_finding_of_r02(tmp_path: Path, data: bytes) -> None:
    done = run("check", "--format", "json", folder_with(tmp_path, submission__json=data))
    assert_clean(done, 1, 3)
    rulings = {r["rule"]: r for r in json.loads(done.stdout)["rulings"]}
    assert rulings["R02"]["verdict"] == "fail"
    assert rulings["R02"]["reason"]


def test_byte_order_mark_before_the_object_is_read(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + (LEGAL / "submission.json").read_bytes()
    done = run("check", "--format", "json", folder_with(tmp_path, submission__json=data))
    rulings = {r["rule"]: r["verdict"] for r in json.loads(done.stdout)["rulings"]}
    assert rulings["R02"] == "pass"


# --- sources -----------------------------------------------------------------------------------------------


def bomb() -> bytes:
    """8 GB of zeros in a few hundred bytes of xz, inside a shim."""
    compressor = lzma.LZMACompressor(preset=0)
    packed = b"".join(compressor.compress(bytes(2**24)) for _ in range(16)) + compressor.flush()
    return b"import base64,lzma\nexec(lzma.decompress(base64.b85decode(%r)))\n" % base64.b85encode(packed)


HOSTILE_SOURCES: dict[str, Callable[[], bytes]] = {
    "0 bytes": lambda: b"",
    "binary": lambda: bytes(range(256)) * 64,
    "100,000 nested brackets": lambda: b"x = " + b"(" * 100_000 + b"1" + b")" * 100_000,
    "a sum of 10,000 terms": lambda: b"x = " + b"+".join([b"1"] * 10_000) + b"\n",
    "a decompression bomb": bomb,
    "UTF-16": lambda: "import os\n".encode("utf-16"),
    "a line of 5 MB": lambda: b"x = '" + b"a" * 5_000_000 + b"'\n",
    "a million newlines": lambda: b"\n" * 1_000_000,
    "NUL characters": lambda: b"import os\x00\nprint(1)\n",
}


@pytest.mark.parametrize("make", [pytest.param(m, id=i) for i, m in HOSTILE_SOURCES.items()])
def test_hostile_source_gives_findings(tmp_path: Path, make: Callable[[], bytes]) -> None:
    assert_clean(run("check", "--timeout", "10", folder_with(tmp_path, train_gpt__py=make())), 1, 3)


def test_nothing_of_the_submission_is_imported_or_executed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    trap = f"open({str(marker)!r}, 'w').close()\n".encode()
    names = ("click", "lzma", "rich", "libcst", "ast", "json", "golf_audit", "sitecustomize", "usercustomize")
    folder = folder_with(tmp_path, train_gpt__py=trap, **{f"{name}__py": trap for name in names})
    assert_clean(run("check", ".", cwd=folder), 1, 3)
    assert not marker.exists()


# --- logs and files ----------------------------------------------------------------------------------------


def test_log_of_50_mb_does_not_stop_the_audit(tmp_path: Path) -> None:
    line = b"step:1/20000 train_loss:2.1 train_time:100ms\n"
    done = run("check", folder_with(tmp_path, train_seed42__log=line * (50_000_000 // len(line))))
    assert_clean(done, 1, 3)


def test_links_and_pipes_are_reported_and_not_followed(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    (tmp_path / "secret.log").write_text("seed:42\nsecret\n")
    (folder / "link.log").symlink_to(tmp_path / "secret.log")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.log")
    done = run("check", "--format", "json", folder)
    assert_clean(done, 1, 3)
    assert "secret" not in done.stdout
    assert "link.log" in done.stdout


# --- output ------------------------------------------------------------------------------------------------

NASTY = (
    "\x1b]0;owned\x07\x1b[31mred \u202e::error file=x::boom%0A "
    "@maintainers <script>alert(1)</script> ![i](http://x/y.png) |`"
)


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_strings_stay_text_in_every_format(tmp_path: Path, form: str) -> None:
    claim = json.loads((LEGAL / "submission.json").read_text())
    claim |= {"name": NASTY, "author": NASTY, "val_bpb": NASTY, "track": NASTY}
    folder = folder_with(tmp_path, submission__json=json.dumps(claim).encode())
    (folder / "a\x1b[31m@all <b>::error::x\n.py").write_text(
        f"x = {NASTY!r}\nimport {'a' * 300}\n", encoding="utf-8"
    )
    done = run("check", "--verbose", "--format", form, folder)
    assert_clean(done, 1, 3)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    if form in ("markdown",):
        assert "<script>" not in done.stdout
        assert "@maintainers" not in done.stdout.replace("@\u200b", "")
    if form == "github":
        commands = [line for line in done.stdout.splitlines() if line.startswith("::")]
        assert not any(line.startswith("::error file=x::boom") for line in commands)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_byte_stable(form: str) -> None:
    assert run("check", "--format", form, LEGAL).stdout == run("check", "--format", form, LEGAL).stdout
