"""Positions in the validation stream, as far as reading knows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """A position: unknown terms with their factors, in order, and a known number."""

    terms: tuple[tuple[int, int], ...]
    const: int

    def plus(self, other: Form, sign: int = 1) -> Form:
        """The sum (or the difference) of both."""
        if not other.terms:
            return Form(self.terms, self.const + sign * other.const)
        made = dict(self.terms)
        for term, factor in other.terms:
            made[term] = made.get(term, 0) + sign * factor
        return Form(tuple(sorted((t, f) for t, f in made.items() if f)), self.const + sign * other.const)

    @property
    def blurred(self) -> bool:
        """True for a position that is one of several, not told which."""
        return any(term < 0 for term, _ in self.terms)

    def with_term(self, other: Form) -> Form:
        """The same with the terms of another, once."""
        return Form(tuple(sorted({**dict(other.terms), **dict(self.terms)}.items())), self.const)


NOWHERE = Form((), 0)
"""No distance at all."""


@dataclass(frozen=True, slots=True)
class At:
    """Tokens of the validation stream stand here. Role: "token" their content, "hashed" mixed into a key,
    "key" what a table was read under, "gold" the targets of a score."""

    role: str
    form: Form
