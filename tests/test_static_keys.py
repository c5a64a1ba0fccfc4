"""Which keys hold the target: the near misses that a comparison of names or of slices gets wrong."""

from __future__ import annotations

import pytest

from golf_audit.model import Example, Verdict
from golf_audit.static import example as programs
from tests.rule_harness import submission_of

_HEAD = """
table = np.zeros(1 << 16)
stream = tokens.numpy()
before = piece(tokens, 0)[1].numpy()
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        nll = model(x, y)
    p = torch.exp(-nll).numpy()
"""
_TAIL = """
    total += -np.log(0.8 * p + 0.2 * table[key]).sum()
    count += y.numel()
    np.add.at(table, key, 1)
"""
KEYS = {
    "the target": ("    key = (x.numpy() * 31 + y.numpy()) % (1 << 16)", True),
    "the target under another name": ("    past = y.numpy()\n    key = (past * 31) ^ 7", True),
    "the target, read again from the stream": (
        "    j = np.arange(start + 1, start + 1025)\n    key = (stream[j - 1] * 31 + stream[j]) % (1 << 16)",
        True,
    ),
    "the two tokens before the target, read from the stream": (
        "    j = np.arange(start + 1, start + 1025)\n"
        "    key = (stream[j - 2] * 31 + stream[j - 1]) % (1 << 16)",
        False,
    ),
    "the target, by a helper that returns early with empty arrays": (
        "    def keys(j):\n"
        "        if not (j >= 3).any():\n"
        "            empty = np.array([], dtype=np.int64)\n"
        "            return empty, empty\n"
        "        v = np.nonzero(j >= 3)[0]\n"
        "        return v, (stream[j[v]] * 31) % (1 << 16)\n"
        "    v, key = keys(np.arange(start + 1, start + 1025))",
        True,
    ),
    "a start that is the larger of two numbers": (
        "    late = max(len(stream) - 64, 0)\n"
        "    j = np.arange(start + late + 1, start + late + 1025)\n"
        "    y = piece(tokens, start + late)[1]\n"
        "    p = torch.exp(-model(y, y)).numpy()\n"
        "    key = (stream[j] * 31) % (1 << 16)",
        True,
    ),
    "the inputs": ("    key = (x.numpy() * 31) % (1 << 16)", False),
    "the targets, one to the right": (
        "    past = np.zeros_like(x.numpy())\n    past[:, 1:] = y.numpy()[:, :-1]\n"
        "    key = (past * 31) % (1 << 16)",
        False,
    ),
    "the targets, shifted by a call": (
        "    key = (np.roll(y.numpy(), 1, axis=1) * 31) % (1 << 16)",
        None,
    ),
    "the targets of the chunk before": (
        "    key = (before * 31) % (1 << 16)\n    before = y.numpy()",
        None,
    ),
}


def consulted(key: str) -> set[bool | None]:
    """What the timeline says of the mixed scores of a program with this key."""
    evaluation = _HEAD + key + "\n" + _TAIL
    timeline = submission_of(Example("", programs.files(evaluation), Verdict.PASS)).timeline
    assert not timeline.blocking_gaps()
    mixed = [score.consults_target for score in timeline.scores() if score.table]
    assert mixed, "a table that is not seen to be mixed in shows nothing"
    return set(mixed)


@pytest.mark.parametrize(("key", "holds"), KEYS.values(), ids=KEYS)
def test_a_key_holds_the_target_or_not(key: str, holds: bool | None) -> None:
    assert consulted(key) == {holds}


_ALIKE = (
    "table = np.zeros(1 << 16)\nbest = np.zeros(1 << 16)\nrows = np.zeros((1 << 16, 8192))\n"
    + _HEAD
    + """
    key = (x.numpy() * 31) % (1 << 16)
    entry = {entry}
    total += -np.log({mixed}).sum()
    count += y.numel()
    np.add.at(table, key, 1)
    np.add.at(best, key, y.numpy())
    np.add.at(rows, (key, y.numpy()), 1)
"""
)
ENTRIES = {
    "one number per key": ("table[key]", "0.8 * p + 0.2 * entry", True),
    "the same as a share of the largest": ("table[key] / table.max()", "0.2 * entry + 0.8 * p", True),
    "the target's column of a row": ("rows[key, y.numpy()]", "0.8 * p + 0.2 * entry", False),
    "a row, of which nothing tells the column": ("rows[key]", "0.8 * p + 0.2 * entry", False),
    "the token that the table expects": ("best[key] == y.numpy()", "0.8 * p + 0.2 * entry", False),
    "the same, as a share of the model's": (
        "np.where(best[key] == y.numpy(), table[key], 0.0)",
        "0.8 * p + 0.2 * entry",
        False,
    ),
    "a share of a uniform distribution": (
        "table[key] / (table[key] + 5)",
        "(1 - entry) * p + entry / 8192",
        False,
    ),
    "what the sum over the vocabulary is divided by afterwards": (
        "table[key]",
        "(p + entry) / (1 + 8192 * entry)",
        False,
    ),
    "a table made into rows": ("table.reshape(8, 8192)[key]", "0.8 * p + 0.2 * entry", False),
}


@pytest.mark.parametrize(("entry", "mixed", "alike"), ENTRIES.values(), ids=ENTRIES)
def test_what_every_target_gets_alike_is_told_from_a_row(entry: str, mixed: str, alike: bool) -> None:
    """Only the first kind is known to be no distribution; the others may be one, and need a ruling."""
    evaluation = _ALIKE.format(entry=entry, mixed=mixed)
    timeline = submission_of(Example("", programs.files(evaluation), Verdict.PASS)).timeline
    assert not timeline.blocking_gaps()
    found = {score.alike is not None for score in timeline.scores() if score.table and not score.normalised}
    assert found == {alike}
