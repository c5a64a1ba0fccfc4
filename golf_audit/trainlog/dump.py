"""Source code inside logs: 960 real logs print their own script, and no line of it is a reading."""

from __future__ import annotations

import hashlib
import re

from golf_audit.trainlog.model import Dump

_STARTS = re.compile(
    r"(?:import [A-Za-z_][\w.]*(?: as \w+)?\s*(?:,|;|#|$)|from [\w.]+ import |def \w+\(|class \w+[(:]"
    r'|@[a-z][\w.]*(?:\(|$)|"""|if __name__ ==)'
)
_ENDS = re.compile(
    r"={20,}\s*$|(?:step:\s?\d+/\d+|\d+/\d+) +(?:train|val)_loss|Hyperparameters:\s*$|seed:\s?\d+\s*$"
    r"|model_params:\s?\d|Running (?:PyTorch|Python) |logs/\S+$|train_loader:dataset|val_loader:shards"
    r"|train_shards:\s?\d|warmup_step:\s?\d"
    r"|val_bpb:enabled|stopping_early: \w|(?:Serialized|Total submission|Code)\b[^{}()\"']{1,60}: \d+ bytes"
    r"|[A-Za-z][\w \-:.+]{1,60} val_loss[:=]\s?\d"
)


def starts(raw: str) -> bool:
    """True for a line at column 0 that only Python source holds."""
    return raw[:1] in 'ifdc@"' and _STARTS.match(raw) is not None


def ends(raw: str) -> bool:
    """True for the line of `=` that closes a dump, and for any line that only a run prints."""
    return raw[:1] not in " \t#" and _ENDS.match(raw) is not None


def source_digest(text: str) -> str:
    """sha256 of a script as a log shows it: line ends and trailing blanks do not count.

    Equal digests of a dump and of a committed file mean that this very file was run."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").rstrip().split("\n")]
    return hashlib.sha256("\n".join(lines).encode("utf-8", errors="surrogatepass")).hexdigest()


def make(lines: list[tuple[int, str]]) -> Dump:
    """The dump that these (number, line) pairs make up."""
    return Dump(lines[0][0], lines[-1][0], source_digest("\n".join(line for _, line in lines)))
