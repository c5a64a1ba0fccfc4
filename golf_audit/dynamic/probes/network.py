"""Does the run ask for the network, and when?

The sandbox has none, so only the attempt is seen: a connection, a datagram, the look-up of a name, a program
that fetches. What a script asks of its own machine is not among them (recorder/outside.py), and no more is an
installer: the miniature may lack a package that the real machine has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.messages import HERE, Network, Print, Site, Step, Subprocess
from golf_audit.dynamic.probes.lines import Line, lines
from golf_audit.dynamic.probes.moments import begin
from golf_audit.observation import WHILE_TRAINING

_FETCHES = re.compile(
    r"(?:^|[\s;&|(/])(?:(?:curl|wget|aria2c|rclone|scp|sftp|gdown)\s|rsync\s.*\w:|gsutil\s|aws\s+s3\s"
    r"|git\s(?:.*\s)?(?:clone|fetch|pull|push|ls-remote)\b|(?:hf|huggingface-cli)\s+(?:download|upload)\b)"
)


@dataclass(frozen=True)
class Attempt:
    """One attempt; `n` is its message's."""

    n: int
    what: str
    site: Site


class Reach:
    """Attempts to reach the network, from the baseline alone."""

    name = "network"
    shows = "that the run tries to reach another machine while it trains or evaluates"
    cannot = "see what native code asks for by itself, nor what the answer would have changed"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """No run: the baseline holds it."""
        return ()

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result."""
        tried = _attempts(baseline)
        return tuple(_line(baseline, line, tried) for line in lines(baseline))


def _line(baseline: RunResult, line: Line, tried: Sequence[Attempt]) -> Outcome:
    at = begin(baseline, line)
    trained = min((m.n for m in baseline.of(Step)), default=None)
    printed = baseline.of(Print)[line.index].n
    evaluating = [a for a in tried if at is not None and at.n < a.n < printed]
    training = [a for a in tried if trained is not None and trained < a.n < printed and a not in evaluating]
    others = len(tried) - len(evaluating) - len(training)
    figures = (
        ("while evaluating", float(len(evaluating))),
        (WHILE_TRAINING, float(len(training))),
        ("before or after", float(others)),
    )
    named = evaluating or training or tried
    if evaluating:
        word, says = Word.VIOLATION, f"the evaluation asks the network: {_named(named)}"
    elif training:
        word, says = Word.NOTE, f"the network is asked after training has begun: {_named(named)}"
    elif others:
        word, says = Word.NOTE, f"the network is asked before training or after the result: {_named(named)}"
    else:
        word, says = Word.CLEAN, "the run asks nothing of the network"
    places = tuple(dict.fromkeys(f"{a.site[0]}:{a.site[1]}" for a in named if a.site[1]))[:3]
    return Outcome("network", word, says, ("N01",), line.index, places, figures)


def _named(tried: Sequence[Attempt]) -> str:
    """The first attempts, each once."""
    names = list(dict.fromkeys(a.what for a in tried))
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _attempts(baseline: RunResult) -> list[Attempt]:
    """What a line of the submission asked of another machine; a library that calls home by itself is none."""
    found = []
    for message in baseline.messages:
        if isinstance(message, Network) and message.site[1] and not message.what.endswith(f" {HERE}"):
            found.append(Attempt(message.n, message.what, message.site))
        elif isinstance(message, Subprocess) and message.site[1]:
            text = " ".join(message.argv)
            if _FETCHES.search(f"{text} "):
                found.append(Attempt(message.n, text[:100], message.site))
    return found
