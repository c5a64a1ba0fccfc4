"""Where in the stream the tokens of a value stand: is the token in a key the one that is scored?

A position is a sum of terms that are not known (a loop variable, a window's start) and a known number. Two
tokens stand at one position only where both agree; what moves elements in a way that is not followed (cat,
roll, pad ...) starts a position of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from golf_audit.static.atoms import Cnt, Doc, Out, Sc, Taint, Tok
from golf_audit.static.interpreter.state import State
from golf_audit.static.places import NOWHERE, At, Form
from golf_audit.static.values import Unk, Value
from golf_audit.timeline import Stream

_ALIGNED = """
exp exp_ log log_ log2 log1p expm1 sqrt neg negative abs sigmoid tanh square reciprocal round power pow
where clamp clamp_ clip minimum maximum fmin fmax isfinite nan_to_num masked_fill lerp logaddexp
add sub mul div true_divide multiply subtract bitwise_and bitwise_xor bitwise_or remainder fmod
from_numpy tensor as_tensor asarray array ascontiguousarray int float bool float_power
float16 float32 float64 int16 int32 int64 uint8 uint16 uint32 uint64
embedding linear rms_norm layer_norm relu gelu silu dropout softmax log_softmax scaled_dot_product_attention
logical_and logical_or logical_not eq ne gt lt ge le sum mean max amax
"""
ELEMENTWISE = frozenset(_ALIGNED.split())
"""Functions and methods that leave every element, or row, where it is."""

SELECTIONS = ("positions", "mask", "compared")
"""Kinds of an index that takes out elements and leaves those that it takes aligned with their like."""


class Positions(State):
    """Positions of tokens, and of numbers that index them."""

    def __init__(self) -> None:
        super().__init__()
        self._terms: dict[Any, tuple[int, object]] = {}
        self.keyed: dict[int, set[Form]] = {}  # table event -> positions of tokens in keys of its reads

    def term(self, key: Any, keeps: object = None) -> Form:
        """The position that is one unknown term; `keeps` stays alive, so that its id is not used again."""
        number, _ = self._terms.setdefault(key, (len(self._terms) + 1, keeps))
        return Form(((number, 1),), 0)

    def fresh_form(self) -> Form:
        """A position that nothing else has."""
        return self.term(("fresh", len(self._terms)))

    def form_of(self, value: Value) -> Form:
        """A number, or an array of positions, as a sum of terms."""
        if isinstance(value, (int, bool)):
            return Form((), int(value))
        if isinstance(value, Unk):
            if value.form is None:
                value.form = self.term(("value", id(value)), value)
            return value.form
        return self.fresh_form() if value is not None else NOWHERE

    def picked(self, *entered: int) -> Form:
        """What an element gains that is taken out of a container now: rounds of a loop are told apart.
        `entered`: the round of a loop that is about to run."""
        return self.term(("pick", (*(loop.iteration for loop in self.live), *entered)))

    def summed(self, left: Value, right: Value, sign: int) -> Form | None:
        """The form of left + right or left - right; None where they are not numbers."""
        if (
            any(not _numeric(v) for v in (left, right))
            or isinstance(left, int) is isinstance(right, int) is True
        ):
            return None
        return self.form_of(left).plus(self.form_of(right), sign)

    def shift_of(self, index: Value) -> Form:
        """How far an index moves what it takes out."""
        if isinstance(index, tuple):
            return self.shift_of(index[-1]) if index else NOWHERE
        if isinstance(index, slice):
            from_end = isinstance(index.start, int) and index.start < 0
            if from_end or index.step not in (None, 1):
                return self.fresh_form()
            return NOWHERE if index.start is None else self.form_of(index.start)
        if isinstance(index, Unk) and index.form is None and index.kind in SELECTIONS:
            return NOWHERE
        if index is None or index is Ellipsis:
            return NOWHERE
        return self.form_of(index)

    def moved(self, facts: Taint, by: Form, sign: int = 1) -> Taint:
        """All positions moved."""
        if by == NOWHERE or not any(isinstance(a, At) for a in facts):
            return facts
        return self._mapped(facts, lambda at: At(at.role, at.form.plus(by, sign)))

    def picked_facts(self, facts: Taint) -> Taint:
        """Positions of an element that is taken out now, of a container whose elements stand apart."""
        if not any(isinstance(a, At) and a.form.blurred for a in facts):
            return facts
        pick = self.picked()
        return self._mapped(facts, lambda at: At(at.role, at.form.with_term(pick)) if at.form.blurred else at)

    def joined_facts(self, a: Taint, b: Taint) -> Taint:
        """Facts of a value that is one of two: positions in which they differ are not known any more. Where
        one holds no tokens, as the empty array of an early return, they stand where the other's do."""
        mine, theirs = ({x for x in facts if isinstance(x, At)} for facts in (a, b))
        apart = mine ^ theirs
        if {x for x in a if isinstance(x, Cnt)} != {x for x in b if isinstance(x, Cnt)}:
            a, b = self.single(a, told=False), self.single(b, told=False)
        if not apart or not mine or not theirs:
            return a | b
        number = -1 - len(self._terms)
        self._terms[("blurred", number)] = (number, None)
        blurred = frozenset(At(at.role, Form(((number, 1),), 0)) for at in apart)
        return frozenset(x for x in a | b if x not in apart) | blurred

    def scattered(self, facts: Taint) -> Taint:
        """Elements were moved in a way that is not followed: positions of their own, token content stays."""
        if not any(isinstance(a, At) for a in facts):
            return facts
        fresh = self.fresh_form()
        return self._mapped(facts, lambda at: At(at.role, fresh))

    def hashed(self, facts: Taint) -> Taint:
        """Tokens were mixed into a key, so that what is found under it is not a column that they select."""
        return self._mapped(facts, lambda at: At("hashed", at.form) if at.role == "token" else at)

    @staticmethod
    def of_tokens(facts: Taint) -> bool:
        """True for an index that is tokens themselves and no key made of them."""
        roles = {a.role for a in facts if isinstance(a, At)}
        return roles == {"token"}

    @staticmethod
    def column(facts: Taint) -> Taint:
        """What is read of tables at a column that tokens select."""
        return frozenset(replace(a, column=True) if isinstance(a, Cnt) else a for a in facts)

    @staticmethod
    def single(facts: Taint, told: bool) -> Taint:
        """What is read of tables is one number per key, or it is not known to be one any more."""
        return frozenset(
            replace(a, single=told) if isinstance(a, Cnt) and a.single is not told else a for a in facts
        )

    def looked_up(self, facts: Taint, table: Taint) -> Taint:
        """What a read of a table under this index says of its key."""
        forms = {a.form for a in facts if isinstance(a, At) and a.role == "hashed"}
        for atom in table:
            if isinstance(atom, Cnt):
                self.keyed.setdefault(atom.event, set()).update(forms)
        return frozenset(At("key", form) for form in forms)

    @staticmethod
    def placeless(facts: Taint) -> Taint:
        """The same facts without positions."""
        return frozenset(a for a in facts if not isinstance(a, At)) if facts else facts

    @staticmethod
    def beginnings(facts: Taint) -> Taint:
        """What positions are that were found from these facts."""
        val = any(isinstance(a, Tok) and a.stream is Stream.VAL for a in facts)
        return frozenset({Doc()}) if val else frozenset()

    def gold(self, targets: Taint) -> Taint:
        """Positions of what is scored."""
        return frozenset(At("gold", a.form) for a in targets if isinstance(a, At) and a.role == "token")

    @staticmethod
    def whole(stream: Stream) -> Taint:
        """A stream as it is opened, from its first token on."""
        first: Taint = frozenset({At("token", NOWHERE)})
        return frozenset({Tok(stream)}) | (first if stream is Stream.VAL else frozenset())

    @staticmethod
    def _mapped(facts: Taint, change: Callable[[At], At]) -> Taint:
        return frozenset(change(a) if isinstance(a, At) else a for a in facts)


def consults(gold_side: Taint, other_side: Taint) -> bool | None:
    """Whether the key of what is mixed in holds the token that is scored; None when that cannot be told."""
    golds = {a.form for a in gold_side if isinstance(a, At) and a.role == "gold"}
    keys = {a.form for a in other_side if isinstance(a, At) and a.role == "key"}
    if golds & keys:
        return True
    comparable = golds and keys and {f.terms for f in keys} <= {f.terms for f in golds}
    return False if comparable else None


def alike(gold_side: Taint, other_side: Taint) -> bool:
    """Whether a table adds the same to every target that could stand at a place: one number per key, the key
    is of the prefix, and neither the target nor the model entered it afterwards. The share of the gold
    probability must not depend on the table: it may leave room for what is added."""
    counts = [a for a in other_side if isinstance(a, Cnt)]
    if not counts or any(not a.single or a.column for a in counts):
        return False
    if any(isinstance(a, Cnt) or (isinstance(a, At) and a.role == "key") for a in gold_side):
        return False
    entered = any(isinstance(a, (Sc, Out)) or (isinstance(a, At) and a.role != "key") for a in other_side)
    return not entered and consults(gold_side, other_side) is False


def ahead(logits: Taint, gold: Taint) -> int | None:
    """How far the target stands after the input of the model at its place; None where that is not told."""
    inputs = {a.form for a in logits if isinstance(a, At) and a.role == "token"}
    targets = {a.form for a in gold if isinstance(a, At)}
    rows = {f.terms for f in inputs}
    if not rows or rows != {f.terms for f in targets} or not len(inputs) == len(rows) == len(targets):
        return None
    at = {f.terms: f.const for f in inputs}
    apart = {f.const - at[f.terms] for f in targets}
    return apart.pop() if len(apart) == 1 else None


def _numeric(value: Value) -> bool:
    if isinstance(value, int):
        return True
    if not isinstance(value, Unk) or value.roots or value.parts is not None:
        return False
    return value.kind in ("number", "positions") or value.form is not None
