"""What a ledger decides: S03, and what A03, A04 and B04 take from measured runs.

A ledger from another machine, of another program, or that was altered must neither confirm nor accuse.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner
from golf_audit.cli import cli

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.ledger import read_ledger
from golf_audit.load import load_folder
from golf_audit.model import Ruling, Verdict
from golf_audit.submission import Case
from tests.rerun.small import SEEDS, TOKENS, end_body, folder, ledger_of, log, machine_body, score

CLAIMED = {seed: score(seed) for seed in SEEDS}
CLOSE = {seed: score(seed) + apart for seed, apart in zip(SEEDS, (0.0004, -0.0002, 0.0003), strict=True)}
RECORD = "track_10min_16mb"


def ruling(rule: str, submission: Path, ledger: Path | None, as_of: dt.date | None = None) -> Ruling:
    found = load_folder(submission)
    case = Case(found, as_of or found.date, read_ledger(ledger) if ledger is not None else None)
    report = audit(case, registry.pick([rule]))
    assert report.crashes == ()
    return report.rulings[0]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return folder(tmp_path, track=RECORD)


def test_without_a_ledger_nothing_is_said(record: Path) -> None:
    found = ruling("S03", record, None)
    assert found.verdict is Verdict.UNDETERMINED
    assert [unmet.awaits.value for unmet in found.assessment.unmet if unmet.awaits] == ["rerun"]


def test_close_reruns_on_the_rules_machine_reproduce_the_claim(record: Path, tmp_path: Path) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE)
    found = ruling("S03", record, book.path)
    assert found.verdict is Verdict.PASS
    assert found.reason.startswith("reproduced: 1.2") and "inside +-0.00296 bpb (0.005 nats" in found.reason
    said = "\n".join(note.says for note in found.assessment.notes)
    assert "(ledger entry 3)" in said and "(ledger entry 7)" in said, "each number names its entry"
    assert "paired" in said and "Welch" in said and book.read().head in said


def test_reruns_that_are_worse_than_the_claim_fail_it(tmp_path: Path) -> None:
    claimed = folder(tmp_path, track=RECORD, shift=-0.02)
    found = ruling("S03", claimed, ledger_of(tmp_path / "l.jsonl", claimed, CLOSE).path)
    assert found.verdict is Verdict.FAIL
    assert (
        "not reproduced: worse than claimed" in found.reason and "worse than claimed by 0.02" in found.reason
    )
    assert found.assessment.findings[0].to_change


def test_reruns_that_are_better_than_the_claim_pass_it_with_other_words(tmp_path: Path) -> None:
    claimed = folder(tmp_path, track=RECORD, shift=+0.02)
    found = ruling("S03", claimed, ledger_of(tmp_path / "l.jsonl", claimed, CLOSE).path)
    assert found.verdict is Verdict.PASS and found.reason.startswith("better than claimed")


def test_inside_the_noise_it_is_undetermined_with_the_seeds_it_would_take(
    record: Path, tmp_path: Path
) -> None:
    noisy = {s: score(s) + apart for s, apart in zip(SEEDS, (0.004, -0.003, 0.001), strict=True)}
    found = ruling("S03", record, ledger_of(tmp_path / "l.jsonl", record, noisy).path)
    assert found.verdict is Verdict.UNDETERMINED
    assert "across a border" in found.reason and "seeds would decide at this spread" in found.reason


@pytest.mark.parametrize(
    ("machine", "processes", "differs"),
    [
        pytest.param(machine_body("NVIDIA H100 80GB HBM3", 1), 1, "not 8xH100 SXM", id="one GPU"),
        pytest.param(machine_body("NVIDIA H200", 8), 8, "not 8xH100 SXM", id="another GPU"),
        pytest.param(machine_body("NVIDIA H100 PCIe", 8), 8, "not 8xH100 SXM", id="another board"),
        pytest.param(machine_body(tokens=24_064), 8, "not the FineWeb validation split", id="other data"),
        pytest.param(machine_body("", 0), 8, "not 8xH100 SXM", id="no GPU"),
    ],
)
@pytest.mark.parametrize(("shift", "word"), [(0.0, "reproduced on"), (-0.02, "not reproduced: worse")])
def test_another_machine_or_data_is_a_note_and_decides_nothing(
    tmp_path: Path, machine: dict[str, object], processes: int, differs: str, shift: float, word: str
) -> None:
    claimed = folder(tmp_path, track=RECORD, shift=shift)
    book = ledger_of(tmp_path / "l.jsonl", claimed, CLOSE, machine=machine, processes=processes)
    found = ruling("S03", claimed, book.path)
    assert found.verdict is Verdict.UNDETERMINED
    assert word in found.reason and differs in found.reason and "a note, never a confirmation" in found.reason


def test_of_several_data_sets_in_a_folder_the_one_that_was_scored_counts(
    record: Path, tmp_path: Path
) -> None:
    machine = machine_body()
    shards = [
        {"name": f"datasets/{name}/fineweb_val_000000.bin", "bytes": 1, "tokens": tokens, "sha256": "0" * 64}
        for name, tokens in (("sp1024", TOKENS), ("sp8192", 40_541_164))
    ]
    machine["data"] = {**machine["data"], "shards": shards, "val_tokens": TOKENS + 40_541_164}
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE, machine=machine)
    assert ruling("S03", record, book.path).verdict is Verdict.PASS


def test_the_first_word_on_a_run_stands(record: Path, tmp_path: Path) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE)
    for start in book.read().of("start"):
        book.append("end", end_body(start.n, start.body["seed"], 1.9, 1))
    assert ruling("S03", record, book.path).verdict is Verdict.PASS


def test_off_the_record_track_the_claimed_logs_name_the_machine(tmp_path: Path) -> None:
    claimed = folder(tmp_path)
    for seed in SEEDS:
        gpu = "|   0  NVIDIA A100-SXM4-80GB          On  |   00000000:00:00.0 Off |        0 |\n"
        path = claimed / f"train_seed{seed}.log"
        path.write_text(gpu + path.read_text())
    same = machine_body("NVIDIA A100-SXM4-80GB", 1)
    book = ledger_of(tmp_path / "l.jsonl", claimed, CLOSE, machine=same, processes=1)
    assert ruling("S03", claimed, book.path).verdict is Verdict.PASS
    other = ledger_of(tmp_path / "m.jsonl", claimed, CLOSE)
    found = ruling("S03", claimed, other.path)
    assert found.verdict is Verdict.UNDETERMINED and "1x NVIDIA A100" in found.reason


def test_papers_may_be_corrected_after_a_rerun(record: Path, tmp_path: Path) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE)
    (record / "README.md").write_text((record / "README.md").read_text() + "\nA typo less.\n")
    (record / "results.png").write_bytes(b"\x89PNG")
    assert ruling("S03", record, book.path).verdict is Verdict.PASS


@pytest.mark.parametrize("what", ["the program", "the configuration"])
def test_runs_of_another_program_or_configuration_are_not_this_ones(
    record: Path, tmp_path: Path, what: str
) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE)
    if what == "the program":
        (record / "train_gpt.py").write_text((record / "train_gpt.py").read_text() + "\n# another\n")
    else:
        (record / "README.md").write_text("# A small one\n\n    NOISE=0.5 SEED=42 python train_gpt.py\n")
    found = ruling("S03", record, book.path)
    assert found.verdict is Verdict.UNDETERMINED and "another program or configuration" in found.reason


def test_runs_of_one_seed_count_as_their_mean(record: Path, tmp_path: Path) -> None:
    """Whoever reruns a seed until it fits gains nothing."""
    book = ledger_of(tmp_path / "l.jsonl", record, {s: v + 0.02 for s, v in CLOSE.items()})
    for seed in SEEDS:
        start = book.append("start", {"plan": 0, "environment": 1, "seed": seed, "attempt": 2, "job": ""})
        book.append("end", end_body(start.n, seed, CLAIMED[seed], 1))
    assert ruling("S03", record, book.path).verdict is Verdict.FAIL


def test_runs_without_a_score_are_named_and_decide_nothing(record: Path, tmp_path: Path) -> None:
    found = ruling("S03", record, ledger_of(tmp_path / "l.jsonl", record, dict.fromkeys(SEEDS)).path)
    assert found.verdict is Verdict.UNDETERMINED and "no rerun came to a score" in found.reason


def test_an_instrumented_run_is_never_the_timed_one(record: Path, tmp_path: Path) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE, instrument=True)
    assert "no run of this submission" in ruling("S03", record, book.path).reason


def test_an_altered_ledger_is_nobodys_evidence(record: Path, tmp_path: Path) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE)
    text = book.path.read_bytes()
    book.path.write_bytes(text.replace(b'"wall_s":700.0', b'"wall_s":100.0', 1))
    found = ruling("S03", record, book.path)
    assert found.verdict is Verdict.UNDETERMINED and "does not hold together" in found.reason
    done = CliRunner().invoke(cli, ["check", str(record), "--ledger", str(book.path), "--rule", "S03"])
    assert done.exit_code == 1 and "altered" in done.output


def test_check_takes_a_ledger(record: Path, tmp_path: Path) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE)
    done = CliRunner().invoke(
        cli, ["check", str(record), "--ledger", str(book.path), "--rule", "S03", "--verbose"]
    )
    assert done.exit_code == 0, done.output
    assert "S03" in done.output and "reproduced" in done.output
    shown = CliRunner().invoke(cli, ["explain", str(record), "S03", "--ledger", str(book.path)])
    assert "PASS" in shown.output and "ledger entry 3" in shown.output


def test_reruns_are_pooled_into_the_organisers_test_as_a_note(record: Path, tmp_path: Path) -> None:
    book = ledger_of(tmp_path / "l.jsonl", record, CLOSE)
    day = dt.date(2026, 5, 1)
    for rule in ("S01", "S02"):
        found = ruling(rule, record, book.path, day)
        said = "\n".join(note.says for note in found.assessment.notes)
        assert "pooled with 3 reruns (ledger entries 3, 5, 7): 1.2" in said and "over 6 runs" in said
        assert found.verdict is ruling(rule, record, None, day).verdict


def test_a_reader_of_check_sees_what_another_machine_gave(tmp_path: Path) -> None:
    """It decides nothing, and must not look as if nothing had been run."""
    claimed = folder(tmp_path, track=RECORD)
    book = ledger_of(tmp_path / "l.jsonl", claimed, CLOSE, machine=machine_body("NVIDIA H200", 8))
    done = CliRunner().invoke(cli, ["check", str(claimed), "--ledger", str(book.path), "--rule", "S03"])
    said = " ".join(done.output.split())
    assert "UNDETERMINED S03 reproduced on 8x NVIDIA H200" in said and "not yet run" not in said
    assert done.exit_code == 0, "without effect on the exit code"
    strict = ["--require-run", "--ledger", str(book.path), "--rule", "S03"]
    assert CliRunner().invoke(cli, ["check", str(claimed), *strict]).exit_code == 3


def without(text: str, *words: str) -> str:
    """A log without the lines that hold these words."""
    return "\n".join(line for line in text.splitlines() if not any(word in line for word in words)) + "\n"


def reran(record: Path, tmp_path: Path, **changed: int) -> Path:
    """A ledger with logs whose times or tokens differ from the claimed ones."""
    logs = {seed: log(seed, CLAIMED[seed], **changed) for seed in SEEDS}
    return ledger_of(tmp_path / "l.jsonl", record, CLAIMED, logs=logs).path


@pytest.mark.parametrize(
    ("rule", "unprinted", "measured"),
    [
        pytest.param("A03", ("train_time",), "training took 599.0 s (ledger entry 3)", id="training time"),
        pytest.param("B04", ("val_tokens",), "(ledger entry 3)", id="the whole split"),
    ],
)
def test_reruns_fill_in_what_the_claimed_logs_do_not_print(
    record: Path, tmp_path: Path, rule: str, unprinted: tuple[str, ...], measured: str
) -> None:
    for seed in SEEDS:
        path = record / f"train_seed{seed}.log"
        path.write_text(without(path.read_text(), *unprinted))
    assert ruling(rule, record, None).verdict is Verdict.UNDETERMINED
    found = ruling(rule, record, reran(record, tmp_path))
    assert found.verdict is Verdict.PASS
    assert measured in "\n".join(basis.says for basis in found.assessment.basis)


def test_the_measured_evaluation_time_fills_in_for_one_not_printed(record: Path, tmp_path: Path) -> None:
    for seed in SEEDS:
        path = record / f"train_seed{seed}.log"
        path.write_text(path.read_text().replace(" eval_time:61000ms", ""))
    assert ruling("A04", record, None).verdict is Verdict.UNDETERMINED
    found = ruling("A04", record, reran(record, tmp_path))
    assert found.verdict is Verdict.PASS and "61.0 s (ledger entry 3)" in found.reason


@pytest.mark.parametrize(
    ("rule", "changed"),
    [("A03", {"train_ms": 604_000}), ("A04", {"eval_ms": 640_000})],
)
def test_a_rerun_over_a_limit_asks_for_a_ruling(
    record: Path, tmp_path: Path, rule: str, changed: dict[str, int]
) -> None:
    """Machines of one kind differ in speed: what the author's log kept, another machine may not."""
    assert ruling(rule, record, None).verdict is Verdict.PASS
    found = ruling(rule, record, reran(record, tmp_path, **changed))
    assert found.verdict is Verdict.NEEDS_RULING and "rerun" in found.reason


def test_another_log_under_the_same_name_measures_nothing(record: Path, tmp_path: Path) -> None:
    path = reran(record, tmp_path, train_ms=604_000)
    for file in tmp_path.glob("seed*.log"):
        file.write_text(file.read_text().replace("604000", "599000"))
    assert ruling("A03", record, path).verdict is Verdict.PASS  # by the claimed logs alone
    assert not any("rerun" in basis.says for basis in ruling("A03", record, path).assessment.basis)


@pytest.mark.parametrize("name", ["../secret.log", "/etc/passwd", "a/../../b.log"])
def test_a_ledger_names_no_file_outside_its_folder(record: Path, tmp_path: Path, name: str) -> None:
    from golf_audit.reruns.view import _read

    (tmp_path / "secret.log").write_text("secret")
    (tmp_path / "inner").mkdir()
    assert _read(tmp_path / "inner", name) is None
