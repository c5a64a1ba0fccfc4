"""The code side of the configuration: every knob of the files a run executes."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from golf_audit.filetree import FileTree
from golf_audit.model import Fault, Where
from golf_audit.runconfig.knobs import Taken, read_knobs
from golf_audit.runconfig.model import Knob
from golf_audit.source import Module, Sources

_OUTSIDE = re.compile(
    r"(?:NCCL|TORCH\w*|PYTORCH\w*|CUDA|CUBLAS|CUDNN|OMP|MKL|HF|HUGGINGFACE|TRITON|PYTHON\w*|LD|TOKENIZERS|WANDB|GLOO"
    r"|TQDM|XDG|XLA|JAX|MLX|UV|PIP|SLURM|MASTER|NVIDIA|HOST|TMP|TEMP)_?\w*|PATH|HOME|RANK|LOCAL_RANK|WORLD_SIZE|CC|CXX"
)
"""Variables that libraries, launchers and the system read themselves."""
_OTHER_READERS = (".sh", ".bash", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".rs")


@dataclass(frozen=True)
class Code:
    """Knobs of all executed files in order of precedence; `closed`: every read of a variable is known."""

    knobs: tuple[Knob, ...]
    derived: frozenset[str]
    mentioned: frozenset[str]
    closed: bool
    faults: tuple[Fault, ...]
    other_text: str = ""  # scripts and native code of the folder, which may read variables too
    trees: tuple[ast.Module, ...] = ()  # of all executed layers

    def reads(self, name: str, known: frozenset[str]) -> bool | None:
        """Whether executed code takes this name; None when it may, unseen."""
        if name in known:
            return True
        if not self.closed or _OUTSIDE.fullmatch(name) or name in self.mentioned or name in self.other_text:
            return None
        return False


def read_code(tree: FileTree, sources: Sources) -> Code:
    """Read the knobs of every executed file; of all files when no entry is known."""
    taken: list[Taken] = []
    trees: list[ast.Module] = []
    faults: list[Fault] = []
    sealed = False
    for module in _executed(sources):
        for layer in module.layers:
            tree_of = layer.parsed.tree
            if tree_of is None:
                where = Where(layer.file, layer.parsed.line, layer=layer.index)
                faults.append(Fault(f"settings not read: {layer.parsed.problem}", where))
                continue
            trees.append(tree_of)
            taken.append(read_knobs(tree_of, layer.where))
            sealed |= taken[-1].payload and len(module.layers) == 1
    knobs = [knob for one in taken for knob in one.knobs]
    return Code(
        knobs=tuple(sorted(knobs, key=lambda knob: not knob.writes)),
        derived=frozenset().union(*(one.derived for one in taken)),
        mentioned=frozenset().union(*(one.mentioned for one in taken)),
        closed=bool(knobs) and not faults and not sealed and not any(one.computed for one in taken),
        faults=tuple(faults),
        other_text="\n".join(f.text.text for f in tree.matching(*_OTHER_READERS) if f.text),
        trees=tuple(trees),
    )


def _executed(sources: Sources) -> list[Module]:
    files = sources.executed or tuple(sorted(sources.modules))
    return [sources.modules[file] for file in files if file in sources.modules]
