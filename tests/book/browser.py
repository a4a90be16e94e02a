"""A headless Chromium that remembers what a page asked for.

Run as a script it says in one line what is missing, and ends with status 1.
"""

import json
import shutil
import sys
import tempfile
from contextlib import contextmanager

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,1000",
)


def programs() -> tuple[str | None, str | None]:
    """Paths of the browser and of its driver, None for what is not there."""
    found = [path for path in map(shutil.which, BROWSERS) if path]
    return (found[0] if found else None), shutil.which("chromedriver")


def missing() -> str | None:
    """One sentence on what the tests of built pages lack, None when all is there."""
    lacking = [name for name, path in zip(("Chromium", "chromedriver"), programs(), strict=True) if not path]
    if not lacking:
        return None
    return f"make test-book needs {' and '.join(lacking)} (Debian: apt-get install chromium chromium-driver)."


@contextmanager
def browser():
    """A driver with a profile of its own, with console and network logged."""
    from selenium import webdriver

    chromium, driver = programs()
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
        chrome.set_page_load_timeout(60)
        try:
            yield chrome
        finally:
            chrome.quit()


def requests(chrome) -> list[str]:
    """Addresses asked for since the last call."""
    events = (json.loads(entry["message"])["message"] for entry in chrome.get_log("performance"))
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


if __name__ == "__main__":
    sys.exit(missing())
