"""A headless Chromium of the system, and the pages that it opens; `make test-browser` installs both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import PAGES
from tests.browser.tab import Tab

AXE = Path(os.environ.get("GOLF_AUDIT_AXE", ".cache/browser/node_modules/axe-core/axe.min.js"))


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """One browser for all tests; a process of its own, ended with the session."""
    from selenium import webdriver  # imported here: only these tests need it
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or ""))
    # A busy machine must not fail a test: axe looks at every element of a page.
    found.set_script_timeout(300)
    found.command_executor.client_config.timeout = 320
    # A violation of the policy is an event of the page: listened for before anything of the page runs.
    listen = (
        "window.violations = []; document.addEventListener('securitypolicyviolation',"
        " event => window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));"
    )
    found.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": listen})
    yield found
    found.quit()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every page as a file, by name."""
    folder = tmp_path_factory.mktemp("pages")
    made = {name: folder / f"{name}.html" for name in PAGES}
    for name, path in made.items():
        path.write_text(PAGES[name](), encoding="utf-8")
    return made


@pytest.fixture
def tab(driver: Any, files: dict[str, Path]) -> Iterator[Tab]:
    """The browser at its defaults; at the end nothing may have been complained about."""
    found = Tab(driver, files)
    found.reset()
    yield found
    assert found.complaints == []
    found.reset()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, which npm fetched: it is not ours and not committed."""
    assert AXE.is_file(), f"no {AXE}: make test-browser fetches it"
    return AXE.read_text(encoding="utf-8")
