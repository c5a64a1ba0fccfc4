"""The wheel puts one package into site-packages, runs in a fresh environment, and brings no torch."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


def test_wheel_holds_only_our_two_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"golf_audit", "golf_ref"}


def test_wheel_brings_rules_schemas_data_and_cli(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"golf_audit/cli.py", "golf_audit/schemas/report.schema.json"} <= names
    assert "golf_audit/data/accepted_records.csv" in names
    assert sum(name.startswith("golf_audit/rules/") and name.endswith(".py") for name in names) > 30


def test_fresh_environment_runs_rules_without_torch(wheel: Path, tmp_path: Path) -> None:
    """Dependencies come from this environment through a path file: the test needs no network."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    )
    zipfile.ZipFile(wheel).extractall(site)
    here = [p for p in sys.path if p.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(here) + "\n", encoding="utf-8")
    hostile = tmp_path / "submission"
    hostile.mkdir()
    for name in ("click.py", "lzma.py", "rich.py"):
        (hostile / name).write_text("raise SystemExit('imported from the submission')\n", encoding="utf-8")
    script = (
        "import sys; from golf_audit.cli import cli; import golf_audit; print(golf_audit.__file__); "
        "cli(['rules'], standalone_mode=False); assert 'torch' not in sys.modules"
    )
    # -P as the console script has it: the current folder is not on the path.
    done = subprocess.run(
        [python, "-P", "-c", script], cwd=hostile, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout.splitlines()[0], "the wheel's own copy ran"
    assert "T01" in done.stdout
