"""Targets are placed in the validation stream by value, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from golf_audit.dynamic.child.recorder.positions import Locator
from golf_audit.dynamic.miniature import Shape
from golf_audit.dynamic.miniature import tokens as streams

STREAM = np.array(streams.validation(Shape()))
TRAIN = np.array(streams.training(Shape(), 0))


@pytest.fixture
def locator() -> Locator:
    return Locator(STREAM, 1024)


def test_windows_with_overlap_and_padding(locator: Locator) -> None:
    rows = np.zeros((3, 128), dtype=np.int64)
    rows[0], rows[1], rows[2, :40] = STREAM[1:129], STREAM[33:161], STREAM[500:540]
    found = locator.locate(rows).reshape(3, 128)
    assert (found[0] == np.arange(1, 129)).all()
    assert (found[1] == np.arange(33, 161)).all()
    assert (found[2, :40] == np.arange(500, 540)).all()
    assert (found[2, 40:] == -1).all()


def test_training_tokens_are_never_validation_positions(locator: Locator) -> None:
    assert (locator.locate(TRAIN[:4096].reshape(8, 512)) == -1).all()


def test_short_pieces_between_padding_are_placed_by_pairs(locator: Locator) -> None:
    rows = np.full((2, 6), -100, dtype=np.int64)
    rows[0, :2], rows[1, :3] = STREAM[700:702], STREAM[900:903]
    found = locator.locate(rows).reshape(2, 6)
    assert found[0].tolist() == [700, 701, -1, -1, -1, -1]
    assert found[1].tolist() == [900, 901, 902, -1, -1, -1]


def test_a_single_target_is_placed_by_the_inputs_of_the_call(locator: Locator) -> None:
    inputs = np.stack([STREAM[100:108], STREAM[300:308]])
    targets = np.zeros((2, 8), dtype=np.int64)
    targets[0], targets[1, :1] = STREAM[101:109], STREAM[301:302]
    locator.saw_inputs(inputs)
    found = locator.locate(targets).reshape(2, 8)
    assert (found[0] == np.arange(101, 109)).all()
    assert found[1, 0] == 301


def test_inputs_of_an_earlier_call_place_nothing(locator: Locator) -> None:
    locator.saw_inputs(STREAM[:512].reshape(4, 128))
    assert (locator.locate(TRAIN[:512].reshape(4, 128)) == -1).all()


def test_rows_that_meet_by_chance_in_a_flattened_batch_keep_their_own_positions(locator: Locator) -> None:
    """The last target of one row and the first of the next can equal two neighbours elsewhere."""
    windows = [(a, a + 128) for a in range(0, 6000, 32)]
    for first, end in windows:
        after = first + 33
        twin = np.flatnonzero(STREAM[: len(STREAM) - 1] == STREAM[end])
        if any(p + 1 == after for p in twin):
            break
    batch = np.stack([STREAM[a : b + 1] for a, b in windows])
    locator.saw_inputs(batch[:, :-1])
    found = locator.locate(batch[:, 1:].reshape(-1)).reshape(len(windows), 128)
    assert (found == np.stack([np.arange(a + 1, b + 1) for a, b in windows])).all()
