"""One tab of the browser, as tests speak of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Tab:
    """Opens pages, reads them, and keeps what the browser complained about: its console and the policy."""

    def __init__(self, driver: Any, files: Mapping[str, Path]) -> None:
        self.driver, self._files = driver, files
        self.complaints: list[str] = []

    def open(self, name: str, anchor: str = "") -> None:
        self._collect()
        self.driver.get("about:blank")  # the same address with another hash would not load again
        self.driver.get(self._files[name].as_uri() + (f"#{anchor}" if anchor else ""))
        self._collect()

    def js(self, script: str, *arguments: Any) -> Any:
        """The value of a script's return statement."""
        value = self.driver.execute_script(script, *arguments)
        self._collect()
        return value

    def find(self, css: str) -> Any:
        return self.driver.find_element("css selector", css)

    def all(self, css: str) -> list[Any]:
        """Elements that a reader can see."""
        return [e for e in self.driver.find_elements("css selector", css) if e.is_displayed()]

    def texts(self, css: str) -> list[str]:
        return [element.text for element in self.all(css)]

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def until(self, holds: Callable[[], object]) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 10).until(lambda _: holds())

    def look(self, *, width: int = 1200, scheme: str = "light", media: str = "") -> None:
        """The window's width, the reader's colours and the medium ("print")."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        colours = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": colours})

    def scripts(self, allowed: bool) -> None:
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not allowed})

    def reset(self) -> None:
        self.scripts(True)
        self.look()

    def in_view(self, element: Any) -> bool:
        script = (
            "const box = arguments[0].getBoundingClientRect();"
            "return box.bottom > 0 && box.top < innerHeight && box.width > 0"
        )
        return bool(self.js(script, element))

    def _collect(self) -> None:
        self.complaints += [entry["message"] for entry in self.driver.get_log("browser")]
        self.complaints += self.driver.execute_script("return (window.violations || []).splice(0)") or []
