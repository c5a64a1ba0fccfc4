"""`pytest --snap` rewrites the whole reports in tests/snapshots/ instead of comparing with them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine must not fail a property: time is measured by benchmarks, not by tests.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell that runs the tests in the background has SIGINT ignored, and every child would inherit that: tests
# that stop a command by hand need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

SNAPSHOTS = Path(__file__).parent / "snapshots"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--snap", action="store_true", help="write tests/snapshots/ anew; read the diff before committing"
    )


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the committed file of that name, or write the file under --snap."""

    def check(name: str, text: str) -> None:
        path = SNAPSHOTS / name
        if request.config.getoption("--snap"):
            path.write_bytes(text.encode())
        assert path.is_file(), f"no snapshot {name}; pytest --snap writes it"
        assert text == path.read_bytes().decode(), f"{name} differs; pytest --snap rewrites it"

    return check
