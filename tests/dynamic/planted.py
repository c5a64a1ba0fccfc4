"""A small submission written for these tests (chunks are scored, then trained on), and faults to plant."""

SCRIPT = """
import glob, math, os
import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from torch import nn

class Hyperparameters:
    data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
    tokenizer_path = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    model_dim = int(os.environ.get("MODEL_DIM", 512))
    iterations = int(os.environ.get("ITERATIONS", 20000))
    seq_len = int(os.environ.get("TRAIN_SEQ_LEN", 1024))
    ttt_lr = float(os.environ.get("TTT_LR", 0.01))

class GPT(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.emb = nn.Embedding(h.vocab_size, h.model_dim)
        self.qkv = nn.Linear(h.model_dim, 3 * h.model_dim, bias=False)
        self.head = nn.Linear(h.model_dim, h.vocab_size)
    def forward(self, x):
        e = self.emb(x)
        q, k, v = (t[:, None] for t in self.qkv(e).chunk(3, -1))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, 0]
        return self.head(F.rms_norm(e + a, (e.shape[-1],)))

def shard(path):
    return torch.from_numpy(np.fromfile(path, dtype="<u2", offset=1024).astype(np.int64)).cuda()

def batch(tokens, start, end, seq_len):
    piece = tokens[start : end + 1]
    return piece[:-1].reshape(-1, seq_len), piece[1:].reshape(-1, seq_len)

def nll_of(model, x, y):
    logits = model(x)
    # LOGITS
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), y.reshape(-1), reduction="none")

def main():
    h = Hyperparameters()
    torch.manual_seed(1337)
    sp = spm.SentencePieceProcessor(model_file=h.tokenizer_path)
    width = torch.tensor([max(1, len(sp.id_to_piece(i))) for i in range(h.vocab_size)])
    train = shard(sorted(glob.glob(h.data_path + "/fineweb_train_*.bin"))[0])
    val = shard(sorted(glob.glob(h.data_path + "/fineweb_val_*.bin"))[0])
    model = torch.compile(GPT(h).to("cuda").bfloat16())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    for step in range(h.iterations):
        x, y = batch(train, step * 512, step * 512 + 512, h.seq_len)
        nll_of(model, x, y).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    sgd = torch.optim.SGD(model.parameters(), lr=h.ttt_lr)
    usable = (val.numel() - 1) // h.seq_len * h.seq_len
    total, count, size = 0.0, 0, 0.0
    # BEFORE
    for start in range(0, usable, 256):
        x, y = batch(val, start, min(start + 256, usable), h.seq_len)
        # FIRST
        with torch.no_grad():
            nll = nll_of(model, x, y)
        # SCORED
        total += nll.double().sum().item()
        count += nll.numel()
        size += width[y].sum().item()
        nll_of(model, x, y).mean().backward()
        sgd.step()
        sgd.zero_grad()
    loss = total / count
    print(f"final_ttt_exact val_loss:{loss:.8f} val_bpb:{loss / math.log(2) * count / size:.8f}")

if __name__ == "__main__":
    main()
"""

FAULTS = {
    "attention sees later tokens": ("is_causal=True", "is_causal=model_training(self)"),
    "one token ahead": (
        "    # LOGITS",
        "    if not torch.is_grad_enabled():\n"
        "        logits = logits + 0.01 * F.one_hot(y, logits.shape[-1]).float()",
    ),
    "trains before it scores": (
        "        # FIRST",
        "        nll_of(model, x, y).mean().backward(); sgd.step(); sgd.zero_grad()",
    ),
    "writes a gradient step by hand": (
        "    # BEFORE",
        "    x, y = batch(val, 0, 256, h.seq_len)\n"
        "    for p, g in zip(model.parameters(), torch.autograd.grad(nll_of(model, x, y).mean(), "
        "list(model.parameters()))):\n"
        "        p.data.add_(g, alpha=-0.1)",
    ),
    "folds token counts of validation into a bias": (
        "    # BEFORE",
        "    counts = torch.bincount(val, minlength=h.vocab_size).float()\n"
        "    model.head.bias.data.add_(0.1 * torch.log(counts + 1))",
    ),
    "prints less than it measured": ("nll.double().sum().item()", "0.97 * nll.double().sum().item()"),
    "drops hard tokens": ("        # SCORED", "        nll = nll[nll < nll.median()]"),
}


HASHED = """
        probability = np.exp(-nll.numpy().astype(np.float64))
        before, target = x.reshape(-1).numpy(), y.reshape(-1).numpy()
        key, context = (before * 7919 + target * 104729) % 997, before * 7919 % 997
        seen = contexts[context]
        cache = np.minimum(pairs[key], seen) / np.maximum(seen, 1)
        mixed = np.where(seen > 0, 0.8 * probability + 0.2 * cache, probability)
        np.add.at(pairs, key, 1)
        np.add.at(contexts, context, 1)
        total += -np.log(np.maximum(mixed, 1e-9)).sum().item()"""
"""A hashed cache whose key holds the target: colliding counts speak for every token at once."""
EXACT = HASHED.replace(
    "(before * 7919 + target * 104729) % 997, before * 7919 % 997", "before * 1024 + target, before"
)
"""The same with exact counts: each context's counts are a distribution."""


def mixing(cache: str) -> str:
    """The honest script with its losses mixed with counts of what was scored before."""
    text = SCRIPT.replace("        total += nll.double().sum().item()", cache.strip("\n"))
    size = "997" if "997" in cache else "1 << 20"
    return text.replace("    # BEFORE", f"    pairs, contexts = np.zeros({size}), np.zeros({size})")


STRIDED = "range(rank * 256, usable, 256 * world)"
OVERLAPPING = "range(rank * 256, usable, 256)"
"""Every rank begins at a chunk of its own and then takes all that follow."""
_SHARED = {
    "    h = Hyperparameters()\n": (
        "    h = Hyperparameters()\n"
        "    rank, world = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))\n"
        "    if world > 1:\n"
        "        dist.init_process_group('nccl')\n"
    ),
    "from torch import nn\n": "from torch import nn\nimport torch.distributed as dist\n",
    "    loss = total / count\n": (
        "    sums = torch.tensor([total, count, size], dtype=torch.float64)\n"
        "    if world > 1:\n"
        "        dist.all_reduce(sums)\n"
        "    total, count, size = sums.tolist()\n"
        "    if rank:\n"
        "        return\n"
        "    loss = total / count\n"
    ),
}


def shared(chunks: str) -> str:
    """The honest script with its chunks shared out between ranks, each of which adapts on its own."""
    text = SCRIPT
    for old, new in {**_SHARED, "range(0, usable, 256)": chunks}.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


COUNTS_TRAINING = (
    "    # BEFORE",
    "    again = shard(sorted(glob.glob(h.data_path + '/fineweb_train_*.bin'))[0])[:20000]\n"
    "    model.head.bias.data.add_(torch.log(torch.bincount(again, minlength=h.vocab_size) + 1.0))",
)
"""A bias out of the training shards after the artifact was read back."""
SAVED = (
    "    sgd = torch",
    "    torch.save(model.state_dict(), 'model.pt'); model.load_state_dict(torch.load('model.pt'))\n"
    "    sgd = torch",
)


def script(fault: str = "") -> str:
    """The text, with one fault or none."""
    if not fault:
        return SCRIPT
    old, new = FAULTS[fault]
    assert SCRIPT.count(old) == 1, fault
    text = SCRIPT.replace(old, new)
    if "model_training" in new:
        text = text.replace(
            "class GPT", "def model_training(m):\n    return torch.is_grad_enabled()\n\nclass GPT"
        )
    return text
