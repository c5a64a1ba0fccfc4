"""The law that rules cite: sentences of the challenge's README, and rulings by its organisers, with dates.

A README sentence binds from the commit that brought it in. An organiser's ruling that interprets a sentence
binds from that sentence's date and says when it was given. `disputed`: practice or rulings point both ways.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from golf_audit.model import Authority, Cite

LAUNCH = dt.date(2026, 3, 18)
"""README of the launch commit a15093ada; the evaluation limit came the same day with 9f170d4c8."""
PAID_PREFIX = dt.date(2026, 3, 20)
"""Commits 2cff08e1a (validation data in training), 9a60d1676 (packages), fc6332a9c (test-time training)."""


def _readme(section: str, says: str, since: dt.date = LAUNCH) -> Cite:
    return Cite(Authority.README, f'README, "{section}"', says, since)


def _organiser(source: str, says: str, since: dt.date, *, disputed: bool = False) -> Cite:
    return Cite(Authority.ORGANISER, source, says, since, disputed)


def disputed(cite: Cite) -> Cite:
    """The same law where it does not settle the matter: off its track, or with precedents both ways."""
    return replace(cite, disputed=True)


# --- size -------------------------------------------------------------------------------------------------
SIZE_CAP = _readme(
    "What exactly counts toward the 16MB artifact size?",
    "code bytes plus compressed model bytes, at most 16,000,000 (decimal)",
)
LOGGED_SIZE = _organiser(
    "#1835 (2026-04-28), #1959 (2026-05-02)",
    "the size that the log prints counts; #1412 was merged with logs over the cap, its code packed later",
    LAUNCH,
    disputed=True,
)
COUNTED_CODE = disputed(
    _readme(
        "What exactly counts toward the 16MB artifact size?",
        "all counted code should live in train_gpt.py; executed helpers were accepted (#1514, #2135)",
    )
)

# --- time and hardware ------------------------------------------------------------------------------------
TRAIN_TIME = _readme("Submission Process", "records run reproducibly in under 10 minutes on 8xH100")
CALIBRATION_TRAIN_DATA = _organiser(
    "#593, #606 (closed 2026-03-24/25)",
    "calibration on training data after 600 s refused; accepted with 12.7 s (#1493), 6.9 s (#2135)",
    LAUNCH,
    disputed=True,
)
CALIBRATION_GENERATED = Cite(
    Authority.PRACTICE,
    "#1019 (accepted 2026-03-28)",
    "196 s of calibration on self-generated text after the stop was accepted; no ruling gives a limit",
    LAUNCH,
    disputed=True,
)
EVAL_TIME = _readme(
    "What are the restrictions on evaluation?",
    "no submissions that take more than 10 minutes on 8xH100 to evaluate",
)
EVAL_INCLUDES_ADAPTATION = _organiser(
    "#1972 (2026-05-02)",
    "adaptation on validation tokens before the scored pass counts towards the 600 s of evaluation",
    LAUNCH,
)
EVAL_TOTAL = disputed(
    _readme(
        "What are the restrictions on evaluation?",
        "10 minutes to evaluate; unruled whether every pass and work outside the timer counts (#1967)",
    )
)
REPRODUCIBLE = _readme(
    "Are scores independently verified by OpenAI?", "non-reproducible results can be disqualified"
)
HARDWARE = _readme("Submission Process", "records run on 8xH100 (SXM variant)")

# --- the score --------------------------------------------------------------------------------------------
BPB_CORRECT = _readme(
    "Submission Process",
    "changes to the tokenizer or dataset: prove with certainty that val_bpb is correctly calculated",
)
ORIGINAL_BYTES = BPB_CORRECT
CASEFOLD = Cite(
    Authority.COMMUNITY,
    "issue #1604 (open)",
    "may lossy normalised text be charged by its own bytes? no organiser has answered, and none was accepted",
    LAUNCH,
    disputed=True,
)
FULL_SPLIT = _readme(
    "Getting Started", "validation always runs on the full fineweb_val split, the fixed first 50k documents"
)
DISJOINT = _organiser(
    "#2130, #2018 (2026-05-02)",
    "training documents overlap the validation documents: no access to validation data in training",
    PAID_PREFIX,
)

# --- the folder -------------------------------------------------------------------------------------------
FILES = _readme(
    "Submission Process",
    "README.md, submission.json, a train log produced by the script, train_gpt.py; or not accepted",
)
COMPILES = _readme("Submission Process", "train_gpt.py must compile and run within the records folder")
METADATA = _readme(
    "Submission Process", "submission.json holds name, GitHub ID, val_bpb and related metadata"
)
ONE_FOLDER = _readme(
    "Submission Process", "a pull request that only adds a new folder to the appropriate records subfolder"
)
LOGS_SHOW = _readme(
    "Submission Process", "a train log, automatically produced by the script, shows the score"
)
ONE_CONFIGURATION = _organiser(
    "#2124 (2026-05-02)",
    "the claimed mean is over seeds of one submitted configuration",
    LAUNCH,
)
PACKAGES = _readme(
    "Can I import XYZ package or library?",
    "any package, with requirements.txt and set-up; no extra compute, capability or code size in it",
    PAID_PREFIX,
)
SELF_CONTAINED = _readme(
    "What exactly counts toward the 16MB artifact size?",
    "the artifact must be fully self-contained and reproducible",
)
READABLE = Cite(
    Authority.COMMUNITY,
    "CVE-2021-42574 (Trojan Source)",
    "characters that make source read differently from how it runs; the challenge has no rule on them",
    LAUNCH,
)

# --- significance -----------------------------------------------------------------------------------------
README_SIGNIFICANCE = disputed(
    _readme(
        "Submission Process",
        "beat the last record by 0.005 nats, shown at p < 0.01; the leaderboard applies less (#1902)",
    )
)
PRACTICE_SIGNIFICANCE = Cite(
    Authority.PRACTICE,
    "#1902 (2026-04-28)",
    "one-sided Welch test on val_bpb against the record before it, p < 0.25",
    dt.date(2026, 4, 28),
)

# --- the order of scoring and learning ----------------------------------------------------------------------
SCORE_FIRST = _readme(
    "What are the restrictions on evaluation?",
    "test-time training only on validation tokens that have already been evaluated",
    PAID_PREFIX,
)
"""Before 2026-03-20 the README said: you can't train on the validation set before you evaluate on it."""
FORWARDS = Cite(
    Authority.COMMUNITY,
    "#2143, #1787",
    "a training and a test-time forward that differ make adaptation learn another model than is scored",
    dt.date(2026, 4, 23),
)
LAST_EPOCH = _organiser(
    "#568 (2026-03-24), #677 (2026-03-27)",
    "the score of a later adaptation epoch is a score after training on the same tokens",
    PAID_PREFIX,
)
ONE_PASS = _organiser(
    "#677 (2026-03-27), #991 (2026-03-28)",
    "a second pass over tokens that a cache or the weights have learned from does not count",
    PAID_PREFIX,
)
HINDSIGHT = _organiser(
    "#659, #573",
    "no choice among scores by their validation outcome",
    LAUNCH,
)
NORMALISED = _organiser(
    "#779 (2026-03-27), #982",
    "a cache that only adds to the realised token's probability is not a distribution",
    LAUNCH,
)
EVEN_EXPERT = _organiser(
    "#720 (2026-03-27)",
    "a mixer of n-gram experts that does not renormalise over the vocabulary is not a distribution",
    LAUNCH,
)
TARGET_UNSEEN = _organiser(
    "#779 (2026-03-27), #2146 (2026-05-02)",
    "a key or a gate must not read the token that is scored; gates over the prefix were accepted (#2135)",
    LAUNCH,
)
CACHES_UNRULED = disputed(
    _organiser("#948, #968, #1185", "exact, full-vocabulary or Dirichlet caches were never settled", LAUNCH)
)
BYTE_MIXTURE = _organiser(
    "#2103 (2026-05-02), #1902 (2026-04-28)",
    "a byte mixture over the realised bytes is not a full normalised distribution where a token is scored",
    LAUNCH,
)
SCRATCH_UNRULED = Cite(
    Authority.COMMUNITY,
    "issue #1336 (open)",
    "may tensors made per batch be optimised on the tokens that they help to score? nobody has answered",
    LAUNCH,
    disputed=True,
)
VAL_CALIBRATION = _organiser(
    "#728 (2026-03-28)", "no statistic for quantisation from validation tokens", PAID_PREFIX
)
VAL_IN_TRAINING = _readme(
    "What are the restrictions on evaluation?", "no access to validation data during training", PAID_PREFIX
)
TRAIN_AT_EVAL = _readme(
    "What are the restrictions on evaluation?",
    "no training data during evaluation unless its bits are paid for in the artifact",
)
CAUSAL = _readme(
    "Submission Process",
    "val_bpb compresses the validation stream: a token is predicted from those before it",
)
COMPUTED = _readme("What are the restrictions on evaluation?", "the score is computed on the validation set")
WARM_UP_UNRULED = Cite(
    Authority.PRACTICE,
    "#1530 (merged), #1536",
    "compile warm-up on validation tokens with its state thrown away was merged once and changed once",
    LAUNCH,
    disputed=True,
)
SMEAR = _organiser(
    "#1797 (2026-04-26)",
    "the previous-token mix must not cross a document's beginning; #1988 holds that the past is causal",
    dt.date(2026, 4, 26),
    disputed=True,
)
ORDER_UNRULED = Cite(
    Authority.PRACTICE,
    "#1610, #1626, #1736, #1855 (merged); #1536",
    "reordered validation documents with shared state were merged and disputed",
    LAUNCH,
    disputed=True,
)

# --- the network --------------------------------------------------------------------------------------------
NETWORK = _readme(
    "What exactly counts toward the 16MB artifact size?",
    "no external downloads or network calls during evaluation",
)
KERNEL_FETCH = Cite(
    Authority.COMMUNITY,
    "#466",
    "fetching a kernel from a hub at run time was disclosed and never ruled on",
    LAUNCH,
    disputed=True,
)
