"""README and docs show real output: console blocks are run and compared; `pytest --snap` rewrites them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ROUNDING = re.compile(r"\d(?:\.\d+)?e-\d\d")
LINK = re.compile(r"(?:\]\(|src=\"|srcset=\")([^)\"\s]+)")
BLOCK = re.compile(r"```console\n\$ (?P<command>golf-audit [^\n]*)\n(?P<output>.*?)```", re.DOTALL)


def output_of(command: str) -> str:
    """What the command prints into a pipe, from the root of the checkout."""
    words = [os.environ["GOLF_AUDIT_CLONE"] if w == "CLONE" else w for w in shlex.split(command)[1:]]
    arguments = [sys.executable, "-m", "golf_audit", *words]
    plain = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "COLUMNS")}
    done = subprocess.run(
        arguments, cwd=ROOT, env=plain, capture_output=True, encoding="utf-8", timeout=900, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def kind(command: str) -> str:
    """What a command needs: a clone of the challenge, runs in miniature, or nothing."""
    words = command.split()
    return "clone" if "CLONE" in words else "trace" if words[1] == "trace" else "here"


def renewed(text: str, wanted: str) -> str:
    """The text with the output of each command of one kind as it is now."""

    def fresh(block: re.Match[str]) -> str:
        if kind(block["command"]) != wanted:
            return block[0]
        return f"```console\n$ {block['command']}\n{output_of(block['command'])}```"

    return BLOCK.sub(fresh, text)


def holds(request: pytest.FixtureRequest, wanted: str) -> None:
    """Rounding errors differ between processors: their digits do not count."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    assert any(kind(block["command"]) == wanted for text in texts.values() for block in BLOCK.finditer(text))
    for page, text in texts.items():
        fresh = renewed(text, wanted)
        if request.config.getoption("--snap"):
            page.write_text(fresh, encoding="utf-8")
            text = fresh
        now, then = (ROUNDING.sub("...", version) for version in (fresh, text))
        assert now == then, f"{page.name}: run `pytest --snap tests/test_readme.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    missing = [
        t for t in targets if not t.startswith("http") and not (page.parent / t.split("#")[0]).exists()
    ]
    assert missing == []


def test_readme_shows_what_the_commands_print(request: pytest.FixtureRequest) -> None:
    holds(request, "here")


@pytest.mark.corpus
def test_readme_shows_what_the_commands_print_of_real_pull_requests(request: pytest.FixtureRequest) -> None:
    if "GOLF_AUDIT_CLONE" not in os.environ:
        pytest.skip("GOLF_AUDIT_CLONE names no clone of the challenge")
    holds(request, "clone")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="trace is for Linux")
def test_readme_shows_what_a_trace_prints(request: pytest.FixtureRequest) -> None:
    try:
        holds(request, "trace")
    finally:
        (ROOT / "trace.json").unlink(missing_ok=True)
