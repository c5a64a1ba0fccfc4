"""The contract between a run and our process: what is sent arrives, and nothing else gets through."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golf_audit.dynamic import messages as m
from golf_audit.dynamic import wire
from golf_audit.dynamic.job import BadJob, Job, Perturbation

SENT: list[m.Message] = [
    m.Start(python="3.11.7", torch="2.5.1", targets=6144),
    m.Phase(name="evaluate"),
    m.Read(path="data/fineweb_val_000000.bin", stream="val", site=("train_gpt.py", 200)),
    m.Score(
        event=0,
        site=("train_gpt.py", 310),
        positions=((1, 3), (-1, 1)),
        losses=(6.5, 6.25, 7.0, 5.0),
        fingerprints=(0.1, 0.2, 0.3, 0.4),
        model="a1",
        off=1e-6,
    ),
    m.Gradient(event=0, rows=((0, 2),), into="parameters"),
    m.Step(optimizer="Muon", site=("train_gpt.py", 320), names=("blocks.0.w",)),
    m.Change(names=("cache",)),
    m.Sink(value=6.58, rows=((0, 0, 3, 1),)),
    m.Network(what="connect 10.0.0.1:80"),
    m.Subprocess(argv=("nvidia-smi",)),
    m.Shim(name="flash_attn"),
    m.Write(path="final_model.int6.ptz", size=12345),
    m.Probe(name="normalisation", figures={"largest": 1e-6}),
    m.Print(text="val_bpb:1.2345"),
    m.End(how="ok"),
]


def lines(sent: list[m.Message]) -> bytes:
    """What a sender writes for these messages."""
    read, write = os.pipe()
    try:
        sender = wire.Sender(write)
        for message in sent:
            sender.send(message)
        os.close(write)
        with os.fdopen(read, "rb", closefd=False) as pipe:
            return pipe.read()
    finally:
        os.close(read)


def received(data: bytes) -> list[m.Message]:
    receiver = wire.Receiver()
    receiver.feed(data)
    receiver.finish()
    return receiver.messages


def test_what_is_sent_arrives_whatever_the_pieces() -> None:
    data = lines(SENT)
    whole = received(data)
    assert [type(x) for x in whole] == [type(x) for x in SENT]
    assert [x.n for x in whole] == list(range(len(SENT)))
    score = whole[3]
    assert isinstance(score, m.Score)
    assert list(score.losses) == [6.5, 6.25, 7.0, 5.0] and score.positions == ((1, 3), (-1, 1))
    receiver = wire.Receiver()
    for i in range(len(data)):
        receiver.feed(data[i : i + 1])
    receiver.finish()
    assert receiver.messages == whole


def changed(index: int, **fields: Any) -> bytes:
    """The stream with fields of one message replaced (None removes)."""
    out = lines(SENT).splitlines()
    raw = json.loads(out[index])
    raw.update(fields)
    out[index] = json.dumps({k: v for k, v in raw.items() if v is not ...}).encode()
    return b"\n".join(out) + b"\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (changed(1, n=7), "was expected"),
        (changed(0, kind="phase", name="x"), "missing or unknown"),
        (lines(SENT[1:]), "one start message"),
        (lines([SENT[0], SENT[0]]), "one start message"),
        (lines([*SENT, SENT[1]]), "after the end"),
        (changed(1, kind="verdict"), "no such kind"),
        (changed(1, kind=["phase"]), "no such kind"),
        (changed(1, name=...), "missing or unknown"),
        (changed(1, extra=1), "missing or unknown"),
        (changed(1, name=5), "phase.name"),
        (changed(1, name="x" * 5000), "phase.name"),
        (changed(1, t=True), "phase.t"),
        (changed(3, event=1), "score 1 came"),
        (changed(3, event=True), "score.event"),
        (changed(3, losses="AAAA"), "score.losses"),
        (changed(3, losses="!!!!"), "score.losses"),
        (changed(3, losses=wire.pack([1.0])), "differ in number"),
        (changed(3, positions=[[0, 1 << 40]]), "score.positions"),
        (changed(3, positions=[[0, 0]]), "score.positions"),
        (changed(4, rows=[[2, 3]]), "do not exist"),
        (changed(4, event=9), "do not exist"),
        (changed(7, rows=[[0, -1, 2, 1]]), "sink.rows"),
        (changed(7, rows=[[0, 0, 5, 1]]), "do not exist"),
        (changed(12, figures={str(i): 0.0 for i in range(100)}), "probe.figures"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b"hello\n", "not JSON"),
        (b"17\n", "not an object"),
        (lines(SENT)[:-5], "not complete"),
        (b"x" * (wire.MAX_LINE + 1), "longer than"),
    ],
)
def test_anything_else_is_one_clear_error(data: bytes, says: str) -> None:
    with pytest.raises(wire.BadMessage, match=says):
        received(data)


def test_bytes_and_count_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_MESSAGES", 3)
    with pytest.raises(wire.BadMessage, match="more than 3 messages"):
        received(lines(SENT))
    monkeypatch.setattr(wire, "MAX_BYTES", 100)
    with pytest.raises(wire.BadMessage, match="MiB of messages"):
        received(lines(SENT))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        received(data + b"\n")
    except wire.BadMessage:
        return
    raise AssertionError("random bytes were taken for messages")


@given(st.lists(st.one_of(st.just(-1), st.integers(0, 50)), max_size=60))
def test_runs_and_expand_are_inverse(numbers: list[int]) -> None:
    assert m.expand(m.runs(numbers)) == numbers


def test_a_job_survives_its_json() -> None:
    job = Job(
        script="train_gpt.py",
        submission="/golf/submission",
        data="/golf/data",
        work="/golf/run",
        val_tokens="/golf/data/val.bin",
        vocab=1024,
        seconds=60.0,
        argv=("--fast",),
        environ={"TTT_ENABLED": "1"},
        overrides={"Hyperparameters.model_dim": 64},
        perturbation=Perturbation("order", ((3, 7), (9, 12)), 1),
    )
    assert Job.from_json(job.to_json()) == job
    for text in ("{", "[]", "{}", '{"script": 1, "nothing": 2}'):
        with pytest.raises(BadJob):
            Job.from_json(text)


def test_threads_that_send_at_once_keep_the_numbers_in_order(tmp_path: Path) -> None:
    """#1958 reads its shards in a thread: its messages were taken for forged ones."""
    path = tmp_path / "messages"
    with path.open("wb") as file:
        sender = wire.Sender(file.fileno())
        sender.send(SENT[0])
        write = sender._write

        def slowly(descriptor: int, line: memoryview) -> int:
            time.sleep(0)  # lets another thread go on between a number and its line
            return write(descriptor, line)

        sender._write = slowly
        say = [threading.Thread(target=lambda: [sender.send(SENT[1]) for _ in range(200)]) for _ in range(4)]
        for thread in say:
            thread.start()
        for thread in say:
            thread.join()
    receiver = wire.Receiver()
    assert len(receiver.feed(path.read_bytes())) == 801
    receiver.finish()


def test_a_message_from_within_a_message_comes_before_it(tmp_path: Path) -> None:
    """A finalizer of the submission may run at any time, and what it does is told too."""
    path = tmp_path / "messages"
    with path.open("wb") as file:
        sender = wire.Sender(file.fileno())
        sender.send(SENT[0])
        clock = sender._clock

        def interrupted() -> float:
            sender._clock = clock
            sender.send(m.Phase(name="inner"))
            return clock()

        sender._clock = interrupted
        sender.send(m.Phase(name="outer"))
    found = wire.Receiver().feed(path.read_bytes())
    assert [one.name for one in found if isinstance(one, m.Phase)] == ["inner", "outer"]
