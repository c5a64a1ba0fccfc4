"""A case and its report -> Figures. What cannot be drawn is said; a picture never costs a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from golf_audit.figures.excerpts import excerpts
from golf_audit.figures.model import Excerpt, Figures, Picture
from golf_audit.figures.run import run
from golf_audit.figures.scores import scores, sizes
from golf_audit.figures.timeline import observed, predicted
from golf_audit.model import Evidence, Report, Where
from golf_audit.submission import Case

T = TypeVar("T")

_ORDER = "TPQVM"
"""Families of rules that ask the timeline."""


def drawn(case: Case, report: Report) -> Report:
    """The report with its figures; of a restricted one those that the asked rules are about."""
    asked = {rule[0] for rule in report.restricted_to}
    problems: list[str] = []

    def attempt(name: str, families: str, draw: Callable[[], T | None]) -> T | None:
        if asked and not asked & set(families):
            return None
        try:
            return draw()
        except Exception as error:  # noqa: BLE001 - the report itself stands; the page says what is missing
            problems.append(f"{name}: {type(error).__name__}: {error}")
            return None

    seen = case.observation
    figures = Figures(
        predicted=attempt("the predicted timeline", _ORDER, lambda: predicted(case.timeline)),
        observed=attempt("the observed timeline", _ORDER, lambda: observed(seen) if seen else None),
        run=attempt("the run in miniature", _ORDER, lambda: run(seen) if seen else None),
        scores=attempt("the scores", "SR", lambda: scores(case)),
        sizes=attempt("the sizes", "A", lambda: sizes(case)),
    )
    positions = [*_cited(report), *_happened(figures.predicted), *_happened(figures.observed)]
    code: tuple[Excerpt, ...] | None = attempt(
        "the code", "ABHMNPQRSTV", lambda: excerpts(case.submission, positions)
    )
    return replace(report, figures=replace(figures, code=code or (), problems=tuple(problems)))


def _cited(report: Report) -> Iterator[Where]:
    """Every position that the report's rulings name."""
    for ruling in report.rulings:
        told = ruling.assessment
        pieces: list[Evidence] = [*told.notes, *told.basis]
        pieces += [evidence for finding in told.findings for evidence in finding.evidence]
        yield from (piece.where for piece in pieces if piece.where is not None)


def _happened(picture: Picture | None) -> Iterator[Where]:
    """Positions of the events behind the claimed number, and of what could not be followed."""
    if picture is not None:
        yield from (moment.where for moment in picture.moments if moment.behind)
        yield from (gap.where for gap in picture.gaps if gap.where is not None)
