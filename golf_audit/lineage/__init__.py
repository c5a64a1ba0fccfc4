"""Who a submission descends from, what it has of it, and what is its own."""

from golf_audit.lineage.command import AUTO, with_lineage
from golf_audit.lineage.model import Comparison, Kinship, Lineage, State

__all__ = ["AUTO", "Comparison", "Kinship", "Lineage", "State", "with_lineage"]
