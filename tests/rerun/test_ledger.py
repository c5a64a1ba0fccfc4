"""A ledger keeps what was measured: alterations are found, and no crash, race or full disk loses an entry."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from golf_audit.cli import cli

from golf_audit.ledger import GENESIS, Entry, LedgerError, check_chain, make_entry, read_ledger
from golf_audit.rerun.ledger import LedgerFile


def start(seed: int = 42) -> dict[str, object]:
    return {"plan": 0, "environment": None, "seed": seed, "attempt": 1, "job": ""}


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerFile:
    """Three entries: seeds 0, 1 and 2 were started."""
    file = LedgerFile(tmp_path / "runs.jsonl")
    for seed in range(3):
        file.append("start", start(seed))
    return file


def verify(path: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["ledger", "verify", str(path), *options])
    return done.exit_code, done.output


def test_entries_are_chained_and_read_back(ledger: LedgerFile) -> None:
    found = ledger.read()
    assert [entry.body["seed"] for entry in found.entries] == [0, 1, 2]
    assert [entry.prev for entry in found.entries] == [GENESIS, *(e.hash for e in found.entries[:-1])]
    assert found.problems == () and found.head == found.entries[-1].hash
    code, said = verify(ledger.path, "--head", found.head)
    assert code == 0 and "whole: 3 entries (3 start)" in said and found.head in said


def altered(ledger: LedgerFile, how: str) -> Path:
    """The ledger changed by somebody who rewrites lines but keeps them well formed."""
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    if how == "a field":
        lines[1] = lines[1].replace(b'"seed":1', b'"seed":7')
    elif how == "a field with a new hash":
        raw = json.loads(lines[1])
        lines[1] = make_entry(1, raw["prev"], raw["time"], "start", start(7)).line
    elif how == "an entry taken out":
        del lines[1]
    elif how == "two entries swapped":
        lines[1], lines[2] = lines[2], lines[1]
    elif how == "an entry repeated":
        lines.insert(1, lines[1])
    elif how == "a number for a text":
        lines[1] = lines[1].replace(b'"job":""', b'"job":0')
    elif how == "spelled with spaces":
        lines[1] = lines[1].replace(b'"job":"",', b'"job": "",')
    elif how == "a name twice":
        lines[1] = lines[1].replace(b'"job":"",', b'"job":"x","job":"",')
    else:
        lines[1] = b"not JSON\n"
    ledger.path.write_bytes(b"".join(lines))
    return ledger.path


@pytest.mark.parametrize(
    "how",
    [
        "a field",
        "a field with a new hash",
        "an entry taken out",
        "two entries swapped",
        "an entry repeated",
        "a number for a text",
        "spelled with spaces",
        "a name twice",
        "no JSON",
    ],
)
def test_an_alteration_is_found_without_the_head(ledger: LedgerFile, how: str) -> None:
    path = altered(ledger, how)
    code, said = verify(path)
    assert code == 1 and "ALTERED" in said
    assert len(read_ledger(path).entries) <= 2, "no entry after an altered one is used"


def test_a_cut_or_rewritten_chain_is_found_with_the_head(ledger: LedgerFile, tmp_path: Path) -> None:
    head = ledger.read().head
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[:-1]))
    assert verify(ledger.path)[0] == 0
    code, said = verify(ledger.path, "--head", head)
    assert code == 1 and "cut or rewritten" in said
    other = LedgerFile(tmp_path / "rewritten.jsonl")
    for seed in range(3):
        other.append("start", start(seed + 10))
    assert verify(other.path)[0] == 0 and verify(other.path, "--head", head)[0] == 1


def test_entries_added_after_the_head_are_no_alteration(ledger: LedgerFile) -> None:
    head = ledger.read().head
    ledger.append("start", start(3))
    code, said = verify(ledger.path, "--head", head)
    assert code == 0 and "1 entry added since that head" in said


@pytest.mark.parametrize("keep", [1, 40, -2])
def test_a_torn_last_line_is_cut_off_and_reported(ledger: LedgerFile, keep: int) -> None:
    whole = ledger.path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    ledger.path.write_bytes(whole + last[:keep])
    assert "torn" in verify(ledger.path)[1]
    again = LedgerFile(ledger.path)
    again.append("start", start(9))
    found = again.read()
    assert [entry.kind for entry in found.entries] == ["start"] * 3 + ["repair", "start"]
    assert found.entries[3].body["completed"] is False and not found.problems
    assert len(again.repairs) == 1 and "cut off" in again.repairs[0]


def test_a_whole_entry_that_lacks_its_newline_is_kept(ledger: LedgerFile) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes()[:-1])
    again = LedgerFile(ledger.path)
    again.append("start", start(9))
    found = again.read()
    assert [entry.body.get("seed") for entry in found.entries] == [0, 1, 2, None, 9]
    assert found.entries[3].body["completed"] is True


def test_nothing_is_appended_to_an_altered_end(ledger: LedgerFile) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b'"seed":2', b'"seed":5'))
    with pytest.raises(LedgerError, match="not to be trusted"):
        ledger.append("start", start(9))


_WRITER = """
import sys
from pathlib import Path
from golf_audit.rerun.ledger import LedgerFile
for number in range(int(sys.argv[3])):
    LedgerFile(Path(sys.argv[1])).append("start", {"plan": 0, "environment": None, "seed": int(sys.argv[2]),
        "attempt": number + 1, "job": ""})
    print(number, flush=True)
"""


def writer(path: Path, seed: int, times: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(path), str(seed), str(times)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_writers_in_several_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    writers = [writer(path, seed, 15) for seed in range(4)]
    assert [w.wait(timeout=120) for w in writers] == [0] * 4
    for w in writers:
        assert w.stdout is not None
        w.stdout.close()
    found = read_ledger(path)
    assert found.problems == ()
    written = sorted((e.body["seed"], e.body["attempt"]) for e in found.entries)
    assert written == [(seed, attempt) for seed in range(4) for attempt in range(1, 16)]


def test_a_killed_writer_loses_nothing_that_it_had_written(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    victim = writer(path, 1, 100_000)
    assert victim.stdout is not None
    told = -1
    for line in victim.stdout:
        told = int(line)
        if told >= 5:
            break
    victim.send_signal(signal.SIGKILL)
    rest = victim.stdout.read().split()
    victim.wait(timeout=30)
    victim.stdout.close()
    told = int(rest[-1]) if rest else told
    LedgerFile(path).append("start", start(9))
    found = read_ledger(path)
    assert found.problems == ()
    attempts = [e.body["attempt"] for e in found.entries if e.body.get("seed") == 1]
    assert attempts == list(range(1, len(attempts) + 1)) and len(attempts) >= told + 1


def test_a_full_disk_is_one_clear_error_and_loses_nothing(
    ledger: LedgerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ledger.path.read_bytes()
    real = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) > 100:
            return real(descriptor, data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("golf_audit.rerun.ledger.os.write", full)
    with pytest.raises(LedgerError, match=r"No space left on device.*not lost"):
        ledger.append("start", start(9))
    monkeypatch.undo()
    assert ledger.path.read_bytes() == before
    ledger.append("start", start(9))
    assert len(ledger.read().entries) == 4


def test_the_kernels_own_limit_of_a_file_loses_nothing(ledger: LedgerFile) -> None:
    """The same with a real refusal: the kernel lets a part of the entry in and no more."""
    before = ledger.path.read_bytes()
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 50}, {len(before) + 50}))\n"
        "from pathlib import Path; from golf_audit.rerun.ledger import LedgerFile\n"
        "from golf_audit.ledger import LedgerError\n"
        "try:\n"
        "    LedgerFile(Path(sys.argv[1])).append('start', {'plan': 0, 'environment': None, 'seed': 1,"
        " 'attempt': 1, 'job': ''})\n"
        "except LedgerError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ledger.path)], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout and "not lost" in done.stdout
    assert ledger.path.read_bytes() == before


def test_another_writer_that_never_lets_go_is_an_error(
    ledger: LedgerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr("golf_audit.rerun.ledger.PATIENCE", 0.1)
    with ledger.path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(LedgerError, match="another process"):
            ledger.append("start", start(9))
    assert time.monotonic() - began < 5


def test_what_is_no_entry_is_not_written(ledger: LedgerFile) -> None:
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerError, match="job"):
        ledger.append("start", {**start(9), "job": "x" * 101})
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00" * 100 + b"\n", id="zeros"),
        pytest.param(b"[" * 100_000 + b"\n", id="nested"),
        pytest.param(b'{"n": ' + b"9" * 10_000 + b"}\n", id="a long number"),
        pytest.param(b'{"schema": NaN}\n', id="not a number"),
        pytest.param(b"x" * (2 << 20) + b"\n", id="a long line"),
        pytest.param(b"\xff\xfe\n" * 50, id="not UTF-8"),
    ],
)
def test_hostile_ledgers_are_problems_not_crashes(data: bytes) -> None:
    found = check_chain(data, "runs.jsonl")
    assert found.entries == () and found.problems


def test_escape_sequences_of_a_hostile_ledger_reach_no_terminal(tmp_path: Path) -> None:
    entry = make_entry(0, GENESIS, "2026-05-01T00:00:00Z", "\x1b]0;owned\x07", {})
    path = tmp_path / "runs.jsonl"
    path.write_bytes(entry.line)
    code, said = verify(path)
    assert code == 1 and "\x1b" not in said


def test_a_ledger_is_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError):
        LedgerFile(tmp_path / "runs.jsonl").append("start", start())
    assert not (tmp_path / "elsewhere").exists()
    assert verify(tmp_path / "absent.jsonl")[0] == 2


def test_the_hash_covers_every_field(ledger: LedgerFile) -> None:
    entry = ledger.read().entries[1]
    others = [
        make_entry(2, entry.prev, entry.time, entry.kind, entry.body),
        make_entry(1, GENESIS, entry.time, entry.kind, entry.body),
        make_entry(1, entry.prev, "2026-05-01T00:00:00Z", entry.kind, entry.body),
        make_entry(1, entry.prev, entry.time, "end", entry.body),
        make_entry(1, entry.prev, entry.time, entry.kind, start(8)),
    ]
    assert len({entry.hash, *(other.hash for other in others)}) == 6
    assert isinstance(entry, Entry)
