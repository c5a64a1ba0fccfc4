"""As much of GitHub's runner as action.yml needs: expressions, environment files, the `run` steps in bash.

Steps that use other actions are not carried out; what they would be given is kept for the tests to look at.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_NAME = re.compile(r"\b(?:inputs|steps|runner|github)\.[\w.-]+")


@dataclass
class Done:
    """What a job left behind."""

    exit_code: int
    stdout: str
    stderr: str
    summary: str
    outputs: dict[str, str]
    used: list[tuple[str, dict[str, str]]]  # other actions and what they were given
    ran: list[str]  # ids of the `run` steps
    report: Path = field(default_factory=Path)


@dataclass
class Runner:
    """One job on one event. `environment` is added to every step, as a workflow's own would be."""

    temp: Path
    workspace: Path
    github: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    given: dict[str, dict[str, str]] = field(default_factory=dict)
    """Steps that are not run, by id, with the outputs that they would have set."""

    def run(self, **inputs: str) -> Done:
        given = {name: str(told.get("default", "")) for name, told in ACTION["inputs"].items()}
        context: dict[str, Any] = {"inputs": given, "steps": {}}
        context["runner"] = {"temp": str(self.temp), "os": "Linux", "arch": "X64"}
        context["github"] = {"token": self.github.get("TOKEN", "")}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        given |= {name: _text(value, context) for name, value in given.items()}
        done = Done(0, "", "", "", {}, [], [])
        summary = self.temp / "summary.md"
        for index, step in enumerate(ACTION["runs"]["steps"]):
            condition = str(step.get("if", "success()"))
            always = "cancelled()" in condition
            if (done.exit_code and not always) or not _value(_EXPRESSION.sub(r"\1", condition), context):
                continue
            if "uses" in step:
                told = {name: _text(str(value), context) for name, value in step["with"].items()}
                done.used.append((step["uses"], told))
                continue
            if step.get("id") in self.given:
                context["steps"][step["id"]] = {"outputs": self.given[step["id"]]}
                continue
            self._step(step, index, context, summary, done)
        done.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
        for name, told in ACTION["outputs"].items():
            done.outputs[name] = _text(told["value"], context)
        done.report = Path(done.outputs["report"])
        return done

    def _step(
        self, step: dict[str, Any], index: int, context: dict[str, Any], summary: Path, done: Done
    ) -> None:
        assert step["shell"] == "bash"
        name = step.get("id", str(index))
        script, outputs = self.temp / f"step-{index}.sh", self.temp / f"outputs-{index}"
        script.write_text(step["run"], encoding="utf-8")
        outputs.write_text("", encoding="utf-8")
        ours = {
            **{f"GITHUB_{key}": value for key, value in self.github.items() if key != "TOKEN"},
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
            "CI": "true",
        }
        own = {key: _text(str(value), context) for key, value in step.get("env", {}).items()}
        result = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=_text(step.get("working-directory", str(self.workspace)), context),
            env=_plain() | self.environment | ours | own,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=900,
        )
        done.ran.append(name)
        done.stdout += result.stdout
        done.stderr += result.stderr
        done.exit_code = done.exit_code or result.returncode
        lines = outputs.read_text(encoding="utf-8").splitlines()
        context["steps"][name] = {"outputs": dict(line.split("=", 1) for line in lines)}


def plant(temp: Path) -> None:
    """The installed tool, as after a cache hit: it sees this checkout and the packages of the tests."""
    home = temp / "golf-audit" / "env"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(home)], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "tests.pth").write_text("\n".join([str(ROOT), *packages]) + "\n", encoding="utf-8")
    (home / "complete").touch()


def _plain() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "GOLF_AUDIT_CACHE", "GOLF_AUDIT_CLONE")
    return {name: value for name, value in os.environ.items() if name in kept}


def _text(template: str, context: dict[str, Any]) -> str:
    return _EXPRESSION.sub(lambda match: str(_value(match[1], context)), template)


def _value(expression: str, context: dict[str, Any]) -> Any:
    """GitHub's expression by Python's rules: `and` and `or` of strings give what && and || give."""
    python = _NAME.sub(lambda match: repr(_at(match[0], context)), expression)
    python = python.replace("!cancelled()", "True").replace("success()", "True")
    python = python.replace("&&", " and ").replace("||", " or ")
    return eval(python, {"__builtins__": {}})  # action.yml is ours


def _at(name: str, context: dict[str, Any]) -> str:
    told: Any = context
    for part in name.split("."):
        told = told.get(part, "") if isinstance(told, dict) else ""
    return str(told)
