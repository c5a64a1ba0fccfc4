"""What --parent found, for every format: sentences first, then rows, Markdown lines and plain data.

Sentences are not escaped here; each format does that with its own function.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from golf_audit.lineage import Comparison, Kinship, Lineage, State
from golf_audit.lineage.compare import name_of
from golf_audit.lineage.model import CodeDifference, Difference, Mention, Origin, Sameness
from golf_audit.lineage.words import listed
from golf_audit.model import Certainty, Finding, Head, Report, Ruling, Where
from golf_audit.report import escape, words

SETTINGS_CAP = 12
"""Settings that differ, without --verbose."""
NAMES_CAP = 8
VALUE_CAP = 40
"""Characters of a setting's value in a sentence; the JSON report has it whole."""
GONE_CAP = 160
"""Characters of the reason why a rule was open for the parent."""
_STATE = {
    State.NEW: "new",
    State.INHERITED: "inherited",
    State.SHARED: "both",
    State.UNKNOWN: "not told",
}
_MERELY_OPEN = {State.NEW: "open here", State.INHERITED: "open too"}
"""For a rule that is undetermined and found nothing."""
_MEANS = {
    "new": "the parent does not break it",
    "inherited": "the parent does the same",
    "both": "the parent has it too, by other code or by runs of its own",
    "not told": "undetermined for the parent",
    "open here": "undetermined here, and not for the parent",
    "open too": "undetermined for both, for the same reason",
}
"""The words in the order in which they are printed."""


@dataclass(frozen=True)
class Told:
    """One line about the parent: a label, a sentence, a place in the child (or None)."""

    label: str
    says: str
    where: Where | None = None


def lineage(report: Report) -> Lineage | None:
    """The report's lineage, with its type."""
    found: Lineage | None = report.lineage
    return found


def of_ruling(report: Report, ruling: Ruling) -> list[Kinship]:
    """What is told of the findings of one rule."""
    found = lineage(report)
    if found is None or found.comparison is None:
        return []
    return [kin for kin in found.comparison.findings if kin.rule == ruling.rule.id]


def of_finding(report: Report, ruling: Ruling, finding: Finding | None) -> Kinship | None:
    """What is told of one finding, or (None) of a rule without one."""
    judged = [f for f in ruling.assessment.findings if f.certainty is not Certainty.HINT]
    index = next((i for i, other in enumerate(judged) if other is finding), None)
    return next((kin for kin in of_ruling(report, ruling) if kin.index == index), None)


def state(kin: Kinship) -> str:
    """The word for what the parent has to do with a finding, or with a rule that is merely open."""
    if kin.index is None and kin.state in _MERELY_OPEN:
        return _MERELY_OPEN[kin.state]
    return _STATE[kin.state]


def told_of_ruling(report: Report, ruling: Ruling) -> list[str]:
    """A sentence per state of the findings of a rule, new ones first; with their number where they differ."""
    kin = of_ruling(report, ruling)
    out = []
    for word in _MEANS:
        those = [k for k in kin if state(k) == word]
        if those:
            count = f" ({len(those)} of {len(kin)})" if len(those) < len(kin) else ""
            at = f" (its {words.position(those[0].where)})" if those[0].where is not None else ""
            out.append(f"{word}{count}: {those[0].says}{at}")
    found = lineage(report)
    origin = next((o for o in found.origins if o.rule == ruling.rule.id), None) if found else None
    return [*out, rooted(origin)] if kin and origin is not None and origin.through else out


def rooted(origin: Origin) -> str:
    """Where an inherited finding comes from."""
    through = listed([name_of(head) for head in origin.through])
    word = "it begins with" if origin.ends else "it goes back at least to"
    return f"{word} {name_of(origin.eldest)}, through {through}"


def by_state(report: Report) -> dict[str, list[str]]:
    """The rules by what the parent has to do with their findings; one with several kinds stands in each."""
    found = lineage(report)
    kin = found.comparison.findings if found is not None and found.comparison is not None else ()
    grouped: dict[str, list[str]] = {word: [] for word in _MEANS}
    for one in kin:
        grouped[state(one)].append(one.rule)
    return {word: list(dict.fromkeys(rules)) for word, rules in grouped.items() if rules}


def title(report: Report) -> str:
    """The parent in one line: number, folder, word, claim."""
    found = lineage(report)
    if found is None or found.comparison is None:
        return f"not compared: {found.why}" if found is not None else ""
    parent = found.comparison.parent
    folder = parent.head.folder.rstrip("/").rsplit("/", 1)[-1]
    name = f"#{parent.head.pr} {folder}" if parent.head.pr is not None else folder
    claim = f", {parent.claim}" if parent.claim else ""
    return f"{name}{claim}: {parent.verdict.upper()} by the law of {report.as_of}"


def told(report: Report, verbose: bool = False) -> Iterator[Told]:
    """Every line about the parent."""
    found = lineage(report)
    if found is None:
        return
    if found.comparison is not None:
        yield from _compared(report, found.comparison, verbose)
    for note in found.notes:
        yield Told("note", note)
    if found.comparison is not None and found.line:
        names = [name_of(found.comparison.parent.head), *map(str, found.line)]
        yield Told("line", " <- ".join(reversed(names)) + " <- this one")


def _compared(report: Report, comparison: Comparison, verbose: bool) -> Iterator[Told]:
    parent = comparison.parent
    yield Told("named by", parent.how, parent.where)
    for word, rules in by_state(report).items():
        yield Told(word, f"{' '.join(rules)}: {_MEANS[word]}")
    if not comparison.findings:
        yield Told("findings", "nothing is failed, disputed or open here that could be inherited")
    for gone in comparison.gone:
        more = "..." if len(gone.says) > GONE_CAP else ""
        yield Told("gone", f"{gone.rule}: {gone.says[:GONE_CAP]}{more}")
    yield Told("code", code(comparison.code, None if verbose else NAMES_CAP))
    yield Told("settings", settings(comparison.settings, None if verbose else SETTINGS_CAP))
    yield from (Told("claim", line) for line in figures(comparison))


def code(found: CodeDifference, cap: int | None) -> str:
    """How the code differs, in a sentence."""
    if found.sameness is Sameness.UNREAD:
        return found.why
    if found.sameness is Sameness.BYTES:
        return f"the same script, byte for byte ({words.plural(found.total, 'function')})"
    if found.sameness is Sameness.CODE:
        renamed = f", {found.renamed} under other names" if found.renamed else ""
        return (
            f"the same code, packed or laid out otherwise ({words.plural(found.total, 'function')}{renamed})"
        )
    parts = [f"{found.share:.0%} the same"]
    for label, names in (("changed", found.changed), ("added", found.added), ("removed", found.removed)):
        if names:
            total = f" of {found.total}" if label == "changed" else ""
            parts.append(f"{len(names)}{total} {label}: {listed(names, cap or len(names))}")
    return "; ".join(parts)


def settings(found: Sequence[Difference], cap: int | None) -> str:
    """The settings that differ, parent -> child, then those that only one of them has."""
    if not found:
        return "none differs"
    shown = found[: cap or len(found)]
    groups = [
        ("", [f"{d.name} {_step(d.theirs or '', d.ours or '')}" for d in shown if _both(d)]),
        ("only here ", [f"{d.name}={_short(d.ours)}" for d in shown if d.theirs is None]),
        ("only there ", [f"{d.name}={_short(d.theirs)}" for d in shown if d.ours is None]),
    ]
    told = "; ".join(label + ", ".join(words) for label, words in groups if words)
    more = f"; {len(found) - len(shown)} more with --verbose" if len(shown) < len(found) else ""
    return f"{len(found)} differ: {told}{more}"


def _both(found: Difference) -> bool:
    return found.ours is not None and found.theirs is not None


def _step(old: str, new: str) -> str:
    """old -> new; of long lists what is added and taken out."""
    before, after = ([item.strip() for item in value.split(",")] for value in (old, new))
    if max(len(old), len(new)) <= VALUE_CAP or min(len(before), len(after)) < 2:
        return f"{_short(old)} -> {_short(new)}"
    changes = [f"+{item}" for item in after if item not in before]
    changes += [f"-{item}" for item in before if item not in after]
    return _short(" ".join(changes)) if changes else "in another order"


def _short(value: str | None) -> str:
    """A value; of a long one the beginning."""
    text = value or ""
    return text if len(text) <= VALUE_CAP else f"{text[:VALUE_CAP]}..."


def figures(comparison: Comparison) -> Iterator[str]:
    """val_bpb and bytes against the parent's."""
    bpb = comparison.figures["val_bpb"]
    if bpb.difference is not None and bpb.ours is not None and bpb.theirs is not None:
        word = "better" if bpb.difference < 0 else "worse"
        apart = f"{abs(bpb.difference):.5f} bpb {word}" if bpb.difference else "the same"
        yield f"val_bpb {bpb.theirs:.6g} -> {bpb.ours:.6g}, {apart}"
    size = comparison.figures["bytes_total"]
    if size.difference is not None and size.ours is not None and size.theirs is not None:
        yield f"artifact {size.theirs:,.0f} -> {size.ours:,.0f} bytes ({size.difference:+,.0f})"


def as_data(report: Report, where: Any) -> dict[str, Any] | None:
    """The lineage for the JSON report; `where` turns a position into its keys. None without --parent."""
    found = lineage(report)
    if found is None:
        return None
    return {
        "compared": _comparison(found.comparison, where) if found.comparison is not None else None,
        "why_not": found.why,
        "title": title(report),
        "lines": [
            {"label": line.label, "says": line.says, **where(line.where)}
            for line in told(report, verbose=True)
        ],
        "notes": list(found.notes),
        "line": [{"pr": name.pr, "folder": name.folder} for name in found.line],
        "origins": [
            {
                "rule": o.rule,
                **_head(o.eldest),
                "through": [_head(head) for head in o.through],
                "begins_there": o.ends,
            }
            for o in found.origins
        ],
        "named": [_mention(m, where) for m in found.named.candidates],
        "also_named": [_mention(m, where) for m in found.named.others],
        "refused": [{**_mention(m, where), "why": why} for m, why in found.named.refused],
    }


def _head(head: Head) -> dict[str, Any]:
    return {"pr": head.pr, "folder": escape.path(head.folder)}


def _mention(mention: Mention, where: Any) -> dict[str, Any]:
    name = {"pr": mention.name.pr, "folder": mention.name.folder}
    return {**name, "word": mention.word.name.lower(), "says": mention.says, **where(mention.where)}


def _comparison(found: Comparison, where: Any) -> dict[str, Any]:
    parent = found.parent
    return {
        "parent": {
            "pr": parent.head.pr,
            "commit": parent.head.commit or None,
            "folder": escape.path(parent.head.folder),
            "fingerprint": parent.head.fingerprint,
            "claim": parent.claim,
            "verdict": parent.verdict,
            "how": parent.how,
            **where(parent.where),
        },
        "findings": [
            {"rule": k.rule, "index": k.index, "state": k.state.value, "says": k.says, **where(k.where)}
            for k in found.findings
        ],
        "gone": [{"rule": g.rule, "says": g.says} for g in found.gone],
        "settings": [
            {"name": d.name, "child": d.ours, "parent": d.theirs, "switch": d.switch, **where(d.where)}
            for d in found.settings
        ],
        "figures": {
            name: {"child": f.ours, "parent": f.theirs, "difference": f.difference}
            for name, f in found.figures.items()
        },
        "code": {
            "sameness": found.code.sameness.name.lower(),
            "share": found.code.share,
            "same": found.code.same,
            "renamed": found.code.renamed,
            "changed": list(found.code.changed),
            "added": list(found.code.added),
            "removed": list(found.code.removed),
            "why": found.code.why,
        },
    }
