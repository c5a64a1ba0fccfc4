"""Test-time training: no score depends on what is scored after it, and learning nothing changes nothing."""

import pytest
import torch

from golf_ref.attention import Segments
from golf_ref.evaluate import Scoreboard, ScoreOrderError, evaluate_sliding
from golf_ref.log import RunLog
from golf_ref.ttt_lora import (
    Document,
    Group,
    adapter_for,
    chunk_windows,
    evaluate_lora_ttt,
    group_documents,
    shortest_scored,
    split_documents,
)
from golf_ref.ttt_sgd import cosine_lr, evaluate_sgd_ttt, sgd_step
from tests.ref.small import BOS, small_cfg, small_model, small_stream

LENGTHS = [20, 3, 32, 12, 1, 18, 9, 28, 25, 5]  # the longest fits into the window of 32 positions


def run(driver: str, cfg, tokens, target_bytes):
    """Score with a fresh model; phases as configured for "phased", none for "lora"."""
    model = small_model(cfg)
    if driver == "sgd":
        return evaluate_sgd_ttt(model, tokens, target_bytes, cfg.eval, cfg.ttt)
    phases = cfg.ttt.phased_ttt_num_phases if driver == "phased" else 0
    return evaluate_lora_ttt(model, tokens, target_bytes, cfg.ttt, phases, 0, RunLog(echo=False))


def ledger(driver: str, cfg, tokens, target_bytes, monkeypatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Per position: the loss it was scored with, and the number of the call that scored it."""
    losses = torch.zeros(len(target_bytes))
    calls = torch.full((len(target_bytes),), -1)
    add = Scoreboard.add

    def noting_add(board, positions_n, loss_n):
        losses[positions_n] = loss_n.detach()
        calls[positions_n] = calls.max() + 1
        add(board, positions_n, loss_n)

    with monkeypatch.context() as patch:
        patch.setattr(Scoreboard, "add", noting_add)
        run(driver, cfg, tokens, target_bytes)
    return losses, calls


OFF = {
    "sgd": ("ttt_lr=0", "ttt_epochs=0"),
    "lora": ("ttt_lora_lr=0", "ttt_lora_rank=0"),
    "phased": (["ttt_lora_lr=0", "global_ttt_lr=0"], ["ttt_lora_rank=0", "global_ttt_epochs=0"]),
}


@pytest.mark.parametrize("driver", OFF)
def test_learning_rate_zero_equals_the_same_driver_without_learning_to_the_bit(driver):
    stream = small_stream([*LENGTHS, 70])
    zero, off = (small_cfg(*([o] if isinstance(o, str) else o)) for o in OFF[driver])
    assert run(driver, zero, *stream) == run(driver, off, *stream)


@pytest.mark.parametrize("driver", OFF)
def test_learning_changes_the_score(driver):
    """Guards the tests of this file against a driver that never learns."""
    stream = small_stream([*LENGTHS, 70])
    off = small_cfg(*([OFF[driver][1]] if isinstance(OFF[driver][1], str) else OFF[driver][1]))
    assert run(driver, small_cfg(), *stream).val_loss != run(driver, off, *stream).val_loss


def test_phases_change_the_score_of_what_follows_them():
    stream = small_stream([*LENGTHS, 70])
    assert run("phased", small_cfg(), *stream).val_loss != run("lora", small_cfg(), *stream).val_loss


@pytest.mark.parametrize("driver", ["lora", "phased"])
def test_learning_rate_zero_gives_the_plain_score_of_each_document(driver):
    cfg = small_cfg("ttt_lora_lr=0", "global_ttt_lr=0")
    tokens, target_bytes = small_stream(LENGTHS)
    model = small_model(cfg)
    total, count = 0.0, 0
    for document in split_documents(tokens, BOS):
        positions = torch.arange(document.start, document.end)
        segments = Segments.rows(1, len(positions))
        with torch.no_grad():
            total += float(model.nll(tokens[positions], tokens[positions + 1], segments).double().sum())
        count += len(positions)
    score = run(driver, cfg, tokens, target_bytes)
    assert score.tokens == count
    assert score.val_loss == pytest.approx(total / count, abs=1e-6)


def test_sgd_with_learning_rate_zero_is_the_sliding_evaluation():
    stream = small_stream([*LENGTHS, 70])
    cfg = small_cfg("ttt_lr=0")
    sliding = evaluate_sliding(small_model(cfg), *stream, cfg.eval)
    assert run("sgd", cfg, *stream).val_loss == pytest.approx(sliding.val_loss, abs=1e-6)


@pytest.mark.parametrize("driver", OFF)
def test_every_position_is_scored_once(driver):
    tokens, target_bytes = small_stream([*LENGTHS, 70])
    score = run(driver, small_cfg(), tokens, target_bytes)
    assert (score.tokens, score.bytes) == (len(tokens) - 1, int(target_bytes.sum()))


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("driver", OFF)
def test_tokens_scored_later_never_change_an_earlier_score(driver, cut, monkeypatch):
    """Replace every target that a later call scores, in the order of the driver itself, and compare."""
    cfg = small_cfg()
    tokens, target_bytes = small_stream([*LENGTHS, 70])
    before, calls = ledger(driver, cfg, tokens, target_bytes, monkeypatch)
    at = int(cut * int(calls.max()))
    later = (calls > at) & (tokens[1:] != BOS)  # the documents themselves stay: only their words change
    other = tokens.clone()
    other[1:][later] = 8 + (other[1:][later] - 8 + 7) % 32
    after, calls_after = ledger(driver, cfg, other, target_bytes, monkeypatch)
    assert torch.equal(calls, calls_after), "the order must not depend on the words"
    kept = calls <= at
    assert torch.equal(before[kept], after[kept])
    assert (before[later] != after[later]).float().mean() > 0.9, "the replacement must matter somewhere"


@pytest.mark.parametrize("driver", OFF)
@pytest.mark.parametrize("t", [3, 40, 90, 150, 200])
def test_the_score_of_a_token_depends_on_its_own_document_only_up_to_it(driver, t, monkeypatch):
    """Inside the document of t: what follows t there changes no score up to t."""
    cfg = small_cfg()
    tokens, target_bytes = small_stream([*LENGTHS, 70])
    before, _ = ledger(driver, cfg, tokens, target_bytes, monkeypatch)
    document = next(d for d in split_documents(tokens, BOS) if d.start <= t < d.end)
    other = tokens.clone()
    other[t + 2 : document.end] = 8 + (other[t + 2 : document.end] - 8 + 7) % 32
    after, _ = ledger(driver, cfg, other, target_bytes, monkeypatch)
    assert torch.equal(before[document.start : t + 1], after[document.start : t + 1])


def test_a_step_on_unscored_targets_is_refused():
    cfg = small_cfg()
    model, (tokens, target_bytes) = small_model(cfg), small_stream([40])
    board = Scoreboard(target_bytes)
    board.add(torch.arange(31), torch.ones(31))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ScoreOrderError, match="before it was scored"):
        sgd_step(model, optimizer, tokens, (torch.arange(32),), board, BOS, 1.0)
    sgd_step(model, optimizer, tokens, (torch.arange(31),), board, BOS, 1.0)


def test_documents_tile_the_stream_and_include_the_next_bos():
    tokens, _ = small_stream([4, 1, 3])
    spans = split_documents(tokens, BOS)
    assert [tuple(d) for d in spans] == [(0, 4), (4, 5), (5, 7)]
    assert tokens[spans[0].end] == BOS
    with pytest.raises(ValueError, match="does not start with BOS"):
        split_documents(tokens[1:], BOS)


def test_groups_hold_similar_lengths_and_come_longest_first():
    documents = split_documents(small_stream([5, 2, 9, 4, 7])[0], BOS)
    groups = group_documents(documents, 2)
    assert [g.number for g in groups] == [2, 1, 0]
    assert [[d.end - d.start for d in g.documents] for g in groups] == [[9], [5, 6], [2, 4]]
    assert [d.end - d.start for d in shortest_scored(groups[:2], 2)] == [5, 6]


def test_windows_of_a_chunk():
    """Row 0 ends inside the chunk, row 1 goes on past the context, row 2 has ended."""
    cfg = small_cfg("ttt_chunk_size=4", "ttt_eval_seq_len=6").ttt
    tokens, _ = small_stream([10, 20, 3, 2])
    documents = split_documents(tokens, BOS)[:3]
    ids_bL, targets_bL, positions_bL, scored_bL, later_b = chunk_windows(documents, tokens, 8, cfg)
    assert ids_bL.shape == (3, 6)
    assert later_b.tolist() == [False, True, False]
    assert [row[mask].tolist() for row, mask in zip(positions_bL, scored_bL, strict=True)] == [
        [8, 9],
        [18, 19, 20, 21],
        [],
    ]
    assert torch.equal(ids_bL[1], tokens[16:22]) and torch.equal(targets_bL[1], tokens[17:23])
    assert not ids_bL[2].any()


def test_learning_rate_falls_from_full_to_zero_over_the_chunks():
    assert [round(cosine_lr(0.01, c, 3), 4) for c in range(3)] == [0.01, 0.005, 0.0]


@pytest.mark.parametrize("kept", [True, False])
def test_a_is_kept_from_group_to_group_only_as_a_warm_start(kept):
    cfg = small_cfg(f"ttt_warm_start_a={int(kept)}")
    model, generator = small_model(cfg), torch.Generator().manual_seed(0)
    first, second = (Group(i, [Document(0, 9), Document(9, 18)]) for i in range(2))
    lora = adapter_for(first, None, model, cfg.ttt, generator)
    for parameter in lora.parameters():
        parameter.data += 1
    learned = {name: A.clone() for name, A in lora.A.items()}
    again = adapter_for(second, lora, model, cfg.ttt, generator)
    assert all(torch.equal(A, learned[name]) is kept for name, A in again.A.items())
    assert not any(B.any() for B in again.B.values())
