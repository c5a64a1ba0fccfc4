"""When are two findings the same finding? Two answers, for two questions; neither looks at line numbers.

`fingerprint` asks within one submission: after lines moved, in the next head of a pull request, for a
waiver. It holds the file, so that what is waived in one place is waived nowhere else.
`likeness` asks over submissions: a child may call its script otherwise, pack it or lay it out anew. It
leaves out the file, the layer and the blanks, and of a measurement keeps what was measured, not its figures.
"""

from __future__ import annotations

import hashlib
import re

from golf_audit.model import Finding, Kind, Where

_BLANKS = re.compile(r"\s+")
_FIGURES = re.compile(r"[-+]?\d[\d,._]*")


def fingerprint(rule: str, finding: Finding) -> str:
    """The same finding of one submission again: rule, file, layer and the text found there."""
    where = decisive(finding)
    parts = [rule]
    if where is not None:
        parts += [where.file, str(where.layer), where.pointer or "", where.quote]
    if where is None or not where.quote:
        parts.append(finding.message)
    return _digest(parts)


def likeness(rule: str, finding: Finding) -> str:
    """The same finding in another submission: rule, kind of evidence, and the code quoted or what is said."""
    first = next((e for e in finding.evidence if e.where is not None), finding.evidence[0])
    parts = [rule, first.kind.value]
    if first.kind is Kind.SOURCE and first.where is not None and first.where.quote:
        parts.append(_BLANKS.sub("", first.where.quote))
    else:
        parts.append(_FIGURES.sub("#", finding.message))
    return _digest(parts)


def decisive(finding: Finding) -> Where | None:
    """The first position of a finding that can be opened; None when all of it is computed."""
    return next((e.where for e in finding.evidence if e.where is not None), None)


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
