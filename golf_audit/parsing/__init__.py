"""Audited Python text -> standard library `ast` nodes, the same whatever interpreter runs the audit."""

from golf_audit.parsing.parser import Parsed, parse

__all__ = ["Parsed", "parse"]
