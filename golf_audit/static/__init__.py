"""The static engine: what the code will do to its data, told without running it."""

from golf_audit.static.predict import predict

__all__ = ["predict"]
