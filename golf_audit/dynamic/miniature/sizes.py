"""The value that each setting of size takes in the miniature.

A rule names settings by their spelling and gives a value or a ceiling. Switches are never touched: the
declared configuration decides what runs, the miniature only how much of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from golf_audit.dynamic.miniature.tokens import Shape

VOCAB = 1024
DIM = 64
SEQUENCE = 128


@dataclass(frozen=True)
class Size:
    """`names` is matched against the upper-case name. `ceiling`: the declared value stays if smaller."""

    names: str
    value: str
    ceiling: bool = False

    def of(self, name: str, declared: str | None) -> str | None:
        """The value for a setting; None when the rule is about another, or leaves the declared value."""
        if re.fullmatch(self.names, name) is None:
            return None
        if self.ceiling:
            number = _number(declared)
            if number is not None and 0 <= number <= float(self.value):
                return None
        return self.value


SIZES = (
    Size("VOCAB_SIZE|VOCAB|N_VOCAB", str(VOCAB)),
    Size("MODEL_DIM|N_EMBD|D_MODEL|DIM|HIDDEN_SIZE|EMBED_DIM|N_EMBED", str(DIM)),
    Size("EMBEDDING_DIM|EMB_DIM|FACTOR_DIM|EMBED_RANK|EMBED_BOTTLENECK", str(DIM), ceiling=True),
    Size("NUM_HEADS|N_HEADS?|HEADS", "4"),
    Size("NUM_KV_HEADS|N_KV_HEADS?|KV_HEADS|NUM_KEY_VALUE_HEADS", "2", ceiling=True),
    Size("HEAD_DIM", "16", ceiling=True),
    Size("ROPE_DIMS?", "16", ceiling=True),
    Size(
        "(?:TRAIN_|EVAL_|VAL_|TTT_|TTT_EVAL_|ROPE_TRAIN_|SLIDING_|FINAL_EVAL_|MAX_|SLOT_|GPTQ_|CALIB_)?SEQ_?LEN(?:GTH)?|BLOCK_SIZE|CONTEXT_LEN(?:GTH)?|SEQUENCE_LENGTH",
        str(SEQUENCE),
    ),
    Size("TRAIN_BATCH_TOKENS|BATCH_TOKENS|TOTAL_BATCH_SIZE|TRAIN_BATCH_SIZE|GLOBAL_BATCH_TOKENS", "1024"),
    Size("VAL_BATCH_(?:SIZE|TOKENS)|EVAL_BATCH_TOKENS", "8192"),
    Size("ITERATIONS|NUM_ITERATIONS|MAX_STEPS|TRAIN_STEPS|NUM_STEPS|MAX_ITERS|TOTAL_STEPS", "4"),
    Size("WARMUP_STEPS|COMPILE_WARMUP_STEPS|WARMUP_ITERS|LR_WARMUP_STEPS", "1", ceiling=True),
    Size("(?:MODEL_)?EMA_DECAY|EMA_BETA", "0.3", ceiling=True),
    Size("VAL_LOSS_EVERY|VAL_EVERY|EVAL_EVERY|EVAL_INTERVAL|VAL_INTERVAL", "1000"),
    Size("SWA_EVERY|SWA_INTERVAL|LAWA_FREQ|EMA_EVERY", "1", ceiling=True),
    Size("(?:EVAL_|SLIDING_|SLOT_|TTT_|TTT_EVAL_|FINAL_)?STRIDE|SLIDING_WINDOW_STRIDE", "32", ceiling=True),
    # of a few scored documents, and its last chunk teaches nothing: larger ones would never make a step
    Size("GLOBAL_TTT_CHUNK_TOKENS", "256", ceiling=True),
    Size("TTT_CHUNK_TOKENS|TTT_CHUNK|(?:\\w+_)?CHUNK_TOKENS", "1024", ceiling=True),
    Size("TTT_CHUNK_SIZE|TTT_CHUNK_LEN|EVAL_CHUNK_SIZE", "32", ceiling=True),
    Size("(?:\\w*TTT\\w*_)EPOCHS?", "2", ceiling=True),
    Size("SLOT_STEPS|SLOT_ITERS|LBFGS_STEPS|\\w*SLOT\\w*_STEPS|SLOT_MAX_ITER", "3", ceiling=True),
    Size("TTT_STEPS|TTT_INNER_STEPS|TTT_GRAD_STEPS|TTT_MAX_STEPS", "2", ceiling=True),
    Size("TTT_BATCH_SIZE|TTT_BATCH|TTT_DOC_BATCH", "8", ceiling=True),
    Size(
        "\\w*TTT\\w*BATCH_SEQS|(?:EVAL|SLIDING|SLOT|VAL|CALIB|GPTQ)_BATCH_SEQS|SLOT_BATCH(?:_SIZE)?|EVAL_BATCH(?:_SIZE)?",
        "8",
        ceiling=True,
    ),
    Size("PHASED_TTT_PREFIX_DOCS|TTT_PREFIX_DOCS|\\w*TTT\\w*_DOCS", "8", ceiling=True),
    Size("PHASED_TTT_NUM_PHASES", "3", ceiling=True),
    Size("\\w*LORA_RANK|LORA_R", "4", ceiling=True),
    Size("\\w*CALIB\\w*(?:BATCHES|SEQS|SAMPLES|STEPS|NUM_SEQS)", "2", ceiling=True),
    Size(
        "GPTQ_(?:NSAMPLES|SAMPLES|SEQS|BATCHES)|AR_CALIB\\w*|\\w*SELFGEN\\w*(?:SEQS|COUNT)", "2", ceiling=True
    ),
    Size("\\w*(?:BUCKETS|HASH_SIZE|TABLE_SIZE)", "65536", ceiling=True),
    Size("\\w*(?:TABLE|HASH|BUCKETS?)_BITS", "16", ceiling=True),
    Size("\\w*GROUP_SIZE", "32", ceiling=True),
    Size("(?:BIGRAM|TRIGRAM|NGRAM|HASH|ENGRAM)\\w*_VOCAB(?:_SIZE)?", "2048", ceiling=True),
    Size("(?:BIGRAM|TRIGRAM|NGRAM|HASH|ENGRAM|VE|PLE)\\w*_DIM", "32", ceiling=True),
    Size(
        "DISTILL_STEPS|\\w*DISTILL\\w*_STEPS|SELFGEN_STEPS|QAT_STEPS|FINETUNE_STEPS|REFINE_STEPS",
        "2",
        ceiling=True,
    ),
    Size("PREQUANT_TTT_\\w*BATCH\\w*", "8", ceiling=True),
    Size("RECUR_START_STEP|LOOP_START_STEP|QAT_START_STEP", "1", ceiling=True),
    Size("MLP_HIDDEN|FFN_DIM|INTERMEDIATE_SIZE|D_FF", "128", ceiling=True),
    Size("VAL_DOCS|N_VAL_DOCS|NUM_VAL_DOCS", str(Shape.documents)),
    Size("TRAIN_SHARDS|MAX_TRAIN_SHARDS|NUM_SHARDS", "2", ceiling=True),
    Size("NUM_WORKERS|LOADER_WORKERS", "0", ceiling=True),
    Size("MAX_DOC_LEN|MAX_DOC_TOKENS|DOC_MAX_LEN", "512", ceiling=True),
)


_SCHEDULE = re.compile(r"\w*SEQ_?(?:LEN_?)?SCHEDULE")
_LENGTH = re.compile(r"(?<![\d.])\d{3,}(?![\d.])")


def small(name: str, declared: str | None) -> str | None:
    """The miniature's value of a setting; None when the declared one stays."""
    if declared and _SCHEDULE.fullmatch(name.upper()):
        return _LENGTH.sub(str(SEQUENCE), declared)  # "1024@0.1,2048@1.0": every length is the same
    for size in SIZES:
        value = size.of(name.upper(), declared)
        if value is not None:
            return value
    return None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
