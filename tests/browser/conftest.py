"""A real, headless Chromium: Debian's (`make browser` installs it), driven by Playwright."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from tests.browser.daemon import ScriptedDaemon

expect.set_options(timeout=20_000)  # milliseconds; a password's hash takes seconds on a busy core


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium; `make browser` installs Debian's")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--autoplay-policy=document-user-activation-required"],
        )
        yield browser
        browser.close()


@pytest.fixture
def daemon() -> Iterator[ScriptedDaemon]:
    running = ScriptedDaemon()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def page(chromium: Browser, daemon: ScriptedDaemon) -> Iterator[Page]:
    """The page at desktop size; whatever the browser complains of fails the test."""
    yield from opened_page(chromium, daemon, 1280, 900)


def opened_page(
    chromium: Browser, daemon: ScriptedDaemon, width: int, height: int, locale: str = "en-US"
) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": width, "height": height}, locale=locale)
    page = context.new_page()
    complaints: list[str] = []

    def complain(error: Error) -> None:
        complaints.append(str(error))

    page.on("pageerror", complain)
    page.goto(daemon.url)
    wait_until(page, "window.ecgEdge?.sources.get('chest')?.signal?.end > 1000")
    yield page
    context.close()
    assert complaints == []


def wait_until(page: Page, condition: str, within_s: float = 30) -> None:
    """Until the JavaScript expression holds. (Playwright's own way of waiting is an `eval` in the
    page, which the page's policy rightly forbids.)"""
    until_s = monotonic() + within_s
    while not page.evaluate(condition):
        assert monotonic() < until_s, f"not within {within_s} s: {condition}"
        page.wait_for_timeout(50)
