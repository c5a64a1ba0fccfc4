"""When two findings are the same one: what waivers, baselines and lineage rest on."""

from __future__ import annotations

import datetime as dt

from golf_audit.fingerprint import fingerprint, likeness
from golf_audit.model import Authority, Certainty, Cite, Evidence, Finding, Kind, Where

LAW = Cite(Authority.README, "README", "says so", dt.date(2026, 3, 18))


def source(quote: str, file: str = "train_gpt.py", layer: int = 0, line: int = 3) -> Finding:
    where = Where(file, line, 5, layer, quote=quote)
    return Finding(
        f"learns too early (line {line})", Certainty.SHOWN, LAW, (Evidence(Kind.SOURCE, "x", where),)
    )


def measured(seconds: float) -> Finding:
    where = Where("a.log", 9, quote=f"took {seconds} s")
    message = f"seed 42: training took {seconds} s"
    return Finding(message, Certainty.SHOWN, LAW, (Evidence(Kind.LOG, message, where),))


def test_a_finding_keeps_its_fingerprint_when_lines_move() -> None:
    assert fingerprint("T01", source("step()", line=3)) == fingerprint("T01", source("step()", line=30))


def test_a_fingerprint_holds_for_one_rule_file_layer_and_text_only() -> None:
    """A waiver for one place must not silence another."""
    others = [source("step()", file="b.py"), source("step()", layer=1), source("other()")]
    prints = {fingerprint("T01", f) for f in [source("step()"), *others]} | {
        fingerprint("T02", source("step()"))
    }
    assert len(prints) == 5


def test_likeness_survives_packing_another_name_and_another_layout() -> None:
    packed = source("opt.step( )", file="run.py", layer=1, line=1)
    assert likeness("T01", source("opt.step()")) == likeness("T01", packed)
    assert likeness("T01", source("opt.step()")) != likeness("T02", packed)
    assert likeness("T01", source("opt.step()")) != likeness("T01", source("opt.zero_grad()"))


def test_likeness_of_a_measurement_leaves_out_its_figures() -> None:
    assert likeness("A03", measured(612.5)) == likeness("A03", measured(604))
    assert fingerprint("A03", measured(612.5)) != fingerprint("A03", measured(604))
