"""Fetching published shards from a hub: the real client against a small server on this machine."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from golf_ref.config import preset
from golf_ref.data import load_data, write_shard
from golf_ref.hub import fetch_shards, select_files

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CFG = preset(
    "pr1855",
    [
        "hub_repo=someone/golf",
        "hub_dataset=set_a",
        "hub_train_shards=2",
        "tokenizer_model=own.model",
        "val_docs=2",
    ],
)


class FakeHub(BaseHTTPRequestHandler):
    """The three answers that the client needs: the list of files, a file's metadata, a file."""

    files: ClassVar[dict[str, bytes]] = {}
    served: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        if re.fullmatch(r"/api/datasets/someone/golf(/revision/main)?", self.path.split("?")[0]):
            siblings = [{"rfilename": name} for name in self.files]
            return self.answer({"id": "someone/golf", "sha": COMMIT, "siblings": siblings})
        if self.path.startswith("/api/datasets/someone/golf/tree/main"):
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.files.items()
            ]
            return self.answer(entries)
        return self.send_stored(body=True)

    def do_HEAD(self) -> None:
        self.send_stored(body=False)

    def send_stored(self, body: bool) -> None:
        name = re.sub(r"^/datasets/someone/golf/resolve/[^/]+/", "", self.path)
        data = self.files.get(name)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(data or b"").hexdigest()}"')
        self.end_headers()
        if body and data is not None:
            self.served.append(name)
            self.wfile.write(data)

    def answer(self, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    FakeHub.files, FakeHub.served = published(tmp_path / "published"), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def published(folder: Path) -> dict[str, bytes]:
    """A repository with two data sets, of which set_a has three training shards, validation and a sidecar."""
    folder.mkdir()
    document = np.array([1, *range(8, 3000)])
    names = ["train_000000", "train_000001", "train_000002", "val_000000", "val_bytes_000000"]
    files = {}
    for n, name in enumerate(names):
        write_shard(folder / name, np.concatenate((document, document[:-1], [8 + n])))
        files[f"datasets/set_a/fineweb_{name}.bin"] = (folder / name).read_bytes()
    files["datasets/set_b/fineweb_train_000000.bin"] = b"another data set"
    files["tokenizers/own.model"] = b"a model"
    files["tokenizers/other.model"] = b"another model"
    return files


def test_the_named_data_set_and_tokenizer_are_fetched_and_nothing_else(hub: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    kept = fetch_shards(CFG.data, out, endpoint=hub)
    names = {
        "fineweb_train_000000.bin",
        "fineweb_train_000001.bin",
        "fineweb_val_000000.bin",
        "fineweb_val_bytes_000000.bin",
        "own.model",
    }
    assert {path.name for path in kept} == names
    assert {Path(name).name for name in FakeHub.served} == names
    remote = {Path(name).name: data for name, data in FakeHub.files.items() if "set_b" not in name}
    assert all(path.read_bytes() == remote[path.name] for path in kept)


def test_fetched_shards_load_as_a_run_s_data(hub: str, tmp_path: Path) -> None:
    fetch_shards(CFG.data, tmp_path, endpoint=hub)
    data = load_data(preset("pr1855", [f"data_path={tmp_path}", "val_docs=2"]))
    assert len(data.train_files) == 2
    assert len(data.val_ids) == 2 * 2048 + 1


def test_what_is_there_is_not_fetched_again(hub: str, tmp_path: Path) -> None:
    fetch_shards(CFG.data, tmp_path, endpoint=hub)
    FakeHub.served.clear()
    fetch_shards(CFG.data, tmp_path, endpoint=hub)
    assert FakeHub.served == []


def test_a_broken_shard_is_noticed_at_once(hub: str, tmp_path: Path) -> None:
    name = "datasets/set_a/fineweb_train_000001.bin"
    FakeHub.files[name] = FakeHub.files[name][:-2]
    with pytest.raises(ValueError, match="fineweb_train_000001"):
        fetch_shards(CFG.data, tmp_path, endpoint=hub)


@pytest.mark.parametrize(
    "remote",
    [[], ["datasets/set_a/fineweb_train_000000.bin", "datasets/set_a/fineweb_val_000000.bin"]],
    ids=["no data set of that name", "fewer training shards than asked for"],
)
def test_a_repository_that_lacks_what_is_asked_for_is_an_error(remote: list[str]) -> None:
    with pytest.raises(ValueError, match="set_a"):
        select_files(CFG.data, remote)
