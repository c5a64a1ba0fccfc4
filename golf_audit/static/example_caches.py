"""Bodies of an evaluation that mixes tables of counts into the score, for the rules' own examples."""

from __future__ import annotations

HASHED = """
table = np.zeros(1 << 22)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        p = torch.exp(-model(x, y)).numpy()
    key = ((x.numpy() * 36313) ^ (y.numpy() * 27191)) & ((1 << 22) - 1)
    mixed = 0.8 * p + 0.2 * table[key]
    total += -np.log(mixed).sum()
    count += y.numel()
    np.add.at(table, key, 1)
"""
CONTEXT_KEY = HASHED.replace(" ^ (y.numpy() * 27191)", "")
TARGET_COLUMN = """
table = torch.ones(1 << 16, 8192)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        p = torch.softmax(model.head(model.hidden(x)), dim=-1)
    key = (x * 36313) & ((1 << 16) - 1)
    row = table[key]
    mixed = 0.8 * p + 0.2 * row / row.sum(-1, keepdim=True)
    total += -torch.log(mixed.gather(-1, y[..., None])).sum().item()
    count += y.numel()
    table[key, y] += 1
"""
SWITCHED_HASHED = HASHED.replace(
    "    mixed = 0.8 * p + 0.2 * table[key]\n",
    "    mixed = p\n    if EXTRA >= 2:\n        mixed = 0.8 * p + 0.2 * table[key]\n",
).replace("    np.add.at(table, key, 1)\n", "    if EXTRA >= 2:\n        np.add.at(table, key, 1)\n")
DICTIONARY = """
seen = {}
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        p = torch.exp(-model(x, y))
    context = tuple(x[0].tolist())
    mixed = 0.8 * p + 0.2 * seen.get(context, 0)
    total += -torch.log(mixed).sum().item()
    count += y.numel()
    seen[context] = seen.get(context, 0) + 1
"""
TILTED = """
seen = {}
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        logp = F.log_softmax(model.head(model.hidden(x)).float(), dim=-1)
    ids = x[0].tolist()
    hint = torch.tensor([max(seen.get(i, {0: 0}), key=seen.get(i, {0: 0}).get) for i in ids])[None]
    boost = torch.tensor([0.5 if i in seen else 0.0 for i in ids])[None]
    nll = -logp.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    q = logp.gather(-1, hint.unsqueeze(-1)).squeeze(-1).exp()
    nll = nll - boost * (y == hint).float() + torch.log1p(q * torch.expm1(boost))
    total += nll.sum().item()
    count += y.numel()
    for i, j in zip(ids, y[0].tolist()):
        seen.setdefault(i, {})
        seen[i][j] = seen[i].get(j, 0) + 1
"""
BYTE_COUNTS = """
pieces = [bytes([i % 256]) * (1 + i % 3) for i in range(8192)]
length = np.array([len(p) for p in pieces])
logp, ids = [], []
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        logp.append(-model(x, y).flatten())
    ids.append(y.flatten())
    count += y.numel()
logp, ids = torch.cat(logp).numpy(), torch.cat(ids).numpy()
text = b"".join(pieces[int(i)] for i in ids)
each = np.repeat(logp / length[ids], length[ids])
seen, context = {}, b""
counted = np.empty(len(text))
for i in range(len(text)):
    entry = seen.get(context)
    counted[i] = 1 / 256 if entry is None else (1 + entry[1].get(text[i], 0)) / (256 + entry[0])
    if entry is None:
        seen[context] = [1, {text[i]: 1}]
    else:
        entry[0] += 1
        entry[1][text[i]] = entry[1].get(text[i], 0) + 1
    context = (context + bytes([text[i]]))[-4:]
mixed = 0.9 * np.exp(each) + 0.1 * counted
total = -np.log(mixed).sum()
"""
TWO_PASSES = """
table = np.zeros(1 << 22)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    key = ((x.numpy() * 36313) ^ (y.numpy() * 27191)) & ((1 << 22) - 1)
    np.add.at(table, key, 1)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        p = torch.exp(-model(x, y)).numpy()
    key = ((x.numpy() * 36313) ^ (y.numpy() * 27191)) & ((1 << 22) - 1)
    mixed = 0.8 * p + 0.2 * table[key]
    total += -np.log(mixed).sum()
    count += y.numel()
"""
EXACT_ROWS = """
table = torch.zeros(8192, 8192)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        p = torch.exp(-model(x, y))
    sums = table.sum(1)
    seen = table[x.reshape(-1), y.reshape(-1)] / (sums[x.reshape(-1)] + 1)
    total += -torch.log(0.9 * p.reshape(-1) + 0.1 * seen).sum().item()
    count += y.numel()
    table[x.reshape(-1), y.reshape(-1)] += 1
"""
HEDGED = """
table = torch.ones(8192, 8192)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        log_p = F.log_softmax(model.head(model.hidden(x)), dim=-1)
    gold = log_p.gather(-1, y[..., None]).squeeze(-1)
    entropy = (log_p.exp() * log_p).sum(-1)
    rows = table / table.sum(1, keepdim=True)
    counted = torch.log(rows[x.reshape(-1), y.reshape(-1)]).reshape(y.shape)
    experts = torch.stack([gold, counted, entropy], dim=-1)
    total += -torch.logsumexp(experts - math.log(3), dim=-1).sum().item()
    count += y.numel()
    table[x.reshape(-1), y.reshape(-1)] += 1
"""
