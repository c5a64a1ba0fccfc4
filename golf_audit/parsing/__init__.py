"""Audited Python text -> standard library `ast` nodes, the same whatever interpreter runs the audit."""

from golf_audit.parsing.parser import Parsed, parse, set_deadline
from golf_audit.parsing.walk import flatten

__all__ = ["Parsed", "flatten", "parse", "set_deadline"]
