"""Peeled layers as files, for a reviewer to read. Nothing is executed, nothing is overwritten."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from golf_audit.errors import AuditError
from golf_audit.model import Where
from golf_audit.peel import Payload
from golf_audit.source import Layer, Module, Sources

_SUFFIXES = {"Python source": ".py", "C source": ".c", "CUDA source": ".cu", "text": ".txt"}
_NAME_CAP = 80  # characters of one part of a path


def write_layers(sources: Sources, directory: Path) -> list[str]:
    """Write every layer and readable payload below `directory`; one line per file for the user.

    train_gpt.py's layer 1 becomes `train_gpt.py.1.py`, a module inside it `train_gpt.py.2.tools.quant.py`.
    Names from the submission never leave the folder. Raises AuditError when a file is already there."""
    planned = _distinct(item for module in sources.modules.values() for item in _plan(module))
    if not planned:
        return ["nothing is packed: every script is readable as it is"]
    taken = [name for name, _, _ in planned if os.path.lexists(directory / name)]
    if taken:
        raise AuditError(f"{directory / taken[0]} exists; nothing was written. Choose an empty folder")
    report = []
    for name, text, says in planned:
        _write(directory, name, text)
        report.append(f"{name}  {says}")
    return report


def _distinct(items: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Names that became equal, or differ by case only, get a number."""
    seen: set[str] = set()
    made = []
    for name, text, says in items:
        number, free = 2, name
        while free.casefold() in seen:
            free, number = f"{name}~{number}", number + 1
        seen.add(free.casefold())
        made.append((free, text, says))
    return made


def _plan(module: Module) -> Iterator[tuple[str, str, str]]:
    """(relative file name, text, description) of everything inside a file."""
    stem = "/".join(_safe(part) for part in module.file.split("/"))
    for layer in module.layers[1:]:
        label = f".{_safe(layer.name)}" if layer.name else ""
        yield f"{stem}.{layer.index}{label}.py", layer.text, _describe_layer(layer, layer is module.program)
    for number, payload in enumerate(module.payloads, start=1):
        if payload.text:
            name = (
                _safe(payload.path.rsplit("/", 1)[-1]) if payload.path else f"text{_SUFFIXES[payload.kind]}"
            )
            yield f"{stem}.payload{number}.{name}", payload.text, _describe_payload(payload)


def _describe_layer(layer: Layer, program: bool) -> str:
    what = "the program" if program else f"module {layer.name}" if layer.name else "executed"
    return f"{what}, {len(layer.text):,} characters, {layer.how}, from {_place(layer.payload)}"


def _describe_payload(payload: Payload) -> str:
    how = ", ".join(payload.how) if payload.how else "plain text"
    return f"{payload.kind}, {payload.size:,} bytes, {how}, from {_place(payload.where)}"


def _place(where: Where | None) -> str:
    if where is None:
        return "an unknown place"
    layer = f" layer {where.layer}" if where.layer else ""
    return f"{where.file}{layer} line {where.line}" if where.line else f"{where.file}{layer}"


def _safe(part: str) -> str:
    """One part of a path as a plain file name on every platform: no separator, leading dot or device."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", part)[:_NAME_CAP].strip(". ") or "_"
    device = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain)
    return f"_{plain}" if device else plain


def _write(directory: Path, name: str, text: str) -> None:
    """Create one new file; a link on the way is an error, not a detour."""
    target = directory / name
    if not target.parent.resolve().is_relative_to(directory.resolve()):
        raise AuditError(f"{target.parent} leads out of {directory}; nothing more was written")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "x", encoding="utf-8", errors="surrogatepass", newline="") as stream:
            stream.write(text)
    except FileExistsError:
        raise AuditError(f"{target} exists; it was not overwritten") from None
    except OSError as error:
        raise AuditError(f"{target}: cannot be written: {error.strerror}") from None
