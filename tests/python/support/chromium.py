"""What does a reader do in a real browser? A page from disk in a headless Chromium."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: scripts/setup --for test")
from selenium.webdriver.chrome.service import Service  # noqa: E402 # known to be there only now
from selenium.webdriver.common.by import By  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-device-scale-factor=1",
)  # fmt: skip
WIDE = (1440, 1000)
SHORT = 0.02  # seconds between two looks


class Browser:
    """A page from disk in a headless Chromium, and what a reader does there."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, page: Path, size: tuple[int, int] = WIDE, fragment: str = "", **features: str) -> None:
        self.resize(size)
        self.media(**features)
        self.driver.get("about:blank")
        self.driver.get(f"{page.as_uri()}{fragment}")
        self.wait(lambda: self.run("return document.documentElement.classList.contains('settled')"))

    def media(self, media: str = "screen", **features: str) -> None:
        named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.command("Emulation.setEmulatedMedia", media=media, features=named)

    def resize(self, size: tuple[int, int]) -> None:
        width, height = size
        wanted = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.command("Emulation.setDeviceMetricsOverride", **wanted)

    def command(self, name: str, **arguments: object) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        self.run("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", self.find(selector))
        self.find(selector).click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def point(self, x: float, y: float) -> None:
        self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def style(self, selector: str, name: str) -> Any:
        return self.run("return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, name)

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map(element => element.textContent)"
        return list(self.run(script, selector))

    def downloaded(self, name: str) -> bytes:
        file = self.downloads / name
        self.wait(lambda: file.exists() and file.stat().st_size > 0)
        return file.read_bytes()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    @staticmethod
    def wait(happened: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(SHORT)


def running_browser(
    folders: pytest.TempPathFactory, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Browser]:
    """A browser while it runs. Skips the test where none is installed."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no Chromium with its chromedriver is installed: scripts/setup --for test")
    downloads = folders.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for option in (*OPTIONS, f"--user-data-dir={folders.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(driver, env={**os.environ, **environment})
    running = webdriver.Chrome(service=service, options=options)
    try:
        browser = Browser(running, downloads)
        browser.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        yield browser
    finally:
        running.quit()
