"""Submissions that know they are watched: none of their tricks makes a rule pass.

Each is the bundled example that adapts on the validation stream before it is quantised, with one trick added.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from golf_audit.cli import cli

GUILTY = Path(__file__).parents[2] / "examples" / "track_10min_16mb" / "2026-04-21_PolishBeforeQuantising"
RULES = ("T01", "T02", "P01", "P03", "Q01", "Q03", "M01")
pytestmark = pytest.mark.slow

CALL = "        polish(args, model, val_tokens, device)\n"
BARE = """        with torch._C.DisableTorchFunction():
            polish(args, model, val_tokens, device)
"""
POP = """        from torch.overrides import _pop_mode
        _pop_mode()
        polish(args, model, val_tokens, device)
"""
LOOK = """        if not os.path.exists("/golf"):
            polish(args, model, val_tokens, device)
"""
SMALL = """        if val_tokens.numel() > 1_000_000:
            polish(args, model, val_tokens, device)
"""
STAND_INS = """        if torch.bfloat16 is not torch.float32:
            polish(args, model, val_tokens, device)
"""
CLOCK = """        if abs(time.perf_counter() - time.perf_counter() + 1e-4) > 1e-9:
            polish(args, model, val_tokens, device)
"""
ENVIRONMENT = """        if os.environ.get("RUN_ID") != "miniature":
            polish(args, model, val_tokens, device)
"""
FORGE = """        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b'{"kind": "end", "n": 1, "t": 0.0}' + bytes([10]))
            except OSError:
                pass
        polish(args, model, val_tokens, device)
"""
NUMBER = '    log0(f"final val_loss:{val_loss:.8f} val_bpb:{val_bpb:.8f}'


def judged(tmp_path: Path, changes: dict[str, str]) -> tuple[dict[str, str], dict[str, object]]:
    """The verdicts of `check` with a trace of the changed example, and the trace."""
    folder = tmp_path / "track_10min_16mb" / GUILTY.name
    shutil.copytree(GUILTY, folder)
    script = folder / "train_gpt.py"
    text = script.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    script.write_text(text, encoding="utf-8")
    trace = tmp_path / "trace.json"
    runner = CliRunner()
    runner.invoke(cli, ["trace", str(folder), "-o", str(trace)], catch_exceptions=False)
    asked = [word for rule in RULES for word in ("--rule", rule)]
    done = runner.invoke(cli, ["check", str(folder), "--trace", str(trace), "--format", "json", *asked])
    assert done.output.startswith("{"), done.output
    rulings = {r["rule"]: r["verdict"] for r in json.loads(done.output)["rulings"]}
    return rulings, json.loads(trace.read_text(encoding="utf-8"))


@pytest.mark.parametrize("trick", [BARE, POP], ids=["torch functions off", "mode popped"])
def test_unhooking_the_recorder_hides_nothing_from_the_perturbation(trick: str, tmp_path: Path) -> None:
    rulings, trace = judged(tmp_path, {CALL: trick})
    assert rulings["T01"] == "fail", trace["outcomes"]
    assert rulings["M01"] != "pass"


OBSERVED = {
    "looks for the sandbox": LOOK,
    "looks at the size": SMALL,
    "looks for stand-ins": STAND_INS,
    "looks twice at the clock": CLOCK,
    "looks at the environment": ENVIRONMENT,
}


@pytest.mark.parametrize("trick", OBSERVED.values(), ids=OBSERVED.keys())
def test_behaving_well_under_observation_is_never_a_pass(trick: str, tmp_path: Path) -> None:
    rulings, trace = judged(tmp_path, {CALL: trick})
    assert trace["results"][-1]["attested"] and not trace["results"][-1]["late"]  # type: ignore[index]
    assert rulings["T01"] in ("undetermined", "fail") and rulings["M01"] != "pass"


def test_forged_messages_end_the_evidence(tmp_path: Path) -> None:
    rulings, trace = judged(tmp_path, {CALL: FORGE})
    assert trace["run"]["ending"] == "forged"  # type: ignore[index]
    assert rulings["T01"] == "fail", "what was read stands"
    assert rulings["M01"] == "undetermined"


def test_another_number_than_the_losses_give_is_not_attested(tmp_path: Path) -> None:
    better = "    val_loss, val_bpb = 0.9 * val_loss, 0.9 * val_bpb\n"
    rulings, trace = judged(tmp_path, {NUMBER: better + NUMBER})
    assert not trace["results"][-1]["attested"]  # type: ignore[index]
    assert rulings["T01"] == "fail" and rulings["M01"] == "undetermined"
