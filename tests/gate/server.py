"""A server that speaks as much of GitHub's REST interface as the gate asks for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

REPOSITORY = "openai/parameter-golf"


class GitHub:
    """Pull requests, comments and statuses of one repository; `may_write` is what the token allows."""

    def __init__(self, login: str = "github-actions[bot]") -> None:
        self.login = login
        self.may_write = True
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.statuses: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.fails: list[int] = []  # status codes to answer with before anything else
        self.address = ""

    def comment(self, login: str, body: str) -> None:
        self.comments.append({"id": 100 + len(self.comments), "body": body, "user": {"login": login}})

    def pull(self, number: int, head: str, owner: str = "someone", branch: str = "run") -> dict[str, Any]:
        told = {
            "number": number,
            "head": {"sha": head, "ref": branch, "label": f"{owner}:{branch}"},
            "base": {"ref": "main", "sha": "0" * 40, "repo": {"full_name": REPOSITORY}},
        }
        self.pulls.append(told)
        return told

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if self.fails:
            return self.fails.pop(0), {"message": "out of order"}
        if method != "GET" and not self.may_write:
            return 403, {"message": "Resource not accessible by integration"}
        place = path.removeprefix(f"/repos/{REPOSITORY}")
        if place == "/pulls":
            (label,) = query["head"]
            return 200, [p for p in self.pulls if p["head"]["label"] == label]
        if match := re.fullmatch(r"/pulls/(\d+)", place):
            found = [p for p in self.pulls if p["number"] == int(match[1])]
            return (200, found[0]) if found else (404, {"message": "Not Found"})
        if re.fullmatch(r"/issues/\d+/comments", place):
            if method == "POST":
                self.comment(self.login, body["body"])
                return 201, self.comments[-1]
            page, size = int(query["page"][0]), int(query["per_page"][0])
            return 200, self.comments[(page - 1) * size : page * size]
        if match := re.fullmatch(r"/issues/comments/(\d+)", place):
            (one,) = (c for c in self.comments if c["id"] == int(match[1]))
            one["body"] = body["body"]
            return 200, one
        if match := re.fullmatch(r"/statuses/([0-9a-f]+)", place):
            self.statuses.append((match[1], body))
            return 201, body
        return 404, {"message": "Not Found"}

    @contextmanager
    def serving(self) -> Iterator[GitHub]:
        github = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                told = urlparse(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                github.asked.append(f"{self.command} {told.path}")
                github.tokens.add(self.headers.get("Authorization"))
                status, answer = github.answer(self.command, told.path, parse_qs(told.query), body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("Location", f"{github.address}/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = _do  # noqa: N815 - names of the standard library

            def log_message(self, *_: Any) -> None:
                """Nothing on standard error."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
