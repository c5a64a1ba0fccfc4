"""Mutants that reading the folder decides: sizes, times, hardware, claims, seeds, files, characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from golf_audit.model import Verdict
from tests.mutants.base import (
    CASEOPS,
    LOGS,
    SCRIPT,
    TOKENS,
    Files,
    Mutant,
    Patch,
    change_json,
    restate,
    swap,
    swap_line,
)

FAIL, ASK, OPEN = Verdict.FAIL, Verdict.NEEDS_RULING, Verdict.UNDETERMINED
ORDER = (
    *("T01", "T02", "P01", "P02", "P03", "Q01", "Q02", "Q03", "V01", "V02", "V03", "V05", "V06"),
    *("M01", "M02", "N01"),
)
"""Rules that ask the code: all of them stay or turn open where it cannot be read to its end."""
READING: list[Mutant] = []


def mutant(base: str, notes: str = "", stray: str = "", **changes: Verdict) -> Callable[[Patch], Patch]:
    """List a patch with the rulings it changes and the rules (by id) whose notes alone it changes."""

    def add(patch: Patch) -> Patch:
        READING.append(Mutant(patch, base, changes, frozenset(notes.split()), stray))
        return patch

    return add


def all_open(*others: str) -> Mapping[str, Verdict]:
    """The order rules and these turn undetermined."""
    return dict.fromkeys((*ORDER, *others), OPEN)


# --- A: sizes, times, hardware ---------------------------------------------------------------------------


def set_sizes(files: Files, model: int, code: int, logs: tuple[str, ...] = LOGS) -> None:
    swap_line(
        files,
        r"^Serialized model quantized\+brotli: \d+",
        f"Serialized model quantized+brotli: {model}",
        logs,
    )
    swap_line(
        files,
        r"^Total submission size quantized\+brotli: \d+",
        f"Total submission size quantized+brotli: {model + code}",
        logs,
    )


@mutant("record", A01=FAIL)
def size_over_cap(files: Files) -> None:
    """One seed's model is 16,000,001 bytes before any code is counted."""
    set_sizes(files, 16_000_001, 47_787, LOGS[1:2])


@mutant("tiny", A01=ASK)
def size_over_cap_off_the_record_track(files: Files) -> None:
    """The same where one such entry was listed."""
    set_sizes(files, 16_000_001, 47_787, LOGS[1:2])


@mutant("record", A01=ASK)
def size_over_cap_in_the_log_only(files: Files) -> None:
    """The log counts the code with a megabyte, the committed script has less."""
    set_sizes(files, 15_200_000, 1_000_000)
    swap_line(files, r"^Code size \(compressed\): \d+", "Code size (compressed): 1000000")


@mutant("record", A02=ASK, notes="A01")
def helper_module_is_executed_and_not_counted(files: Files) -> None:
    """The script imports a module of 20,000 bytes that fits only while nobody counts it."""
    set_sizes(files, 15_940_000, 47_787)
    swap(files, SCRIPT, "\nimport copy\n", "\nimport copy\nimport helper\n")
    files["helper.py"] = "TABLE = 1\n" * 2_000


@mutant("record", A03=FAIL)
def training_over_600_s(files: Files) -> None:
    """One seed trains for 612 s."""
    swap_line(files, r"train_time: 588020ms", "train_time: 612020ms", LOGS[:1])


@mutant("record", A03=ASK)
def calibration_after_600_s(files: Files) -> None:
    """Hessians are collected for 12.7 s after a stop at 598 s."""
    swap_line(files, r"train_time: 588020ms", "train_time: 598020ms")
    swap_line(files, r"(GPTQ:collected \d+ Hessians in) \S+$", r"\1 12.7s")


@mutant("record", A04=FAIL)
def evaluation_over_600_s(files: Files) -> None:
    """The claimed evaluation of one seed takes 640 s."""
    swap_line(files, r"^(quantized_ttt_phased .*eval_time:)\d+ms", r"\g<1>640000ms", LOGS[2:])


@mutant("record", A04=ASK)
def evaluations_over_600_s_together(files: Files) -> None:
    """The sliding pass before the claimed one takes 590 s."""
    swap_line(files, r"^(quantized_sliding_window .*eval_time:)\d+ms", r"\g<1>590000ms")


@mutant("record", A05=FAIL)
def another_gpu(files: Files) -> None:
    """One log names an A100."""
    swap_line(files, "gpu: NVIDIA H100 80GB HBM3", "gpu: NVIDIA A100-SXM4-80GB", LOGS[:1])


@mutant("record", A05=FAIL)
def one_gpu(files: Files) -> None:
    """One run had a single GPU."""
    swap_line(files, r"^  world_size: 8$", "  world_size: 1", LOGS[:1])


# --- B, V04: bytes, split, shards ------------------------------------------------------------------------


@mutant("record", B02=FAIL)
def leading_space_counted_twice(files: Files) -> None:
    """1.177 times the bytes of the text are counted."""
    restate(files, lambda bpb: bpb, CASEOPS * 1.177)


@mutant("record", B02=FAIL)
def sidecar_dropped(files: Files) -> None:
    """The transformed text is counted: 1.0895 times the bytes, and no sidecar is read."""
    restate(files, lambda bpb: bpb, CASEOPS * 1.0895)
    swap_line(files, r"^  val_bytes_files: .*\n", "")


@mutant("tiny", B03=OPEN)
def sidecar_not_named(files: Files) -> None:
    """CaseOps over a text of one's own, and no word of a sidecar."""
    swap_line(files, r"^  val_bytes_files: .*\n", "")


@mutant("record", B03=FAIL, B04=OPEN, B01=OPEN)
def sidecar_switched_off(files: Files) -> None:
    """The sidecar is off and no token count checks it; B01 cannot follow the byte tokenizer."""
    swap_line(files, r"^  caseops_enabled: True$", "  caseops_enabled: False")
    swap_line(files, r"^val_tokens: \d+\n", "")


@mutant("record", B03=ASK)
def text_is_casefolded(files: Files) -> None:
    """The shards are named as casefolded."""
    for path in LOGS:
        files[path] = files[path].replace("lossless_caps_caseops_v1_reserved", "casefold")


@mutant("record", B04=FAIL, B02=OPEN)
def validation_half_dropped(files: Files) -> None:
    """Half of the split's tokens are scored."""
    swap_line(files, r"^val_tokens: \d+$", f"val_tokens: {TOKENS // 2}")


@mutant("record", V04=FAIL)
def leaky_preparation(files: Files) -> None:
    """1499 training shards of CaseOps text."""
    swap_line(files, r"^train_shards: 80$", "train_shards: 1499")


# --- H, N02: what can be read, what is brought along -----------------------------------------------------


@mutant("tiny", H01=ASK)
def hidden_character_in_code(files: Files) -> None:
    """A right-to-left override stands in a line of shell code."""
    files["run.sh"] = "SEED=42 python \u202etrain_gpt.py\n"


@mutant("tiny", notes="H01")
def hidden_character_in_a_string(files: Files) -> None:
    """A zero-width space inside a printed string is listed and legal."""
    swap(files, SCRIPT, '"ema:off"', b'"ema:\\u200boff"'.decode("unicode_escape"))


@mutant("tiny", H02=OPEN)
def compiled_helper(files: Files) -> None:
    """A shared object lies in the folder."""
    files["fast_scorer.so"] = "binary"


@mutant("tiny", **all_open("H02"))
def unpeelable_payload(files: Files) -> None:
    """Code that came over a socket is executed: nobody can read it."""
    run = '\nif __name__ == "__main__":\n    '
    swap(
        files,
        SCRIPT,
        f"{run}main()\n",
        f'{run}exec(compile(os.environ["STAGE2"], "stage2", "exec"))\n    main()\n',
    )


@mutant("tiny", N02=ASK)
def word_frequencies_from_a_package(files: Files) -> None:
    """A package brings language data that nobody counts."""
    swap(files, SCRIPT, "\nimport copy\n", "\nimport copy\nimport wordfreq\n")
    files["requirements.txt"] += "wordfreq==3.1.1\n"


@mutant("tiny", notes="N02")
def undeclared_package(files: Files) -> None:
    """zstandard is imported and neither requirements.txt nor README names it."""
    swap(files, SCRIPT, "\nimport copy\n", "\nimport copy\nimport zstandard\n")


# --- R, S: papers, claims, seeds -------------------------------------------------------------------------

LOGGED = ("A01", "R03", "R05", "V04")
"""Rules that stand on the claimed logs off the record track."""


@mutant("tiny", R01=FAIL)
def readme_missing(files: Files) -> None:
    """There is no README."""
    del files["README.md"]


@mutant("tiny", R01=FAIL, **all_open("B03", *LOGGED))
def logs_missing(files: Files) -> None:
    """There is no log at all."""
    for path in LOGS:
        del files[path]


@mutant("tiny", B03=OPEN, **dict.fromkeys(("A01", "R05", "V04"), OPEN))
def one_log_missing(files: Files) -> None:
    """One claimed seed has no log."""
    del files[LOGS[0]]


@mutant("tiny", R01=FAIL, **all_open("B01", "N02", "H02", "R05"))
def script_does_not_compile(files: Files) -> None:
    """The last line of the script is cut off in the middle of a call."""
    swap(
        files,
        SCRIPT,
        '\nif __name__ == "__main__":\n    main()\n',
        '\nif __name__ == "__main__":\n    main(\n',
    )


@mutant("tiny", R02=FAIL)
def broken_json(files: Files) -> None:
    """submission.json ends before its last brace; what stands before it can still be read."""
    files["submission.json"] = files["submission.json"].rstrip().removesuffix("}")


@mutant("tiny", R02=FAIL, **all_open("B03", *LOGGED))
def claim_is_a_list(files: Files) -> None:
    """submission.json is a list, and states no score."""
    files["submission.json"] = "[]\n"


@mutant("tiny", R03=FAIL)
def edited_claim(files: Files) -> None:
    """The headline is two percent better than every log."""
    change_json(files, lambda claim: claim.update(val_bpb=2.82700224))


@mutant("tiny", R05=FAIL)
def mixed_seeds(files: Files) -> None:
    """The third seed was trained with another learning rate."""
    swap_line(files, r"^  matrix_lr: \S+$", "  matrix_lr: 0.031", LOGS[2:])


@mutant("tiny", notes="R05")
def mislabelled_seed(files: Files) -> None:
    """The log of seed 42 is called seed 43; its values agree."""
    files["train_seed43.log"] = files.pop("train_seed42.log")


@mutant("pull request", stray="README.md", R04=FAIL)
def stray_file_in_the_diff(files: Files) -> None:
    """The pull request also changes the root README."""


@mutant("record", S01=ASK, S02=ASK)
def no_better_than_the_record_before(files: Files) -> None:
    """Every score is 0.05 bpb worse."""
    restate(files, lambda bpb: bpb + 0.05)
