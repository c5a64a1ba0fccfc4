"""Decoders of packed literals. Pure, and capped: a decompression bomb stops at the cap, not at our memory."""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

OUTPUT_CAP = 8 * 2**20
"""Bytes that one decoding step may produce; the largest real packed script unpacks to 402 kB."""
_DICTIONARY_CAP = 64 * 2**20  # bytes of LZMA history; xz -9 uses 64 MiB
_CHUNK = 64  # bytes fed at a time to a brotli that cannot limit its output (before 1.2)


class DecodeError(ValueError):
    """The data is not what the decoder expects, or exceeds a cap; the text is a sentence."""


def inflate(data: bytes, wbits: int = zlib.MAX_WBITS) -> bytes:
    """zlib.decompress with its wbits: zlib, gzip or raw deflate."""
    engine = zlib.decompressobj(wbits)
    try:
        out = engine.decompress(data, OUTPUT_CAP + 1)
    except zlib.error as error:
        raise DecodeError(f"not zlib data: {error}") from None
    return _whole(out, engine.eof)


def unxz(
    data: bytes, format: int = lzma.FORMAT_AUTO, filters: Sequence[Mapping[str, Any]] | None = None
) -> bytes:
    """lzma.decompress: .xz, .lzma or a raw stream with its filters given."""
    if filters is not None:
        filters = [_checked(f) for f in filters]
    limit = None if format == lzma.FORMAT_RAW else _DICTIONARY_CAP * 4
    try:
        engine = lzma.LZMADecompressor(format, limit, filters)
        out = engine.decompress(data, OUTPUT_CAP + 1)
    except (lzma.LZMAError, ValueError, TypeError, MemoryError) as error:
        raise DecodeError(f"not lzma data: {error}") from None
    return _whole(out, engine.eof)


def _checked(item: Mapping[str, Any]) -> Mapping[str, Any]:
    size = item.get("dict_size", 0)
    if not isinstance(size, int) or size > _DICTIONARY_CAP:
        raise DecodeError(f"an lzma dictionary over {_DICTIONARY_CAP:,} bytes")
    return item


def unbzip(data: bytes) -> bytes:
    """bz2.decompress."""
    engine = bz2.BZ2Decompressor()
    try:
        out = engine.decompress(data, OUTPUT_CAP + 1)
    except (OSError, ValueError) as error:
        raise DecodeError(f"not bzip2 data: {error}") from None
    return _whole(out, engine.eof)


def unbrotli(data: bytes) -> bytes:
    """brotli.decompress."""
    import brotli

    engine = brotli.Decompressor()
    limited = hasattr(engine, "can_accept_more_data")
    out = bytearray()
    try:
        if limited:
            out += engine.process(data, output_buffer_limit=OUTPUT_CAP + 1)
        else:
            for at in range(0, len(data), _CHUNK):
                out += engine.process(data[at : at + _CHUNK])
                if len(out) > OUTPUT_CAP:
                    break
    except brotli.error as error:
        raise DecodeError(f"not brotli data: {error}") from None
    return _whole(bytes(out), engine.is_finished())


def _whole(out: bytes, finished: bool) -> bytes:
    if len(out) > OUTPUT_CAP:
        raise DecodeError(f"unpacks to more than {OUTPUT_CAP:,} bytes")
    if not finished:
        raise DecodeError("the packed data ends too early")
    return out


def gunzip(data: bytes) -> bytes:
    """gzip.decompress of one member."""
    return inflate(data, 16 + zlib.MAX_WBITS)


def _textual(decode: Callable[[bytes], bytes], name: str) -> Callable[[str | bytes], bytes]:
    def run(data: str | bytes) -> bytes:
        try:
            return decode(data.encode("ascii") if isinstance(data, str) else data)
        except (ValueError, binascii.Error, UnicodeEncodeError) as error:
            raise DecodeError(f"not {name}: {error}") from None

    return run


unbase85 = _textual(base64.b85decode, "base85")
unascii85 = _textual(base64.a85decode, "ascii85")
unbase64 = _textual(base64.b64decode, "base64")
unbase64url = _textual(base64.urlsafe_b64decode, "base64")
unbase32 = _textual(base64.b32decode, "base32")
unhex = _textual(lambda data: bytes.fromhex(data.decode("ascii")), "hexadecimal")

NAMED: dict[str, tuple[str, Callable[..., bytes]]] = {
    "base64.b85decode": ("base85", unbase85),
    "base64.a85decode": ("ascii85", unascii85),
    "base64.b64decode": ("base64", unbase64),
    "base64.standard_b64decode": ("base64", unbase64),
    "base64.decodebytes": ("base64", unbase64),
    "base64.urlsafe_b64decode": ("base64", unbase64url),
    "base64.b32decode": ("base32", unbase32),
    "base64.b16decode": ("hex", unhex),
    "binascii.a2b_base64": ("base64", unbase64),
    "binascii.unhexlify": ("hex", unhex),
    "binascii.a2b_hex": ("hex", unhex),
    "builtins.bytes.fromhex": ("hex", unhex),
    "builtins.bytearray.fromhex": ("hex", unhex),
    "zlib.decompress": ("zlib", inflate),
    "lzma.decompress": ("lzma", unxz),
    "bz2.decompress": ("bzip2", unbzip),
    "gzip.decompress": ("gzip", gunzip),
    "brotli.decompress": ("brotli", unbrotli),
    "brotlicffi.decompress": ("brotli", unbrotli),
}
"""What a script may call, by the name Python knows it by: (step, as reports print it; our decoder)."""

UNREADABLE = {
    "marshal.loads": "a marshalled code object",
    "pickle.loads": "a pickle",
    "dill.loads": "a pickle",
    "zstandard.decompress": "zstd data",
    "zstd.decompress": "zstd data",
    "pyzstd.decompress": "zstd data",
    "compression.zstd.decompress": "zstd data",
    "lz4.frame.decompress": "lz4 data",
}
"""What a script may unpack with and this tool will not or cannot."""
