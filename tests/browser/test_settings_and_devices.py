"""Settings and devices in a real browser: what is shown, tried, saved, and to whom."""

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import opened_page
from tests.browser.daemon import ScriptedDaemon
from tests.browser.scripted import PASSWORD

PAUSE = "[id='setting-rules.pause.over_s']"


def log_in(page: Page) -> None:
    page.locator("#login").click()
    page.locator("#login-name").fill("boss")
    page.locator("#login-password").fill(PASSWORD)
    page.locator("#login-form [type=submit]").click()
    expect(page.locator("#login")).to_have_text("Log out (boss)")


def unfold(page: Page, group: str) -> None:
    page.locator("#settings-groups summary").get_by_text(group, exact=True).click()


def test_everybody_sees_the_settings_and_an_administrator_changes_them(page: Page) -> None:
    page.locator("#to-settings").click()
    expect(page.locator("#settings-hint")).to_contain_text("Log in as administrator")
    unfold(page, "Pause")
    expect(page.locator(PAUSE)).to_be_disabled()
    log_in(page)
    expect(page.locator(PAUSE)).to_be_enabled()
    expect(page.locator("#settings-save")).to_be_disabled()

    page.locator(PAUSE).fill("3")
    expect(page.locator("#settings-changed")).to_contain_text("Pause: Longer than → 3 s")
    page.locator("#settings-preview").click()
    expect(page.locator("#settings-answer")).to_contain_text("hours of beats stored")
    page.locator("#settings-save").click()
    expect(page.locator("#settings-answer")).to_have_text("Saved and in force.")
    expect(page.locator("#settings-changed li")).to_have_count(0)
    page.reload()
    page.locator("#to-settings").click()
    unfold(page, "Pause")
    expect(page.locator(PAUSE)).to_have_value("3")
    row = page.locator(".setting", has=page.locator(PAUSE))
    expect(row).to_contain_text("changed here, usually 2 s")
    row.get_by_role("button").click()
    expect(page.locator("#settings-answer")).to_have_text("Saved and in force.")
    expect(page.locator(PAUSE)).to_have_value("2")


def test_a_value_out_of_bounds_is_not_sent_and_one_may_discard(page: Page) -> None:
    log_in(page)
    page.locator("#to-settings").click()
    unfold(page, "Pause")
    page.locator(PAUSE).fill("99")
    page.locator("#settings-save").click()
    assert page.locator(PAUSE).evaluate("input => !input.validity.valid")
    expect(page.locator("#settings-answer")).to_have_text("")
    page.locator("#settings-discard").click()
    expect(page.locator(PAUSE)).to_have_value("2")


def test_what_the_daemon_refuses_is_told(page: Page) -> None:
    log_in(page)
    page.locator("#to-settings").click()
    unfold(page, "Pause")
    page.locator(PAUSE).evaluate("input => { input.removeAttribute('max'); }")
    page.locator(PAUSE).fill("99")
    page.locator("#settings-save").click()
    expect(page.locator("#settings-answer")).to_contain_text("99 is outside 1.5 to 3.5")


def test_the_devices_are_there_with_their_clocks(page: Page, daemon: ScriptedDaemon) -> None:
    page.wait_for_timeout(1000)
    page.locator("#to-devices").click()
    rows = page.locator("#device-rows tr")
    expect(rows).to_have_count(2)
    chest = rows.filter(has_text="chest")
    expect(chest).to_contain_text("online")
    expect(chest).to_contain_text("71 %")
    expect(chest.locator("td").nth(8)).to_contain_text("ms")
    test = page.get_by_role("button", name="Send a test to night nurse")
    expect(test).to_be_disabled()
    log_in(page)
    expect(test).to_be_enabled()
    test.click()
    assert daemon.answer() == "phone rings"
    expect(page.locator("#phone-answer")).to_have_text("A test went to night nurse.")


@pytest.mark.parametrize(("width", "locale"), [(1280, "en-US"), (390, "zh-CN")])
def test_axe_finds_nothing_serious_in_settings_and_devices(
    chromium: Browser, daemon: ScriptedDaemon, width: int, locale: str
) -> None:
    for page in opened_page(chromium, daemon, width, 900, locale):
        for view in ("settings", "devices"):
            page.locator(f"#to-{view}").click()
            expect(page.locator(f"#view-{view}")).to_be_visible()
            page.wait_for_timeout(500)
            if view == "settings":
                page.locator("#settings-groups summary").nth(3).click()
            found: list[dict[str, Any]] = Axe().run(page).response["violations"]
            serious = [one for one in found if one["impact"] in ("serious", "critical")]
            assert serious == [], json.dumps(serious, indent=1)
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(overflow) <= 0
            assert page.locator(f"#view-{view}").evaluate(
                "view => [...view.querySelectorAll('[data-word]')].every(e => e.textContent)"
            )
