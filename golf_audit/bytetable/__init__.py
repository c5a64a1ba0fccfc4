"""Bytes per token: the table's construction and its use, evaluated together over sample pieces."""

from golf_audit.bytetable.count import Count, Counting, Difference, count_bytes
from golf_audit.bytetable.files import TableFile

__all__ = ["Count", "Counting", "Difference", "TableFile", "count_bytes"]
