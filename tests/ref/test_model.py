"""The forward is what the record's formulas say, sees no future and no neighbour, and has one name space."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, one_hot

from golf_ref.attention import Segments, attend_loop, exclude_self, rotary_table, rotate
from golf_ref.config import Cfg, preset
from golf_ref.layers import rms, smear
from golf_ref.losses import softcap
from golf_ref.model import GPT, executed_layers, rebank, unbank
from tests.ref.small import small_cfg, small_model

BOS = 1
KINDS = {
    "two lanes": [],
    "one stream": ["parallel_kind=one_stream", "parallel_start_layer=2"],
    "sequential": ["parallel_kind=none"],
    "naive": [
        "parallel_kind=none",
        "mlp_act=relu2",
        "rope_dims=0",
        "xsa_last_n=0",
        "ln_scale=0",
        "skip_gates_enabled=0",
        "smear_gate_enabled=0",
        "sparse_attn_gate_enabled=0",
        "num_loops=0",
    ],
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def cfg(request: pytest.FixtureRequest) -> Cfg:
    return small_cfg(*request.param)


def tokens(T: int, *bos_at: int) -> Tensor:
    ids = torch.randint(8, 40, (T,), generator=torch.Generator().manual_seed(1))
    ids[list(bos_at)] = BOS
    return ids


@pytest.mark.parametrize(
    ("name", "looping", "encoder", "decoder"),
    [
        ("pr1855", False, [0, 1, 2, 3, 4], [5, 6, 7, 8, 9, 10]),
        ("pr1855", True, [0, 1, 2, 3, 4, 5, 3, 4], [5, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("pr1394", True, [0, 1, 2, 3, 4, 5, 4], [5, 4, 5, 6, 7, 8, 9, 10]),
        ("pr2143", True, [0, 1, 2, 3, 4, 5, 3, 4, 5], [3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ("tiny", True, [0, 1, 2, 1], [2, 1, 2, 3]),
        ("naive", True, [0, 1, 2, 3], [4, 5, 6, 7, 8]),
    ],
)
def test_executed_layers_are_those_of_the_record_logs(
    name: str, looping: bool, encoder: list[int], decoder: list[int]
) -> None:
    assert executed_layers(preset(name).model, looping) == (encoder, decoder)


def test_no_score_depends_on_a_later_token(cfg: Cfg) -> None:
    model, ids = small_model(cfg), tokens(24, 0)
    segments = Segments.rows(1, 24)
    h = model.forward_hidden(ids, segments)
    ids[10] = 39
    changed = (model.forward_hidden(ids, segments) - h).abs().amax(1) > 0
    assert changed.tolist() == [False] * 10 + [True] * 14


def test_no_score_depends_on_another_document(cfg: Cfg) -> None:
    model, ids = small_model(cfg), tokens(30, 0, 12)
    segments = Segments.from_bos(ids, BOS, 30)
    h = model.forward_hidden(ids, segments)
    ids[11] = 39  # the last token of the first document: smear without a BOS mask would leak it
    changed = (model.forward_hidden(ids, segments) - h).abs().amax(1) > 0
    assert changed.tolist() == [False] * 11 + [True] + [False] * 18


def test_a_document_scores_the_same_wherever_it_lies_in_a_buffer(cfg: Cfg) -> None:
    model, ids = small_model(cfg), tokens(40, 0, 7, 25)
    packed = model.forward_hidden(ids, Segments.from_bos(ids, BOS, 40))
    alone = model.forward_hidden(ids[7:25], Segments.rows(1, 18))
    torch.testing.assert_close(packed[7:25], alone, atol=1e-5, rtol=1e-5)


def test_dense_rows_still_mask_the_smear_at_bos() -> None:
    model, ids = small_model(small_cfg()), tokens(20, 9)
    segments = Segments.rows(1, 20)
    e = one_hot(ids, 40).float() @ model.tok_emb.weight
    embedded = model._embed(ids, torch.arange(20))
    torch.testing.assert_close(embedded[9], rms(e[9]))
    assert (embedded[10] - rms(e[10])).abs().max() > 1e-3
    assert model.forward_hidden(ids, segments).shape == (20, 16)


def test_smear_adds_the_gated_predecessor() -> None:
    e, w = torch.randn(3, 6), torch.randn(1, 4)
    x = smear(e, torch.tensor([BOS, 9, 9]), torch.arange(3), w, torch.tensor([0.5]), BOS)
    expected = e[2] + 0.5 * torch.sigmoid(e[2, :4] @ w[0]) * e[1]
    torch.testing.assert_close(x[2], expected)
    torch.testing.assert_close(x[0], e[0])


def reference_hidden(model: GPT, ids: Tensor) -> Tensor:
    """The forward of refspec section 2 for one document, from per-layer tensors, written out again."""
    c, p, T = model.cfg, unbank(model), len(ids)
    segments = Segments.rows(1, T)
    x = p["tok_emb.weight"][ids]
    if c.smear_gate_enabled:
        gate = p["smear_lambda"] * torch.sigmoid(x[:, : c.gate_window] @ p["smear_gate.weight"][0])
        x = torch.cat((x[:1], x[1:] + (gate * (ids != BOS))[1:, None] * x[:-1]))
    x = x0 = rms(x)

    def attn(i: int, n: Tensor) -> Tensor:
        q, k, v = (linear(n, p[f"blocks.{i}.attn.{m}.weight"]) for m in ("c_q", "c_k", "c_v"))
        q, k, v = q.view(T, c.num_heads, -1), k.view(T, c.num_kv_heads, -1), v.view(T, c.num_kv_heads, -1)
        table = rotary_table(torch.arange(T), c.rope_dims or q.shape[-1], c.rope_base)
        q, k = rotate(rms(q), *table) * p[f"blocks.{i}.attn.q_gain"][:, None], rotate(rms(k), *table)
        y = attend_loop(q, k, v, segments)
        y = exclude_self(y, v) if i >= c.num_layers - c.xsa_last_n else y
        if c.sparse_attn_gate_enabled:
            gate = c.sparse_attn_gate_scale * n[:, : c.gate_window] @ p[f"blocks.{i}.attn.attn_gate_w"].T
            y = y * torch.sigmoid(gate)[..., None]
        return p[f"blocks.{i}.attn_scale"] * linear(y.flatten(1), p[f"blocks.{i}.attn.proj.weight"])

    def mlp(i: int, n: Tensor) -> Tensor:
        a = linear(n, p[f"blocks.{i}.mlp.fc.weight"])
        negative = 0.5 * a if c.mlp_act == "leaky_relu2" else torch.zeros_like(a)
        hidden = torch.where(a > 0, a, negative) ** 2
        return p[f"blocks.{i}.mlp_scale"] * linear(hidden, p[f"blocks.{i}.mlp.proj.weight"])

    def scaled(i: int, t: Tensor) -> Tensor:
        return rms(t) * ((i + 1) ** -0.5 if c.ln_scale else 1.0)

    def block(i: int, x: Tensor) -> Tensor:
        u = p[f"blocks.{i}.resid_mix"][0] * x + p[f"blocks.{i}.resid_mix"][1] * x0
        if c.parallel_kind == "one_stream" and i >= c.parallel_start_layer:
            return u + attn(i, scaled(i, u)) + mlp(i, scaled(i, u))
        h = u + attn(i, scaled(i, u))
        return h + mlp(i, scaled(i, h))

    encoder, decoder = executed_layers(c, model.looping)
    skips, lanes = [], None
    for i in encoder:
        x = block(i, x)
        skips.append(x)
    for position, i in enumerate(decoder):
        if skips and position < len(p["skip_weights"]):
            skip = p["skip_weights"][position] * skips.pop()
            g = torch.sigmoid(p["skip_gates"][position]) if c.skip_gates_enabled else None
            x = x + skip if g is None else g * x + (1 - g) * skip
        if c.parallel_kind == "two_lane" and i >= c.parallel_start_layer:
            lane1 = x if lanes is None else lanes
            r, P = p["parallel_resid_lambdas"][i], p["parallel_post_lambdas"][i]
            A = attn(i, scaled(i, p[f"blocks.{i}.resid_mix"][0] * x + p[f"blocks.{i}.resid_mix"][1] * x0))
            M = mlp(i, scaled(i, lane1))
            x, lanes = (r[j] * lane + P[0, j] * A + P[1, j] * M for j, lane in enumerate((x, lane1)))
        else:
            x = block(i, x)
    return rms(x if lanes is None else (x + lanes) / 2)


@pytest.mark.parametrize("looping", [False, True], ids=["once", "looping"])
def test_the_forward_is_the_specification_written_out_per_layer(cfg: Cfg, looping: bool) -> None:
    model, ids = small_model(cfg), tokens(21, 0)
    model.set_looping(looping)
    h = model.forward_hidden(ids, Segments.rows(1, 21))
    torch.testing.assert_close(h, reference_hidden(model, ids), atol=1e-5, rtol=1e-4)


def test_nll_is_the_cross_entropy_of_the_soft_capped_logits(cfg: Cfg) -> None:
    model, ids, targets = small_model(cfg), tokens(16, 0), tokens(16)
    segments = Segments.rows(2, 8)
    logits = model.logits(model.forward_hidden(ids, segments))
    assert logits.abs().max() < cfg.model.logit_softcap
    torch.testing.assert_close(
        model.nll(ids, targets, segments), cross_entropy(logits, targets, reduction="none")
    )


def test_softcap_is_c_tanh_of_z_over_c() -> None:
    torch.testing.assert_close(
        softcap(torch.tensor([0.0, 30.0, -1e9]), 30.0), 30 * torch.tensor([0.0, 1.0, -1e9]).tanh()
    )


def test_at_initialisation_every_block_is_the_identity_and_the_loss_is_uniform() -> None:
    torch.manual_seed(0)
    cfg = preset("tiny", ["tied_embed_init_std=1e-6"])
    model, ids = GPT(cfg.model), tokens(32, 0)
    loss = model.nll(ids, ids.roll(-1), Segments.rows(1, 32))
    torch.testing.assert_close(loss, torch.full((32,), torch.tensor(264.0).log().item()), atol=1e-3, rtol=0)
    W_FD = model.up_bank[0]
    torch.testing.assert_close(W_FD.T @ W_FD, torch.eye(64), atol=1e-5, rtol=0)


class Names:
    def __init__(self) -> None:
        self.seen: dict[str, list[Tensor]] = {}

    def record(self, name: str, x: Tensor) -> None:
        self.seen.setdefault(name, []).append(x)


def test_the_recorder_sees_the_input_of_every_matrix_on_every_pass(cfg: Cfg) -> None:
    model, ids, names = small_model(cfg), tokens(12, 0), Names()
    model.forward_hidden(ids, Segments.rows(1, 12), recorder=names)
    encoder, decoder = executed_layers(cfg.model, looping=True)
    matrices = {
        name: W for name, W in unbank(model).items() if name.startswith("blocks") and "weight" in name
    }
    assert names.seen.keys() == matrices.keys() | {"tok_emb.weight"}
    for name, W in matrices.items():
        assert len(names.seen[name]) == (encoder + decoder).count(int(name.split(".")[1]))
        assert names.seen[name][0].shape == (12, W.shape[1])


class OneSite:
    """Adds 0 to `value`, rising over the output's channels, at one site; notes every question."""

    def __init__(self, site: str, slot: int, value: float):
        self.wanted, self.value, self.asked = (site, slot), value, []

    def delta(self, site: str, slot: int, x: Tensor) -> Tensor | None:
        self.asked.append((site, slot))
        width = {"k": 8, "v": 8, "lm_head": 40}.get(site, 16)
        return (
            torch.linspace(0, self.value, width).expand(len(x), -1) if (site, slot) == self.wanted else None
        )


def test_adapters_are_asked_once_per_site_and_executed_layer(cfg: Cfg) -> None:
    model, ids, adapters = small_model(cfg), tokens(12, 0), OneSite("q", 0, 0.0)
    model.nll(ids, ids, Segments.rows(1, 12), adapters=adapters)
    encoder, decoder = executed_layers(cfg.model, looping=True)
    slots = range(len(encoder + decoder))
    expected = [(site, slot) for slot in slots for site in ("q", "k", "v", "o", "mlp")] + [("lm_head", 0)]
    assert sorted(adapters.asked) == sorted(expected)


@pytest.mark.parametrize("site", ["q", "k", "v", "o", "mlp", "lm_head"])
def test_a_zero_delta_changes_nothing_to_the_bit_and_another_does(cfg: Cfg, site: str) -> None:
    model, ids, segments = small_model(cfg), tokens(12, 0), Segments.rows(1, 12)
    slot = 0 if site == "lm_head" else 3
    loss = model.nll(ids, ids, segments)
    assert torch.equal(loss, model.nll(ids, ids, segments, adapters=OneSite(site, slot, 0.0)))
    assert not torch.allclose(loss, model.nll(ids, ids, segments, adapters=OneSite(site, slot, 0.5)))


def test_unbank_gives_the_record_s_names_and_rebank_restores_every_bit(cfg: Cfg) -> None:
    model, other = small_model(cfg, seed=0), small_model(cfg, seed=1)
    flat = {name: tensor.clone() for name, tensor in unbank(model).items()}
    L = cfg.model.num_layers
    torch.testing.assert_close(flat["blocks.2.attn.proj.weight"], model.qo_bank[L + 2].detach())
    torch.testing.assert_close(flat["blocks.1.attn.c_v.weight"], model.kv_bank[L + 1].detach())
    rebank(other, flat)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_rebank_refuses_what_does_not_fit(change: str) -> None:
    model = small_model(small_cfg())
    flat = unbank(model)
    if change == "missing":
        del flat["tok_emb.weight"]
    elif change == "extra":
        flat["blocks.9.attn_scale"] = torch.zeros(16)
    else:
        flat["tok_emb.weight"] = torch.zeros(40, 8)
    with pytest.raises(ValueError, match="attn_scale" if change == "extra" else "tok_emb"):
        rebank(model, flat)


def test_bf16_policy_computes_in_bf16_and_keeps_fp32_parameters() -> None:
    reference = small_model(small_cfg())
    half = GPT(replace(reference.cfg, compute_dtype="bfloat16"))
    half.load_state_dict(reference.state_dict())
    half.set_looping(True)
    ids, segments = tokens(16, 0), Segments.rows(1, 16)
    h = half.forward_hidden(ids, segments)
    assert h.dtype == torch.bfloat16
    assert {p.dtype for p in half.parameters()} == {torch.float32}
    loss = half.nll(ids, ids, segments)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, reference.nll(ids, ids, segments), atol=0.3, rtol=0.1)
