"""The model: one forward for training, calibration, evaluation and test-time training.

Shapes: T packed tokens, D model dim, V vocabulary, L layers, H heads, K key/value heads, d head dim,
F hidden dim of the MLP, W gate window, S skips.

`Adapters` and `Recorder` act inside this one path, so nothing that trains at test time and nothing that
measures can drift from it (in #2143 and #1787 a second, hand-copied forward did).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from golf_ref.attention import Segments, attention, exclude_self, rotary_table, rotate
from golf_ref.config import ModelCfg
from golf_ref.kernels import fused_leaky_relu2_mlp, triton_runs_on
from golf_ref.layers import mlp_activation, rms, smear, sparse_gate
from golf_ref.losses import softcap, softcapped_nll


class Recorder(Protocol):
    """Sees the input of every linear map under the map's name, once per pass through the map."""

    def record(self, name: str, x_TC: Tensor) -> None: ...


class Adapters(Protocol):
    """Adds delta(site, slot, x) to what a site makes of x: q k v o mlp per executed layer, and lm_head."""

    def delta(self, site: str, slot: int, x_TD: Tensor) -> Tensor | None: ...


def executed_layers(cfg: ModelCfg, looping: bool) -> tuple[list[int], list[int]]:
    """The layers in order of execution, split in an encoder (pushes skips) and a decoder (pops them)."""
    layers = list(range(cfg.num_layers))
    if looping and cfg.num_loops:
        first, after = cfg.loop_start, cfg.loop_end + 1
        layers = layers[:first] + layers[first:after] * (1 + cfg.num_loops) + layers[after:]
    return layers[: len(layers) // 2], layers[len(layers) // 2 :]


class Stream(NamedTuple):
    """What every layer of one forward shares."""

    x0: Tensor  # [T, D], the normed embedding
    cos: Tensor  # [T, 1, R]
    sin: Tensor
    segments: Segments
    adapters: Adapters | None
    recorder: Recorder | None


class Weights(NamedTuple):
    """Parameters in the compute dtype, one entry per layer."""

    q: tuple[Tensor, ...]
    k: tuple[Tensor, ...]
    v: tuple[Tensor, ...]
    o: tuple[Tensor, ...]
    up: tuple[Tensor, ...]
    down: tuple[Tensor, ...]
    q_gain: tuple[Tensor, ...]
    attn_scale: tuple[Tensor, ...]
    mlp_scale: tuple[Tensor, ...]
    resid_mix: tuple[Tensor, ...]
    attn_gate: tuple[Tensor, ...]


class GPT(nn.Module):
    def __init__(self, cfg: ModelCfg):
        super().__init__()
        L, D, H = cfg.num_layers, cfg.model_dim, cfg.num_heads
        kv_dim, mlp_dim = cfg.num_kv_heads * (D // H), int(cfg.mlp_mult * D)
        self.cfg = cfg
        self.looping = False
        self.backend = cfg.attention_backend
        self.dtype = getattr(torch, cfg.compute_dtype)
        self.two_lane = cfg.parallel_kind == "two_lane"
        self.one_stream = cfg.parallel_kind == "one_stream"

        self.tok_emb = nn.Embedding(cfg.vocab_size, D)  # also the output head
        # The matrices of all layers in four banks: Muon orthogonalises a bank in one batch and shards it.
        self.qo_bank = nn.Parameter(torch.empty(2 * L, D, D))  # Wq of all layers, then Wo
        self.kv_bank = nn.Parameter(torch.empty(2 * L, kv_dim, D))  # Wk, then Wv
        self.up_bank = nn.Parameter(torch.empty(L, mlp_dim, D))
        self.down_bank = nn.Parameter(torch.empty(L, D, mlp_dim))

        self.q_gain = nn.Parameter(torch.full((L, H), cfg.qk_gain_init))
        self.attn_scale = nn.Parameter(torch.ones(L, D))
        self.mlp_scale = nn.Parameter(torch.ones(L, D))
        self.resid_mix = nn.Parameter(torch.tensor([1.0, 0.0])[None, :, None].repeat(L, 1, D))
        if cfg.sparse_attn_gate_enabled:
            self.attn_gate_w = nn.Parameter(torch.zeros(L, H, cfg.gate_window))
        encoder, decoder = executed_layers(cfg, looping=True)
        n_skips = min(len(encoder), len(decoder))  # rows belong to decoder positions, not to layers
        self.skip_weights = nn.Parameter(torch.ones(n_skips, D))
        if cfg.skip_gates_enabled:
            self.skip_gates = nn.Parameter(torch.zeros(n_skips, D))
        if self.two_lane:
            self.parallel_post_lambdas = nn.Parameter(torch.ones(L, 2, 2))  # [layer, attn or mlp, lane]
            self.parallel_resid_lambdas = nn.Parameter(torch.full((L, 2), 1.1))  # [layer, lane]; 1.1: #1529
        if cfg.smear_gate_enabled:
            self.smear_gate = nn.Linear(cfg.gate_window, 1, bias=False)
            self.smear_lambda = nn.Parameter(torch.zeros(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Orthogonal inputs, zero outputs: every block starts as the identity."""
        nn.init.normal_(self.tok_emb.weight, std=self.cfg.tied_embed_init_std)
        L = self.cfg.num_layers
        for W_OI in (*self.qo_bank[:L], *self.kv_bank, *self.up_bank):
            nn.init.orthogonal_(W_OI)
        nn.init.zeros_(self.qo_bank[L:])
        nn.init.zeros_(self.down_bank)
        if self.cfg.smear_gate_enabled:
            nn.init.zeros_(self.smear_gate.weight)

    def set_looping(self, looping: bool) -> None:
        self.looping = looping

    def nll(
        self,
        ids_T: Tensor,
        targets_T: Tensor,
        segments: Segments,
        adapters: Adapters | None = None,
        recorder: Recorder | None = None,
    ) -> Tensor:
        """Loss of every token in nats, fp32 [T]."""
        h_TD = self.forward_hidden(ids_T, segments, adapters, recorder)
        z_TV = self._raw_logits(h_TD, adapters)
        return softcapped_nll(z_TV, targets_T, self.cfg.logit_softcap, self.cfg.fused_ce_enabled)

    def logits(self, h_TD: Tensor, adapters: Adapters | None = None) -> Tensor:
        """Soft-capped logits, fp32 [T, V]."""
        return softcap(self._raw_logits(h_TD, adapters), self.cfg.logit_softcap)

    def forward_hidden(
        self,
        ids_T: Tensor,
        segments: Segments,
        adapters: Adapters | None = None,
        recorder: Recorder | None = None,
    ) -> Tensor:
        """The normed last hidden state [T, D] of a packed buffer."""
        w = self._weights()
        _, position_T = segments.locate(ids_T.numel())
        x_TD = self._embed(ids_T, position_T)
        rotary_dims = self.cfg.rope_dims or self.cfg.model_dim // self.cfg.num_heads
        cos, sin = rotary_table(position_T, rotary_dims, self.cfg.rope_base)
        stream = Stream(x_TD, cos.to(self.dtype), sin.to(self.dtype), segments, adapters, recorder)
        encoder, decoder = executed_layers(self.cfg, self.looping)

        skips = []
        for slot, i in enumerate(encoder):
            x_TD = self._block(w, i, slot, x_TD, stream)
            skips.append(x_TD)

        lane1_TD = None  # the second residual stream, once two-lane layers have begun
        for p, i in enumerate(decoder):
            if skips and p < len(self.skip_weights):
                x_TD = self._merge_skip(p, x_TD, skips.pop())
            if self.two_lane and i >= self.cfg.parallel_start_layer:
                lane1_TD = x_TD if lane1_TD is None else lane1_TD
                x_TD, lane1_TD = self._two_lane_block(w, i, len(encoder) + p, x_TD, lane1_TD, stream)
            else:
                x_TD = self._block(w, i, len(encoder) + p, x_TD, stream)
        if lane1_TD is not None:
            x_TD = (x_TD + lane1_TD) / 2
        h_TD = rms(x_TD)
        if recorder is not None:
            recorder.record("tok_emb.weight", h_TD)
        return h_TD

    def _weights(self) -> Weights:
        """Cast once and split once: the backward of a bank is then one stack, not a sum over its slices."""
        L = self.cfg.num_layers
        qo, kv = self.qo_bank.to(self.dtype).unbind(0), self.kv_bank.to(self.dtype).unbind(0)
        gate = self.attn_gate_w.to(self.dtype).unbind(0) if self.cfg.sparse_attn_gate_enabled else ()
        rest = (self.up_bank, self.down_bank, self.q_gain, self.attn_scale, self.mlp_scale, self.resid_mix)
        return Weights(
            qo[:L], kv[:L], kv[L:], qo[L:], *(bank.to(self.dtype).unbind(0) for bank in rest), attn_gate=gate
        )

    def _embed(self, ids_T: Tensor, position_T: Tensor) -> Tensor:
        e_TD = self.tok_emb(ids_T).to(self.dtype)
        if self.cfg.smear_gate_enabled:
            w_1W, lam = self.smear_gate.weight.to(self.dtype), self.smear_lambda.to(self.dtype)
            e_TD = smear(e_TD, ids_T, position_T, w_1W, lam, self.cfg.bos_id)
        return rms(e_TD)

    def _block(self, w: Weights, i: int, slot: int, x_TD: Tensor, stream: Stream) -> Tensor:
        # u = a x + b x0;  h = u + alpha Attn(RMS(u) s);  x' = h + beta MLP(RMS(h) s)
        a_D, b_D = w.resid_mix[i]
        u_TD = a_D * x_TD + b_D * stream.x0
        attn_TD = w.attn_scale[i] * self._attn(w, i, slot, self._norm(u_TD, i), stream)
        h_TD = u_TD + attn_TD
        # One stream (#1412, after GPT-J): the MLP reads u as well, and both are added to it.
        mlp_in_TD = u_TD if self.one_stream and i >= self.cfg.parallel_start_layer else h_TD
        return h_TD + w.mlp_scale[i] * self._mlp(w, i, slot, self._norm(mlp_in_TD, i), stream)

    def _two_lane_block(
        self, w: Weights, i: int, slot: int, lane0_TD: Tensor, lane1_TD: Tensor, stream: Stream
    ) -> tuple[Tensor, Tensor]:
        # #1529: A = alpha Attn(RMS(a lane0 + b x0) s), M = beta MLP(RMS(lane1) s),
        # lane_j' = r_j lane_j + P[attn, j] A + P[mlp, j] M
        a_D, b_D = w.resid_mix[i]
        u_TD = a_D * lane0_TD + b_D * stream.x0
        A_TD = w.attn_scale[i] * self._attn(w, i, slot, self._norm(u_TD, i), stream)
        M_TD = w.mlp_scale[i] * self._mlp(w, i, slot, self._norm(lane1_TD, i), stream)
        r, P = self.parallel_resid_lambdas[i].to(self.dtype), self.parallel_post_lambdas[i].to(self.dtype)
        return (
            r[0] * lane0_TD + P[0, 0] * A_TD + P[1, 0] * M_TD,
            r[1] * lane1_TD + P[0, 1] * A_TD + P[1, 1] * M_TD,
        )

    def _attn(self, w: Weights, i: int, slot: int, n_TD: Tensor, stream: Stream) -> Tensor:
        cfg, name = self.cfg, f"blocks.{i}.attn"
        q_TD, k_TC, v_TC = F.linear(n_TD, w.q[i]), F.linear(n_TD, w.k[i]), F.linear(n_TD, w.v[i])
        if stream.recorder is not None:
            for part in ("c_q", "c_k", "c_v"):
                stream.recorder.record(f"{name}.{part}.weight", n_TD)
        q_TD = _adapted(q_TD, "q", slot, n_TD, stream)
        k_TC = _adapted(k_TC, "k", slot, n_TD, stream)
        v_TC = _adapted(v_TC, "v", slot, n_TD, stream)

        q_THd = rotate(rms(q_TD.unflatten(1, (cfg.num_heads, -1))), stream.cos, stream.sin)
        k_TKd = rotate(rms(k_TC.unflatten(1, (cfg.num_kv_heads, -1))), stream.cos, stream.sin)
        v_TKd = v_TC.unflatten(1, (cfg.num_kv_heads, -1))
        q_THd = q_THd * w.q_gain[i][:, None]
        y_THd = attention(q_THd, k_TKd, v_TKd, stream.segments, self.backend)
        if i >= cfg.num_layers - cfg.xsa_last_n:
            y_THd = exclude_self(y_THd, v_TKd)
        if cfg.sparse_attn_gate_enabled:
            y_THd = sparse_gate(y_THd, n_TD, w.attn_gate[i], cfg.sparse_attn_gate_scale)
        y_TD = y_THd.flatten(1)
        if stream.recorder is not None:
            stream.recorder.record(f"{name}.proj.weight", y_TD)
        return _adapted(F.linear(y_TD, w.o[i]), "o", slot, n_TD, stream)

    def _mlp(self, w: Weights, i: int, slot: int, n_TD: Tensor, stream: Stream) -> Tensor:
        if self._fuses_mlp(n_TD, stream.recorder):
            out_TD = fused_leaky_relu2_mlp(n_TD, w.up[i], w.down[i])
        else:
            hidden_TF = mlp_activation(F.linear(n_TD, w.up[i]), self.cfg.mlp_act)
            out_TD = F.linear(hidden_TF, w.down[i])
            if stream.recorder is not None:
                stream.recorder.record(f"blocks.{i}.mlp.fc.weight", n_TD)
                stream.recorder.record(f"blocks.{i}.mlp.proj.weight", hidden_TF)
        return _adapted(out_TD, "mlp", slot, n_TD, stream)

    def _fuses_mlp(self, n_TD: Tensor, recorder: Recorder | None) -> bool:
        leaky = self.cfg.mlp_act == "leaky_relu2"
        return self.cfg.fused_ce_enabled and leaky and recorder is None and triton_runs_on(n_TD)

    def _merge_skip(self, p: int, x_TD: Tensor, skip_TD: Tensor) -> Tensor:
        # sigma(G) x + (1 - sigma(G)) W skip; the naive baseline adds W skip without a gate
        skip_TD = self.skip_weights[p].to(self.dtype) * skip_TD
        if not self.cfg.skip_gates_enabled:
            return x_TD + skip_TD
        return torch.lerp(skip_TD, x_TD, torch.sigmoid(self.skip_gates[p].to(self.dtype)))

    def _norm(self, x_TD: Tensor, i: int) -> Tensor:
        return rms(x_TD) / (i + 1) ** 0.5 if self.cfg.ln_scale else rms(x_TD)

    def _raw_logits(self, h_TD: Tensor, adapters: Adapters | None) -> Tensor:
        z_TV = F.linear(h_TD, self.tok_emb.weight.to(self.dtype))
        extra_TV = None if adapters is None else adapters.delta("lm_head", 0, h_TD)
        return z_TV if extra_TV is None else z_TV + extra_TV


def _adapted(out: Tensor, site: str, slot: int, x_TD: Tensor, stream: Stream) -> Tensor:
    extra = None if stream.adapters is None else stream.adapters.delta(site, slot, x_TD)
    return out if extra is None else out + extra


# Stacked parameters and the names of their parts per layer, which artifact, quantiser and recorder use.
STACKED = {
    "qo_bank": ("attn.c_q.weight", "attn.proj.weight"),
    "kv_bank": ("attn.c_k.weight", "attn.c_v.weight"),
    "up_bank": ("mlp.fc.weight",),
    "down_bank": ("mlp.proj.weight",),
    "q_gain": ("attn.q_gain",),
    "attn_gate_w": ("attn.attn_gate_w",),
    "attn_scale": ("attn_scale",),
    "mlp_scale": ("mlp_scale",),
    "resid_mix": ("resid_mix",),
}


def unbank(model: GPT) -> dict[str, Tensor]:
    """Every parameter under its per-layer name, e.g. blocks.3.attn.c_q.weight, as detached views."""
    L = model.cfg.num_layers
    flat = {}
    for name, parameter in model.named_parameters():
        if name not in STACKED:
            flat[name] = parameter.detach()
            continue
        for part, suffix in enumerate(STACKED[name]):
            for i in range(L):
                flat[f"blocks.{i}.{suffix}"] = parameter.detach()[part * L + i]
    return flat


@torch.no_grad()
def rebank(model: GPT, flat: dict[str, Tensor]) -> None:
    """Copy per-layer tensors into the model, undoing `unbank`; ValueError if names or shapes differ."""
    views = unbank(model)
    if flat.keys() != views.keys():
        raise ValueError(f"names differ: {', '.join(sorted(flat.keys() ^ views.keys()))}")
    for name, view in views.items():
        if view.shape != flat[name].shape:
            raise ValueError(
                f"{name}: shape {tuple(flat[name].shape)} where the model has {tuple(view.shape)}"
            )
        view.copy_(flat[name])
