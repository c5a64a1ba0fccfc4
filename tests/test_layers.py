"""Imports go one way (DESIGN section 3). Each test protects a sentence of that section."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lower layers first; a module may import from its own layer and from those below.
LAYERS: list[tuple[str, ...]] = [
    ("golf_audit.model", "golf_audit.errors"),
    ("golf_audit.text", "golf_audit.fingerprint", "golf_audit.scratch"),
    ("golf_audit.filetree", "golf_audit.law", "golf_audit.specimen"),
    (
        *("golf_audit.gitprocess", "golf_audit.gitclone"),
        "golf_audit.parsing",
        "golf_audit.peel",
        "golf_audit.source",
        "golf_audit.jsontext",
        "golf_audit.schema",
        "golf_audit.claims",
        "golf_audit.trainlog",
        "golf_audit.support",
        "golf_audit.runconfig",
        "golf_audit.stats",
        "golf_audit.bpb",
        "golf_audit.records",
        "golf_audit.ledger",
        "golf_audit.artifact",
        "golf_audit.packages",
        "golf_audit.timeline",
        "golf_audit.observation",
        "golf_audit.static",
        "golf_audit.bytetable",
        "golf_audit.submission",
    ),
    (
        *("golf_audit.pullrequest", "golf_audit.load", "golf_audit.unpack", "golf_audit.awaiting"),
        *("golf_audit.premises", "golf_audit.margin", "golf_audit.reruns", "golf_audit.joining"),
        "golf_audit.figures",
    ),
    ("golf_audit.rules",),
    (
        *("golf_audit.registry", "golf_audit.audit", "golf_audit.outcome"),
        *("golf_audit.waiverfile", "golf_audit.waivers"),
    ),
    ("golf_audit.lineage",),
    ("golf_audit.report", "golf_audit.dynamic", "golf_audit.rerun"),
    ("golf_audit.sweep", "golf_audit.checking", "golf_audit.gate"),
    ("golf_audit.commands",),
    ("golf_audit.cli", "golf_audit.__main__"),
]
SHELL_ONLY = {"click", "rich"}


def modules() -> dict[str, Path]:
    """Every module of the auditor under the name it is imported by."""
    found = {}
    for path in [*ROOT.glob("golf_audit/**/*.py"), *ROOT.glob("rules/*.py"), ROOT / "cli.py"]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts if parts[0] == "golf_audit" else ("golf_audit", *parts))
        found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    """Absolute names imported anywhere in a file, lazily or not."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def layer_of(name: str) -> int | None:
    for index, prefixes in enumerate(LAYERS):
        if any(name == p or name.startswith(p + ".") for p in prefixes):
            return index
    return None


MODULES = modules()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_has_a_layer_and_imports_downwards(name: str) -> None:
    if name == "golf_audit":
        return
    own = layer_of(name)
    assert own is not None, f"{name} has no layer in tests/test_layers.py"
    for imported in imports(MODULES[name]):
        target = layer_of(imported)
        if target is not None:
            assert target <= own, f"{name} imports {imported} from a layer above"


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("golf_audit.rules.")))
def test_rules_do_not_import_each_other_or_the_shell(name: str) -> None:
    used = imports(MODULES[name])
    assert not any(u.startswith("golf_audit.rules") for u in used)
    assert not {u.split(".")[0] for u in used} & (SHELL_ONLY | {"torch", "subprocess", "socket"})


@pytest.mark.parametrize("name", sorted(MODULES))
def test_only_the_shell_prints_and_nobody_imports_torch(name: str) -> None:
    used = {u.split(".")[0] for u in imports(MODULES[name])}
    if not name.startswith("golf_audit.dynamic"):
        assert "torch" not in used
    assert "golf_ref" not in used
    shells = ("golf_audit.cli", "golf_audit.sweep.command", "golf_audit.dynamic.command")
    if name not in shells and not name.startswith(("golf_audit.report", "golf_audit.commands")):
        assert not used & SHELL_ONLY


@pytest.mark.parametrize("name", sorted(n for n in MODULES if not n.startswith("golf_audit.parsing")))
def test_libcst_stays_in_the_parser_and_nobody_unpickles(name: str) -> None:
    used = {u.split(".")[0] for u in imports(MODULES[name])}
    assert "libcst" not in used, "parse through golf_audit.parsing"
    assert not used & {"pickle", "dill", "joblib", "shelve"}


def test_golf_ref_never_imports_the_auditor() -> None:
    for path in ROOT.glob("golf_ref/**/*.py"):
        assert not any(u.split(".")[0] == "golf_audit" for u in imports(path)), path


def test_check_runs_without_torch_and_posix_only_modules() -> None:
    """`check` runs on Windows too: it works where torch, fcntl, resource, pwd and grp do not exist."""
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'fcntl', 'resource', 'pwd', 'grp'))); "
        "from golf_audit.cli import cli; "
        "cli(['check', '--exit-zero', 'examples/track_10min_16mb/2026-04-20_ScoreFirstTTT'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "T01" in done.stdout


def test_no_file_is_loaded_under_two_names() -> None:
    """In a checkout rules/ could be imported as `rules` too; only `golf_audit.rules` is right."""
    script = (
        "import sys, collections; import golf_audit.registry as r, golf_audit.cli; r.rules(); "
        "files = collections.Counter(getattr(m, '__file__', None) for m in list(sys.modules.values())); "
        "print([f for f, n in files.items() if f and n > 1 and 'golf' in f])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_unbounded_cache_keeps_what_was_audited(name: str) -> None:
    """A sweep audits thousands of heads in one process: `@cache` on a function of a tree keeps them all."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            unbounded = any(ast.unparse(d) in ("cache", "functools.cache") for d in node.decorator_list)
            kinds = {ast.unparse(a.annotation) if a.annotation else "" for a in node.args.args}
            assert not unbounded or kinds <= {"str", "Path"}, (
                f"{node.name}: bound it with lru_cache(maxsize=)"
            )
