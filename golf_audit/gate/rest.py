"""GitHub's REST interface, as far as the gate needs it. No redirects: the token goes to one host only."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from golf_audit import __version__
from golf_audit.errors import InternalError

_TIMEOUT = 30.0
_ANSWER_CAP = 16 << 20
_PAGES = 50
"""Pages of a hundred that are read of one list."""
_TRIES = 3


class RestError(InternalError):
    """GitHub refused or did not answer; `status` is 0 where there was no answer."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(says)
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirect would carry the token to another address."""


class Rest:
    """Requests to one server. Reading is tried again, writing is not: it might have happened."""

    def __init__(self, server: str, token: str, pause: float = 1.0) -> None:
        if not server.startswith(("https://", "http://")):
            raise RestError(0, f"not the address of a REST interface: {server[:80]!r}")
        self._server = server.rstrip("/")
        self._token = token
        self._pause = pause
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str, **query: str | int) -> Any:
        """One object or list."""
        for attempt in range(_TRIES):
            try:
                return self._ask("GET", path, query, None)
            except RestError as error:
                if attempt + 1 == _TRIES or 0 < error.status < 500:
                    raise
                time.sleep(self._pause * 2**attempt)
        raise AssertionError("the loop returns or raises")

    def items(self, path: str, **query: str | int) -> Iterator[Any]:
        """Every entry of a list, over its pages."""
        for page in range(1, _PAGES + 1):
            found = self.get(path, per_page=100, page=page, **query)
            if not isinstance(found, list):
                raise RestError(0, f"GitHub gave no list for {path}")
            yield from found
            if len(found) < 100:
                return

    def write(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """POST or PATCH."""
        return self._ask(method, path, {}, body)

    def _ask(self, method: str, path: str, query: dict[str, Any], body: dict[str, Any] | None) -> Any:
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        request = urllib.request.Request(
            self._server + path + asked,
            data=json.dumps(body).encode() if body is not None else None,
            method=method,
            headers={
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "User-Agent": f"golf-audit/{__version__}",
                "X-GitHub-Api-Version": "2022-11-28",
                **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
            },
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return json.loads(answer.read(_ANSWER_CAP))
        except urllib.error.HTTPError as error:
            with error:
                says = _message(error.read(4096))
            raise RestError(error.code, f"GitHub answered {error.code} to {method} {path}: {says}") from None
        except (OSError, ValueError) as error:
            raise RestError(0, f"no answer to {method} {path}: {error}") from None


def _message(data: bytes) -> str:
    """What GitHub's error says, else nothing."""
    try:
        told = json.loads(data)
    except ValueError:
        return "no reason given"
    return str(told.get("message", "no reason given"))[:200] if isinstance(told, dict) else "no reason given"
