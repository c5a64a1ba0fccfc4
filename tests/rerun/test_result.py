"""Which line of a rerun's log is its score: a wrong one would disqualify somebody, or clear them."""

from __future__ import annotations

from pathlib import Path

import pytest

from golf_audit.rerun.launch import Ended
from golf_audit.rerun.result import body, claimed_line, read_output
from tests.rerun.small import log

START = log(42, 1.25).rsplit("\n", 2)[0]
ENDED = Ended("finished", "it came to its end", 700.0)


def output(at: Path, *finals: str) -> Path:
    path = at / "seed42-entry2.log"
    path.write_text("\n".join([START, *finals, ""]))
    return path


def final(tag: str, bpb: str, loss: str = "2.10000000") -> str:
    return f"{tag} val_loss:{loss} val_bpb:{bpb} eval_time:100ms"


@pytest.mark.parametrize(
    ("finals", "tag", "bpb"),
    [
        pytest.param(
            [final("quantized", "1.30000000"), final("quantized_ttt", "1.20000000")], "", 1.2, id="the last"
        ),
        pytest.param(
            [final("quantized", "1.30000000"), final("quantized_ttt", "1.20000000")],
            "quantized",
            1.3,
            id="the claimed name, though another is better",
        ),
        pytest.param(
            [final("quantized_ttt", "1.25000000"), final("quantized_ttt", "1.20000000")],
            "quantized_ttt",
            1.2,
            id="the last of one name",
        ),
        pytest.param(
            [final("final_exact", "1.20004321"), final("final", "1.2000")],
            "final",
            1.20004321,
            id="more digits of the same score",
        ),
        pytest.param([final("quantized", "1.30000000")], "quantized_ttt", None, id="no other stands in"),
        pytest.param([], "", None, id="nothing"),
    ],
)
def test_the_line_that_counts(tmp_path: Path, finals: list[str], tag: str, bpb: float | None) -> None:
    found = claimed_line(read_output(output(tmp_path, *finals)), tag)
    assert (found[1].bpb if found is not None else None) == bpb


def test_a_finished_run_without_the_line_has_no_score_and_says_so(tmp_path: Path) -> None:
    entry = body(ENDED, 2, 42, output(tmp_path, final("quantized", "1.3")), tmp_path, "quantized_ttt", 1)
    assert entry["score"] is None and entry["reason"] == "its log prints no quantized_ttt line"
    assert entry["ending"] == "finished" and entry["log"]["file"] == "seed42-entry2.log"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\xff\xfe" * 1000, id="no text"),
        pytest.param(b"final val_loss:nan val_bpb:nan eval_time:1ms\n" * 3, id="not a number"),
        pytest.param(b"final val_loss:1e999 val_bpb:1e999 eval_time:1ms\n", id="infinite"),
        pytest.param(b"x" * (1 << 22), id="one long line"),
        pytest.param(b"(((((" * 100_000 + b"\n", id="brackets"),
    ],
)
def test_hostile_output_gives_no_score_and_no_crash(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "hostile.log"
    path.write_bytes(data)
    entry = body(ENDED, 2, 42, path, tmp_path, "final", 1)
    assert entry["score"] is None
