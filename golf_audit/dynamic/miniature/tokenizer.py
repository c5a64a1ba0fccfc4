"""A SentencePiece BPE model like the challenge's, trained on invented words; the same bytes each time."""

from __future__ import annotations

import io
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

VERSION = 1
"""Part of the cache key: raise it when the training below changes."""
SPECIAL = 4
"""Ids 0 to 3 are pad, begin, end and unknown, as in the challenge's models."""
BOS = 1

_ONSETS = (
    "b",
    "br",
    "c",
    "ch",
    "d",
    "f",
    "g",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "th",
    "v",
    "w",
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_CODAS = ("", "", "n", "r", "s", "t", "l", "ck", "nd", "m")


def tokenizer(vocab: int, cache: Path) -> Path:
    """The model of that vocabulary in the cache folder, trained when it is not there yet."""
    path = cache / f"tokenizer-{VERSION}-{vocab}.model"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        model = train(vocab)
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
            file.write(model)
        os.replace(file.name, path)  # two audits may train at once: both write the same bytes
    return path


def train(vocab: int) -> bytes:
    """Train a byte-fallback BPE model. Fewer pieces than bytes need: a model without byte fallback."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_sentences(vocab)),
        model_writer=model,
        vocab_size=vocab,
        model_type="bpe",
        byte_fallback=vocab >= SPECIAL + 256 + 64,
        hard_vocab_limit=False,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        num_threads=1,
        minloglevel=2,
    )
    return _padded(model.getvalue(), vocab)


def _padded(model: bytes, vocab: int) -> bytes:
    """The model as it is; raises when training found fewer pieces than asked, so that no cache holds it."""
    import sentencepiece

    found = int(sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size())
    if found != vocab:
        raise ValueError(f"the invented text gives a vocabulary of {found}, not {vocab}")
    return model


def _sentences(vocab: int) -> Iterator[str]:
    """Sentences of invented words: enough different ones for the merges that the vocabulary needs."""
    draw = random.Random(vocab)
    words = [_word(draw) for _ in range(max(400, vocab))]
    for _ in range(max(400, vocab // 2)):
        yield " ".join(draw.choice(words) for _ in range(12))


def _word(draw: random.Random) -> str:
    parts = (
        draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(_CODAS) for _ in range(draw.randint(1, 4))
    )
    return "".join(parts)
