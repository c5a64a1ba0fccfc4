"""Tokens carry the bytes of the text they stand for: neither one too many nor one too few."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golf_ref.caseops import OPERATORS
from golf_ref.tokenizer import Byte264, ByteTable, SentencePieceTokenizer, bytes_by_table, train_sentencepiece

any_text = st.text(max_size=40) | st.text(st.sampled_from("aB \u00e9" + OPERATORS), max_size=20)


@given(any_text, st.booleans())
def test_byte264_round_trips_and_charges_every_byte_once(text: str, caseops: bool) -> None:
    tokenizer = Byte264(caseops)
    ids, budget = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert int(budget.sum()) == len(text.encode())
    assert ids.size == 0 or (ids.min() >= 4 and ids.max() < 264)


def test_byte264_ids_are_those_of_the_caseops_sentencepiece_model() -> None:
    # 4 specials, U+E001..U+E004 as 4..7, byte b as 8 + b: "Ab" is TITLE a b
    ids, budget = Byte264(caseops=True).encode("Ab")
    assert ids.tolist() == [4, 8 + ord("a"), 8 + ord("b")]
    assert budget.tolist() == [0, 1, 1]


def test_an_operator_in_the_text_itself_costs_its_three_bytes() -> None:
    ids, budget = Byte264(caseops=True).encode("\ue002")
    assert ids.tolist() == [7, 5]
    assert budget.tolist() == [0, 3]


def test_byte264_refuses_special_ids_as_text() -> None:
    with pytest.raises(ValueError, match="special"):
        Byte264(caseops=True).decode([1])


def test_a_leading_blank_counts_only_after_a_token_that_is_text() -> None:
    #             control     byte        "_the"      "a"
    table = ByteTable(np.array([0, 1, 3, 1]), np.array([0, 0, 1, 0], bool), np.array([1, 0, 0, 0], bool))
    assert bytes_by_table(np.array([0, 2, 2, 3, 1, 2]), table).tolist() == [0, 3, 4, 1, 1, 4]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "caseops"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SentencePieceTokenizer:
    words = [
        "The",
        "quick",
        "brown",
        "Fox",
        "jumps",
        "over",
        "the",
        "lazy",
        "DOG",
        "while",
        "iPhones",
        "ring",
        "and",
        "NASA",
        "counts",
        "1",
        "2",
        "3",
    ]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 12)) for _ in range(300)]
    model_file = tmp_path_factory.mktemp("sp") / "small.model"
    train_sentencepiece(texts, 300, model_file, caseops=request.param)
    return SentencePieceTokenizer(model_file, caseops=request.param)


@pytest.mark.parametrize(
    "text",
    ["The DOG jumps", "lazy iPhones 12", "NASA", "a \u00e9t\u00e9 \U0001f600 b", "the  quick", "x\ty"],
    ids=["case", "inner capital", "caps", "byte fallback", "two blanks", "tab"],
)
def test_sentencepiece_with_caseops_charges_the_original_bytes(
    trained: SentencePieceTokenizer, text: str
) -> None:
    ids, budget = trained.encode(text)
    assert len(ids) == len(budget)
    normalised = " ".join(text.split())  # without the sidecar only the normalised text is known
    assert int(budget.sum()) == len((text if trained.caseops else normalised).encode())


def test_sentencepiece_trims_blanks_at_both_ends_and_does_not_charge_them(
    trained: SentencePieceTokenizer,
) -> None:
    assert int(trained.encode("  the DOG ")[1].sum()) == len("the DOG")


def test_case_operators_are_ids_four_to_seven_as_in_the_published_model(
    trained: SentencePieceTokenizer,
) -> None:
    pieces = [trained.model.id_to_piece(i) for i in range(4, 8)]
    assert pieces == (list(OPERATORS) if trained.caseops else ["<0x00>", "<0x01>", "<0x02>", "<0x03>"])


def test_a_model_without_a_blank_piece_is_refused(tmp_path: Path) -> None:
    from sentencepiece import SentencePieceTrainer

    SentencePieceTrainer.train(
        sentence_iterator=iter(["abcabc", "cabab"] * 20),
        model_prefix=str(tmp_path / "bad"),
        vocab_size=12,
        model_type="bpe",
        add_dummy_prefix=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(ValueError, match="U\\+2581"):
        SentencePieceTokenizer(tmp_path / "bad.model", caseops=False)
