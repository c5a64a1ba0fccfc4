"""What `golf-audit ledger verify` says of a ledger, in lines for a terminal."""

from __future__ import annotations

from collections import Counter

from golf_audit.ledger import Ledger
from golf_audit.report.escape import terminal


def sound(ledger: Ledger, head: str | None) -> bool:
    """True when no entry was altered and, where the head is given, the chain still holds it."""
    return not ledger.problems and (head is None or ledger.since(head.lower()) is not None)


def verification(ledger: Ledger, head: str | None) -> str:
    """Problems first, then the head."""
    lines = [f"{ledger.name}:{problem.line}: {problem.says}" for problem in ledger.problems]
    if ledger.torn:
        lines.append(f"the last line is torn ({len(ledger.torn)} bytes); the next append mends it")
    if head is not None and not ledger.problems:
        after = ledger.since(head.lower())
        if after is None:
            lines.append(f"no entry has the hash {head[:64]}: the chain was cut or rewritten, or is another")
        elif after:
            lines.append(f"{after} entr{'ies' if after > 1 else 'y'} added since that head")
    if ledger.problems:
        lines.append(f"ALTERED: {len(ledger.entries)} entries before the first problem hold")
    elif sound(ledger, head):
        kinds = Counter(entry.kind for entry in ledger.entries)
        held = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "empty"
        lines.append(f"whole: {len(ledger.entries)} entries ({held})")
        lines.append(f"head {ledger.head}")
    return "\n".join(terminal(line) for line in lines) + "\n"
