"""Presets are the records' numbers, and an override can only be a setting that exists."""

import pytest
import torch

from golf_ref.config import PRESETS, from_environ, hyperparameters, override, preset
from golf_ref.model import GPT


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("naive", 17_059_912),  # logged by the naive baseline
        ("pr1394", 35_943_512),  # logged, seed 1
        ("pr1412", 35_943_512),  # logged, seed 1337
        ("pr1493", 35_944_536),  # logged, seed 42
        ("pr1855", 35_945_671),  # logged, seed 42
        ("tiny", 198_833),
    ],
)
def test_a_preset_has_the_parameter_count_that_its_record_logged(name: str, parameters: int) -> None:
    with torch.device("meta"):
        model = GPT(preset(name).model)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "pr1855",
            {"warmdown_frac": 0.85, "beta2": 0.99, "min_lr": 0.1, "embed_bits": 7, "mlp_clip_sigmas": 11.5},
        ),
        ("pr1855", {"ttt_lora_rank": 80, "phased_ttt_prefix_docs": 2500, "sparse_attn_gate_scale": 0.5}),
        (
            "pr1493",
            {"qk_gain_init": 5.25, "matrix_lr": 0.022, "warmdown_frac": 0.72, "min_lr": 0.0, "embed_bits": 8},
        ),
        ("pr1394", {"loop_start": 4, "enable_looping_at": 0.5, "ema_decay": 0.997, "muon_wd": 0.085}),
        ("pr1412", {"parallel_kind": "one_stream", "parallel_start_layer": 7, "loop_start": 4}),
        ("pr2143", {"hadamard_rotate": True, "matrix_bits": 5, "matrix_bits_kv": 6, "num_layers": 12}),
        ("naive", {"train_seq_len": 1024, "warmdown_iters": 1200, "grad_clip_norm": 0.0, "rope_dims": 0}),
    ],
)
def test_a_preset_holds_the_logged_values(name: str, expected: dict[str, object]) -> None:
    assert expected.items() <= hyperparameters(preset(name)).items()


def test_an_override_takes_the_type_of_its_field() -> None:
    cfg = preset("tiny", ["seed=7", "matrix_lr=1e-3", "compile=true", "loader=stream"])
    assert (cfg.train.seed, cfg.opt.matrix_lr, cfg.train.compile, cfg.train.loader) == (
        7,
        1e-3,
        True,
        "stream",
    )


def test_the_environment_sets_fields_under_the_challenge_s_names() -> None:
    cfg = from_environ(preset("pr1855"), {"SEED": "0", "WARMDOWN_FRAC": "0.5", "PATH": "/bin", "seed": "9"})
    assert (cfg.train.seed, cfg.train.warmdown_frac) == (0, 0.5)


@pytest.mark.parametrize("pair", ["sede=7", "seed", "seed=x", "compile=yes", "preset=naive"])
def test_a_setting_that_cannot_be_meant_is_refused(pair: str) -> None:
    with pytest.raises(ValueError, match=pair.split("=")[0]):
        override(preset("tiny"), [pair])


def test_field_names_are_unique_over_all_sections() -> None:
    cfg = preset("tiny")
    sections = (cfg.model, cfg.opt, cfg.train, cfg.quant, cfg.eval, cfg.ttt, cfg.data)
    assert sum(len(vars(section)) for section in sections) == len(hyperparameters(cfg))


def test_only_the_tiny_preset_leaves_the_official_validation_split() -> None:
    assert [name for name in PRESETS if preset(name).data.val_docs != 50_000] == ["tiny"]
