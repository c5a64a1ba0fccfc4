"""What benchmarks/gpu.py computes without a GPU: shards, FLOP counts, reading of logs, the table."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import flash_attn_substitute, gpu
from golf_ref.attention import Segments, attention
from golf_ref.config import preset
from golf_ref.data import load_data, read_shard
from golf_ref.model import GPT
from golf_ref.tokenizer import BOS_ID

TINY = preset("tiny")
LOG = (
    "5/40 train_loss: 9.0 train_time: 0.0m tok/s: 10\n40/40 train_loss: 9.0 train_time: 0.1m tok/s: 1000\n"
    "{whole} val_loss:9.0 val_bpb:3.0 eval_time:2000ms\n"
    "quantized_sliding_window val_loss:9.0 val_bpb:3.0 eval_time:4000ms\n"
    "quantized_ttt_phased val_loss:9.0 val_bpb:3.0 eval_time:8000ms\n"
)


def test_without_cuda_nothing_is_measured_and_it_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="needs a CUDA device"):
        gpu.main(["--record", "train_gpt.py", "--tokenizer", "a.model"])


def test_record_and_tokenizer_must_be_named():
    with pytest.raises(SystemExit):
        gpu.arguments([])
    assert gpu.arguments(["--record", "a", "--tokenizer", "b"]).steps == 40


def test_golf_ref_opens_the_synthetic_shards(tmp_path):
    lengths = gpu.write_shards(tmp_path / "data", 5_000, 3_000, 264)
    cfg = preset("tiny", [f"data_path={tmp_path / 'data'}", f"val_docs={len(lengths)}"])
    data = load_data(cfg)
    ids = read_shard(tmp_path / "data" / "fineweb_val_000000.bin")
    assert sum(lengths) == len(ids) == 3_000 and int((ids == BOS_ID).sum()) == len(lengths)
    assert set(np.unique(data.val_bytes[data.val_ids != BOS_ID])) == {3}
    assert int(data.val_bytes[data.val_ids == BOS_ID].sum()) == 0


def test_the_flop_count_is_what_torch_counts_but_for_gates():
    """One segment under the loop backend, which computes all keys of it; the gates are the small rest."""
    length = 32
    cfg = preset("tiny", ["attention_backend=loop"])
    model = GPT(cfg.model)
    model.set_looping(True)
    ids_T = torch.randint(8, 264, (length,))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.nll(ids_T, ids_T, Segments.rows(1, length))
    assert counter.get_total_flops() / length == pytest.approx(gpu.forward_flops(cfg, length), rel=0.02)


def test_a_token_sees_half_of_its_segment_and_segments_are_cut():
    assert gpu.mean_context([4], 10) == 2.5
    assert gpu.mean_context([4, 4], 10) == 2.5
    assert gpu.mean_context([6], 4) == (10 + 3) / 6


def test_a_document_costs_a_backward_for_every_chunk_but_the_last():
    def one(n):
        return n * gpu.forward_flops(TINY, (n + 1) / 2)

    assert gpu.document_flops(TINY, 20) == one(20)
    assert gpu.document_flops(TINY, 32) == one(32)
    assert gpu.document_flops(TINY, 40) == 2 * one(32) + one(40)


def test_both_sides_get_the_preset_and_the_same_data(tmp_path):
    cfg = preset("pr1855")
    environ = gpu.settings(cfg, tmp_path, tmp_path / "a.model", 40, 100)
    assert environ["MATRIX_LR"] == str(cfg.opt.matrix_lr) and environ["CASEOPS_ENABLED"] == "1"
    assert environ["DATA_PATH"] == str(tmp_path) and environ["ENABLE_LOOPING_AT"] == "0"


def test_the_table_says_what_ran_and_that_the_record_has_no_sliding_windows():
    lengths, peak = [100, 300], 1e12
    sides = {"record": LOG.format(whole="diagnostic quantized"), "golf_ref": LOG.format(whole="quantized")}
    rows = [r for s, log in sides.items() for r in gpu.read_rows(s, log, TINY, lengths, 50.0, peak)]
    speeds = {(row.stage, row.side): row.tokens_per_second for row in rows}
    assert speeds["training", "golf_ref"] == 1000 and speeds["whole windows", "record"] == 200
    assert speeds["sliding windows", "golf_ref"] == 100 and ("sliding windows", "record") not in speeds
    trained = next(row for row in rows if row.stage == "training")
    assert trained.mfu == pytest.approx(3 * 1000 * gpu.forward_flops(TINY, 50.0) / peak)
    text = gpu.table(rows, "GPU", "a substitute")
    assert "attention on both sides: a substitute" in text
    assert "| sliding windows | none | 100 | - |" in text and "| training | 1,000 | 1,000 | 1.00 |" in text


def test_a_log_without_a_stage_is_refused():
    with pytest.raises(ValueError, match="quantized_ttt_phased"):
        gpu.read_rows("golf_ref", LOG.format(whole="quantized").replace("_phased", ""), TINY, [9], 5.0, 1e12)


@pytest.mark.parametrize(("name", "tflops"), [("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756)])
def test_the_peak_follows_the_name(name, tflops):
    assert gpu.peak_of(name) == tflops * 1e12
    with pytest.raises(ValueError, match="--peak-tflops"):
        gpu.peak_of("Another GPU")


def test_the_substitute_is_causal_attention_with_shared_heads():
    q, k, v = torch.randn(2, 8, 4, 16), torch.randn(2, 8, 2, 16), torch.randn(2, 8, 2, 16)
    made = flash_attn_substitute.flash_attn_func(q, k, v, causal=True)
    rows = [x.flatten(0, 1) for x in (q, k, v)]
    truth = attention(*rows, Segments.rows(2, 8), "loop")
    torch.testing.assert_close(made.flatten(0, 1), truth)


@pytest.mark.gpu
def test_the_packed_substitute_is_causal_inside_segments():
    shapes = ((24, 4, 64), (24, 2, 64), (24, 2, 64))
    q, k, v = (torch.randn(s, device="cuda", dtype=torch.bfloat16) for s in shapes)
    segments = Segments(torch.tensor([0, 5, 24], device="cuda", dtype=torch.int32), 19)
    cu = segments.cu_seqlens
    made = flash_attn_substitute.flash_attn_varlen_func(q, k, v, cu, cu, 19, 19, causal=True)
    torch.testing.assert_close(made, attention(q, k, v, segments, "loop"), rtol=2e-2, atol=2e-2)
