"""The file submission.json -> Claims."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from golf_audit import schema
from golf_audit.claims.model import Claim, Claims
from golf_audit.claims.seeds import read_seeds
from golf_audit.claims.values import (
    BYTES_CODE,
    BYTES_TOTAL,
    LOSS,
    TEXTS,
    claim,
    count,
    leaves,
    named,
    number,
    plausible,
    scores,
    text,
)
from golf_audit.filetree import File, FileTree
from golf_audit.jsontext import Document, JsonProblem, parse, step
from golf_audit.model import Fault, Where
from golf_audit.schema import SchemaProblem

_ROOMS = (
    "results",
    "metrics",
    "validation",
    "metadata",
    "submission",
    "result",
    "final",
    "summary",
    "headline",
    "scores",
)
_ENV = re.compile(
    r"(?:^|_)(?:env|environment|config|configuration|hparams|hyperparameters|hyper_parameters|overrides|settings|flags)(?:_|$)"
)
_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]{1,60})=(\S{0,200})")
_LOSS_AS_BPB = (0.5, 1.6)  # #180 states its bpb as val_loss; a loss per token of these models lies above


def read_claims(tree: FileTree) -> Claims:
    """The claims of a folder; the submission.json at its top wins, further ones are listed in `others`."""
    files = _candidates(tree)
    if not files:
        return Claims()
    first, others = files[0], tuple(file.path for file in files[1:])
    if first.text is None:
        return Claims(file=first.path, faults=(Fault("could not be read", Where(first.path)),), others=others)
    document = parse(first.text)
    fatal = [p for p in document.problems if p.fatal]
    if fatal or not isinstance(document.value, dict):
        faults = tuple(
            Fault(f"not valid JSON: {p.message}", Where(first.path, p.line, p.column)) for p in fatal
        )
        what = "a list" if isinstance(document.value, list) else "a single value"
        wrong = (Fault(f"{what}, not a JSON object", Where(first.path, 1, 1)),)
        return Claims(file=first.path, document=document, faults=faults or wrong, others=others)
    return replace(_read(document, document.value), file=first.path, others=others)


def _candidates(tree: FileTree) -> list[File]:
    """submission.json at the top, then other submission*.json at the top, then deeper ones."""
    found = [f for f in tree.matching(".json") if f.name.lower().startswith("submission")]
    return sorted(found, key=lambda f: (f.path.count("/"), f.name.lower() != "submission.json", f.path))


def _read(document: Document, raw: Mapping[str, Any]) -> Claims:
    bpb, problems = _score(document, raw)
    loss = _first(document, raw, LOSS)
    if bpb is None and loss is not None and _loss_is_bpb(raw, loss):
        bpb = loss
        problems = [
            _at(document, loss.pointer, "no bpb is stated; val_loss, too low for a loss, is taken for it")
        ]
    total, code = _first(document, raw, BYTES_TOTAL), _first(document, raw, BYTES_CODE)
    syntax = [SchemaProblem("", p.line, p.column, _syntax(p), p.invalid) for p in document.problems]
    return Claims(
        bpb=bpb,
        loss=loss,
        bytes_total=count(document, total.pointer, total.value) if total else None,
        bytes_code=count(document, code.pointer, code.value) if code else None,
        seeds=read_seeds(document, raw),
        **{field: _text(document, raw, names) for field, names in TEXTS.items()},  # type: ignore[arg-type]
        env=_env(document, raw),
        raw=raw,
        document=document,
        problems=(*syntax, *problems, *_zeros(document, raw), *_not_schema_twice(document, problems)),
    )


def _syntax(problem: JsonProblem) -> str:
    return f"not valid JSON: {problem.message}" if problem.invalid else problem.message


def _loss_is_bpb(raw: Mapping[str, Any], loss: Claim[float]) -> bool:
    named_bpb = any("bpb" in key.lower() for owner, _ in _rooms(raw) for key in owner)
    return not named_bpb and _LOSS_AS_BPB[0] < loss.value < _LOSS_AS_BPB[1]


def _score(document: Document, raw: Mapping[str, Any]) -> tuple[Claim[float] | None, list[SchemaProblem]]:
    """The headline score, or the reason why there is none (one required problem)."""
    reason: SchemaProblem | None = None
    for owner, pointer in _rooms(raw):
        for key, value in scores(owner):
            here = step(pointer, key)
            found = number(value)
            if found is not None and plausible(found):
                worded = _at(document, here, f"{key} is the text {value!r}, not a number")
                notes = [worded] if isinstance(value, str) else []
                return claim(document, here, found), notes
            if isinstance(value, Mapping) and (mean := _mean(document, value, here)):
                return mean, [_at(document, here, f"{key} is a table of seeds; its mean is taken")]
            reason = reason or _at(document, here, _why_no_score(key, value), required=True)
    return None, [reason or _at(document, "", "no score: a number such as val_bpb is missing", required=True)]


def _why_no_score(key: str, value: Any) -> str:
    if value is None:
        return f"{key} is null: no score is claimed"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{key} is {value}: a placeholder, no score is claimed"
    return f"{key} is {str(value)[:40]!r}: not a number"


def _mean(document: Document, table: Mapping[str, Any], pointer: str) -> Claim[float] | None:
    """The mean of a table that stands where the score is expected: its own "mean", else that of its seeds."""
    for key in table:
        value = number(table[key])
        if (
            key.lower() in ("mean", "mean_bpb", "mean_val_bpb", "3_seed_mean")
            and value is not None
            and plausible(value)
        ):
            return claim(document, step(pointer, key), value)
    values = [
        v for key in table if re.search(r"\d", key) and (v := number(table[key])) is not None and plausible(v)
    ]
    return claim(document, pointer, sum(values) / len(values)) if values else None


def _rooms(raw: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    yield raw, ""
    for key, value in raw.items():
        if key.lower() in _ROOMS and isinstance(value, Mapping):
            yield value, step("", key)


def _first(document: Document, raw: Mapping[str, Any], names: tuple[str, ...]) -> Claim[float] | None:
    """The first of these names that holds a number above zero."""
    for owner, pointer in _rooms(raw):
        for key, value in named(owner, names):
            found = number(value)
            if found is not None and found > 0:
                return claim(document, step(pointer, key), found)
    return None


def _text(document: Document, raw: Mapping[str, Any], names: tuple[str, ...]) -> Claim[str] | None:
    for key, value in named(raw, names):
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            return text(document, step("", key), value)
    return None


def _env(document: Document, raw: Mapping[str, Any]) -> dict[str, Claim[str]]:
    """Settings in blocks named env, config, hyperparameters ..., and `NAME=value` words of commands."""
    found: dict[str, Claim[str]] = {}
    for key, value in raw.items():
        low, pointer = key.lower(), step("", key)
        if isinstance(value, Mapping) and _ENV.search(low) and "baseline" not in low:
            for name, here, scalar in leaves(value, pointer):
                if scalar is not None:
                    found.setdefault(name, text(document, here, scalar))
        elif _ENV.search(low) or "command" in low or low.startswith("run_"):
            items = value if isinstance(value, list) else [value]
            for index, item in enumerate(items):
                here = step(pointer, index) if isinstance(value, list) else pointer
                for name, setting in _ASSIGNMENT.findall(item) if isinstance(item, str) else ():
                    place = document.at(here)
                    found.setdefault(
                        name, Claim(setting, here, place.line, place.column, f"{name}={setting}")
                    )
    return found


def _zeros(document: Document, raw: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    """Zero sizes and losses are placeholders."""
    for key, value in raw.items():
        if (
            key.lower() in (*BYTES_TOTAL, *BYTES_CODE, *LOSS)
            and number(value) is not None
            and not number(value)
        ):
            yield _at(document, step("", key), f"{key} is 0: a placeholder, nothing is claimed")


def _not_schema_twice(document: Document, told: list[SchemaProblem]) -> Iterator[SchemaProblem]:
    """What the schema objects to, without the score that was already explained."""
    pointers = {problem.pointer for problem in told}
    for problem in schema.problems("submission", document):
        if problem.pointer not in pointers:
            yield problem


def _at(document: Document, pointer: str, message: str, *, required: bool = False) -> SchemaProblem:
    place = document.at(pointer)
    return SchemaProblem(pointer, place.line, place.column, message, required)
