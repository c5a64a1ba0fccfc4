"""Whom the recorder says a call asked: the machine's own doors are told apart from others, and no port of
the moment is told."""

from __future__ import annotations

import socket
from typing import Any

import pytest

pytest.importorskip("torch")

from golf_audit.dynamic.child.recorder.outside import asked
from golf_audit.dynamic.messages import HERE


@pytest.mark.parametrize(
    ("event", "args", "whom"),
    [
        ("socket.getaddrinfo", ("example.invalid", 443, 0, 1, 0), "example.invalid:443"),
        ("socket.getaddrinfo", (b"example.invalid", None, 0, 0, 0), "example.invalid"),
        ("socket.gethostbyname", ("example.invalid",), "example.invalid"),
        ("socket.getaddrinfo", (None, 0, 0, 1, 0), HERE),
        ("socket.getaddrinfo", ("::1", 29500, 0, 1, 0), HERE),
        ("socket.gethostbyname", (socket.gethostname(),), HERE),
        ("socket.getaddrinfo", ("169.254.169.254", 80, 0, 1, 0), "169.254.169.254:80"),
    ],
)
def test_whom_a_look_up_asks(event: str, args: tuple[Any, ...], whom: str) -> None:
    assert asked(event, args) == whom


@pytest.mark.parametrize(
    ("kind", "event", "address", "whom"),
    [
        (socket.SOCK_STREAM, "socket.connect", ("203.0.113.9", 80), "203.0.113.9:80"),
        (socket.SOCK_STREAM, "socket.connect", ("127.0.0.1", 40123), HERE),
        (socket.SOCK_DGRAM, "socket.connect", ("8.8.8.8", 80), ""),  # asks for its own address, sends nothing
        (socket.SOCK_DGRAM, "socket.sendto", ("8.8.8.8", 53), "8.8.8.8:53"),
    ],
)
def test_whom_a_socket_asks(kind: int, event: str, address: Any, whom: str) -> None:
    with socket.socket(socket.AF_INET, kind) as asking:
        assert asked(event, (asking, address)) == whom


def test_a_socket_in_the_file_system_stays_here() -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        assert asked("socket.connect", (asking, "/tmp/pymp-x1y2/listener")) == HERE
