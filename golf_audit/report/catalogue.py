"""The catalogue as text: a table of all rules, the page of one, and rules/README.md, which is generated.

python -m golf_audit.report.catalogue rules/README.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from golf_audit.model import Example, Rule, Track, Verdict
from golf_audit.report import words
from golf_audit.report.escape import PROSE_CAP, fence

NOT_CHECKED = (
    "tuning of constants on validation outcomes over many runs (K45)",
    "seeds picked from many by their outcome",
    "compute, data or models used outside the submitted run",
    "validation data baked into a tokenizer",
)
"""What no rule looks at, stated beside the rules so that no report is read as covering it."""

_PARAGRAPHS = (("Law", "Law"), ("Look", "How it is looked for"), ("Blind", "What that cannot see"))
_EVIDENCE = "T text (code, README, JSON), L logs, G git, X a run; in brackets: a secondary source"
_SEVERITY = "D disqualifying, I incomplete (both fail a submission), A advisory (never changes the exit code)"


def paragraph(rule: Rule, name: str) -> str:
    """One of the paragraphs Law, Look and Blind of a rule on one line, empty when it is absent."""
    match = re.search(rf"^{name}\s+(.*?)(?=^\S|\Z)", rule.doc.strip(), re.MULTILINE | re.DOTALL)
    return " ".join(match[1].split()) if match else ""


def table(rules: Sequence[Rule]) -> str:
    """All rules, one line each, for a terminal."""
    lines = ["rule  sev  track   evid   demand"]
    lines += [f"{r.id:<6}{r.severity.value:<5}{_track(r):<8}{r.evidence:<7}{r.title}" for r in rules]
    lines += ["", f"sev   {_SEVERITY}", f"evid  {_EVIDENCE}", "", "not checked by any rule:"]
    lines += [f"  {what}" for what in NOT_CHECKED]
    lines += ["", "golf-audit rules T01   one rule: law, how it is looked for, what it cannot see, examples"]
    return "\n".join(lines) + "\n"


def page(rule: Rule) -> str:
    """Everything about one rule, its examples in full, as Markdown that also reads well in a terminal."""
    return "\n\n".join([f"# {rule.id}: {rule.title}", *_about(rule), *_examples(rule)]) + "\n"


def help_text(rule: Rule) -> str:
    """The page without the example files, for a viewer that shows it beside a result."""
    return "\n\n".join([*_about(rule), f"`golf-audit rules {rule.id}` prints legal and illegal examples."])


def readme(rules: Sequence[Rule]) -> str:
    """The text of rules/README.md."""
    head = [
        "# The rules",
        "This file is generated from the rule files beside it (`make rules`); edit those.",
        f"Severity: {_SEVERITY}. Evidence: {_EVIDENCE}.",
        "| rule | severity | track | evidence | demand |\n|---|---|---|---|---|\n"
        + "\n".join(
            f"| [{r.id}](#{r.id.lower()}) | {r.severity.value} | {_track(r)} | {r.evidence} | {r.title} |"
            for r in rules
        ),
        "## What the tool does not check",
        "\n".join(f"- {what}" for what in NOT_CHECKED),
    ]
    for rule in rules:
        head += [f"## {rule.id}", f"**{rule.title}.**", *_about(rule), _titles(rule)]
    return "\n\n".join(head) + "\n"


def _about(rule: Rule) -> Iterator[str]:
    severity = words.SEVERITY[rule.severity.value]
    yield f"Severity: {severity}. Track: {_track(rule)}. Evidence: {rule.evidence}."
    for name, heading in _PARAGRAPHS:
        text = paragraph(rule, name)
        if text:
            yield f"**{heading}.** {text}"
    if rule.cites:
        yield "Citations:\n\n" + "\n".join(f"- {words.law(cite)}: {cite.says}" for cite in rule.cites)
    if rule.precedents:
        yield f"Precedents: {words.precedents(rule.precedents)}."


def _titles(rule: Rule) -> str:
    told = [f"- {e.verdict.value}: {e.title}" for e in _ordered(rule)]
    return "\n".join([f"Examples, in full with `golf-audit rules {rule.id}`:", "", *told]) if told else ""


def _examples(rule: Rule) -> Iterator[str]:
    """Every example with the files that the one before it did not show yet."""
    shown: set[tuple[str, str]] = set()
    for example in _ordered(rule):
        yield f"## {example.verdict.value}: {example.title}"
        yield f"{example.track.value} track, law of {example.as_of}"
        files = sorted(example.files.items())
        same = [name for name, text in files if (name, text) in shown]
        if same:
            yield f"as above: {', '.join(f'`{name}`' for name in same)}"
        yield from (_file(name, text) for name, text in files if name not in same)
        shown |= set(files)


def _ordered(rule: Rule) -> list[Example]:
    """Legal examples first: they show what to change to."""
    return sorted(rule.examples, key=lambda e: e.verdict is not Verdict.PASS)


def _file(name: str, text: str) -> str:
    language = {"py": "python", "json": "json", "sh": "sh", "md": "markdown"}.get(name.rsplit(".", 1)[-1], "")
    return f"`{name}`\n\n{fence(text.rstrip(), language, cap=PROSE_CAP)}"


def _track(rule: Rule) -> str:
    return "all" if Track.NON_RECORD in rule.tracks else "record"


def main(target: Path) -> None:
    """Write the generated page of all rules."""
    from golf_audit.registry import rules

    target.write_text(readme(rules()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
