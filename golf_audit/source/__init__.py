"""The Python of a submission: files, peeled layers, the entry script and what it launches."""

from golf_audit.source.layers import Layer, Module, Sources
from golf_audit.source.reader import read_sources

__all__ = ["Layer", "Module", "Sources", "read_sources"]
