"""Files of a submission -> logs -> runs. Concatenated runs are told apart; source dumps are skipped."""

from __future__ import annotations

import re
from dataclasses import fields, replace

from golf_audit.filetree import File, FileTree, Sort
from golf_audit.text import LINE_CAP, lines
from golf_audit.trainlog import dump
from golf_audit.trainlog.build import RunBuilder
from golf_audit.trainlog.finals import finals
from golf_audit.trainlog.model import Dump, Final, Log, Run

SUFFIXES = (".log", ".out", ".stdout", ".txt")

# Who or when, before the line: `[rank0]:`, `[default0]:`, `[12:34:56]`, ISO times, epoch seconds, `# `.
_PREFIX = re.compile(
    r"(?:\[(?:rank|default)?\s?\d{1,4}\]:?\s{0,4}"
    r"|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]{0,10}Z?\]?\s{0,4}[-|:]?\s{0,4}"
    r"|\[\d\d:\d\d:\d\d\]\s{0,4}|\d{10}\.\d{1,9}\s{1,4}|INFO:\s{0,4}|#{1,3}\s{1,4})+",
    re.IGNORECASE,
)
_PREFIX_START = frozenset("[I#12")
_SEED = re.compile(r"seed:\s{0,4}(\d{1,10})\s*$", re.IGNORECASE)
_FIRST_STEP = re.compile(r"(?:step:\s{0,4})?[01]/\d+ ")
_HEADER = re.compile(
    r"val_bpb:enabled|train_loader:|val_loader:|model_params:|logs/\S+$|Running Py|seed:"
    r"|W\d{4} .{0,60}torch/distributed"
)
_NAMED_SEED = re.compile(r"seed[_\-]?(\d{1,6})(?!\d)", re.IGNORECASE)
_NAMED_SHORT = re.compile(r"(?:^|[_\-./])s[_\-]?(\d{1,6})(?![\da-z])", re.IGNORECASE)
_NAMED_NUMBER = re.compile(
    r"(?:^|/)(?:train|log|run|eval|train_log)[_\-]?([1-9]\d{1,5})(?:\.\w+)+$", re.IGNORECASE
)
_SEVERAL = re.compile(r"seeds[_\-]?\d+[_\-]\d+", re.IGNORECASE)
_STRIDES = (16, 32, 64, 128, 256, 512, 1024, 2048)  # `final_s64.log` names a stride


def is_log(file: File) -> bool:
    """True for files that hold logs or notes beside them."""
    return file.sort is Sort.FILE and file.suffix in SUFFIXES and not file.name.startswith("requirements")


def read_logs(tree: FileTree) -> tuple[Log, ...]:
    """Every log of a submission, by path. Bad content gives fewer readings, never an exception."""
    return tuple(read_log(file) for file in tree.files.values() if is_log(file))


def read_log(file: File) -> Log:
    """One file."""
    if file.text is None:
        return Log(file.path, (), ("not read",))
    problems = ["bytes that are not valid text were replaced"] if file.text.lossy else []
    if not file.text.text.strip():
        problems.append("empty")
    splitter = _Splitter(file.path)
    for number, raw in lines(file.text.text):
        splitter.take(number, raw)
    return Log(file.path, splitter.finish(), tuple(problems))


def results_of(number: int, raw: str) -> tuple[Final, ...]:
    """The results that one line of output states."""
    return tuple(finals(number, _bare(raw[:LINE_CAP])))


def _bare(raw: str) -> str:
    """A line without what stands before it: rank, time, level."""
    match = _PREFIX.match(raw) if raw[:1] in _PREFIX_START else None
    return (raw[match.end() :] if match else raw).strip()


def seed_from_name(path: str) -> int | None:
    """The one seed in a path: `train_seed42.log`, `seed_7/train.log`, `s1337.txt`, `train_314.log`."""
    name = path.rsplit("/", 1)[-1]
    if _SEVERAL.search(name):
        return None
    for text in (name, path):
        match = _NAMED_SEED.search(text) or _NAMED_NUMBER.search(text)
        if match is not None:
            return int(match[1])
        short = _NAMED_SHORT.search(text)
        if short is not None and int(short[1]) not in _STRIDES:
            return int(short[1])
    return None


def _distinct(runs: list[Run]) -> tuple[Run, ...]:
    """A file that tells the same run twice (console output and log file joined) is read as one."""
    kept: dict[object, Run] = {}
    for run in runs:
        scores = tuple(final.bpb for final in run.finals)
        key = (run.any_seed, run.steps.text if run.steps else "", scores) if scores else run.first_line
        kept[key] = _joined(kept[key], run) if key in kept else run
    return tuple(kept.values())


def _joined(run: Run, copy: Run) -> Run:
    """The run with what only its copy tells (often the rows of nvidia-smi)."""
    missing = {f.name: getattr(copy, f.name) for f in fields(Run) if not getattr(run, f.name)}
    missing["hyperparameters"] = {**copy.hyperparameters, **run.hyperparameters}
    return replace(run, **missing)


class _Splitter:
    """Finds where runs begin.

    After results were seen, header lines are held back: if a new seed, a Hyperparameters block or a first
    step follows, they open the next run; if the same run goes on (an evaluation that prints its model again),
    they belong to it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.run = RunBuilder(path, 1)
        self.done: list[RunBuilder] = []
        self.held: list[tuple[int, str, str] | Dump] = []
        self.dumping: list[tuple[int, str]] = []

    def take(self, number: int, raw: str) -> None:
        """One line of the file."""
        if self.dumping:
            if not dump.ends(raw):
                self.dumping.append((number, raw))
                return
            self._close_dump()
        elif dump.starts(raw):
            self.dumping.append((number, raw))
            return
        line = _bare(raw)
        if line:
            self._line(number, raw, line)

    def finish(self) -> tuple[Run, ...]:
        """All runs; a part of the file without any reading is none."""
        if self.dumping:
            self._close_dump()
        self._release()
        named = seed_from_name(self.path)
        runs = [builder.finish(named) for builder in [*self.done, self.run]]
        return _distinct(
            [run for run in runs if run.measured or run.finals or run.sizes or run.crash or run.seed]
        )

    def _line(self, number: int, raw: str, line: str) -> None:
        if self.run.progressed or self.run.has_block:
            if self._begins(line):
                self._next_run(number)
            elif self.run.progressed and (self.held or _HEADER.match(line)):
                if self._goes_on(line):
                    self._release()
                else:
                    self.held.append((number, raw, line))
                    return
        self.run.feed(number, raw, line)

    def _begins(self, line: str) -> bool:
        """True for a line that only a new run prints."""
        if line == "Hyperparameters:":
            return self.run.progressed or bool(self.run.settings)
        if not self.run.progressed:
            return False
        if line[:4].lower() == "seed":
            match = _SEED.match(line)
            known = self.run.header.get("seed")
            return match is not None and known is not None and known.value != int(match[1])
        taken = self.run.steps.step if self.run.steps else 0
        return taken >= 20 and _FIRST_STEP.match(line) is not None

    def _goes_on(self, line: str) -> bool:
        """True for a result or a stop: the header lines held back did not open a run."""
        return (
            "bpb" in line and "enabled" not in line and any(c.isdigit() for c in line)
        ) or line.startswith("stop")

    def _next_run(self, number: int) -> None:
        held, self.held = self.held, []
        self.done.append(self.run)
        first = held[0] if held else None
        start = number if first is None else first.first_line if isinstance(first, Dump) else first[0]
        self.run = RunBuilder(self.path, start)
        self._feed(held)

    def _release(self) -> None:
        held, self.held = self.held, []
        self._feed(held)

    def _feed(self, held: list[tuple[int, str, str] | Dump]) -> None:
        for item in held:
            if isinstance(item, Dump):
                self.run.dump = self.run.dump or item
            else:
                self.run.feed(*item)

    def _close_dump(self) -> None:
        found = dump.make(self.dumping)
        self.dumping = []
        if self.run.progressed:
            self.held.append(found)
        else:
            self.run.dump = self.run.dump or found
