"""golf-audit: evidence about submissions to parameter-golf style competitions.

A submission is *read* (submission, source, trainlog, claims, runconfig), each rule *asks* what was read
(rules/), and one pure function turns what a rule found into a verdict (audit). Reports print it.
Nothing of a submission is ever executed, imported or unpickled in this process.
"""

from pathlib import Path

__version__ = "0.1.0"

# In a wheel rules/, schemas/ and cli.py lie inside this package; in a checkout they lie beside it.
_above = Path(__file__).resolve().parents[1]
_project = _above / "pyproject.toml"
if _project.is_file() and 'name = "golf-audit"' in _project.read_text(encoding="utf-8"):
    __path__.append(str(_above))
