"""Bytes per token are counted correctly.

Law    Tokenizer changes must prove that val_bpb is computed correctly (README, submission process).
       A space counted twice or byte fallback counted as 3 inflate the denominator (#1719, #1289;
       #1184 was removed).
Look   The script is evaluated, not executed, over a vocabulary of sample pieces: what does each pair of
       tokens add to the bytes that a loss is divided by? A table read from a file of the folder is held
       against the vocabulary beside it. A run divides the recorded losses by our own count of the bytes.
Blind  Tables and vocabularies that are not in the folder. Bytes read from a file beside the tokens are
       B03's, their sum is B02's.
"""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit import specimen
from golf_audit.bytetable import Count, Counting, Difference, count_bytes
from golf_audit.joining import joined
from golf_audit.law import BPB_CORRECT
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
    Unmet,
    Verdict,
    Where,
)
from golf_audit.submission import Case

PRECEDENTS = (
    Precedent(1545, "withdrawn", "leading space counted twice"),
    Precedent(1711, "withdrawn", "the same table"),
    Precedent(1184, "closed", "27 byte tokens counted as 3; removed by the organisers (#1806)"),
)
_TOKENIZERS = (".model", ".vocab", "tokenizer.json")
_PAIRS = 6  # differing pairs that a finding lists
_BYTE_VOCABULARY = 320
_SUPPLY = "golf-audit trace FOLDER counts the bytes in a run"
_CHANGE = (
    "count UTF-8 bytes without the leading U+2581, add 1 for it unless a control token comes before, "
    "1 for a byte piece, 0 for control, unknown and unused pieces"
)


def check(case: Case) -> Assessment:
    return joined(case, "B01", _read(case), BPB_CORRECT, precedents=PRECEDENTS)


def _read(case: Case) -> Assessment:
    submission = case.submission
    counting = count_bytes(submission.tree, submission.sources, submission.config)
    counts = counting.counts
    own = any(file.path.endswith(_TOKENIZERS) for file in submission.tree.files.values())
    wrong = [count for count in counts if _matters(count, own)]
    right = [count for count in counts if count.places and not _matters(count, own) and not count.lost]
    by_file = [count for count in counts if count.sidecar]
    findings = [_finding(count, alone=not right) for count in wrong]
    findings += _from_files(counting)
    basis = [_basis(count) for count in right] or [_sidecar(count) for count in by_file]
    unmet = _unmet(counting)
    constants = [count for count in counts if count.constant is not None]
    if not wrong and not basis and constants:
        if all(count.constant == 1.0 for count in constants) and _bytes_are_tokens(case):
            basis = [Evidence(Kind.SOURCE, "the tokens are bytes, each counts one", constants[0].used)]
        else:
            findings.append(_constant(constants[0], alone=not _knows_pieces(case)))
    elif not (findings or basis or unmet):
        unmet = (_not_followed(counts),)
    notes = tuple(_never(count) for count in right if count.differences)
    return Assessment(tuple(findings), unmet, notes, tuple(basis))


def _knows_pieces(case: Case) -> bool:
    """True when what is executed asks a tokenizer for its pieces somewhere, and may count them."""
    sources = case.submission.sources
    layers = [
        layer
        for file in sources.executed
        if file in sources.modules
        for layer in sources.modules[file].layers
    ]
    return any(word in layer.text for layer in layers for word in ("id_to_piece", "IdToPiece"))


def _not_followed(counts: Sequence[Count]) -> Unmet:
    """Why nothing at all can be said."""
    lost = [
        f"{count.used.file}, line {count.used.line}: {'; '.join(count.lost)}"
        for count in counts
        if count.lost
    ]
    return Unmet(lost[0] if lost else "no division by counted bytes was found in what is executed", _SUPPLY)


def _bytes_are_tokens(case: Case) -> bool:
    """True for a vocabulary of the 256 bytes and a few special tokens."""
    size = case.submission.config.get("VOCAB_SIZE")
    return size is not None and size.isdigit() and 256 <= int(size) <= _BYTE_VOCABULARY


def _matters(count: Count, own_tokenizer: bool) -> bool:
    """True when a text is counted wrongly. The challenge's tokenizers add no space at the start of a document
    and trim those there: a leading space after a boundary is only met with a tokenizer of one's own."""
    telling = [d for d in count.differences if d.occurs]
    return bool(telling) and (own_tokenizer or not _only_after_boundaries(telling))


def _unmet(counting: Counting) -> tuple[Unmet, ...]:
    missing = [Unmet(counting.problem, _SUPPLY)] if counting.problem else []
    for count in counting.counts:
        where = f"{count.used.file}, line {count.used.line}"
        if count.lost and count.bytes:
            missing.append(Unmet(f"{where}: {'; '.join(count.lost)}", _SUPPLY))
        if count.file and not any(table.fragments is not None for table in counting.tables):
            what = "the vocabulary" if counting.tables else "the file"
            message = f"{where}: the divisor is read from a file by np.load, and {what} is not in the folder"
            missing.append(Unmet(message, f"add {what} to the folder"))
    for place in counting.loose:
        where = f"{place.file}, line {place.line}"
        missing.append(
            Unmet(f"{where}: bytes are taken from the table and were not followed further", _SUPPLY)
        )
    return tuple(missing)


def _from_files(counting: Counting) -> list[Finding]:
    """Tables of the folder that count a part of a character otherwise than by its bytes."""
    uses = [count.used for count in counting.counts if count.file]
    findings = []
    for table in counting.tables if uses else ():
        if table.wrong:
            some = ", ".join(f"token {f.token} {f.text!r} counted {f.counted}" for f in table.wrong[:_PAIRS])
            whole = (
                f"{len(table.wrong)} of {len(table.fragments or ())} tokens that are a part of a character"
            )
            message = f"{table.file}: {whole} do not count their own bytes ({some})"
            evidence = [Evidence(Kind.FILE, message, Where(table.file))]
            evidence += [
                Evidence(Kind.SOURCE, "the score is divided by these bytes", use) for use in uses[:1]
            ]
            sure = Certainty.SHOWN if any(f.counted > len(f.text) for f in table.wrong) else Certainty.LIKELY
            findings.append(Finding(message, sure, BPB_CORRECT, tuple(evidence), _CHANGE, PRECEDENTS))
    return findings


def _constant(count: Count, alone: bool) -> Finding:
    assert count.constant is not None
    return Finding(
        f"the score is a loss over {count.constant:.3g} bytes for every token, whatever the token",
        Certainty.SHOWN if alone and count.constant > 1 else Certainty.LIKELY,
        BPB_CORRECT,
        (Evidence(Kind.SOURCE, "a constant for the bytes of a token", count.used),),
        _CHANGE,
        PRECEDENTS,
    )


def _finding(count: Count, alone: bool) -> Finding:
    """`alone`: nothing else in the program counts right, so it is this count that is reported."""
    telling = [d for d in count.differences if d.occurs]
    sure = alone and count.exact and not _only_after_boundaries(telling) and _more(telling)
    pairs = "; ".join(f"{_pair(d)}: {d.expected} expected, {d.counted:g} counted" for d in _some(telling))
    return Finding(
        f"{_cause(telling)}: {pairs}",
        Certainty.SHOWN if sure else Certainty.LIKELY,
        BPB_CORRECT,
        (
            Evidence(Kind.SOURCE, "the score is divided by these bytes", count.used),
            *(Evidence(Kind.SOURCE, "where the bytes are counted", place) for place in count.places),
        ),
        _CHANGE,
        PRECEDENTS,
    )


def _some(differences: Sequence[Difference]) -> list[Difference]:
    """A few pairs, each piece once."""
    by_piece: dict[str, Difference] = {}
    for difference in sorted(differences, key=lambda d: d.before.boundary):
        by_piece.setdefault(difference.piece.text, difference)
    return list(by_piece.values())[:_PAIRS]


def _pair(difference: Difference) -> str:
    return f"{_shown(difference.piece.text)} after {_shown(difference.before.text)}"


def _shown(text: str) -> str:
    return ascii(text)


def _only_after_boundaries(differences: Sequence[Difference]) -> bool:
    """A leading space counted at the start of a document."""
    return all(d.before.boundary and d.piece.text.startswith("\u2581") for d in differences)


def _more(differences: Sequence[Difference]) -> bool:
    """More bytes than the text has make the score better; fewer only hurt their author."""
    return any(d.counted > d.expected for d in differences)


def _cause(differences: Sequence[Difference]) -> str:
    marked = [d for d in differences if d.piece.text.startswith("\u2581") and not d.before.boundary]
    pieces = [d for d in differences if d.piece.text.startswith("<0x")]
    if len({d.counted for d in differences}) == 1 and len({d.piece for d in differences}) > 3:
        return "every token counts the same number of bytes"
    if marked and all(d.counted == d.expected + 1 for d in marked):
        return "the leading space of a piece is counted twice"
    if marked and all(d.counted in (d.expected + 2, d.expected + 3) for d in marked):
        return "the mark of a leading space is counted by its own three bytes"
    if pieces and all(d.counted == len(d.piece.text) for d in pieces):
        return "byte pieces are counted by the length of their name"
    if pieces and all(d.counted == 3 for d in pieces):
        return "byte pieces are counted as the replacement character"
    if _only_after_boundaries(differences):
        return "a leading space is counted after a boundary token too"
    if not _more(differences):
        return "fewer bytes are counted than the text has"
    return "the bytes of some tokens are counted wrongly"


def _basis(count: Count) -> Evidence:
    order = "" if count.ordered else ", if the second index is the token before"
    return Evidence(Kind.SOURCE, f"every pair of sample pieces counts its canonical bytes{order}", count.used)


def _never(count: Count) -> Evidence:
    pieces = sorted({_shown(d.piece.text) for d in count.differences})
    return Evidence(
        Kind.SOURCE, f"counted otherwise, but in no text: {', '.join(pieces[:_PAIRS])}", count.used
    )


def _sidecar(count: Count) -> Evidence:
    return Evidence(
        Kind.SOURCE, "the bytes are read from a file beside the tokens (see B03, B02)", count.used
    )


_TABLE = """
def build_tables(sp, size):
    base = np.zeros((size,), dtype=np.int16)
    space = np.zeros((size,), dtype=np.bool_)
    edge = np.ones((size,), dtype=np.bool_)
    for i in range(int(sp.vocab_size())):
        if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
            continue
        edge[i] = False
        if sp.is_byte(i):
            base[i] = 1
            continue
        piece = sp.id_to_piece(i)
        if piece.startswith("\\u2581"):
            space[i] = True
            piece = piece[1:]
        base[i] = len(piece.encode("utf-8"))
    return torch.tensor(base), torch.tensor(space), torch.tensor(edge)
"""
_COUNT = "(base[y] + (space[y] & ~edge[x]).to(torch.int16))"
_EVALUATE = """
def evaluate(model, tokens, base, space, edge):
    losses = torch.zeros((), dtype=torch.float64)
    count = torch.zeros((), dtype=torch.float64)
    for start in range(0, tokens.numel() - 1, 1024):
        part = tokens[start : start + 1025].to(torch.int64)
        x, y = part[:-1], part[1:]
        losses += F.cross_entropy(model(x), y, reduction="sum")
        count += COUNT.to(torch.float64).sum()
    return (losses / math.log(2.0) / count).item()


def main():
    size = int(os.environ.get("VOCAB_SIZE", "1024"))
    sp = spm.SentencePieceProcessor(model_file=os.environ["TOKENIZER_PATH"])
    tokens = load_tokens(os.environ["VAL_FILES"])
    print("val_bpb:", evaluate(GPT(size), tokens, *build_tables(sp, size)))


if __name__ == "__main__":
    main()
"""
_IMPORTS = (
    "import math\nimport os\n\nimport numpy as np\nimport sentencepiece as spm\nimport torch\n"
    "import torch.nn.functional as F\n\nfrom model import GPT, load_tokens\n\n"
)


def _script(table: str = _TABLE, count: str = _COUNT) -> dict[str, str]:
    text = _IMPORTS + table + "\n" + _EVALUATE.replace("COUNT", count)
    return specimen.folder(specimen.log(), files={"train_gpt.py": text})


RULE = Rule(
    id="B01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(BPB_CORRECT,),
    precedents=PRECEDENTS,
    examples=(
        Example("The challenge's own table and its use.", _script(), Verdict.PASS, "canonical bytes"),
        Example(
            "The space is in the table, and is not added again.",
            _script(
                _TABLE.replace("piece = piece[1:]", 'piece = " " + piece[1:]'),
                "(base[y] - (space[y] & edge[x]).to(torch.int16))",
            ),
            Verdict.PASS,
            "canonical bytes",
        ),
        Example(
            "A table that does not ask for unused pieces: there are none in a text.",
            _script(_TABLE.replace(" or sp.is_unused(i)", "")),
            Verdict.PASS,
            "in no text",
        ),
        Example(
            "A leading space counted twice.",
            _script(_TABLE.replace("piece = piece[1:]", 'piece = " " + piece[1:]')),
            Verdict.FAIL,
            "leading space of a piece is counted twice",
        ),
        Example(
            "Byte pieces counted by the length of their name.",
            _script(_TABLE.replace("base[i] = 1\n            continue", "pass")),
            Verdict.FAIL,
            "length of their name",
        ),
        Example(
            "Byte pieces counted by the character that they decode to alone.",
            _script(_TABLE.replace("base[i] = 1\n", 'base[i] = len(sp.decode([i]).encode("utf-8"))\n')),
            Verdict.FAIL,
            "'<0xC3>'",
        ),
        Example(
            "A table that nobody can see.",
            _script("\ndef build_tables(sp, size):\n    return np.load('tables.npz')['base'], None, None\n"),
            Verdict.UNDETERMINED,
            "not in the folder",
        ),
    ),
)
