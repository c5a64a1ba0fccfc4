"""Published shards from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from golf_ref.config import DataCfg
from golf_ref.data import read_shard
from golf_ref.log import progress


def fetch_shards(cfg: DataCfg, out_dir: Path, endpoint: str | None = None) -> list[Path]:
    """Download the first hub_train_shards training shards, validation, its sidecar and the tokenizer."""
    from huggingface_hub import HfApi, hf_hub_download

    remote = HfApi(endpoint=endpoint).list_repo_files(cfg.hub_repo, repo_type="dataset")
    names = select_files(cfg, remote)
    kept = []
    for name in progress(names, len(names), f"fetch {cfg.hub_repo}"):
        target = out_dir / PurePosixPath(name).name
        if not target.exists():
            got = hf_hub_download(
                cfg.hub_repo, name, repo_type="dataset", local_dir=out_dir / "hub", endpoint=endpoint
            )
            if target.suffix == ".bin":
                read_shard(Path(got))  # a broken download ends here, not an hour into a run
            Path(got).replace(target)
        kept.append(target)
    return kept


def select_files(cfg: DataCfg, remote: list[str]) -> list[str]:
    """The files of one dataset in a repository that may hold several; ValueError if some are missing."""
    shards = sorted(name for name in remote if PurePosixPath(name).parent.name == cfg.hub_dataset)
    train = [name for name in shards if PurePosixPath(name).match("fineweb_train_*.bin")]
    val = [name for name in shards if PurePosixPath(name).match("fineweb_val_*.bin")]
    tokenizer = [name for name in remote if PurePosixPath(name).name == cfg.tokenizer_model]
    if len(train) < cfg.hub_train_shards or not val:
        raise ValueError(
            f"{cfg.hub_repo} has {len(train)} training and {len(val)} validation shards of {cfg.hub_dataset}"
        )
    return train[: cfg.hub_train_shards] + val + tokenizer[:1]
