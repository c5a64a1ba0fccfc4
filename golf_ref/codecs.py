"""Byte compressors, each with the number that tags it in a container, and the stride-2 byte shuffle.

`lrzip` is the external program used by #1855 (ZPAQ); it is looked for on PATH and never installed from here.
"""

import base64
import lzma
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import brotli

CODEC_TAGS = {"raw": 0, "zlib": 1, "lzma": 2, "brotli": 3, "lrzip": 4}
CODEC_NAMES = {tag: name for name, tag in CODEC_TAGS.items()}


def compress(data: bytes, codec: str) -> bytes:
    """Compress at the codec's strongest setting (zlib 9, lzma 9e, brotli 11 / lgwin 24, lrzip -z -L 9)."""
    if codec == "raw":
        return data
    if codec == "zlib":
        return zlib.compress(data, 9)
    if codec == "lzma":
        return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    if codec == "brotli":
        return brotli.compress(data, quality=11, lgwin=24)
    if codec == "lrzip":
        return run_lrzip(data, ["-z", "-L", "9"], "stream", "stream.lrz")
    raise ValueError(f"unknown codec {codec!r}; known: {', '.join(CODEC_TAGS)}")


def decompress(data: bytes, codec: str) -> bytes:
    """Invert `compress`."""
    if codec == "raw":
        return data
    if codec == "zlib":
        return zlib.decompress(data)
    if codec == "lzma":
        return lzma.decompress(data)
    if codec == "brotli":
        return brotli.decompress(data)
    if codec == "lrzip":
        return run_lrzip(data, ["-d"], "stream.lrz", "stream")
    raise ValueError(f"unknown codec {codec!r}; known: {', '.join(CODEC_TAGS)}")


def run_lrzip(data: bytes, flags: list[str], source: str, target: str) -> bytes:
    """Run lrzip from file to file in a fresh folder (its pipes buffer through temporary files anyway)."""
    program = shutil.which("lrzip")
    if program is None:
        raise FileNotFoundError("the lrzip codec needs the program lrzip on PATH (packages: lrzip)")
    if not data:
        return b""  # lrzip refuses empty input
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, source).write_bytes(data)
        subprocess.run([program, "-q", "-f", *flags, source], cwd=folder, check=True, capture_output=True)
        return Path(folder, target).read_bytes()


def byte_shuffle(data: bytes, stride: int) -> bytes:
    """All bytes at offset 0 mod stride, then 1 mod stride, ...: high bytes of fp16 lie together (#1394)."""
    return b"".join(data[start::stride] for start in range(stride))


def byte_unshuffle(data: bytes, stride: int) -> bytes:
    """Invert `byte_shuffle`."""
    out = bytearray(len(data))
    position = 0
    for start in range(stride):
        length = len(range(start, len(data), stride))
        out[start::stride] = data[position : position + length]
        position += length
    return bytes(out)


def pack_script(source: str, codec: str) -> bytes:
    """The source as a script that unpacks and runs itself: what the records count as code.

    The source also goes into linecache, where Triton and torch.compile look for it.
    """
    if codec not in ("brotli", "lzma", "zlib"):
        raise ValueError(f"no Python module decodes {codec!r}")
    payload = base64.b85encode(compress(source.encode(), codec)).decode()
    return (
        f"import base64,linecache,{codec}\n"
        f's={codec}.decompress(base64.b85decode("{payload}")).decode()\n'
        'linecache.cache["train_gpt_unpacked.py"]=(len(s),None,s.splitlines(True),"train_gpt_unpacked.py")\n'
        'exec(compile(s,"train_gpt_unpacked.py","exec"))\n'
    ).encode()
