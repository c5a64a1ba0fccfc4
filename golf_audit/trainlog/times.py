"""Times: training steps, the stop line, evaluations, and the phases between them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from golf_audit.trainlog.finals import is_progress
from golf_audit.trainlog.model import (
    CalibrationData,
    EvalTime,
    Final,
    PhaseKind,
    PhaseTime,
    Reading,
    Steps,
    Stop,
)
from golf_audit.trainlog.numbers import NUMBER, durations, quote, seconds

_STEP = re.compile(
    r"^(?:(?:step|s|iter|iteration)\s{0,6}[:=]?\s{0,8}(?P<step>\d{1,9})(?:\s?/\s?(?P<of>\d{1,9}))?"
    r"|(?P<clark>\d{1,9})/(?P<clark_of>\d{1,9}))(?![\w.])(?=.*(?:loss|time|[tv]l:))",
    re.IGNORECASE,
)
_TRAIN_TIME = re.compile(
    rf"(?<![a-z])(?:train_time|train_time_ms|tt)\s?[:=]\s?(?P<number>{NUMBER})\s?(?P<unit>ms|s|m)?"
)
_BAR_TIME = re.compile(
    rf"\|\s{{0,4}}(?P<number>{NUMBER})s$"
)  # GDN logs: `step 100/7000 | loss 5.1 | ... | 27s`

_STOP = re.compile(
    rf"^(?:stopping_early|early_stop|stop)(?::\s?(?P<reason>\w{{1,40}}))?\b.{{0,120}}?(?:train_time|tt)"
    rf"\s{{0,2}}(?:\([^)]{{0,80}}\))?\s?:\s?(?P<ms>{NUMBER})\s?ms(?:\s{{1,4}}(?:step|s)\s?:\s?(?P<step>\d{{1,9}}))?"
)
_STOP_AT = re.compile(
    r"^stopping(?:_| )early\b.{0,80}?\bstep:? ?(?P<step>\d{1,9})(?:.{0,20}\((?P<reason>[^)]{1,40})\))?", re.I
)

_RESERVE = re.compile(rf"^gptq:\s?reserving\s{{1,4}}(?P<number>{NUMBER})\s?(?P<unit>ms|s)\b", re.IGNORECASE)
_EVAL_TIME = re.compile(
    rf"(?<![a-z])(?P<key>(?:\w{{0,30}}_)?(?:eval_time|total_time)|elapsed|time|eval|took|t)\s?[:=]\s?"
    rf"(?P<number>{NUMBER})\s?(?P<unit>ms|s)(?!\w)"
)
_TOTAL_EVAL = re.compile(
    rf"^total[_ ]eval[_ ](?:time|wallclock)(?P<more>\w{{0,30}})\s?[:=]\s{{0,4}}(?P<number>{NUMBER})"
    r"\s?(?P<unit>ms|s)?",
    re.IGNORECASE,
)

_KINDS: tuple[tuple[PhaseKind, re.Pattern[str]], ...] = (
    ("warmup", re.compile(r"compil|warm-?_?up")),
    ("production", re.compile(r"artifact_production")),
    ("decompress", re.compile(r"decompress|deserial")),
    ("compress", re.compile(r"compress|serializ")),
    (
        "calibrate",
        re.compile(r"hessian|calib|gptq.{0,40}generat|self_?-?gen|generat.{0,20}(?:sequences|seqs|calib)"),
    ),
    ("quantize", re.compile(r"gptq|quantiz|quantis")),
    ("precompute", re.compile(r"precompute|prefill|pre-fill|ngram.{0,30}buil[dt]|cache buil[dt]")),
    ("adapt", re.compile(r"ttt|adapt")),
    ("train", re.compile(r"^(?:phase:train|training_seconds|training (?:done|complete))")),
)
_SPENT = re.compile(
    r"^(?:in|took|total|done|seconds|finished|completed?)$|(?:time|elapsed|wall|wallclock|_m?s)$"
)
_LONG = 60.0  # seconds
_EVALUATION = re.compile(r"(?<![a-z])(?:eval|ppm|ngram|n_gram|sliding|slot|roundtrip|scor)")
_NOT_DONE = re.compile(
    r"reserv|budget|remaining|eta[=:]|limit|max_|targets? |rank\d|see_above"
    r"|total_elapsed|\[schedule\]|batch_tokens"
    r"|(?<![a-z])(?:epoch|chunk|batch|step|rank|phase)s?[:=\[ ]{0,2}\d"
)

_DATA: tuple[tuple[CalibrationData, re.Pattern[str]], ...] = (
    ("self-generated", re.compile(r"self-?_?gen|autoregressive|generat|\bar\b")),
    ("random", re.compile(r"random tokens|synthetic")),
    ("validation", re.compile(r"\bval(?:idation)?[ _](?:data|tokens|set|batches)")),
    ("train", re.compile(r"train(?:ing)?[ _-](?:data|batches|shards|loader|tokens|set)|cached training")),
)


def steps(number: int, line: str) -> Steps | None:
    """The training step that a line reports, with its clock."""
    match = _STEP.match(line)
    if match is None:
        return None
    planned = match["of"] or match["clark_of"]
    clock = _TRAIN_TIME.search(line)
    value, precision = None, 0.001
    if clock is not None:
        # without a unit the key says it: `train_time_ms:599955`
        unit = clock["unit"] or "ms"
        value = seconds(clock["number"], unit)
        precision = {"ms": 0.001, "s": 1.0, "m": 6.0}[unit]
    elif bar := _BAR_TIME.search(line):
        value, precision = float(bar["number"]), 1.0
    return Steps(
        step=int(match["step"] or match["clark"]),
        planned=int(planned) if planned else None,
        seconds=value,
        precision=precision,
        line=number,
        text=quote(line),
    )


def stop(number: int, line: str) -> Stop | None:
    """`stopping_early: wallclock_cap train_time:598028ms step:14141/20000` and its relatives."""
    match = _STOP.match(line)
    if match is not None:
        step = int(match["step"]) if match["step"] else None
        return Stop(match["reason"] or "", float(match["ms"]), step, number, quote(line))
    bare = _STOP_AT.match(line)
    return Stop(bare["reason"] or "", None, int(bare["step"]), number, quote(line)) if bare else None


def reserve(number: int, line: str) -> Reading[float] | None:
    """Seconds kept back from training for GPTQ."""
    match = _RESERVE.match(line)
    return Reading(seconds(match["number"], match["unit"]), number, quote(line)) if match else None


def eval_time(final: Final, line: str) -> EvalTime | None:
    """The time on a result line; a number without a unit is not taken."""
    match = _EVAL_TIME.search(line)
    if match is None or not float(match["number"]):  # `eval_time:0ms` means that nobody measured
        return None
    return EvalTime(final.name, seconds(match["number"], match["unit"]), final.line, final.text)


def total_eval(number: int, line: str) -> EvalTime | None:
    """`total_eval_time:395.5s`."""
    match = _TOTAL_EVAL.match(line)
    if match is None:
        return None
    return EvalTime(
        "total_eval" + match["more"], seconds(match["number"], match["unit"] or "s"), number, quote(line)
    )


def phase(number: int, line: str, low: str) -> PhaseTime | EvalTime | None:
    """A finished phase with its duration, or the time of an evaluation printed on a line of its own."""
    if _NOT_DONE.search(low) or is_progress(low):
        return None
    for kind, words in _KINDS:
        if words.search(low):
            value = _own_duration(low, words)
            if value is None:
                return None
            if kind == "adapt" and "eval" in low:
                return EvalTime(_label(low), value, number, quote(line))
            return PhaseTime(kind, _label(line), value, number, quote(line), calibration_data(low))
    value = _own_duration(low, _EVALUATION) if _EVALUATION.search(low) else None
    return EvalTime(_label(low), value, number, quote(line)) if value is not None else None


def without_repeats(phases: Sequence[PhaseTime]) -> tuple[PhaseTime, ...]:
    """Long phases are often told twice, as parts and total or by a clock that runs on: a time that equals one
    told before, or (of adaptation) the sum of those told before, is not added again."""
    kept: list[PhaseTime] = []
    for phase in phases:
        told = [p.seconds for p in kept if p.kind == phase.kind]
        if phase.kind == "adapt":
            told.append(sum(told))
        elif phase.seconds < _LONG:
            told = []  # two short calibrations may well take the same time
        if not any(_same(phase.seconds, before) for before in told):
            kept.append(phase)
    return tuple(kept)


def _same(seconds_: float, before: float) -> bool:
    return before > 0.0 and abs(seconds_ - before) <= max(0.2, 0.003 * before)


def calibration_data(low: str) -> CalibrationData:
    """What a line about calibration says of its tokens."""
    for data, words in _DATA:
        if words.search(low):
            return data
    return "unknown"


def _own_duration(low: str, words: re.Pattern[str]) -> float | None:
    """The duration whose key speaks of time spent or of this phase; `Full 600s` in a title does not."""
    for key, value in durations(low):
        if _SPENT.search(key) or (key and words.search(key)):
            return value
    return None


def _label(line: str) -> str:
    head = re.split(r"[:=(\d]", line.strip(), maxsplit=1)[0]
    return head.strip(" _-").removesuffix("_time")[:60]
