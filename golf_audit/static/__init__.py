"""What the code will do to validation data, in order: sources and configuration -> the predicted Timeline."""

from golf_audit.static.predict import Told, predict

__all__ = ["Told", "predict"]
