"""Shards hold what was written, splits do not touch, loaders give each token its place."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from golf_ref.config import Cfg, preset
from golf_ref.data import (
    Data,
    Prefetcher,
    SequentialLoader,
    ShuffledLoader,
    load_data,
    make_loader,
    open_tokenizer,
    read_shard,
    write_shard,
)
from golf_ref.data_prepare import documents, prepare
from golf_ref.tokenizer import BOS_ID


def test_a_shard_is_the_challenge_s_bytes(tmp_path: Path) -> None:
    path = tmp_path / "fineweb_train_000000.bin"
    write_shard(path, np.array([1, 65535, 7]))
    raw = path.read_bytes()
    assert np.frombuffer(raw[:12], "<i4").tolist() == [20240520, 1, 3]
    assert raw[12:1024] == bytes(1012)
    assert raw[1024:] == b"\x01\x00\xff\xff\x07\x00"
    assert read_shard(path).tolist() == [1, 65535, 7]


@pytest.mark.parametrize("damage", ["magic", "version", "short", "long", "empty"])
def test_a_damaged_shard_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "shard.bin"
    write_shard(path, np.arange(5))
    raw = bytearray(path.read_bytes())
    if damage in ("magic", "version"):
        raw[0 if damage == "magic" else 4] += 1
    sizes = {"short": len(raw) - 2, "long": len(raw), "empty": 0}
    path.write_bytes(bytes(raw[: sizes.get(damage, len(raw))]) + (b"\0\0" if damage == "long" else b""))
    with pytest.raises(ValueError, match="shard"):
        read_shard(path)


def write_corpus(path: Path, n: int) -> list[str]:
    texts = [f"Document {i} says: the answer Is {i * i}." for i in range(n)]
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")
    return texts


def split_of(cfg: Cfg, folder: Path, prefix: str) -> list[str]:
    """The documents of one split, decoded from its shards."""
    files = [
        f for f in sorted(folder.glob(f"{prefix}_*.bin")) if "_bytes_" not in f.name or "bytes" in prefix
    ]
    ids = np.concatenate([read_shard(f) for f in files])
    starts = [*np.flatnonzero(ids == BOS_ID), len(ids)]
    tokenizer = open_tokenizer(cfg.data, folder)
    return [tokenizer.decode(ids[a + 1 : b]) for a, b in pairwise(starts)]


@pytest.mark.parametrize("caseops", [True, False])
def test_the_first_documents_are_validation_and_no_document_is_in_both_splits(
    tmp_path: Path, caseops: bool
) -> None:
    texts = write_corpus(tmp_path / "docs.jsonl", 30)
    with (tmp_path / "docs.jsonl").open("a") as file:
        file.write(
            json.dumps({"text": texts[2]}) + "\n"
        )  # a validation document comes back in the training part
    folder = tmp_path / "out"
    settings = [
        f"text={tmp_path / 'docs.jsonl'}",
        "val_docs=8",
        "shard_tokens=100",
        f"caseops_enabled={int(caseops)}",
    ]
    cfg = preset("tiny", [*settings, f"data_path={folder}", "eval_seq_len=16"])
    counts = prepare(cfg, folder)
    assert split_of(cfg, folder, "fineweb_val") == texts[:8]
    assert split_of(cfg, folder, "fineweb_train") == texts[8:]
    assert (counts["val_docs"], counts["train_docs"], counts["train_docs_equal_to_val"]) == (8, 22, 1)
    assert counts["val_bytes"] == sum(len(t.encode()) for t in texts[:8])
    assert counts == json.loads((folder / "split.json").read_text())
    data = load_data(cfg)
    kept = data.val_ids.numel()
    assert (kept - 1) % 16 == 0
    full = [int(b) for t in texts[:8] for b in (0, *open_tokenizer(cfg.data, folder).encode(t)[1])]
    assert data.val_bytes.tolist() == full[:kept]
    assert bool(list(folder.glob("fineweb_val_bytes_*"))) == caseops


def test_a_corpus_that_does_not_fill_both_splits_is_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path / "docs.jsonl", 8)
    cfg = preset("tiny", [f"text={tmp_path / 'docs.jsonl'}", "val_docs=8"])
    with pytest.raises(ValueError, match="do not fill"):
        prepare(cfg, tmp_path / "out")


def test_a_real_corpus_defaults_to_the_official_fifty_thousand(tmp_path: Path) -> None:
    write_corpus(tmp_path / "docs.jsonl", 20)
    cfg = preset("pr1855", [f"text={tmp_path / 'docs.jsonl'}", "tokenizer=byte264", "vocab_size=264"])
    with pytest.raises(ValueError, match="val_docs=50000"):
        prepare(cfg, tmp_path / "out")


def test_validation_with_another_number_of_documents_is_refused(tiny_cfg: Cfg) -> None:
    # the fingerprint of issue #2127: a split of 10,000 leaves 40,000 validation documents in training
    cfg = replace(tiny_cfg, data=replace(tiny_cfg.data, val_docs=50_000))
    with pytest.raises(ValueError, match="10 documents"):
        load_data(cfg)


def test_validation_under_caseops_without_its_sidecar_is_refused(tiny_cfg: Cfg, tmp_path: Path) -> None:
    for source in Path(tiny_cfg.data.data_path).glob("fineweb_*.bin"):
        if "_bytes_" not in source.name:
            (tmp_path / source.name).write_bytes(source.read_bytes())
    with pytest.raises(ValueError, match="sidecar"):
        load_data(replace(tiny_cfg, data=replace(tiny_cfg.data, data_path=str(tmp_path))))


def test_a_smaller_second_run_leaves_no_shard_of_the_first(tmp_path: Path) -> None:
    write_corpus(tmp_path / "docs.jsonl", 40)
    for max_docs, shards in ((40, 9), (20, 4)):
        cfg = preset(
            "tiny",
            [f"text={tmp_path / 'docs.jsonl'}", "val_docs=8", "shard_tokens=150", f"max_docs={max_docs}"],
        )
        prepare(cfg, tmp_path / "out")
        assert len(list((tmp_path / "out").glob("fineweb_train_*.bin"))) == shards


def test_stdlib_text_is_the_same_on_every_call_and_in_pieces() -> None:
    cfg = preset("tiny", ["max_docs=120"]).data
    texts = list(documents(cfg))
    assert texts == list(documents(cfg))
    assert len(texts) == 120
    assert all(0 < len(text) <= 600 for text in texts)


def test_no_stdlib_file_gives_to_both_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdefgh":
        (tmp_path / f"{name}.py").write_text(name * 1500)
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(tmp_path)})
    texts = list(documents(preset("tiny", ["val_docs=3", "max_docs=0"]).data))
    val, train = ({text[0] for text in part} for part in (texts[:3], texts[3:]))
    assert (len(val), len(train)) == (3, 5)
    assert not val & train
    assert sum(map(len, texts[3:])) == 5 * 1500


def test_sentencepiece_shards_from_text(tmp_path: Path) -> None:
    write_corpus(tmp_path / "docs.jsonl", 200)
    settings = [
        "tokenizer=sentencepiece",
        "tokenizer_model=own.model",
        "vocab_size=300",
        "val_docs=20",
        "eval_seq_len=16",
    ]
    cfg = preset("tiny", [*settings, f"text={tmp_path / 'docs.jsonl'}", f"data_path={tmp_path}"])
    counts = prepare(cfg, tmp_path)
    data = load_data(cfg)
    assert (tmp_path / "own.model").exists()
    assert counts["val_bytes"] == sum(len(t.encode()) for t in list(documents(cfg.data))[:20])
    assert data.val_ids.max() < 300


def counting_shards(folder: Path, lengths: list[int], bos_every: int = 10) -> tuple[Path, ...]:
    """Shards whose tokens count upwards from 100, with BOS at every tenth place from the third on."""
    files, value = [], 100
    for i, n in enumerate(lengths):
        ids = np.arange(value, value + n)
        ids[3::bos_every] = BOS_ID
        files.append(folder / f"fineweb_train_{i:06d}.bin")
        write_shard(files[-1], ids)
        value += n
    return tuple(files)


def test_packed_documents_start_on_bos_and_targets_follow_inputs(tmp_path: Path) -> None:
    files = counting_shards(tmp_path, [60])
    batch = SequentialLoader(files, seq_len=6, T=20, rank=0, world=1, documents=True, pad_to=1).next_batch()
    tokens = read_shard(files[0])
    assert batch.ids.tolist() == tokens[3:23].tolist()
    assert batch.targets.tolist() == tokens[4:24].tolist()
    assert batch.segments.cu_seqlens.tolist() == [0, 6, 10, 16, 20]


def test_ranks_read_neighbouring_spans_of_one_cursor(tmp_path: Path) -> None:
    files = counting_shards(tmp_path, [200])
    loaders = [SequentialLoader(files, 8, 16, rank, 2, documents=False, pad_to=1) for rank in (0, 1)]
    tokens = read_shard(files[0]).astype(int)
    for step in range(3):
        for rank, loader in enumerate(loaders):
            start = 17 * (2 * step + rank)
            assert loader.next_batch().ids.tolist() == tokens[start : start + 16].tolist()


def test_micro_batches_of_one_rank_are_the_batches_of_two(tmp_path: Path) -> None:
    # why 2 ranks and 1 rank with accumulation train on the same tokens
    files = counting_shards(tmp_path, [200])
    alone = SequentialLoader(files, 8, 16, 0, 1, documents=True, pad_to=1)
    pair = [SequentialLoader(files, 8, 16, rank, 2, documents=True, pad_to=1) for rank in (0, 1)]
    for _ in range(3):
        for loader in pair:
            assert torch.equal(alone.next_batch().ids, loader.next_batch().ids)


def test_a_short_tail_is_dropped_and_after_the_last_file_comes_the_first(tmp_path: Path) -> None:
    files = counting_shards(tmp_path, [25, 40])
    loader = SequentialLoader(files, 8, 16, 0, 1, documents=False, pad_to=1)
    firsts = [int(loader.next_batch().ids[0]) for _ in range(4)]
    assert firsts == [100, 125, 142, 100]


@pytest.mark.parametrize("lengths", [[10], [10, 12]])
def test_shards_shorter_than_a_step_are_refused(tmp_path: Path, lengths: list[int]) -> None:
    loader = SequentialLoader(counting_shards(tmp_path, lengths), 8, 16, 0, 1, documents=False, pad_to=1)
    with pytest.raises(ValueError, match="holds 1 x 17"):
        loader.next_batch()


def test_a_training_shard_without_bos_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "fineweb_train_000000.bin", np.arange(100, 200))
    with pytest.raises(ValueError, match="BOS"):
        SequentialLoader((tmp_path / "fineweb_train_000000.bin",), 8, 16, 0, 1, documents=True, pad_to=1)


def test_shuffled_windows_do_not_overlap_within_a_pass_and_ranks_share_no_file(tmp_path: Path) -> None:
    files = counting_shards(tmp_path, [100, 100, 100, 100], bos_every=1000)
    seen: list[set[int]] = []
    for rank in (0, 1):
        loader = ShuffledLoader(files, seq_len=8, T=16, rank=rank, world=2)
        ids = torch.cat([loader.next_batch().ids for _ in range(10)])
        ids = ids[ids != BOS_ID]
        assert len(ids.unique()) == len(ids)
        seen.append(set(ids.tolist()))
    assert not seen[0] & seen[1]


def test_the_shuffled_loader_goes_on_after_its_last_window(tmp_path: Path) -> None:
    loader = ShuffledLoader(counting_shards(tmp_path, [40]), seq_len=8, T=16, rank=0, world=1)
    batches = [loader.next_batch() for _ in range(12)]
    assert all(torch.equal(b.ids.view(2, 8)[:, 1:], b.targets.view(2, 8)[:, :-1]) for b in batches)
    assert batches[0].segments.cu_seqlens.tolist() == [0, 8, 16]


def test_prefetching_changes_no_batch(tiny_cfg: Cfg, tiny_data: Data) -> None:
    direct = make_loader(tiny_cfg, tiny_data.train_files, 0, 1)
    ahead = Prefetcher(make_loader(tiny_cfg, tiny_data.train_files, 0, 1), torch.device("cpu"))
    for _ in range(5):
        assert torch.equal(direct.next_batch().ids, ahead.next_batch().ids)
    ahead.close()
