"""Bits per byte and the evaluations that learn nothing: each position once, in any window arrangement."""

import math

import pytest
import torch

from golf_ref.evaluate import (
    Scoreboard,
    ScoreOrderError,
    evaluate_plain,
    evaluate_sliding,
    pack_rows,
    sliding_windows,
)
from tests.ref.small import small_cfg, small_model, small_stream

LENGTHS = [40, 3, 65, 20, 1, 31]


class UniformOverBytes:
    """A stand-in model: probability 1/256 for each of 256 byte tokens, nothing else."""

    cfg = small_cfg().model
    tok_emb = torch.nn.Embedding(1, 1)

    def eval(self) -> None: ...

    def nll(self, ids_T, targets_T, segments):
        return torch.full((len(ids_T),), math.log(256))


@pytest.mark.parametrize("evaluate", [evaluate_plain, evaluate_sliding])
def test_a_model_uniform_over_256_bytes_scores_8_bits_per_byte(evaluate):
    tokens = torch.randint(8, 264, (301,))
    score = evaluate(UniformOverBytes(), tokens, torch.ones(300, dtype=torch.long), small_cfg().eval)
    assert score.val_bpb == pytest.approx(8.0, abs=1e-7)
    assert score.tokens == score.bytes == 300


def test_bpb_divides_by_bytes_and_loss_by_tokens():
    board = Scoreboard(torch.tensor([3, 0, 5]))
    board.add(torch.tensor([2, 0]), torch.tensor([1.0, 2.0]))
    board.add(torch.tensor([1]), torch.tensor([4.0]))
    score = board.score()
    assert score.val_loss == pytest.approx(7 / 3)
    assert score.val_bpb == pytest.approx(7 / math.log(2) / 8)


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ([0, 1], [1, 2], "twice"),
        ([0, 0], [], "repeat"),
        ([0, 1], [2], "never scored"),
    ],
    ids=["a second pass", "a repeat inside a batch", "a position left out"],
)
def test_the_scoreboard_refuses(first, then, message):
    def run():
        board = Scoreboard(torch.ones(4, dtype=torch.long))
        for positions in (first, then):
            board.add(torch.tensor(positions, dtype=torch.long), torch.ones(len(positions)))
        board.score()

    with pytest.raises(ScoreOrderError, match=message):
        run()


def test_learning_needs_every_target_scored():
    board = Scoreboard(torch.ones(4, dtype=torch.long))
    board.add(torch.tensor([0, 1]), torch.ones(2))
    board.require_scored(torch.tensor([1, 0]))
    with pytest.raises(ScoreOrderError, match="before it was scored"):
        board.require_scored(torch.tensor([1, 2]))


@pytest.mark.parametrize("stride", [1, 8, 32])
@pytest.mark.parametrize("N", [5, 32, 33, 64, 159])
def test_sliding_windows_cover_each_position_once(N, stride):
    covered = [p for w in sliding_windows(N, 32, stride) for p in range(w.first_scored, w.end)]
    assert covered == list(range(N))
    assert all(w.end - w.start <= 32 and w.start <= w.first_scored for w in sliding_windows(N, 32, stride))


@pytest.mark.parametrize("documents", ["1", "0"], ids=["per document", "dense rows"])
def test_sliding_with_stride_equal_to_the_window_is_the_plain_evaluation(documents):
    cfg = small_cfg("eval_stride=32", f"eval_documents={documents}")
    model, (tokens, target_bytes) = small_model(cfg), small_stream(LENGTHS)
    plain = evaluate_plain(model, tokens, target_bytes, cfg.eval)
    assert evaluate_sliding(model, tokens, target_bytes, cfg.eval) == plain


def test_sliding_gives_more_context_than_plain_where_documents_are_long():
    cfg = small_cfg()
    model, (tokens, target_bytes) = small_model(cfg), small_stream([159])
    plain = evaluate_plain(model, tokens, target_bytes, cfg.eval)
    sliding = evaluate_sliding(model, tokens, target_bytes, cfg.eval)
    assert sliding.tokens == plain.tokens == 158 and sliding.bytes == plain.bytes
    assert sliding.val_loss != plain.val_loss


def test_per_document_evaluation_does_not_see_the_document_before():
    cfg = small_cfg()
    model, (tokens, _) = small_model(cfg), small_stream([20, 12])
    other = tokens.clone()
    other[1:20] = other[1:20].flip(0)
    losses = []
    for stream in (tokens, other):
        ids_T, targets_T, segments = pack_rows(stream, [torch.arange(31)], 1, torch.device("cpu"))
        losses.append(model.nll(ids_T, targets_T, segments)[20:])
    assert torch.equal(*losses)


def test_rows_become_segments_and_documents_too():
    tokens, _ = small_stream([5, 4, 3])
    rows = [torch.arange(0, 4), torch.arange(2, 8)]
    for bos_id, expected in ((None, [0, 4, 10]), (1, [0, 4, 7, 10])):
        ids_T, targets_T, segments = pack_rows(tokens, rows, bos_id, torch.device("cpu"))
        assert segments.cu_seqlens.tolist() == expected
        assert torch.equal(targets_T[:3], ids_T[1:4])
