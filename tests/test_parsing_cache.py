"""Answers of the parser are kept on disk when asked for, and never believed when damaged."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from golf_audit.parsing import cache, parser
from golf_audit.parsing.client import POOL


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def fresh(text: str) -> str:
    """The tree of a text, as if by a new process."""
    parser.parse.cache_clear()
    tree = parser.parse(text).tree
    assert tree is not None
    return ast.dump(tree, include_attributes=True)


def test_a_kept_tree_is_the_tree_and_needs_no_parser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fresh("x = [1, 'a']")
    assert len(entries(folder)) == 1
    monkeypatch.setattr(POOL, "_ask_worker", lambda text: pytest.fail("the parser was asked again"))
    assert fresh("x = [1, 'a']") == first


def test_a_problem_is_kept_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser.parse.cache_clear()
    first = parser.parse("x = = 1")
    monkeypatch.setattr(POOL, "_ask_worker", lambda text: pytest.fail("the parser was asked again"))
    parser.parse.cache_clear()
    assert parser.parse("x = = 1") == first and first.tree is None


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 400], ids=["empty", "cut", "other bytes"])
def test_a_damaged_entry_is_no_entry(folder: Path, damage: bytes) -> None:
    first = fresh("y = 2")
    (entry,) = entries(folder)
    entry.write_bytes(damage)
    assert fresh("y = 2") == first
    assert entry.read_bytes() != damage, "the entry was not written anew"


def test_a_folder_that_cannot_be_made_costs_only_the_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file" / "cache"))
    assert fresh("z = 3") == fresh("z = 3")


def test_nothing_is_kept_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    fresh("w = 4")
    assert entries(tmp_path) == []
