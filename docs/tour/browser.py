"""A headless Chromium that is driven through Dagster's pages, for `take_pictures.py` and for the tests of the pages.

Belongs here: finding and clicking elements, and the dialog that launches partitions. Does not belong here: which
pictures are taken, or what is launched.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from plr_assets.errors import PlrError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# no sandbox: it cannot be had as root, in a container; only our own pages are opened, and nothing else is asked for
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
_SHARPNESS = 1.5  # pixels a CSS pixel: legible on a dense display, still small as a file
_PAGE_S = 60.0

# An element is replaced while one looks at it; something is in front of it for the moment.
_PASSING = (StaleElementReferenceException, ElementClickInterceptedException)
_DIALOG = "//*[@role='dialog']"


class TourError(PlrError):
    """A page does not show what is looked for, or no browser is there to show it."""


class Browser:
    """A headless Chromium: pages by address, elements by what they say."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def size(self, width: int, height: int) -> None:
        # emulated: a window's size includes bars that differ between versions
        screen = {"width": width, "height": height, "deviceScaleFactor": _SHARPNESS, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def remember(self, url: str, settings: Mapping[str, str]) -> None:
        """Put a site's settings where the site keeps them: clicks into menus would differ between versions."""
        self.driver.get(url)
        for name, value in settings.items():
            self.driver.execute_script("localStorage.setItem(arguments[0], arguments[1])", name, value)

    def open(self, url: str) -> None:
        self.driver.get("about:blank")  # only a change of fragment would not load the page
        self.driver.get(url)

    def until(self, holds: Callable[[], Any], what: str, seconds: float = _PAGE_S) -> Any:
        """The first true value of `holds`, which may look at elements that are being replaced."""
        wait = WebDriverWait(self.driver, seconds, ignored_exceptions=_PASSING)
        try:
            return wait.until(lambda _: holds())
        except TimeoutException:
            raise TourError(
                self.driver.current_url,
                f"there is no {what} after {seconds:.0f} s.",
                "Look at the page (`make ui`): it may be named otherwise in this version.",
            ) from None

    def shown(self, xpath: str) -> list[WebElement]:
        return [found for found in self.driver.find_elements(By.XPATH, xpath) if found.is_displayed()]

    def text(self, text: str, seconds: float = _PAGE_S) -> WebElement:
        """The innermost element that says exactly `text`."""
        found: list[WebElement] = self.until(
            lambda: self.shown(f"//*[normalize-space(text())='{text}']"), repr(text), seconds
        )
        return found[-1]

    def click(self, xpath: str) -> None:
        def clicked() -> bool:
            found = self.shown(xpath)
            if found:
                found[-1].click()
            return bool(found)

        self.until(clicked, xpath)

    def press(self, key: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(key).perform()

    def picture(self, rest_s: float = 0.0) -> Image.Image:
        """The page once it has come to rest: two pictures in a row, `rest_s` apart, that are the same."""
        last = b""

        def at_rest() -> bool:
            nonlocal last
            time.sleep(rest_s)
            before, last = last, self.driver.get_screenshot_as_png()
            return before == last

        self.until(at_rest, "page at rest")
        return Image.open(io.BytesIO(last))


def programs() -> tuple[str, str]:
    """Chromium and its driver. Raises TourError if one is not installed."""
    chromium = next(filter(None, map(shutil.which, _BROWSERS)), None)
    chromedriver = shutil.which("chromedriver")
    for name, path in (("chromium", chromium), ("chromedriver", chromedriver)):
        if path is None:
            raise TourError(
                name, "it is not on the PATH.", "Install both, for instance: apt-get install chromium chromium-driver."
            )
    return str(chromium), str(chromedriver)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own. Raises TourError if Chromium or its driver is not installed."""
    chromium, chromedriver = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # the browser may still write into it as it ends
    with tempfile.TemporaryDirectory(prefix="plr-browser-", ignore_cleanup_errors=True) as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        # a driver that is named: selenium would otherwise look for one to download
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


# -- Dagster's dialog --------------------------------------------------------------------------------------------------


def partition_page(port: int, study: str, asset: str, partition: str = "") -> str:
    chosen = f"&partition={quote(partition)}" if partition else ""
    return f"http://127.0.0.1:{port}/assets/{study}/{asset}?view=partitions{chosen}"


def open_dialog(page: Browser, url: str) -> None:
    """The dialog that launches partitions of the asset whose page `url` is."""
    page.open(url)
    # clicked before the partitions are loaded, the button opens a dialog for none
    loaded = "//*[contains(., 'Partitions Selected') and not(starts-with(normalize-space(.), '0 '))]"
    page.until(lambda: page.shown(loaded), "list of partitions")
    page.click("//button[starts-with(normalize-space(.), 'Materialize')]")
    page.text("Partition selection")


def choose_partitions(page: Browser, keys: Sequence[str]) -> None:
    """Tick `keys`, and nothing else, in the open dialog."""
    page.click(f"{_DIALOG}//button[normalize-space(.)='Custom']")
    page.click(f"{_DIALOG}//span[contains(., 'selected') or contains(., 'Select partition')]")
    menu = "//*[@role='menuitem']"
    everything = f"{menu}[.//span[starts-with(., 'Select all')]]//input"
    (box,) = page.until(lambda: page.driver.find_elements(By.XPATH, everything), "box of all partitions")
    page.driver.execute_script("arguments[0].click()", box)  # the box itself is drawn by another element
    if box.is_selected():  # some were chosen: the first click chose the rest
        page.driver.execute_script("arguments[0].click()", box)
    for key in keys:
        search = page.shown("//input[@placeholder='Filter partitions']")[0]
        search.send_keys(Keys.CONTROL, "a")
        search.send_keys(key)
        page.click(f"{menu}//*[@title='{key}']")
    search = page.shown("//input[@placeholder='Filter partitions']")[0]
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys(Keys.BACKSPACE)
    page.text(f"{len(keys)} partitions")


def launch_backfill(page: Browser) -> str:
    """Launch what is chosen in the open dialog; returns the backfill's id."""
    page.click(f"{_DIALOG}//button[normalize-space(.)='Launch backfill']")
    link = page.until(lambda: page.shown("//a[normalize-space(.)='View' and contains(@href,'/runs/b/')]"), "backfill")
    return str(link[0].get_attribute("href")).rpartition("/")[2].partition("?")[0]
