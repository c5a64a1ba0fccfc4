"""A claim that no print is tied to: a violation is shown where every result that can be claimed has it."""

from __future__ import annotations

import pytest

from golf_audit import registry, specimen
from golf_audit.model import Example, Verdict
from golf_audit.static import example as programs
from golf_audit.static import example_caches as caches
from tests.rule_harness import judge

_PLAIN = """
    score = evaluate_plain(model, tokens) / 2.58310
    print(f"plain_window val_bpb:{score:.4f}")
"""
_EVALUATE = """
def evaluate_plain(model, tokens):
    total, count = 0.0, 0
    for start in range(0, len(tokens) - 1, 1024):
        x, y = piece(tokens, start)
        with torch.no_grad():
            nll = model(x, y)
        total += nll.sum().item()
        count += y.numel()
    return total / count


def main():
"""


def folder(plain: float | None, cached: float, claim: float) -> dict[str, str]:
    """A program that prints a plain result and then one with a cache, its log with both, and a claim."""
    script = programs.program(caches.HASHED, _PLAIN, **{"def main():\n": _EVALUATE.lstrip("\n")})
    lines = [] if plain is None else [f"plain_window val_bpb:{plain:.4f}"]
    log = specimen.log(code=len(script.encode()), bpb=cached, extra=lines)
    kept = "".join(x for x in log.splitlines(keepends=True) if not x.startswith("quantized val_loss"))
    made = specimen.folder(kept, files={"train_gpt.py": script})
    return {**made, "submission.json": specimen.claim(claim)}


@pytest.mark.parametrize(
    ("plain", "cached", "claim", "verdict"),
    [
        (1.12, 0.3, 0.9012, Verdict.FAIL),  # whichever line is meant, it is the cache's
        (0.87, 0.3, 0.9012, Verdict.UNDETERMINED),  # the plain result can be what is claimed
        (None, 0.3, 0.9012, Verdict.UNDETERMINED),  # the log does not hold the plain result
        (1.12, 1.1, 0.9012, Verdict.UNDETERMINED),  # the claim is better than everything: another program's
    ],
)
def test_shown_only_of_every_result(
    plain: float | None, cached: float, claim: float, verdict: Verdict
) -> None:
    rule = next(rule for rule in registry.rules() if rule.id == "Q01")
    said, reason, assessment = judge(rule, Example("", folder(plain, cached, claim), verdict))
    assert said is verdict, reason
    if verdict is Verdict.FAIL:
        assert any("no print writes the claimed line" in e.says for e in assessment.findings[0].evidence)
