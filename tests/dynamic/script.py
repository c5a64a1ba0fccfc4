"""A stand-in for the child: runs in the sandbox as `train_gpt.py` and sends what a recorder would send.

The job's environment picks the story: LATE trains before it scores, CRASH raises, SLEEP and LOOP never end.
"""

import os
import sys
import time

sys.path.insert(0, "/golf/tool")
for part in sys.argv[2:]:
    sys.path.insert(0, part)

from golf_audit.dynamic.job import Job  # noqa: E402
from golf_audit.dynamic.messages import (  # noqa: E402
    WHERE,
    End,
    Gradient,
    Print,
    Probe,
    Read,
    Score,
    Sink,
    Start,
    Step,
    runs,
)
from golf_audit.dynamic.wire import Sender  # noqa: E402

with open(sys.argv[1]) as file:
    job = Job.from_json(file.read())
with open(job.val_tokens, "rb") as shard:
    tokens = shard.read()[1024:]
sender = Sender(job.message_fd)
targets = len(tokens) // 2 - 1
sender.send(Start(python="3", torch="2", targets=targets))
sender.send(Read(path=job.val_tokens, stream="val", site=("train_gpt.py", 1)))
event = 0
steps = 0


def score(first: int, line: int) -> int:
    """Losses that depend on the tokens; 32 positions from `first` on."""
    global event
    positions = range(first, min(first + 32, targets + 1))
    losses = [4.0 + tokens[2 * p] / 64 for p in positions]
    prints = [float(tokens[2 * p - 2]) for p in positions]
    sender.send(
        Score(
            event=event,
            site=("train_gpt.py", line),
            positions=runs(positions),
            losses=losses,
            fingerprints=prints,
            model=f"m{steps}",
        )
    )
    event += 1
    return event - 1


def learn(first: int) -> None:
    """A step on 32 positions."""
    global steps
    number = score(first, 30)
    sender.send(Gradient(event=number, rows=((0, min(32, targets + 1 - first)),), into="parameters"))
    sender.send(Step(optimizer="SGD", site=("train_gpt.py", 31), names=("w",)))
    steps += 1


if "FORK" in job.environ and 0 in (os.fork(), os.fork()):  # as a run with ranks or forked candidates does
    time.sleep(600)  # and says nothing: two that count the same messages are a forgery
if "SLEEP" in job.environ:
    sender.send(Print(text="sleeping"))
    time.sleep(600)
if "LOOP" in job.environ:
    sender.send(Probe(name=WHERE, site=("train_gpt.py", 12)))
    while True:
        pass
if "CRASH" in job.environ:
    sys.stdout.write("Traceback: at 0x7f0011223344\n")
    sender.send(End(how="exception", status=1, detail="ValueError: no", site=("train_gpt.py", 9)))
    sys.exit(1)
counted = []
for start in range(1, targets + 1, 32):
    if "LATE" in job.environ:
        learn(start)
    counted.append((score(start, 20), start))
    if "LATE" not in job.environ:
        learn(start)
rows = tuple((number, 0, min(32, targets + 1 - first), 1) for number, first in counted)
mean = sum(4.0 + tokens[2 * p] / 64 for p in range(1, targets + 1)) / targets
sender.send(Sink(value=mean, rows=rows, site=("train_gpt.py", 38)))
text = f"quantized_sliding_window val_loss:{mean:.8f} val_bpb:{mean / 2:.8f} eval_time:412ms"
sender.send(Print(text=text, site=("train_gpt.py", 40)))
sender.send(End(how="ok"))
