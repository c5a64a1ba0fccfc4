"""The artifact: quantised tensors in a container without pickle, every stream tagged with its codec.

    file   = "GREF" | u8 version | u32 n | n x (u8 codec, u8 shuffle stride, u32 length) | n streams
    stream 0 = JSON header: layout, meta strings, [name, dtype, shape] in stream order

`flat`      stream 1: all int8 values; stream 2: everything else, byte-shuffled by 2 (as #1394's BSHF)
`pergroup`  streams 1-7: one per kind of matrix, layers ascending, each matrix transposed; in the three
            largest kinds rows are first put in an order of similarity (#1855); stream 8: everything else;
            stream 9: the orders.
"""

import json
import math
import struct

import torch
from torch import Tensor

from golf_ref.codecs import CODEC_NAMES, CODEC_TAGS, byte_shuffle, byte_unshuffle, compress, decompress

MAGIC, VERSION = b"GREF", 1
GROUPS = (  # order and hot set of #1855's COMPRESSOR=pergroup
    "tok_emb.weight.q",
    "attn.c_k.weight.q",
    "attn.c_q.weight.q",
    "attn.c_v.weight.q",
    "attn.proj.weight.q",
    "mlp.fc.weight.q",
    "mlp.proj.weight.q",
)
HOT_GROUPS = ("tok_emb.weight.q", "attn.c_q.weight.q", "mlp.fc.weight.q")
DTYPES = {str(t): t for t in (torch.int8, torch.float16, torch.bfloat16, torch.float32, torch.int64)}
CAP_BYTES = 16_000_000  # decimal, README of the challenge

Streams = list[tuple[bytes, str, int]]  # (content, codec, shuffle stride)
Table = list[tuple[str, torch.dtype, tuple[int, ...]]]  # (name, dtype, shape)


def pack_artifact(tensors: dict[str, Tensor], meta: dict[str, str], codec: str, layout: str) -> bytes:
    """Serialise tensors and their meta strings; `codec` compresses weights, brotli the small streams."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    if layout == "flat":
        names, streams = flat_streams(tensors, codec)
    elif layout == "pergroup":
        names, streams = grouped_streams(tensors, codec)
    else:
        raise ValueError(f"unknown layout {layout!r}; known: flat, pergroup")
    table = [[name, str(tensors[name].dtype), list(tensors[name].shape)] for name in names]
    header = json.dumps({"layout": layout, "meta": meta, "tensors": table}, separators=(",", ":")).encode()
    return join_streams([(header, "brotli", 1), *streams])


def unpack_artifact(blob: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Invert `pack_artifact`, exactly."""
    header_bytes, *streams = split_streams(blob)
    header = json.loads(header_bytes)
    table = [(name, DTYPES[dtype], tuple(shape)) for name, dtype, shape in header["tensors"]]
    tensors = read_flat(table, streams) if header["layout"] == "flat" else read_grouped(table, streams)
    return tensors, header["meta"]


def join_streams(streams: Streams) -> bytes:
    heads, bodies = [], []
    for content, codec, stride in streams:
        bodies.append(compress(byte_shuffle(content, stride), codec))
        heads.append(struct.pack("<BBI", CODEC_TAGS[codec], stride, len(bodies[-1])))
    return MAGIC + struct.pack("<BI", VERSION, len(streams)) + b"".join(heads) + b"".join(bodies)


def split_streams(blob: bytes) -> list[bytes]:
    if blob[:4] != MAGIC or blob[4] != VERSION:
        raise ValueError(f"not a golf_ref artifact of version {VERSION}: starts with {blob[:5]!r}")
    (n_streams,) = struct.unpack_from("<I", blob, 5)
    position = 9 + 6 * n_streams
    streams = []
    for i in range(n_streams):
        tag, stride, length = struct.unpack_from("<BBI", blob, 9 + 6 * i)
        content = decompress(blob[position : position + length], CODEC_NAMES[tag])
        streams.append(byte_unshuffle(content, stride))
        position += length
    return streams


# ---------------------------------------------------------------------------------------------------
# flat


def flat_streams(tensors: dict[str, Tensor], codec: str) -> tuple[list[str], Streams]:
    int8_names = [name for name, tensor in tensors.items() if tensor.dtype == torch.int8]
    other_names = [name for name in tensors if name not in int8_names]
    int8_bytes = b"".join(tensor_bytes(tensors[name]) for name in int8_names)
    other_bytes = b"".join(tensor_bytes(tensors[name]) for name in other_names)
    return int8_names + other_names, [(int8_bytes, codec, 1), (other_bytes, codec, 2)]


def read_flat(table: Table, streams: list[bytes]) -> dict[str, Tensor]:
    offsets = [0, 0]
    tensors = {}
    for name, dtype, shape in table:
        stream = 0 if dtype == torch.int8 else 1
        tensors[name], offsets[stream] = read_tensor(streams[stream], offsets[stream], dtype, shape)
    return tensors


# ---------------------------------------------------------------------------------------------------
# per group


def grouped_streams(tensors: dict[str, Tensor], codec: str) -> tuple[list[str], Streams]:
    names: list[str] = []
    streams: Streams = []
    order_bytes = b""
    for group in GROUPS:
        members = group_members(list(tensors), group)
        group_bytes = b""
        for name in members:
            q_RC = tensors[name]
            if group in HOT_GROUPS:
                order_R = similarity_order(q_RC)
                order_bytes += order_R.numpy().astype("<u2").tobytes()
                q_RC = q_RC[order_R]
            group_bytes += tensor_bytes(q_RC.T.contiguous())
        names += members
        streams.append((group_bytes, codec, 1))
    rest = [name for name in tensors if name not in names]
    streams.append((b"".join(tensor_bytes(tensors[name]) for name in rest), "brotli", 1))
    streams.append((order_bytes, "brotli", 1))
    return names + rest, streams


def read_grouped(table: Table, streams: list[bytes]) -> dict[str, Tensor]:
    rest_bytes, order_bytes = streams[len(GROUPS) :]
    group_offsets, rest_offset, order_offset = [0] * len(GROUPS), 0, 0
    tensors = {}
    for name, dtype, shape in table:
        group = next((i for i, group in enumerate(GROUPS) if name.endswith(group)), None)
        if group is None:
            tensors[name], rest_offset = read_tensor(rest_bytes, rest_offset, dtype, shape)
            continue
        rows, columns = shape
        q_CR, group_offsets[group] = read_tensor(streams[group], group_offsets[group], dtype, (columns, rows))
        q_RC = q_CR.T.contiguous()
        if GROUPS[group] in HOT_GROUPS:
            order_R, order_offset = read_tensor(order_bytes, order_offset, torch.uint16, (rows,))
            q_RC = q_RC[order_R.long().argsort()]
        tensors[name] = q_RC
    return tensors


def group_members(names: list[str], group: str) -> list[str]:
    """Names of one kind of matrix, layers ascending (blocks.2 before blocks.10)."""
    members = [name for name in names if name.endswith(group)]
    return sorted(members, key=lambda name: [int(part) for part in name.split(".") if part.isdigit()])


def similarity_order(q_RC: Tensor) -> Tensor:
    """Greedy chain from row 0: always the unused row nearest in L1. Returns int64 [R], R < 65,536."""
    distance_RR = torch.cdist(q_RC.float(), q_RC.float(), p=1.0)  # integers below 2^24: exact in fp32
    distance_RR[:, 0] = math.inf
    order = [0]
    while len(order) < len(q_RC):
        order.append(int(distance_RR[order[-1]].argmin()))
        distance_RR[:, order[-1]] = math.inf
    return torch.tensor(order)


# ---------------------------------------------------------------------------------------------------
# bytes of one tensor; sizes


def tensor_bytes(tensor: Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def read_tensor(data: bytes, offset: int, dtype: torch.dtype, shape: tuple[int, ...]) -> tuple[Tensor, int]:
    """One tensor from `offset`, and the offset behind it. Copies, so the result owns aligned memory."""
    end = offset + math.prod(shape) * dtype.itemsize
    if end > len(data):
        raise ValueError(f"artifact truncated: {end} bytes wanted, {len(data)} present")
    if end == offset:
        return torch.empty(shape, dtype=dtype), end
    return torch.frombuffer(bytearray(data[offset:end]), dtype=dtype).reshape(shape), end


def check_cap(model_bytes: int, code_bytes: int, cap: int = CAP_BYTES) -> int:
    """Total submission size in bytes; raises ValueError above the cap."""
    total = model_bytes + code_bytes
    if total > cap:
        raise ValueError(f"submission of {total} bytes is {total - cap} over the cap of {cap}")
    return total
