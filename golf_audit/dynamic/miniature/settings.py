"""Submission -> the settings of its miniature: declared switches, small sizes, the miniature's own paths."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from golf_audit.dynamic.job import Value
from golf_audit.dynamic.miniature.data import CASEOPS, MODEL, PLAIN
from golf_audit.dynamic.miniature.sizes import small
from golf_audit.model import Where
from golf_audit.runconfig import Knob, Origin
from golf_audit.runconfig.literals import literal
from golf_audit.submission import Submission

_LAUNCHER = re.compile(
    r"RANK|LOCAL_RANK|WORLD_SIZE|MASTER_(?:ADDR|PORT)|PATH|HOME|PYTHON\w*|LD_\w+|CUDA\w*|NCCL\w*|OMP\w*|TMPDIR"
)
_DEMANDED = re.compile(r"""environ\[\s*["'](?:LOCAL_)?(?:RANK|WORLD_SIZE)["']\s*\]""")
_RANKED = re.compile(r"""["'](?:RANK|WORLD_SIZE)["']""")
_ASKED = re.compile(r"""["'](?:LOCAL_)?(?:RANK|WORLD_SIZE)["']\s+(?:not\s+)?in\s+(?:os\.)?environ""")
_TOKENIZER = re.compile(r"(?!\w*_META)\w*TOKENIZER\w*(?:PATH|MODEL|FILE)|TOKENIZER")
_KIND = re.compile(r"[\w-]+")
"""A tokenizer told by the word for its kind ("sentencepiece"), not by its file."""
_DATA_HOME = re.compile(r"DATA_DIR|DATA_ROOT|DATA_HOME")
_DATASET = re.compile(r"DATA_PATH|DATASETS?_(?:DIR|PATH)|DATA_FOLDER")
_TRAIN = re.compile(r"TRAIN_(?:FILES|PATTERN|GLOB|DATA|SHARDS_GLOB)")
_VAL = re.compile(r"VAL_(?:FILES|PATTERN|GLOB|DATA)")
_VAL_BYTES = re.compile(r"VAL_BYTES?_(?:FILES|PATTERN|GLOB)")
_PLACE = re.compile(r"\w*(?:_DIR|_PATH|_FILES?|LOGFILE|_ROOT|_URL|_REPO(?:_ID)?|_CACHE)")
_NEEDS_ARTIFACT = re.compile(r"\w*EVAL_ONLY|QUANTI[SZ]E_ONLY|SKIP_TRAIN\w*|LOAD_CHECKPOINT\w*|RESUME\w*")
"""Switches of a run that begins with an artifact of an earlier one: the miniature has none, so it trains."""
_TOO_SHORT = re.compile(r"\biterations\s*<=?\s*(\d{1,4})\b", re.IGNORECASE)
_LONGEST = 120
"""Steps that a miniature may take at most to get over such a threshold."""
_FILES = re.compile(r"fineweb10B_\w{1,60}|fineweb_\w{1,60}\.model")
_MOST_NAMES = 40
_RUN = re.compile(r"RUN_?(?:ID|NAME)")
_HOLDER = re.compile(r"hyper|config|args|param|settings", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    """The settings of one miniature. `notes` say for each where it comes from; `problems` what is amiss."""

    vocab: int
    caseops: bool
    environ: Mapping[str, str]
    argv: tuple[str, ...] = ()
    overrides: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # of data folders and tokenizers that the script spells out
    ranked: bool = False  # the script reads RANK or WORLD_SIZE
    values: Mapping[str, str | None] = field(
        default_factory=dict
    )  # what each setting comes to, places left out


class _Planner:
    """Collects the settings of one submission: as declared, or as its script has them by itself."""

    def __init__(self, submission: Submission, data: str, *, declared: bool) -> None:
        self.submission = submission
        self.data = data
        self.declared = declared
        self.config = submission.config
        self.values: dict[str, str | None] = {}
        self.environ: dict[str, str] = {"RUN_ID": "miniature"}
        self.argv: list[str] = []
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.caseops = self._on("CASEOPS_ENABLED") or self._on("CASEOPS")

    def plan(self) -> Plan:
        knobs = {knob.name: knob for knob in reversed(self.config.knobs)}
        for name in sorted(knobs):
            self._setting(name, knobs[name])
        self._launched()
        for name, place in sorted(self.config.undecided.items()):
            self._undecided(name, knobs.get(name), place)
        overrides = dict(self._overrides())
        vocab = int(self.environ.get("VOCAB_SIZE") or 0) or self._fixed_vocab(overrides)
        return Plan(
            vocab=vocab,
            caseops=self.caseops,
            environ=self.environ,
            argv=tuple(self.argv),
            overrides=overrides,
            notes=tuple(self.notes),
            problems=tuple(self.problems),
            names=self._names(),
            ranked=any(_RANKED.search(text) for text in self._texts()),
            values=self.values,
        )

    def _texts(self) -> list[str]:
        """Every text that a run executes."""
        modules = (self.submission.sources.modules.get(path) for path in self.submission.sources.executed)
        return [layer.text for module in modules if module is not None for layer in module.layers]

    def _names(self) -> tuple[str, ...]:
        """Names of data folders and tokenizers, as they are spelled out."""
        found = {name for text in self._texts() for name in _FILES.findall(text)}
        return tuple(sorted(found))[:_MOST_NAMES]

    def _launched(self) -> None:
        """What torchrun sets, for a script that cannot do without and never asks whether it is there."""
        texts = self._texts()
        asked = any(_ASKED.search(text) for text in texts)
        if not asked and any(_DEMANDED.search(text) for text in texts):
            self.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
            self.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
            self.notes.append("RANK=0 (as torchrun starts it; one process)")

    @cached_property
    def _thresholds(self) -> list[int]:
        """Steps below which the script leaves something out ("quick probe"): one more than each."""
        found = [int(n) for text in self._texts() for n in _TOO_SHORT.findall(text)]
        return [n + 1 for n in found if n <= _LONGEST]

    @cached_property
    def _guarded(self) -> bool:
        """True when 0 means never, as in the challenge's script, and not a division by zero."""
        main = self.submission.sources.main
        return main is not None and re.search(r"val_loss_every\s*>\s*0", main.text) is not None

    def _on(self, name: str) -> bool:
        setting = self.config.setting(name)
        if setting is not None and not self.declared:
            setting = setting.default
        return setting is not None and setting.literal in (1, True, "1", "True", "true")

    def _setting(self, name: str, knob: Knob) -> None:
        """Decide one setting that the script reads from its environment or its command line."""
        setting = self.config.settings.get(name) if self.declared else None
        declared = setting.value if setting is not None else knob.default
        if _LAUNCHER.fullmatch(name) or knob.writes == "value":
            return
        place = self._place(name.upper(), declared)
        if place is not None:
            self._give(knob, place, "miniature")
            return
        self.values[name] = knob.default
        if (value := self._small(knob, name, declared)) is not None:
            self._give(knob, value, f"shrunk from {declared}" if declared else "shrunk")
            self.values[name] = value
        elif _NEEDS_ARTIFACT.fullmatch(name.upper()):
            self.notes.append(f"{name} left at its default: the miniature trains before it evaluates")
        elif setting is not None and setting.origin is not Origin.CODE and not _PLACE.fullmatch(name.upper()):
            self._give(knob, setting.value, f"declared: {setting.origin.value}")
            self.values[name] = setting.value

    def _undecided(self, name: str, knob: Knob | None, place: Where) -> None:
        """A setting to which a command gives a value that nobody tells.

        Reading takes every value for possible; a run has one. Sizes, rates and seeds the miniature chooses as
        it does others. A switch it may not: a word, and a default of 0 or 1, may be one."""
        if knob is not None and (knob.env in self.environ or set(knob.flags) & set(self.argv)):
            return
        default = literal(knob.default) if knob is not None and knob.default is not None else None
        number = isinstance(default, (int, float)) and not isinstance(default, bool)
        size = small(name, None) is not None
        if knob is not None and (size or knob.kind == "float" or (number and default not in (0, 1))):
            self.notes.append(f"{name}={knob.default} (default; the command does not tell it)")
            return
        where = f" ({place.file}:{place.line})" if place.file else ""
        self.problems.append(f"{name} is set by a command to a value that it does not tell{where}")

    def _small(self, knob: Knob, name: str, declared: str | None) -> str | None:
        value = small(name, declared)
        if name.upper() == "VAL_LOSS_EVERY" and self._guarded:
            return "0"
        if name.upper() == "ITERATIONS" and value is not None:
            return str(max([int(value), *self._thresholds]))
        if value is not None and knob.kind == "int" and not value.lstrip("-").isdecimal():
            return None
        return value

    def _give(self, knob: Knob, value: str, why: str) -> None:
        if knob.env:
            self.environ[knob.env] = value
            self.notes.append(f"{knob.env}={value} ({why})")
        elif knob.flags and knob.constant is None:
            self.argv += [knob.flags[-1], value]
            self.notes.append(f"{knob.flags[-1]} {value} ({why})")
        elif knob.flags and why.startswith("declared") and value == knob.constant:
            self.argv.append(knob.flags[-1])
            self.notes.append(f"{knob.flags[-1]} ({why})")

    def _place(self, name: str, declared: str | None) -> str | None:
        """The path that a setting gets; None when it is none that the miniature has."""
        if name == "TOKENIZER" and declared and _KIND.fullmatch(declared):
            return None
        home = posixpath.join(self.data, CASEOPS if self.caseops else PLAIN)
        if _RUN.fullmatch(name):
            return "miniature"
        if _TOKENIZER.fullmatch(name):
            return posixpath.join(self.data, MODEL)
        if _DATA_HOME.fullmatch(name):
            return self.data + "/"
        if _DATASET.fullmatch(name):
            return home
        for pattern, glob in ((_TRAIN, "train_*"), (_VAL, "val_0*"), (_VAL_BYTES, "val_bytes_*")):
            if pattern.fullmatch(name):
                return posixpath.join(home, f"fineweb_{glob}.bin")
        return None

    def _overrides(self) -> Iterator[tuple[str, Value]]:
        """Sizes that a configuration class fixes: name of class and attribute, and the small value."""
        for holder, name, declared in _fixed(self.submission):
            value = self._place(name.upper(), str(declared)) or small(name, str(declared))
            if value is None or f"{name}".upper() in self.environ:
                continue
            found: Value = value if isinstance(declared, str) else type(declared)(float(value))
            self.notes.append(f"{holder}.{name}={found} (shrunk from {declared}; the script fixes it)")
            yield f"{holder}.{name}", found

    def _fixed_vocab(self, overrides: Mapping[str, Value]) -> int:
        """The vocabulary of a script that reads it from no variable."""
        for name, value in overrides.items():
            if "vocab" in name.lower() and isinstance(value, int):
                return value
        declared = self.config.literal("VOCAB_SIZE")
        return declared if isinstance(declared, int) and 256 < declared < 65536 else 1024


def plan(submission: Submission, data: str, *, declared: bool = True) -> Plan:
    """The settings of a submission's miniature, whose data the run sees at `data`; with `declared` False
    those of somebody who starts the script without any."""
    return _Planner(submission, data, declared=declared).plan()


def _fixed(submission: Submission) -> Iterator[tuple[str, str, int | float | str]]:
    """Constants in the bodies of configuration classes: class, attribute, value."""
    for path in submission.sources.executed:
        module = submission.sources.modules.get(path)
        tree = module.program.parsed.tree if module else None
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.ClassDef) and _HOLDER.search(node.name):
                yield from ((node.name, name, value) for name, value in _constants(node))


def _constants(body: ast.ClassDef) -> Iterator[tuple[str, int | float | str]]:
    for statement in body.body:
        target = (
            statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        )
        value = getattr(statement, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            constant = value.value
            if isinstance(constant, (int, float, str)) and not isinstance(constant, bool):
                yield target.id, constant
