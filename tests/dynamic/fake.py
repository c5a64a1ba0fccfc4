"""Runs that never happened: the messages that a recorder would have sent, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from golf_audit.dynamic.contract import Ending, RunResult
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import (
    LOOSE,
    Change,
    End,
    Gradient,
    Message,
    Print,
    Read,
    Score,
    Sink,
    Start,
    Step,
    runs,
)

JOB = Job("train_gpt.py", "/golf/submission", "/golf/data", "/golf/run", "/golf/data/val.bin", 1024, 60.0)


class Story:
    """Tells a run: each call adds what the recorder would have said."""

    def __init__(self, targets: int = 64) -> None:
        self.targets = targets
        self.told: list[Message] = []
        self._events = 0
        self._steps = 0
        self.add(Start(python="3.11", torch="2", targets=targets))
        self.add(Read(path="data/val.bin", stream="val", site=("train_gpt.py", 5)))

    def loss(self, position: int) -> float:
        """The loss of a position: any number that differs from its neighbours'."""
        return 5.0 + (position * 37 % 101) / 64.0

    def train(self, line: int = 10) -> None:
        """A step on training tokens."""
        self.add(Step(optimizer="Adam", site=("train_gpt.py", line), names=("w",)))

    def score(self, positions: Sequence[int], line: int = 20, model: str = "") -> int:
        """Losses of these positions; the number of the score. The model is another one after each step."""
        self.add(
            Score(
                event=self._events,
                site=("train_gpt.py", line),
                positions=runs(positions),
                losses=[self.loss(p) for p in positions],
                fingerprints=[float(p) for p in positions],
                model=model or f"m{self._steps}",
            )
        )
        self._events += 1
        return self._events - 1

    def learn(self, positions: Sequence[int], line: int = 30, into: str = "parameters") -> None:
        """A forward pass on these positions, its gradient, and a step."""
        event = self.score(positions, line)
        self.add(Gradient(event=event, rows=((0, len(positions)),), into=into))
        self.add(Step(optimizer="SGD", site=("train_gpt.py", line + 2), names=("w", "b")))

    def change(self, *names: str) -> None:
        self.add(Change(names=names, site=("train_gpt.py", 60)))

    def report(self, events: Sequence[int], tag: str = "final", off: float = 0.0, digits: int = 8) -> None:
        """The mean over whole scores leaves as a number and is printed."""
        losses = [x for e in events for x in self.scored(e).losses]
        mean = sum(losses) / len(losses) + off
        rows = tuple((e, 0, len(self.scored(e).losses), 1) for e in events)
        self.add(Sink(value=mean, rows=rows, site=("train_gpt.py", 39)))
        self.say(f"{tag} val_loss:{mean:.{digits}f} val_bpb:{mean / 2:.{digits}f}")

    def report_in_parts(self, events: Sequence[int], tag: str = "final") -> None:
        """Each score leaves as a number of its own, and Python adds them up."""
        for event in events:
            losses = self.scored(event).losses
            self.add(Sink(value=sum(losses), rows=((event, 0, len(losses), 1),), site=("train_gpt.py", 38)))
        losses = [x for e in events for x in self.scored(e).losses]
        mean = sum(losses) / len(losses)
        self.say(f"{tag} val_loss:{mean:.8f} val_bpb:{mean / 2:.8f}")

    def say(self, text: str) -> None:
        self.add(Print(text=text, site=("train_gpt.py", 40)))

    def scored(self, event: int) -> Score:
        return next(m for m in self.told if isinstance(m, Score) and m.event == event)

    def end(self) -> RunResult:
        """The run, finished."""
        told = [*self.told, replace(End(how="ok"), n=len(self.told))]
        return RunResult(JOB, Ending.OK, "the script came to its end", tuple(told))

    def add(self, message: Message) -> None:
        """Any other message."""
        loose = isinstance(message, Step) and all(name.startswith(LOOSE) for name in message.names)
        self._steps += isinstance(message, Step) and not loose
        self.told.append(replace(message, n=len(self.told)))
