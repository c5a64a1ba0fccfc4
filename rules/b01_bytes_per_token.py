"""Bytes per token are counted correctly.

Law    Tokenizer changes must prove that val_bpb is computed correctly (README, submission process).
       A space counted twice or byte fallback counted as 3 inflate the denominator (#1719, #1289;
       #1184 was removed).
Look   Evaluate the byte table's construction and its use together over sample pieces; read .model
       and .npz tables with bounded readers.
Blind  Tables that are built from files not in the folder.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="B01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
