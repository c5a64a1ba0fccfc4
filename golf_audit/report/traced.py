"""What a trace showed, for a terminal: every printed result, the probes, and what the run was not."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from golf_audit.observation import Observation, Outcome, Result, Spans, Word, count
from golf_audit.report.escape import terminal

_WIDTH = 110
_NAME = 34
_MISSING = re.compile(r"No module named '(\w+)")
_WORD = {Word.CLEAN: "ok", Word.VIOLATION: "VIOLATION", Word.NOTE: "note", Word.VOID: "not tried"}


def summary(seen: Observation, file: str = "", of: str = "FOLDER") -> str:
    """The whole text; `file` is where the trace was written, `of` how a command names the submission."""
    return "\n".join(_lines(seen, file, of)) + "\n"


def _lines(seen: Observation, file: str, of: str) -> Iterator[str]:
    name = terminal(seen.folder.rstrip("/").rsplit("/", 1)[-1])
    caged = "" if seen.sandboxed else ", WITHOUT A SANDBOX"
    yield f"{name}   in miniature, on {seen.device}{caged}, {seen.probes} probes"
    if seen.ending != "ok":
        yield f"  did not run to its end: {terminal(seen.reason)}"
        yield from (f"    {terminal(line)}" for line in seen.errors)
        if missing := _MISSING.search(seen.reason):
            says = f"runs find the folder's modules and this environment's packages; {missing[1]} is neither"
            yield from _hung("  what helps: ", terminal(says))
    yield ""
    yield from _results(seen)
    if seen.not_produced:
        yield from _hung("in its own log, never printed here: ", ", ".join(map(terminal, seen.not_produced)))
    yield from _probes(seen)
    yield from _about("not as declared", seen.problems)
    yield from _about("network", seen.network)
    yield from _about("programs", seen.programs)
    yield from _hung("  stand-ins: ", ", ".join(terminal(s.split(":")[0]) for s in seen.stand_ins))
    if file:
        of = terminal(of)
        yield ""
        yield f"written to {terminal(file)}; for verdicts: golf-audit check {of} --trace {terminal(file)}"
        if seen.ending == "ok" and seen.probes != "full":
            yield f"more probes, some ten runs more: golf-audit trace {of} --probes full"


def _results(seen: Observation) -> Iterator[str]:
    if not seen.results:
        yield "  no result was printed"
    for number, result in enumerate(seen.results):
        mark = ">" if number == seen.claimed else " "
        label = terminal(result.name)
        yield from _hung(f"{mark} {label:<{_NAME}} ", "; ".join(_facts(result)))
    if seen.claimed is not None:
        yield "  > the result that stands for the claimed number"


def _facts(result: Result) -> Iterator[str]:
    if not result.attested:
        yield f"not attested: {terminal(result.why)}"
        return
    yield "attested"
    exact = not result.missing and not result.repeated
    yield f"each of {result.targets:,} targets once" if exact else f"{result.rows:,} scores"
    if result.repeated:
        yield f"{_count(result.repeated)} targets more than once"
    if result.missing:
        yield f"{_count(result.missing)} targets left out"
    if result.late:
        yield f"{_count(result.late)} targets SCORED AFTER A GRADIENT ON THEM"
    else:
        yield "none scored after a gradient on it"
    if result.exempt:
        yield f"{result.exempt} targets without bytes trained on earlier"
    if result.inversions:
        yield f"{result.inversions} steps back in the stream"


def _count(spans: Spans) -> str:
    return f"{count(spans):,}"


def _probes(seen: Observation) -> Iterator[str]:
    if not seen.outcomes:
        return
    yield ""
    for outcome in (o for o in seen.outcomes if seen.concerns(o)):
        rules = " ".join(outcome.rules)
        head = f"  {_WORD[outcome.word]:<10} {outcome.probe} {f'({rules})' if rules else ''}".rstrip()
        yield from _hung(f"{head:<{_NAME + 2}} ", terminal(outcome.says) + _figures(outcome))


def _figures(outcome: Outcome) -> str:
    """The figures of what is not clean; the others are in the file."""
    if outcome.word is Word.CLEAN or not outcome.figures:
        return ""
    return f" ({', '.join(f'{name} {value:g}' for name, value in outcome.figures)})"


def _about(title: str, texts: Sequence[str]) -> Iterator[str]:
    for text in texts[:6]:
        yield from _hung(f"  {title}: ", terminal(text))
    if len(texts) > 6:
        yield f"  {title}: and {len(texts) - 6} more"


def _hung(head: str, text: str) -> list[str]:
    """A heading and its text, wrapped beneath itself."""
    if not text:
        return []
    return textwrap.wrap(
        head + text, _WIDTH, subsequent_indent=" " * min(len(head), _NAME + 3), break_on_hyphens=False
    )
