"""Commands that a README or a shell script gives: which script, with which environment and flags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from golf_audit.filetree import File, FileTree
from golf_audit.model import Fault, Where
from golf_audit.runconfig.model import Command, Origin, Setting
from golf_audit.runconfig.shell import Call, Shell, Value
from golf_audit.text import LINE_CAP

_LAUNCHERS = re.compile(
    r"(?:python[\d.]*|torchrun|accelerate|deepspeed|modal|uv|uvx|pipenv|poetry|conda|env|nohup|sudo|time|timeout|nice"
    r"|numactl|taskset|stdbuf|setsid|srun|sbatch|mpirun|docker|bash|sh|zsh|source|exec|xargs|\.)",
)
_SCRIPT = re.compile(r"[^\s=]+\.(?:py|sh)")
_PAIR = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_FLAG = re.compile(r"(--?[A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)
_PROCESSES = re.compile(r"--?(?:nproc[_-]per[_-]node|num[_-]processes|num[_-]gpus|np)")
_NUMBER = re.compile(r"-\.?\d")
_FENCE = re.compile(r"[ \t]{0,12}(?:>[ \t]?){0,3}(```+|~~~+)[ \t]*\{?\.?([\w+-]*)")
_SHELL_FENCES = frozenset(
    (
        "",
        "bash",
        "sh",
        "shell",
        "zsh",
        "console",
        "shell-session",
        "text",
        "txt",
        "plaintext",
        "env",
        "dotenv",
    )
)
_PROMPT = re.compile(r"^(\s*)(?:\$|%|[\w.@~:/-]{1,40}[$#]) (?=\S)")

FILE_CAP = 24
"""Documents, and scripts, of one folder that are read for commands."""
LINES_CAP = 20_000
"""Lines of one document that are read."""
COMMAND_CAP = 600
"""Commands of one folder, loops unrolled, that are kept; the largest real folder has 108."""
FOLLOW_CAP = 12
"""Commands of one document that are followed into a shell script."""


@dataclass(frozen=True)
class Found:
    """Every command of a folder's documents and scripts, and what in them was not followed."""

    commands: tuple[Command, ...]
    skipped: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Block:
    """Lines of one fenced or indented code block; `line` is the first one's number."""

    line: int
    text: str


def read_commands(tree: FileTree) -> Found:
    """All commands of the folder: README first, then other Markdown, then shell scripts, by path."""
    commands: list[Command] = []
    skipped: list[Fault] = []
    scripts = {file.path: file for file in tree.matching(".sh", ".bash")[:FILE_CAP]}
    documents = sorted(tree.matching(".md"), key=lambda f: (f.path.count("/"), not _is_readme(f), f.path))
    for file in documents[:FILE_CAP]:
        commands.extend(_of_document(file, scripts))
    for file in scripts.values():
        shell = Shell()
        lines = _lines(file)
        shell.read("\n".join(lines))
        skipped.extend(
            Fault(f"{what} was not followed", _where(file.path, lines, n)) for n, what in shell.skipped
        )
        commands.extend(_commands(shell.calls, file.path, lines, Origin.SHELL))
    return Found(tuple(commands[:COMMAND_CAP]), tuple(skipped))


def _is_readme(file: File) -> bool:
    return file.name.lower().startswith("readme")


def _lines(file: File) -> list[str]:
    text = file.text.text if file.text else ""
    return [line[:LINE_CAP] for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def _where(path: str, lines: list[str], number: int) -> Where:
    quote = lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
    return Where(path, number, quote=quote)


def _of_document(file: File, scripts: Mapping[str, File]) -> Iterator[Command]:
    """The commands of one document's code blocks. A block that only exports prepares the blocks after it."""
    lines = _lines(file)[:LINES_CAP]
    setup = Shell()
    steps = followed = 0
    for block in _blocks(lines):
        shell = Shell(dict(setup.variables), set(setup.exported), steps=steps)
        shell.read(block.text, block.line)
        steps = shell.steps
        found = list(_commands(shell.calls, file.path, lines, Origin.README))
        if found:
            for command in found:
                followed += command.program.endswith(".sh")
                yield _through_script(command, scripts) if followed <= FOLLOW_CAP else command
        elif listed := _listing(block, file.path, lines):
            yield listed
        else:
            setup = Shell({n: v for n, v in shell.variables.items() if n in shell.exported}, shell.exported)


def _blocks(lines: list[str]) -> Iterator[Block]:
    """Fenced blocks in a shell's or no language, and blocks indented by four spaces."""
    index = 0
    while index < len(lines):
        fence = _FENCE.match(lines[index])
        start = index + 1
        if fence:
            end = next(
                (i for i in range(start, len(lines)) if lines[i].strip("> \t").startswith(fence[1])),
                len(lines),
            )
            if fence[2].lower() in _SHELL_FENCES:
                yield Block(start + 1, "\n".join(_PROMPT.sub(r"\1", line) for line in lines[start:end]))
            index = end + 1
        elif _indented(lines[index]) and (index == 0 or not lines[index - 1].strip()):
            end = next(
                (i for i in range(start, len(lines)) if lines[i].strip() and not _indented(lines[i])),
                len(lines),
            )
            yield Block(index + 1, "\n".join(_PROMPT.sub(r"\1", line) for line in lines[index:end]))
            index = end
        else:
            index += 1


def _indented(line: str) -> bool:
    return line.startswith(("    ", "\t"))


def _listing(block: Block, path: str, lines: list[str]) -> Command | None:
    """A block of nothing but NAME=value lines: settings without a command. At least three, or it is prose."""
    settings: dict[str, Setting] = {}
    for number, line in enumerate(block.text.split("\n"), start=block.line):
        bare = line.split(" #")[0].strip().rstrip("\\,;").strip()
        for word in bare.split() if bare and not bare.startswith("#") else ():
            pair = _PAIR.fullmatch(word.rstrip(",;"))
            if not pair or not pair[1].isupper() or "$" in word:
                return None
            settings[pair[1]] = Setting(
                pair[1], pair[2].strip("'\""), Origin.README, _where(path, lines, number)
            )
    where = _where(path, lines, block.line)
    return Command(Origin.README, where, "", settings) if len(settings) >= 3 else None


def _through_script(command: Command, scripts: Mapping[str, File]) -> Command:
    """What a shell script of the folder makes of a README command that runs it."""
    script = scripts.get(command.script.removeprefix("./"))
    script = script or next((f for f in scripts.values() if f.name == command.program), None)
    if script is None:
        return command
    given = {name: s for name, s in command.settings.items() if not name.startswith("-")}
    shell = Shell({name: Value(s.value, 0) for name, s in given.items()}, set(given))
    lines = _lines(script)
    shell.read("\n".join(lines))
    inner = [c for c in _commands(shell.calls, script.path, lines, Origin.SHELL) if c.script.endswith(".py")]
    if not inner:
        return command
    run = max(inner, key=lambda c: ("train" in c.program, c.processes == 8))
    settings = dict(run.settings)
    for name, setting in given.items():  # passed through unchanged: the README said it
        if name in settings and settings[name].value == setting.value:
            settings[name] = setting
    return replace(
        command, script=run.script, settings=settings, unknown=run.unknown, processes=run.processes
    )


def _commands(calls: Iterable[Call], path: str, lines: list[str], origin: Origin) -> Iterator[Command]:
    for call in calls:
        found = _Invocation(call)
        if not found.script:
            continue
        settings = {
            name: Setting(name, value.text, origin, _where(path, lines, value.line))
            for name, value in found.settings.items()
            if value.text is not None
        }
        unknown = tuple(name for name, value in found.settings.items() if value.text is None)
        where = _where(path, lines, call.line)
        yield Command(origin, where, found.script, settings, unknown, found.processes, call.conditional)


class _Invocation:
    """The parts of one call: launcher, script, arguments. `script` is "" for any other command."""

    def __init__(self, call: Call) -> None:
        self.settings: dict[str, Value] = dict(call.environment)
        self.script = ""
        self.processes: int | None = None
        words = list(call.words)
        if not words or not _launches(words[0]):
            return
        index = next((i for i, w in enumerate(words) if _SCRIPT.fullmatch(w.text or w.plain)), None)
        module = next(
            (i for i, w in enumerate(words[:-1]) if w.text == "-m" and _outside(words[i + 1])), None
        )
        if index is None and module is None:
            return
        at = index if index is not None else (module or 0) + 1
        self.script = words[at].text or words[at].plain.lstrip("/")
        self._launcher(words[:at])
        self._arguments(words[at + 1 :])

    def _launcher(self, words: list[Value]) -> None:
        """env A=1, --nproc_per_node=8, docker -e A=1."""
        for index, word in enumerate(words):
            pair = _PAIR.fullmatch(word.plain if word.text is None else word.text)
            if pair:
                self.settings[pair[1]] = Value(None if word.text is None else pair[2], word.line)
            flag = _FLAG.fullmatch(word.text or "")
            if flag and _PROCESSES.fullmatch(flag[1]):
                count = (
                    flag[2]
                    if flag[2] is not None
                    else words[index + 1].text
                    if index + 1 < len(words)
                    else None
                )
                self.processes = int(count) if count and count.isdecimal() and len(count) < 5 else None

    def _arguments(self, words: list[Value]) -> None:
        """--name value, --name=value, --switch, name=value."""
        index = 0
        while index < len(words):
            word = words[index]
            text = word.plain if word.text is None else word.text
            following = words[index + 1] if index + 1 < len(words) else None
            index += 1
            flag, pair = _FLAG.fullmatch(text), _PAIR.fullmatch(text)
            if flag and flag[2] is not None:
                self.settings[flag[1]] = Value(flag[2] if word.text is not None else None, word.line)
            elif flag and following is not None and _is_value(following):
                self.settings[flag[1]] = Value(following.text, word.line)
                index += 1
            elif flag:
                self.settings[flag[1]] = Value("", word.line)
            elif pair:
                self.settings[pair[1]] = Value(pair[2] if word.text is not None else None, word.line)


def _launches(word: Value) -> bool:
    text = word.text or word.plain
    # a bare "train_gpt.py" in a code block is a list of files, "./run.sh" is a command
    started = text.startswith(("./", "../", "/")) and _SCRIPT.fullmatch(text)
    return word.text is None or bool(started or _LAUNCHERS.fullmatch(text.rsplit("/", 1)[-1]))


def _outside(module: Value) -> bool:
    """True for a module of the submission's own: `-m train`, not `-m torch.distributed.run`."""
    return bool(module.text) and (module.text or "").split(".")[0] not in (
        "torch",
        "pip",
        "venv",
        "accelerate",
    )


def _is_value(word: Value) -> bool:
    return not (word.text or word.plain).startswith("-") or bool(_NUMBER.match(word.text or ""))
