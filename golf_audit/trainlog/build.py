"""Lines of one run -> Run. A run is fed line by line; where it begins and ends is read.py's business."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from golf_audit.trainlog import finals, header, sizes, times
from golf_audit.trainlog.model import (
    CalibrationData,
    Dump,
    EvalTime,
    Final,
    PhaseTime,
    Reading,
    Run,
    Scored,
    Size,
    Steps,
    Stop,
)
from golf_audit.trainlog.numbers import integer, quote

_SCORED = re.compile(
    r"(?<![\w.])(?:(?P<tokens>scored_tokens|N_tokens|total_targets|target_tokens|tokens)"
    r"|(?P<bytes>scored_bytes|N_bytes|N_sidecar_bytes|bytes)|(?P<subset>subset))\s?[:=]\s?(?P<count>\d[\d,_]{2,20})"
)
_SCORING = re.compile(r"ppm|n_?gram|scored|subset|sidecar|_mix|bpb[:=]")
_STEP_START = frozenset("sSiI0123456789")
# A line without one of these words holds nothing for the readers of sizes and times.
_SIZE_WORDS = ("size", "bytes", "total", "artifact", "serialized")
_PHASE_WORDS = (
    "gptq",
    "hessian",
    "calib",
    "compress",
    "serializ",
    "ttt",
    "adapt",
    "time",
    "eval",
    "wallclock",
    "phase:",
    "training",
)
_CALIBRATION_WORDS = ("gptq", "hessian", "calib")


@dataclass
class RunBuilder:
    """Collects the readings of one run."""

    file: str
    first_line: int
    last_line: int = 0
    header: dict[str, Reading[Any]] = field(default_factory=dict)
    shell_seed: Reading[int] | None = None
    gpus: Counter[tuple[int, str]] = field(default_factory=Counter)
    gpu_lines: dict[str, Reading[str]] = field(default_factory=dict)
    settings: dict[str, Reading[str]] = field(default_factory=dict)
    finals: list[Final] = field(default_factory=list)
    validation: Final | None = None
    steps: Steps | None = None
    stop: Stop | None = None
    evals: list[EvalTime] = field(default_factory=list)
    total_eval: EvalTime | None = None
    phases: list[PhaseTime] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)
    calibration_data: CalibrationData = "unknown"
    dump: Dump | None = None
    has_block: bool = False
    in_block: bool = False

    @property
    def progressed(self) -> bool:
        """True once a step, a stop or a result was seen: a new header then begins another run."""
        return self.steps is not None or self.stop is not None or bool(self.finals)

    def feed(self, number: int, raw: str, line: str) -> None:
        """Read one line: `raw` keeps its indent, `line` has no prefix and no blanks around it."""
        self.last_line = number
        if self.in_block:
            setting = header.block_setting(number, raw)
            if setting is not None:
                self.settings.setdefault(*setting)
                self._header(number, line, line.lower())
                return
            self.in_block = False
        if line == "Hyperparameters:":
            self.has_block = self.in_block = True
            return
        if line[:1] in _STEP_START and self._step(number, line):
            return
        if line.startswith("|"):
            self._gpu_row(number, line)
            return
        low = line.lower()
        if "bpb" in low:
            self._results(number, line)
        self._header(number, line, low)
        self._sizes_and_times(number, line, low)
        if not self.progressed and (":" in line or "=" in line):
            for name, reading in header.config_settings(number, line):
                self.settings.setdefault(name, reading)

    def _step(self, number: int, line: str) -> bool:
        step = times.steps(number, line)
        if step is None:
            return False
        if self.steps is None or step.step >= self.steps.step:
            # a later line of the same step may lack the clock: keep the one that has it
            if step.seconds is None and self.steps is not None and self.steps.seconds is not None:
                step = replace(self.steps, step=step.step)
            self.steps = step
        if "bpb" in line:
            self.validation = finals.validation(number, line) or self.validation
        return True

    def _gpu_row(self, number: int, line: str) -> None:
        row = header.smi_row(line)
        if row is not None:
            self.gpus[row] += 1
            self.gpu_lines.setdefault(row[1], Reading(row[1], number, quote(line)))

    def _results(self, number: int, line: str) -> None:
        for final in finals.finals(number, line):
            self.finals.append(final)
            time = times.eval_time(final, line)
            if time is not None:
                self.evals.append(time)

    def _header(self, number: int, line: str, low: str) -> None:
        for name, reading in header.header(number, line, low):
            self.header.setdefault(name, reading)
        if self.shell_seed is None:
            seed = header.shell_seed(line)
            if seed is not None:
                self.shell_seed = Reading(seed, number, quote(line))

    def _sizes_and_times(self, number: int, line: str, low: str) -> None:
        if any(word in low for word in _SIZE_WORDS):
            self.sizes.extend(sizes.sizes(number, line, low))
        if low.startswith(("stop", "early_stop")):
            self.stop = times.stop(number, line) or self.stop
            return
        if _SCORING.search(low) and not finals.is_progress(low):
            self._scored(number, line)
        if not any(word in low for word in _PHASE_WORDS):
            return
        if any(word in low for word in _CALIBRATION_WORDS):
            data = times.calibration_data(low)
            self.calibration_data = data if data != "unknown" else self.calibration_data
        total = times.total_eval(number, line)
        if total is not None:
            self.total_eval = total
            return
        reserve = times.reserve(number, line)
        if reserve is not None:
            self.header.setdefault("gptq_reserve_s", reserve)
            return
        if self.finals and self.finals[-1].line == number:
            return  # the time on a result line is that evaluation's
        phase = times.phase(number, line, low)
        if isinstance(phase, PhaseTime):
            self.phases.append(phase)
        elif phase is not None:
            self.evals.append(phase)

    def _scored(self, number: int, line: str) -> None:
        for match in _SCORED.finditer(line):
            what: Literal["bytes", "tokens", "subset"] = "subset"
            if match["subset"] is None:
                what = "bytes" if match["bytes"] else "tokens"
            self.scored.append(Scored(what, integer(match["count"]), number, quote(line)))

    def finish(self, seed_from_name: int | None) -> Run:
        """The run as read."""
        known = dict(self.header)
        if self.shell_seed is not None:
            known.setdefault("seed", self.shell_seed)
        if self.gpus:
            name = Counter(row[1] for row in self.gpus).most_common(1)[0][0]
            known["gpu"] = self.gpu_lines[name]
        return Run(
            file=self.file,
            first_line=self.first_line,
            last_line=self.last_line,
            seed_from_name=seed_from_name,
            gpu_count=1 + max(index for index, _ in self.gpus) if self.gpus else None,
            hyperparameters=self.settings,
            finals=tuple(self.finals),
            validation=self.validation,
            steps=self.steps,
            stop=self.stop,
            evals=tuple(self.evals),
            total_eval=self.total_eval,
            phases=times.without_repeats([self._with_data(phase) for phase in self.phases]),
            sizes=tuple(self.sizes),
            scored=tuple(self.scored),
            dump=self.dump,
            **known,
        )

    def _with_data(self, phase: PhaseTime) -> PhaseTime:
        if phase.kind == "calibrate" and phase.data == "unknown":
            return replace(phase, data=self.calibration_data)
        return phase
