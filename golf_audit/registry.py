"""Every rule, in the catalogue's order. A rule is a file in rules/ that exports RULE; nothing to register."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module

from golf_audit.errors import AuditError
from golf_audit.model import Rule

FAMILIES = "TPQVMBANHRS"
"""The catalogue's order of families: order of events first, evidence and statistics last."""


@cache
def rules() -> tuple[Rule, ...]:
    """All rules: families in the catalogue's order, then by number."""
    package = import_module("golf_audit.rules")
    found = [
        import_module(f"golf_audit.rules.{module.name}").RULE
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    ]
    return tuple(sorted(found, key=lambda rule: (FAMILIES.index(rule.id[0]), rule.id)))


def pick(ids: Sequence[str]) -> tuple[Rule, ...]:
    """Rules by id ("T01") or family ("T"), any case; all of them for no ids.

    Raises AuditError for an id that is not in the catalogue."""
    if not ids:
        return rules()
    wanted = [i.upper() for i in ids]
    for one in wanted:
        if not any(rule.id == one or rule.id[0] == one for rule in rules()):
            known = " ".join(rule.id for rule in rules())
            raise AuditError(f"no rule {one}; the catalogue holds {known}")
    return tuple(rule for rule in rules() if rule.id in wanted or rule.id[0] in wanted)
