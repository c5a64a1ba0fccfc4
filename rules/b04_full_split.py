"""The full validation split is scored.

Law    Validation always runs on the full fineweb_val split, the fixed first 50,000 documents (README).
Look   The targets behind the claimed line: the bytes or the subset that it prints, else the bytes of text
       behind the run's token count, by loss / bpb and its tokenizer. Under 99 % of 151.08 million: a part.
       A dropped tail shorter than one sequence lies far inside that. Off the record track, a log that
       names another text than FineWeb as its data leaves the question open: it says nothing of this split.
       Reruns of a ledger on the rule's data fill in what the claimed logs do not print.
Blind  An evaluation that stops early without saying so; an odd byte table over a part of the split.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from golf_audit import specimen, trainlog
from golf_audit.bpb import CANONICAL_BYTES, PARTIAL, TOKENIZERS, implied_bytes, text_bytes, tokenizers_with
from golf_audit.law import FULL_SPLIT
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Track,
    Unmet,
    Verdict,
)
from golf_audit.premises import for_record, logs_of_the_claim, loss_beside, name_of, on_record, vocabulary
from golf_audit.reruns import instrumented, logs_measured, on_the_split
from golf_audit.submission import Case
from golf_audit.trainlog import Final, Reading, Run

PRECEDENTS = (
    Precedent(1835, "withdrawn", "a mixture scored on 3 million tokens"),
    Precedent(2039, "contested", "10,000 documents"),
)
_SPLIT = "score the published fineweb_val split in full"
_DATA = re.compile(r"(?:data|dataset|text|corpus)(?:s?_?(?:name|path|dir|root))?|(?:train|val)_files", re.I)
_SHARD = re.compile(r"fineweb_(?:train|val)[^/]*$")  # the challenge's file names hold any text
_NEUTRAL = {"", ".", "data", "datasets", "dataset", "shards", "tokens", "hub", "local", "none", "null"}


@dataclass(frozen=True)
class Coverage:
    """The share of the split behind a claimed number, and the sentence that says so. `of_run` when it is the
    share of the tokens that the run itself calls the split."""

    share: float
    says: str
    of_run: bool = False


def check(case: Case) -> Assessment:
    findings: list[Finding] = []
    unmet = list(logs_of_the_claim(case))
    basis: list[Evidence] = []
    reran = _measured(case)
    for line in case.submission.support.lines:
        scored = _scored(line.run, line.final)
        if isinstance(scored, Unmet):
            unmet.append(scored)
            continue
        evidence = Evidence(
            Kind.COMPUTED, f"{name_of(line.run)}: {scored.says}", line.final.where(line.run.file)
        )
        text = None if for_record(case) else _other_text(line.run)
        if text is not None and not scored.of_run and not PARTIAL <= scored.share <= 2 - PARTIAL:
            unmet.append(Unmet(f"{evidence.says}: {text.text.strip()[:80]} is not the FineWeb split", _SPLIT))
        elif scored.share >= PARTIAL:
            basis.append(evidence)
        else:
            findings.append(_finding(case, evidence, scored))
    if reran:
        unmet = []  # what the claimed logs do not tell was measured
    return Assessment(tuple(findings), tuple(unmet), basis=(*basis, *reran))


def _measured(case: Case) -> tuple[Evidence, ...]:
    """Reruns on the rule's data whose log accounts for the whole split."""
    said = []
    for rerun, run, final in logs_measured(case):
        scored = _scored(run, final)
        if not isinstance(scored, Unmet) and scored.share >= PARTIAL:
            says = f"rerun of seed {rerun.seed}: {scored.says} (ledger entry {rerun.entry})"
            said.append(Evidence(Kind.RUN, says))
    return (*said, *_counted(case))


def _counted(case: Case) -> tuple[Evidence, ...]:
    """Instrumented runs on the rule's data whose number counts the whole split, position by position."""
    return tuple(
        Evidence(Kind.RUN, f"{one.who}: {one.counted:,} of {one.targets:,} targets are behind the number")
        for one in instrumented(case)
        if one.attested and one.counted >= PARTIAL * one.targets and on_the_split(one.run)
    )


def _scored(run: Run, final: Final) -> Coverage | Unmet:
    printed = _printed(run, final)
    # a "bytes" that equals the number of validation tokens counts tokens, whatever it is called
    named_bytes = printed is not None and printed.what == "bytes"
    if printed is not None and named_bytes and not _counts_tokens(printed, run):
        share = printed.count / CANONICAL_BYTES
        return Coverage(share, f"the claimed line counts {printed.count:,} bytes of {CANONICAL_BYTES:,}")
    if run.val_tokens is None:
        return Unmet(f"{name_of(run)}: the number of validation tokens is not printed", "log val_tokens")
    tokens = run.val_tokens.value
    if printed is not None:
        says = f"the claimed line scores {printed.count:,} of {tokens:,} tokens"
        return Coverage(printed.count / tokens, says, of_run=True)
    pair = loss_beside(run, final)
    if pair is None or pair.loss is None:
        return Unmet(f"{name_of(run)}: the claimed line prints no loss", "log val_loss beside val_bpb")
    ratio = pair.loss / pair.bpb
    counted = text_bytes(tokens, ratio, tokenizers_with(vocabulary(run)) or TOKENIZERS)
    if counted is None:
        return Unmet(
            f"{name_of(run)}: loss / bpb {ratio:.3f} on the claimed line is no tokenizer's; another metric?"
        )
    share = counted / CANONICAL_BYTES
    by_ratio = max(_shares(run, tokens))
    if by_ratio < PARTIAL <= share:  # the tokens that the loader counts have more bytes than any result says
        return Unmet(
            f"{name_of(run)}: the run reads all {tokens:,} tokens, but no result's loss / bpb is more than "
            f"{by_ratio:.4f} of the split's: a part may have been scored",
            "log how many tokens were scored",
        )
    return Coverage(
        share, f"{counted / 1e6:.2f} of 151.08 million bytes behind {tokens:,} tokens ({share:.1%})"
    )


def _shares(run: Run, tokens: int) -> list[float]:
    """The share of the split's bytes that each result of a run implies: a mixture lowers only its own."""
    results = [f for f in (*run.finals, run.validation) if f is not None and f.loss is not None]
    return [implied_bytes(f.loss or 0.0, f.bpb, tokens) / CANONICAL_BYTES for f in results]


def _counts_tokens(printed: trainlog.Scored, run: Run) -> bool:
    return run.val_tokens is not None and printed.count == run.val_tokens.value


def _other_text(run: Run) -> Reading[str] | None:
    """The setting that names a text other than FineWeb, where no data setting names FineWeb."""
    other = None
    for name, reading in run.hyperparameters.items():
        if _DATA.fullmatch(name) is None and "dataset" not in name.lower():
            continue
        value = _SHARD.sub("", reading.value).strip("/").lower()
        if "fineweb" in value:
            return None
        if other is None and value.rsplit("/", 1)[-1] not in _NEUTRAL:
            other = reading
    paths = (run.train_files, run.val_files, run.tokenizer)
    said = [_SHARD.sub("", path.value).lower() for path in paths if path is not None]
    return None if any("fineweb" in path for path in said) else other


def _printed(run: Run, final: Final) -> trainlog.Scored | None:
    """What the claimed line, or the next one, says that it scored. Beside a plain val_bpb, `bytes` may be the
    artifact's: then only an explicit name counts."""
    plain = final.key.lower() in ("val_bpb", "bpb")
    for scored in run.scored:
        if not final.line <= scored.line <= final.line + 1:
            continue
        if scored.what == "bytes" and plain and not re.search(r"scored_bytes|N_\w{0,10}bytes", scored.text):
            continue
        return scored
    return None


def _finding(case: Case, evidence: Evidence, scored: Coverage) -> Finding:
    return Finding(
        f"only a part of the validation split is scored: {evidence.says}",
        Certainty.SHOWN,
        on_record(FULL_SPLIT, case),
        (evidence,),
        _SPLIT,
        PRECEDENTS,
    )


def _own_text(
    data: str = "./data/datasets/fineweb10B_sp8192",
    text: str = "stdlib",
    extra: tuple[str, ...] = (),
    bpb: float = 1.0801,
) -> dict[str, str]:
    """A small run whose log names its text."""
    log = specimen.log(tokens=8_160_000, data=data, settings={"text": text}, extra=extra)
    return specimen.folder(log, submission=specimen.claim(bpb))


RULE = Rule(
    id="B04",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="L X",
    check=check,
    cites=(FULL_SPLIT,),
    precedents=PRECEDENTS,
    examples=(
        Example("Every token.", specimen.folder(specimen.log()), Verdict.PASS, "of 151.08 million bytes"),
        Example(
            "A tail shorter than a sequence is dropped.",
            specimen.folder(specimen.log(tokens=40_540_160 - 2_047)),
            Verdict.PASS,
        ),
        Example(
            "Another tokenizer has another number of tokens.",
            specimen.folder(specimen.log(ratio=1.68845, tokens=62_021_632, settings={"vocab_size": 1024})),
            Verdict.PASS,
        ),
        Example(
            "All tokens are read; loss / bpb is that of another text.",
            specimen.folder(specimen.log(ratio=2.58310 * 0.985)),
            Verdict.UNDETERMINED,
            "a part may have been scored",
        ),
        Example("10,000 documents.", specimen.folder(specimen.log(tokens=8_160_000)), Verdict.FAIL, "20."),
        Example(
            "A mixture whose own line counts a fourteenth of the bytes.",
            specimen.folder(
                specimen.log(bpb=1.0801, extra=("ppm_mix bytes=10982035 mix_bpb=1.000300 nn_only=1.0776",)),
                submission=specimen.claim(1.0003),
            ),
            Verdict.FAIL,
            "10,982,035",
        ),
        Example(
            "A token count that its line calls bytes.",
            specimen.folder(
                specimen.log(extra=("ppm_mixer val_bpb:0.94289082 order=5 N_bytes=40540160",)),
                submission=specimen.claim(0.94289082),
            ),
            Verdict.PASS,
            "40,540,160 of 40,540,160 tokens",
        ),
        Example(
            "The artifact's bytes beside the score are not the scored bytes.",
            specimen.folder(
                specimen.log(bpb=1.0801, extra=("FINAL val_loss:2.78998 val_bpb:1.080083 bytes:15910022",)),
                submission=specimen.claim(1.080083),
            ),
            Verdict.PASS,
            "of 151.08 million bytes",
        ),
        Example(
            "A mixture over a subset of the tokens.",
            specimen.folder(
                specimen.log(
                    extra=(
                        "ppm_mix mix_bpb=1.000300 nn_only=1.0776",
                        "ppm_mix_time:47.1s subset=3000000 tokens",
                    )
                ),
                submission=specimen.claim(1.0003),
            ),
            Verdict.FAIL,
            "3,000,000 of",
        ),
        Example(
            "A mixture that lowers only its bpb has not scored less text.",
            specimen.folder(
                specimen.log(extra=("mixed_exact val_loss:2.74805744 val_bpb:1.08008310",)),
                submission=specimen.claim(1.0800831),
            ),
            Verdict.PASS,
            "of 151.08 million bytes",
        ),
        Example(
            "A wrong byte table is another rule's.",
            specimen.folder(specimen.log(ratio=specimen.SP8192 * 1.177)),
            Verdict.PASS,
            "of 151.08 million bytes",
        ),
        Example(
            "A loss of another metric tells nothing.",
            specimen.folder(specimen.log(ratio=0.6931)),
            Verdict.UNDETERMINED,
            "another metric",
        ),
        Example(
            "A part of the split off the record track needs a ruling.",
            specimen.folder(specimen.log(tokens=8_160_000)),
            Verdict.NEEDS_RULING,
            track=Track.NON_RECORD,
        ),
        Example(
            "A text of one's own off the record track is not this split.",
            _own_text(data="data"),
            Verdict.UNDETERMINED,
            "text: stdlib is not the FineWeb split",
            track=Track.NON_RECORD,
        ),
        Example(
            "Calling FineWeb another text does not help where a path names it.",
            _own_text(),
            Verdict.NEEDS_RULING,
            "only a part",
            track=Track.NON_RECORD,
        ),
        Example(
            "A path that says nothing is no other text.",
            _own_text(data="data", text="hub"),
            Verdict.NEEDS_RULING,
            "only a part",
            track=Track.NON_RECORD,
        ),
        Example(
            "A part of one's own text is a part.",
            _own_text(
                data="data",
                extra=("ppm_mix mix_bpb=1.000300 nn_only=1.0776", "ppm_mix_time:7.1s subset=300000 tokens"),
                bpb=1.0003,
            ),
            Verdict.NEEDS_RULING,
            "300,000 of",
            track=Track.NON_RECORD,
        ),
        Example(
            "On the record track another text is not the split.",
            _own_text(data="data"),
            Verdict.FAIL,
            "only a part",
        ),
        Example(
            "No token count, no answer.",
            specimen.folder(specimen.log(tokens=None)),
            Verdict.UNDETERMINED,
            "not printed",
        ),
    ),
)
