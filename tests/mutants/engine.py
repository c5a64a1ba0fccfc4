"""Mutants of the code, which only the order of events decides: what is scored, adapted on, read and mixed.

Each one is a script that still runs and prints the claimed line. A mutant whose rules are open on its base
stands in PENDING; the test says when it has to leave.
"""

from __future__ import annotations

from collections.abc import Callable

from golf_audit.model import Verdict
from tests.mutants.base import SCRIPT, Files, Mutant, Patch, swap

FAIL, ASK, OPEN = Verdict.FAIL, Verdict.NEEDS_RULING, Verdict.UNDETERMINED
ENGINE: list[Mutant] = []
PENDING = frozenset({"non_causal_attention"})
"""Mutants of which a declared rule is not decided on the base: M01 passes by a run only."""


def mutant(base: str = "tiny", notes: str = "", **changes: Verdict) -> Callable[[Patch], Patch]:
    """List a patch of the bundled script with the rulings it changes and the rules whose notes it changes."""

    def add(patch: Patch) -> Patch:
        ENGINE.append(Mutant(patch, base, changes, frozenset(notes.split())))
        return patch

    return add


def code(files: Files, old: str, new: str) -> None:
    """Replace one place of the script."""
    swap(files, SCRIPT, old, new)


# --- order of scoring and adapting -----------------------------------------------------------------------

SCORED = "        board.add(positions_bL[scored_bL], loss_bL.detach()[scored_bL.to(loss_bL.device)])\n"
FORWARD = "            loss_bL = model.nll(ids_T, targets_T, segments, adapters=lora).view(b, L)\n"
KIND = '    if kind == "sgd":\n'
CLAIMED = "    return log_score(TTT_TAGS[kind], score, time.perf_counter() - start, log)\n"
AGAIN = (
    "evaluate_lora_ttt(load_artifact(cfg, path, device), val_tokens, val_bytes, cfg.ttt, "
    "cfg.ttt.phased_ttt_num_phases, cfg.train.seed + 1, log, ranks)"
)


@mutant(T01=FAIL)
def adapt_before_score(files: Files) -> None:
    """The reloaded artifact learns from the first validation tokens, and then they are scored."""
    code(
        files,
        KIND,
        "    polish = torch.optim.SGD(model.parameters(), lr=0.001)\n"
        "    for row in torch.arange(1024).split(128):\n"
        "        ids_T, targets_T, segments = pack_rows(val_tokens, [row], model.cfg.bos_id, device)\n"
        "        polish.zero_grad()\n"
        "        model.nll(ids_T, targets_T, segments).mean().backward()\n"
        "        polish.step()\n"
        f"{KIND}",
    )


@mutant(notes="T01", T02=FAIL)
def last_epoch_score(files: Files) -> None:
    """Every chunk is learned from three times, and the loss of the last time is reported."""
    code(
        files,
        SCORED,
        "        for _ in range(2 if optimizer is not None else 0):\n"
        "            optimizer.zero_grad()\n"
        "            loss_bL[scored_bL.to(loss_bL.device)].mean().backward()\n"
        "            optimizer.step()\n"
        f"{FORWARD}{SCORED}",
    )


@mutant(notes="T01", P01=FAIL)
def two_passes(files: Files) -> None:
    """The stream is scored twice, and what the first pass taught the model is kept for the second."""
    first = (
        '    log.line(f"first_pass val_loss:{score.val_loss:.8f} val_bpb:{score.val_bpb:.8f}")\n'
        "    score = evaluate_lora_ttt(model, val_tokens, val_bytes, cfg.ttt, "
        "cfg.ttt.phased_ttt_num_phases, cfg.train.seed, log, ranks)\n"
    )
    code(files, CLAIMED, first + CLAIMED)


@mutant(P02=FAIL)
def min_over_passes(files: Files) -> None:
    """Of two passes the better one is reported."""
    code(files, CLAIMED, f"    score = min(score, {AGAIN}, key=lambda one: one.val_bpb)\n{CLAIMED}")


# With no score behind the claimed number, no question about order has an answer.
UNTIED = dict.fromkeys(
    ("T01", "T02", "P01", "P02", "Q01", "Q02", "Q03", "V01", "V02", "V03", "V05", "V06", "M02", "N01"), OPEN
)


@mutant(P03=FAIL, **UNTIED)
def printed_number_from_nowhere(files: Files) -> None:
    """The claimed line prints a constant."""
    code(files, CLAIMED, f"    score = Score(1.92331450, 2.88156981, score.tokens, score.bytes)\n{CLAIMED}")


@mutant(notes="T01", Q03=ASK)
def slot(files: Files) -> None:
    """Each batch is scored with a shift of the logits that was optimised on it and is thrown away."""
    code(
        files,
        SCORED,
        "        with torch.enable_grad():\n"
        "            h_TD = model.forward_hidden(ids_T, segments, lora).detach()\n"
        "            delta_D = torch.zeros(h_TD.shape[1], device=h_TD.device, requires_grad=True)\n"
        "            slot_optimizer = torch.optim.AdamW([delta_D], lr=0.01)\n"
        "            for _ in range(3):\n"
        "                slot_optimizer.zero_grad()\n"
        "                F.cross_entropy(model.logits(h_TD + delta_D, lora), targets_T).backward()\n"
        "                slot_optimizer.step()\n"
        "        z_TV = model.logits(h_TD + delta_D.detach(), lora)\n"
        '        slot_bL = F.cross_entropy(z_TV, targets_T, reduction="none").view(b, L)\n'
        "        board.add(positions_bL[scored_bL], slot_bL.detach()[scored_bL.to(loss_bL.device)])\n",
    )


# --- the scored probability ------------------------------------------------------------------------------

_COUNTS = (
    "        counts_K = hash_counts(model, ids_T.device)\n"
    "        key_T = {key}\n"
    "        hit_T = counts_K[key_T] / (1 + counts_K.max())\n"
    "        mixed_bL = -torch.log({mix}).view(b, L)\n"
    "        counts_K.index_add_(0, key_T, torch.ones_like(hit_T))\n"
    "        board.add(positions_bL[scored_bL], mixed_bL.detach()[scored_bL.to(loss_bL.device)])\n"
)
_TABLE = (
    "def hash_counts(model: GPT, device: torch.device) -> Tensor:\n"
    '    if not hasattr(model, "counts_K"):\n'
    "        model.counts_K = torch.zeros(65536, device=device)\n"
    "    return model.counts_K\n\n\ndef score_group("
)
_PROBABILITY = "torch.exp(-loss_bL.detach().flatten())"


@mutant(Q01=FAIL, Q02=Verdict.PASS)
def ngram_mix_not_normalised(files: Files) -> None:
    """A cache of contexts is added to the target's probability and to no other one."""
    code(files, "def score_group(", _TABLE)
    code(
        files,
        SCORED,
        _COUNTS.format(key="(ids_T * 36313) % 65536", mix=f"0.9 * {_PROBABILITY} + 0.2 * hit_T"),
    )


@mutant(Q01=FAIL, Q02=FAIL)
def target_in_the_hash_key(files: Files) -> None:
    """A cache is looked up under the target itself (Q02), and mixed into its probability alone (Q01)."""
    code(files, "def score_group(", _TABLE)
    key = "(ids_T * 36313 + targets_T) % 65536"
    code(files, SCORED, _COUNTS.format(key=key, mix=f"(1 - 0.2 * hit_T) * {_PROBABILITY} + 0.2 * hit_T"))


@mutant(M01=FAIL)
def non_causal_attention(files: Files) -> None:
    """Every query sees the keys after it."""
    code(
        files,
        "F.scaled_dot_product_attention(q, k, v, is_causal=True,",
        "F.scaled_dot_product_attention(q, k, v,",
    )


@mutant(M02=ASK)
def smear_without_bos_mask(files: Files) -> None:
    """The first token of a document takes in the last one of the document before."""
    code(
        files,
        "keep_T1 = ((position_T > 0) & (ids_T != bos_id))[:, None]",
        "keep_T1 = torch.ones_like(gate_T1)",
    )


# --- which tokens are read -------------------------------------------------------------------------------


@mutant(notes="T01", V01=FAIL)
def validation_in_the_loader(files: Files) -> None:
    """The training loader also opens the validation shards."""
    code(
        files,
        "        return Prefetcher(make_loader(self.cfg, files, rank, world), self.device)\n",
        '        files += tuple(Path(self.cfg.data.data_path).glob("fineweb_val_0*.bin"))\n'
        "        return Prefetcher(make_loader(self.cfg, files, rank, world), self.device)\n",
    )


@mutant(V02=FAIL)
def gptq_on_validation(files: Files) -> None:
    """Hessians are collected on validation windows."""
    code(
        files,
        "    hessians = collect_hessians(model, ((batch.ids, batch.segments) for batch in batches))\n",
        "    T = min(T, len(data.val_ids) // n_forwards)\n"
        "    rows = [data.val_ids[i : i + T] for i in range(0, n_forwards * T, T)]\n"
        "    hessians = collect_hessians(model, ((row, Segments.rows(1, len(row))) for row in rows))\n",
    )


@mutant(V03=FAIL)
def train_shards_read_at_evaluation(files: Files) -> None:
    """The reloaded artifact takes a step on training tokens before it is scored."""
    code(
        files,
        KIND,
        "    more = ShuffledLoader(data.train_files, cfg.train.train_seq_len, 1024, 0, 1).next_batch()\n"
        "    model.nll(more.ids, more.targets, more.segments).mean().backward()\n"
        "    torch.optim.SGD(model.parameters(), lr=0.001).step()\n"
        f"{KIND}",
    )


@mutant(V05=ASK)
def warm_up_on_validation(files: Files) -> None:
    """Compile warm-up steps on validation tokens, and then everything is restored."""
    code(
        files,
        "            train_step(s, loader, 1.0, 0)\n",
        "            ids_T, targets_T = s.data.val_ids[:1024], s.data.val_ids[1:1025]\n"
        "            s.nll(ids_T, targets_T, Segments.rows(8, 128)).mean().backward()\n"
        "            s.optimizers.step(1.0, 0)\n"
        "            s.optimizers.zero_grad()\n",
    )


@mutant(N01=FAIL)
def weights_fetched_at_evaluation(files: Files) -> None:
    """Weights are downloaded after training, where the machine lets them through."""
    code(
        files,
        KIND,
        "    from urllib.request import urlopen\n\n"
        "    try:\n"
        '        prior = torch.load(urlopen("https://example.invalid/prior.pt", timeout=5))\n'
        "    except OSError:\n"
        "        prior = {}\n"
        "    model.load_state_dict(prior, strict=False)\n"
        f"{KIND}",
    )


# --- bytes per token -------------------------------------------------------------------------------------


@mutant("plain", B01=FAIL)
def byte_fallback_as_three_bytes(files: Files) -> None:
    """A byte piece is charged by the length of its name's replacement, three bytes."""
    code(
        files,
        "m.is_byte(i):\n                base_V[i] = 1\n",
        "m.is_byte(i):\n                base_V[i] = 3\n",
    )


@mutant("plain", B01=FAIL)
def leading_space_twice_in_the_table(files: Files) -> None:
    """A piece's leading blank is part of its bytes and is added once more."""
    code(files, "len(piece.removeprefix(SPACE).encode())", 'len(piece.replace(SPACE, " ").encode())')
