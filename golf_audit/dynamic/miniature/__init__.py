"""The miniature: a tokenizer, token streams and settings small enough for one CPU thread.

    tokenizer.py  a SentencePiece model of the right vocabulary, trained in seconds on invented words
    tokens.py     the token streams, every position of the validation stream known by its neighbours
    data.py       the folder that a run finds under `data`: shards, sidecar, tokenizer, under every usual name
    sizes.py      the value that each setting of size takes
    settings.py   the declared configuration, its sizes made small

Runs in our own process: imports no torch; numpy and sentencepiece only when called.
"""

from golf_audit.dynamic.miniature.prepare import NoMiniature, Prepared, prepare
from golf_audit.dynamic.miniature.tokens import Shape

__all__ = ["NoMiniature", "Prepared", "Shape", "prepare"]
