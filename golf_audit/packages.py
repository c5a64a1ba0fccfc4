"""What a submission's executed Python imports from outside the folder, and whether it says so."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from golf_audit.filetree import FileTree
from golf_audit.model import Where
from golf_audit.source import Layer, Sources

OFFICIAL = frozenset(
    {
        *("numpy", "tqdm", "torch", "huggingface_hub", "kernels", "setuptools"),
        *("typing_extensions", "datasets", "tiktoken", "sentencepiece", "triton"),
    }
)
"""Import names of the challenge's own requirements.txt; triton comes with torch."""
WELL_KNOWN = OFFICIAL | frozenset(
    {
        *(
            "flash_attn",
            "flash_attn_interface",
            "flash_attn_3",
            "fla",
            "mamba_ssm",
            "causal_conv1d",
            "einops",
        ),
        *(
            "xformers",
            "transformers",
            "accelerate",
            "peft",
            "bitsandbytes",
            "torchao",
            "liger_kernel",
            "wandb",
        ),
        *(
            "zstandard",
            "zstd",
            "pyzstd",
            "brotli",
            "lz4",
            "blosc",
            "blosc2",
            "py7zr",
            "zopfli",
            "constriction",
        ),
        *(
            "scipy",
            "sklearn",
            "pandas",
            "matplotlib",
            "numba",
            "cupy",
            "cffi",
            "Cython",
            "pybind11",
            "cutlass",
        ),
        *(
            "mlx",
            "jax",
            "jaxlib",
            "flax",
            "optax",
            "tokenizers",
            "requests",
            "yaml",
            "psutil",
            "rich",
            "click",
        ),
        *(
            "safetensors",
            "pyarrow",
            "modal",
            "dotenv",
            "ninja",
            "pynvml",
            "deepspeed",
            "lightning",
            "tree_sitter",
        ),
        *("hydra", "omegaconf", "regex", "ftfy", "pydantic", "PIL", "pytest", "IPython", "google", "nvidia"),
    }
)
"""Third-party packages of the field: an undeclared one is installed by whoever reads the imports."""
WITH_DATA = frozenset(
    {"nltk", "spacy", "wordfreq", "gensim", "textblob", "symspellpy", "english_words", "pattern"}
)
"""Packages that bring language data or models with them."""


@dataclass(frozen=True)
class Import:
    """A top-level package that executed code imports. `optional` when an ImportError is caught."""

    package: str
    where: Where
    optional: bool


def outside_imports(sources: Sources) -> tuple[Import, ...]:
    """Every package that is neither of the standard library nor of the folder, first position each."""
    local = _local_names(sources)
    found: dict[str, Import] = {}
    for layer in executed_layers(sources):
        for name, node, optional in _imports(layer):
            if name in local or name in sys.stdlib_module_names:
                continue
            if name not in found or (found[name].optional and not optional):
                found[name] = Import(name, layer.where(node), optional)
    return tuple(found.values())


def executed_layers(sources: Sources) -> tuple[Layer, ...]:
    """Every Python layer that a run of the entry executes."""
    modules = (sources.modules[file] for file in sources.executed if file in sources.modules)
    return tuple(layer for module in modules for layer in module.layers)


def _local_names(sources: Sources) -> set[str]:
    folders = {part for path in sources.modules for part in path.split("/")[:-1]}
    files = {path.rsplit("/", 1)[-1].removesuffix(".py") for path in sources.modules}
    packed = {layer.name.split(".")[0] for m in sources.modules.values() for layer in m.layers if layer.name}
    return folders | files | packed


def _imports(layer: Layer) -> Iterator[tuple[str, ast.stmt, bool]]:
    tree = layer.parsed.tree
    if tree is None:
        return
    guarded = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.Try) and block.handlers
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node, id(node) in guarded
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node, id(node) in guarded


ALIASES = {
    "fla": ("flash-linear-attention", "fla-core"),
    "flash_attn_interface": ("flash-attn", "flash-attn-3", "flashattention", "flash-attention", "fa3"),
    "flash_attn": ("flash-attn", "flashattention", "flash-attention", "fa3"),
    "sklearn": ("scikit-learn",),
    "yaml": ("pyyaml",),
    "PIL": ("pillow",),
}


def declared(package: str, tree: FileTree) -> bool:
    """True when requirements.txt or a README of the folder names the package."""
    wanted = {normal(package), *(normal(alias) for alias in ALIASES.get(package, ()))}
    for file in tree.matching(".txt", ".md", ".toml", ".sh", ".yml", ".yaml"):
        name = file.name.lower()
        if file.text is None or not name.startswith(
            ("requirements", "readme", "pyproject", "setup", "install")
        ):
            continue
        words = {normal(word) for word in re.findall(r"[A-Za-z][A-Za-z0-9_.-]{0,60}", file.text.text)}
        if wanted & words:
            return True
    return False


def normal(name: str) -> str:
    """A package's name in one spelling."""
    return name.lower().replace("_", "-").rstrip(".-")
