"""README shows real output: every ```console block is run and compared. `pytest --snap` rewrites them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"```console\n\$ (?P<command>golf-audit [^\n]*)\n(?P<output>.*?)```", re.DOTALL)


def output_of(command: str) -> str:
    """What the command prints into a pipe, from the root of the checkout."""
    arguments = [sys.executable, "-m", "golf_audit", *shlex.split(command)[1:]]
    plain = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "COLUMNS")}
    done = subprocess.run(
        arguments, cwd=ROOT, env=plain, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_readme_shows_what_the_commands_print(request: pytest.FixtureRequest) -> None:
    text = README.read_text(encoding="utf-8")
    assert BLOCK.search(text), "README holds no console block"
    fresh = BLOCK.sub(
        lambda block: f"```console\n$ {block['command']}\n{output_of(block['command'])}```", text
    )
    if request.config.getoption("--snap"):
        README.write_text(fresh, encoding="utf-8")
    assert fresh == README.read_text(encoding="utf-8"), "run `pytest --snap tests/test_readme.py`"
