"""An Observation as a file (schemas/timeline.schema.json), and back. A file is read as strangers' input."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from golf_audit import __version__
from golf_audit.errors import AuditError
from golf_audit.jsontext import Document
from golf_audit.model import Where
from golf_audit.observation.model import Curve, Observation, Outcome, Result, Spans, Tried, Word
from golf_audit.schema import problems
from golf_audit.timeline import Adapt, Call, Event, Gap, Origin, Read, Region, Report, Score, Stream, Timeline

SCHEMA = "golf-audit/timeline/1"
MAX_BYTES = 64 << 20
_STREAMS = {stream.name.lower(): stream for stream in Stream}

Object = dict[str, Any]


class BadTrace(AuditError):
    """The file is no trace that this version wrote."""


def to_json(seen: Observation) -> str:
    """The text of the file: equal observations give equal bytes."""
    timeline = seen.timeline
    whole = {
        "schema": SCHEMA,
        "tool": {"name": "golf-audit", "version": __version__},
        "submission": {"folder": seen.folder, "fingerprint": seen.fingerprint},
        "run": {
            "probes": seen.probes,
            "device": seen.device,
            "sandboxed": seen.sandboxed,
            "ending": seen.ending,
            "reason": seen.reason,
            "errors": list(seen.errors),
        },
        "settings": list(seen.settings),
        "problems": list(seen.problems),
        "events": [{**_event(event), **_undone(event, timeline)} for event in timeline.events],
        "gaps": [{"reason": gap.reason, "where": _where(gap.where)} for gap in timeline.gaps],
        "results": [_result(result) for result in seen.results],
        "claimed": seen.claimed,
        "not_produced": list(seen.not_produced),
        "probes": [{"name": t.name, "shows": t.shows, "cannot": t.cannot} for t in seen.tried],
        "outcomes": [_outcome(outcome) for outcome in seen.outcomes],
        "stand_ins": list(seen.stand_ins),
        "reads": list(seen.reads),
        "network": list(seen.network),
        "programs": list(seen.programs),
    }
    return json.dumps(_clean(whole), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def from_json(text: str, name: str = "the trace") -> Observation:
    """The observation of a file's text. Raises BadTrace with one sentence."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTrace(f"{name}: not JSON ({str(error)[:80]})") from None
    if (
        isinstance(raw, dict)
        and str(raw.get("schema", "")).startswith("golf-audit/")
        and raw["schema"] != SCHEMA
    ):
        raise BadTrace(f"{name}: a {raw['schema']} file, where {SCHEMA} is expected")
    wrong = problems("timeline", Document(raw, {}))
    if wrong:
        raise BadTrace(f"{name}: {wrong[0].message}")
    try:
        return _observation(raw)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise BadTrace(f"{name}: {type(error).__name__} {error}") from None


def read(path: Path) -> Observation:
    """The observation in a file. Raises BadTrace."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise BadTrace(f"{path}: no regular file of at most {MAX_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadTrace(f"{path}: {error.strerror}") from None
    return from_json(text, str(path))


def _observation(raw: Object) -> Observation:
    run = raw["run"]
    undone = [frozenset(item.get("undone", ())) for item in raw["events"]]
    events = _with_states([_to_event(item) for item in raw["events"]], undone)
    if [e.id for e in events] != list(range(len(events))):
        raise ValueError("events are not numbered in order")
    reports = {e.id for e in events if isinstance(e, Report)}
    results = tuple(_to_result(item) for item in raw["results"])
    if any(r.event not in reports for r in results):
        raise ValueError("a result names an event that is no report")
    claimed = raw["claimed"]
    if claimed is not None:
        number = results[claimed].event
        events = tuple(_claimed(e) if e.id == number else e for e in events)
    gaps = tuple(Gap(g["reason"], _to_where(g["where"]), behind_report=False) for g in raw["gaps"])
    return Observation(
        fingerprint=raw["submission"]["fingerprint"],
        folder=raw["submission"]["folder"],
        probes=run["probes"],
        device=run["device"],
        sandboxed=run["sandboxed"],
        ending=run["ending"],
        reason=run["reason"],
        errors=tuple(run["errors"]),
        timeline=Timeline(Origin.OBSERVED, events, gaps),
        results=results,
        claimed=claimed,
        not_produced=tuple(raw["not_produced"]),
        tried=tuple(Tried(t["name"], t["shows"], t["cannot"]) for t in raw["probes"]),
        outcomes=tuple(_to_outcome(item) for item in raw["outcomes"]),
        settings=tuple(raw["settings"]),
        problems=tuple(raw["problems"]),
        stand_ins=tuple(raw["stand_ins"]),
        reads=tuple(raw["reads"]),
        network=tuple(raw["network"]),
        programs=tuple(raw["programs"]),
    )


def _with_states(events: Sequence[Event], undone: Sequence[frozenset[int]]) -> tuple[Event, ...]:
    """Every score depends on the adaptations before it but for those that were undone."""
    made: list[Event] = []
    for event, without in zip(events, undone, strict=True):
        state = frozenset(e.id for e in made if isinstance(e, Adapt)) - without
        made.append(replace(event, state=state) if isinstance(event, Score) else event)
    return tuple(made)


def _undone(event: Event, timeline: Timeline) -> Object:
    """The adaptations before a score that it does not depend on; nothing for most."""
    if not isinstance(event, Score):
        return {}
    before = {e.id for e in timeline.events if isinstance(e, Adapt) and e.id < event.id}
    found = sorted(before - event.state)
    return {"undone": found} if found else {}


def _claimed(event: Event) -> Event:
    assert isinstance(event, Report)
    return replace(event, claimed=True)


def _event(event: Event) -> Object:
    made: Object = {"id": event.id, "kind": type(event).__name__.lower(), "where": _where(event.where)}
    if isinstance(event, Read):
        return {**made, "stream": event.stream.name.lower(), "path": event.pattern}
    if isinstance(event, Score):
        return {**made, "targets": _spans(event.region), "model": event.model}
    if isinstance(event, Adapt):
        return {
            **made,
            "parameters": event.parameters,
            "how": event.kind,
            "stream": event.region.stream.name.lower(),
            "targets": _spans(event.region),
            "scratch": event.scratch,
            "step": _where(event.path[0].where) if event.path else None,
        }
    assert isinstance(event, Report), "the observed timeline holds no other kind"
    return {**made, "tag": event.tag, "value": event.value, "scores": sorted(event.scores)}


def _to_event(raw: Object) -> Event:
    number, where = raw["id"], _to_where(raw["where"])
    assert where is not None
    kind = raw["kind"]
    if kind == "read":
        return Read(number, where, (), (), (), stream=_STREAMS[raw["stream"]], pattern=raw["path"])
    if kind == "score":
        region = Region(Stream.VAL, spans=_to_spans(raw["targets"]))
        return Score(number, where, (), (), (), region=region, model=raw["model"], state=frozenset())
    if kind == "adapt":
        region = Region(_STREAMS[raw["stream"]], spans=_to_spans(raw["targets"]))
        step = _to_where(raw["step"])
        return Adapt(
            number,
            where,
            (Call("step", step),) if step is not None else (),
            (),
            (),
            parameters=raw["parameters"],
            region=region,
            kind=raw["how"],
            scratch=raw["scratch"],
        )
    return Report(
        number, where, (), (), (), tag=raw["tag"], scores=frozenset(raw["scores"]), value=raw["value"]
    )


def _result(result: Result) -> Object:
    return {
        "index": result.index,
        "text": result.text,
        "name": result.name,
        "event": result.event,
        "attested": result.attested,
        "why": result.why,
        "targets": result.targets,
        "rows": result.rows,
        "missing": [list(s) for s in result.missing],
        "repeated": [list(s) for s in result.repeated],
        "rescored": [list(s) for s in result.rescored],
        "window": result.window,
        "late": [list(s) for s in result.late],
        "undone": [list(s) for s in result.undone],
        "exempt": result.exempt,
        "inversions": result.inversions,
        "losses": result.losses,
        "curve": None if result.curve is None else {"block": result.curve.block, "means": result.curve.means},
    }


def _to_result(raw: Object) -> Result:
    spans = {
        name: _to_spans(raw.get(name, ())) for name in ("missing", "repeated", "rescored", "late", "undone")
    }
    found = raw.get("curve")
    curve = None if found is None else Curve(found["block"], tuple(found["means"]))
    return Result(**{**raw, **spans, "curve": curve})


def _outcome(outcome: Outcome) -> Object:
    return {
        "probe": outcome.probe,
        "word": outcome.word.value,
        "says": outcome.says,
        "rules": list(outcome.rules),
        "line": outcome.line,
        "places": list(outcome.places),
        "figures": {name: value for name, value in outcome.figures if math.isfinite(value)},
    }


def _to_outcome(raw: Object) -> Outcome:
    return Outcome(
        raw["probe"],
        Word(raw["word"]),
        raw["says"],
        tuple(raw["rules"]),
        raw["line"],
        tuple(raw["places"]),
        tuple(raw["figures"].items()),
    )


def _where(where: Where | None) -> Object | None:
    """No quote: the submission itself is quoted when the file is read."""
    return None if where is None else {"file": where.file, "layer": where.layer, "line": where.line}


def _to_where(raw: Object | None) -> Where | None:
    return None if raw is None else Where(raw["file"], raw["line"], layer=raw["layer"])


def _spans(region: Region) -> list[list[int]]:
    return [list(span) for span in region.spans or ()]


def _to_spans(raw: Sequence[Sequence[int]]) -> Spans:
    spans = tuple((a, b) for a, b in raw)
    if any(not 0 <= a < b for a, b in spans):
        raise ValueError("not a list of spans")
    return spans


def _clean(value: Any) -> Any:
    """The same data without numbers and characters that a strict JSON reader refuses."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
