"""Positions at full size follow tokens by where those came from; sums keep what they are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402, N812

from golf_audit.dynamic.child.context import Context  # noqa: E402
from golf_audit.dynamic.child.full.recorder import FullRecorder  # noqa: E402
from golf_audit.dynamic.child.mode import Everything  # noqa: E402
from golf_audit.dynamic.full.account import Account  # noqa: E402
from golf_audit.dynamic.full.shown import shown  # noqa: E402
from golf_audit.dynamic.job import Job  # noqa: E402
from golf_audit.dynamic.messages import End, Left, Message, Print, Start  # noqa: E402
from golf_audit.dynamic.wire import Sender  # noqa: E402
from tests.rerun.whole import TOKENS, VOCAB, data  # noqa: E402

EVERY = np.arange(1, TOKENS)


class Run:
    """One rank's recorder in this process; `said` holds its messages, which Account then hears."""

    def __init__(self, at: Path) -> None:
        self.data = data(at)
        self.said: list[Message] = []
        job = Job("x.py", "", str(self.data), str(at), "", 0, 0.0, device="cuda")
        self.recorder = FullRecorder(Context(job, self.said.append), 0, 1)
        self.mode = Everything(self.recorder.context, self.recorder)
        self.recorder._opened = self.data / "fineweb_val_000000.bin"
        with self.mode:
            torch.zeros(1)
            self.val = torch.from_numpy(self.recorder.tokens.stream.astype(np.int64))

    def positions(self, make: Callable[[Any], Any]) -> list[int]:
        with self.mode:
            made = make(self.val)
        return np.array(self.recorder.tokens.positions(made)).tolist()

    def shown(self, tag: str = "final_ttt") -> dict[str, Any]:
        account, written = Account(1), bytearray()
        sender = Sender(0)
        sender._write = lambda _, line: written.extend(line) or len(line)
        for message in (Start(python="3", torch="2", targets=0), *self.said, End(how="ok")):
            sender.send(message)
        account.hear(0, bytes(written))
        assert not account.ranks[0].bad, account.ranks[0].bad
        return shown(account, tag, self.data)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    torch.manual_seed(0)
    return Run(tmp_path)


def written(val: Any) -> Any:
    rows = torch.zeros(2, 8, dtype=torch.int64)
    rows[0, :4] = val[10:14]
    rows[1] = val[20:28].to(torch.int32)
    return rows


MOVES: dict[str, tuple[Callable[[Any], Any], list[int]]] = {
    "a slice": (lambda v: v[5:9], [5, 6, 7, 8]),
    "another type": (lambda v: v[5:7].to(torch.int32).long(), [5, 6]),
    "rows of an index": (lambda v: v[torch.tensor([[3, 4], [9, 10]]) + 1], [4, 5, 10, 11]),
    "joined rows": (lambda v: torch.stack([v[1:3], v[7:9]]).flatten(), [1, 2, 7, 8]),
    "padding": (lambda v: torch.where(torch.tensor([True, False]), v[5:7], 0), [5, -1]),
    "a mask": (lambda v: v[5:8].masked_fill(torch.tensor([False, True, False]), -100), [5, -1, 7]),
    "windows": (lambda v: v[:8].unfold(0, 4, 2), [-1, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7]),
    "a padded batch": (written, [10, 11, 12, 13, -1, -1, -1, -1, *range(20, 28)]),
    "a permutation": (lambda v: v[4:8].flip(0), [7, 6, 5, 4]),
}


@pytest.mark.parametrize("name", MOVES)
def test_positions_follow_the_tokens(run: Run, name: str) -> None:
    make, expected = MOVES[name]
    assert run.positions(make) == expected


def test_equal_text_from_elsewhere_has_no_position(run: Run) -> None:
    """A copy that numpy made, a table that tokens index, and training tokens with the same values."""
    with run.mode:
        copied = torch.from_numpy(run.val[5:300].numpy().copy())
        looked_up = torch.arange(VOCAB)[run.val[5:9]]
        computed = run.val[5:9] * 2
    for tensor in (copied, looked_up, computed):
        assert run.recorder.tokens.positions(tensor) is None


def losses(run: Run, first: int, last: int) -> Any:
    targets = run.val[first:last]
    return F.cross_entropy(torch.randn(last - first, VOCAB), targets, reduction="none")


def told(run: Run, value: float) -> None:
    run.said.append(Print(text=f"final_ttt val_loss:{value:.8f} val_bpb:{value / 1.5:.8f}", site=("x.py", 1)))


def test_a_running_total_gives_the_printed_number_again(run: Run) -> None:
    total = torch.zeros((), dtype=torch.float64)
    with run.mode:
        for first in range(1, TOKENS, 512):
            total += losses(run, first, min(first + 512, TOKENS)).double().sum()
        value = float(total) / (TOKENS - 1)
    told(run, value)
    found = run.shown()
    assert found["attested"] and found["rows"] == TOKENS - 1 and found["window"] == 512
    assert found["missing"] == found["repeated"] == found["late"] == {"count": 0, "spans": []}


def test_numbers_that_python_adds_up_are_taken_together(run: Run) -> None:
    parts = []
    with run.mode:
        for first in range(1, TOKENS, 1024):
            parts.append(losses(run, first, first + 1024).sum().item())  # noqa: PERF401 - one line of code
    told(run, sum(parts) / (TOKENS - 1))
    assert run.shown()["attested"]


def test_a_number_that_is_not_their_mean_is_not_attested(run: Run) -> None:
    with run.mode:
        value = float(losses(run, 1, TOKENS).mean() * 0.98)
    told(run, value)
    assert not run.shown()["attested"]


def test_gradients_before_and_after_the_score(run: Run) -> None:
    table = torch.nn.Parameter(torch.zeros(VOCAB, VOCAB))

    def scored(first: int, last: int) -> Any:
        return F.cross_entropy(table[run.val[first - 1 : last - 1]], run.val[first:last], reduction="none")

    with run.mode:
        scored(1, 101).mean().backward()
        with torch.no_grad():
            first = scored(1, 2001).double().sum()
        scored(1, 2001).mean().backward()
        with torch.no_grad():
            first += scored(2001, TOKENS).double().sum()
        value = float(first) / (TOKENS - 1)
    told(run, value)
    found = run.shown()
    assert found["attested"] and found["late"] == {"count": 100, "spans": [[1, 101]]}


def test_a_rank_that_says_nonsense_is_heard_no_more(run: Run) -> None:
    account = Account(1)
    start = '"n": 0, "schema": "", "python": "", "torch": "", "targets": 0'
    left = '"n": 1, "value": 1.0, "tally": 7, "epoch": 0, "site": ["", 0]'
    for kind, fields in (("start", start), ("left", left)):
        account.hear(0, f'{{"kind": "{kind}", "t": 0, {fields}}}\n'.encode())
    assert "no such tally" in account.ranks[0].bad
    assert "no such tally" in shown(account, "", run.data)["why"]
    assert not any(isinstance(message, Left) for message in account.ranks[0].left)


@pytest.mark.parametrize("folder", ["../..", "/etc", "a/../../b"])
def test_a_rank_names_no_folder_outside_the_data(folder: str) -> None:
    account = Account(1)
    start = '"n": 0, "schema": "", "python": "", "torch": "", "targets": 0'
    whole = f'"n": 1, "folder": "{folder}", "tokens": 10, "rank": 0, "world": 1'
    for kind, fields in (("start", start), ("whole", whole)):
        account.hear(0, f'{{"kind": "{kind}", "t": 0, {fields}}}\n'.encode())
    assert "no such stream" in account.ranks[0].bad
