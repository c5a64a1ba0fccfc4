"""A whole model through quantisation, container and back: routing per tensor, exactness, use of Hessians."""

import pytest
import torch

from golf_ref.artifact import pack_artifact, unpack_artifact
from golf_ref.attention import Segments
from golf_ref.config import preset
from golf_ref.evaluate import evaluate_plain
from golf_ref.gptq import dequantize_rows, sdclip_scale
from golf_ref.hessian import collect_hessians
from golf_ref.model import GPT, rebank, unbank
from golf_ref.quantize import dequantize_state, matrix_grid, quantize_state
from tests.ref.small import BOS, small_cfg, small_model, small_stream

QUANT = ("passthrough_numel=100", "lqer_asym_group=16", "gptq_block_size=8")


def calibrated(cfg):
    model, (tokens, _) = small_model(cfg), small_stream([200, 150], seed=3)
    batches = [(ids_T, Segments.from_bos(ids_T, BOS, 32)) for ids_T in tokens.split(64)]
    return model, collect_hessians(model, batches)


def test_there_is_a_hessian_for_every_matrix_under_its_own_name():
    cfg = small_cfg(*QUANT)
    model, hessians = calibrated(cfg)
    matrices = {name: W for name, W in unbank(model).items() if W.ndim == 2 and name.endswith(".weight")}
    del matrices["smear_gate.weight"]
    assert hessians.keys() == matrices.keys()
    for name, H_CC in hessians.items():
        assert H_CC.shape == (matrices[name].shape[1],) * 2
        assert torch.linalg.eigvalsh(H_CC).min() > -1e-3 * H_CC.diagonal().max()
    assert torch.equal(hessians["blocks.1.attn.c_q.weight"], hessians["blocks.1.attn.c_v.weight"])


def test_calibration_without_batches_is_an_error():
    with pytest.raises(ValueError, match="at least one batch"):
        collect_hessians(small_model(small_cfg()), [])


SCHEMES = {
    "GPTQ with LQER": (),
    "symmetric LQER": ("lqer_asym_enabled=0",),
    "Hadamard, 5 and 6 bits (#2143)": ("hadamard_rotate=1", "matrix_bits=5", "matrix_bits_kv=6"),
    "int8 at a quantile (naive)": ("quant_scheme=int8_quantile", "lqer_enabled=0"),
}


@pytest.mark.parametrize("layout", ["flat", "pergroup"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_reloaded_model_equals_the_quantised_one_exactly(scheme, layout):
    cfg = small_cfg(*QUANT, *SCHEMES[scheme])
    model, hessians = calibrated(cfg)
    tensors, meta = quantize_state(unbank(model), hessians, cfg.quant)
    in_memory, reloaded = small_model(cfg, seed=1), small_model(cfg, seed=2)
    rebank(in_memory, dequantize_state(tensors, meta))
    rebank(reloaded, dequantize_state(*unpack_artifact(pack_artifact(tensors, meta, "lzma", layout))))
    stream = small_stream([60, 37])
    assert all(torch.equal(a, b) for a, b in zip(in_memory.parameters(), reloaded.parameters(), strict=True))
    assert evaluate_plain(in_memory, *stream, cfg.eval) == evaluate_plain(reloaded, *stream, cfg.eval)
    assert all(torch.isfinite(p).all() for p in reloaded.parameters())


def test_how_each_tensor_is_kept():
    cfg = small_cfg(*QUANT)
    model, hessians = calibrated(cfg)
    tensors, meta = quantize_state(unbank(model), hessians, cfg.quant)
    assert meta["tok_emb.weight"].startswith("gptq (int7)")
    assert meta["blocks.2.mlp.proj.weight"].startswith("gptq (int6)")
    assert meta["blocks.0.attn.q_gain"] == "passthrough (float16)"
    assert sum("+lqer_asym" in note for note in meta.values()) == cfg.quant.lqer_top_k
    assert tensors["tok_emb.weight.q"].dtype == torch.int8 and tensors["tok_emb.weight.q"].abs().max() <= 63
    assert tensors["blocks.0.attn.c_k.weight.q"].abs().max() <= 31
    assert tensors["skip_weights"].dtype == torch.float16


def test_attention_gates_become_int8_rows_from_32_entries_on():
    cfg = small_cfg(*QUANT, "gate_window=16")
    model, hessians = calibrated(cfg)
    tensors, meta = quantize_state(unbank(model), hessians, cfg.quant)
    gate_HW = unbank(model)["blocks.1.attn.attn_gate_w"]
    assert meta["blocks.1.attn.attn_gate_w"] == "gate_int8_row"
    restored_HW = dequantize_state(tensors, meta)["blocks.1.attn.attn_gate_w"]
    torch.testing.assert_close(restored_HW, gate_HW, atol=float(gate_HW.abs().max()) / 120, rtol=0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tok_emb.weight", (7, 14.0)),
        ("blocks.0.attn.c_q.weight", (5, 12.85)),
        ("blocks.0.attn.c_k.weight", (6, 12.85)),
        ("blocks.0.attn.c_v.weight", (6, 12.85)),
        ("blocks.0.attn.proj.weight", (5, 12.85)),
        ("blocks.0.mlp.fc.weight", (6, 12.85)),
        ("blocks.0.mlp.proj.weight", (5, 12.85)),
        ("bigram.proj.weight", (5, 12.85)),
    ],
)
def test_bits_and_clip_factors_of_2143(name, expected):
    assert matrix_grid(name, preset("pr2143").quant) == expected


@pytest.mark.parametrize("name", ["blocks.0.attn.c_k.weight", "blocks.3.mlp.fc.weight"])
def test_lqer_brings_the_named_tensor_nearer(name):
    cfg = small_cfg(*QUANT, "lqer_top_k=25", "matrix_bits=4")
    model, hessians = calibrated(cfg)
    state = unbank(model)
    tensors, meta = quantize_state(state, hessians, cfg.quant)
    without = dequantize_rows(tensors[name + ".q"], tensors[name + ".scale"])
    assert (state[name] - dequantize_state(tensors, meta)[name]).norm() < (state[name] - without).norm()


def test_scales_belong_to_the_rotated_matrix_under_hadamard():
    cfg = small_cfg(*QUANT, "hadamard_rotate=1")
    model, hessians = calibrated(cfg)
    tensors, _ = quantize_state(unbank(model), hessians, cfg.quant)
    name = "blocks.0.mlp.fc.weight"
    plain = sdclip_scale(unbank(model)[name], 6, cfg.quant.mlp_clip_sigmas)
    assert not torch.equal(tensors[name + ".scale"], plain)


def test_a_state_for_another_model_is_refused():
    cfg = small_cfg(*QUANT)
    model, hessians = calibrated(cfg)
    restored = dequantize_state(*quantize_state(unbank(model), hessians, cfg.quant))
    with pytest.raises(ValueError, match="names differ"):
        rebank(GPT(small_cfg("num_layers=5").model), restored)
