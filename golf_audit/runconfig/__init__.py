"""The configuration that was run: code defaults, commands, submission.json, logs; with every origin."""

from golf_audit.runconfig.model import Command, Conflict, Knob, Origin, RunConfig, Setting
from golf_audit.runconfig.resolve import resolve

__all__ = ["Command", "Conflict", "Knob", "Origin", "RunConfig", "Setting", "resolve"]
