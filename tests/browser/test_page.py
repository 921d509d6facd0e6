"""The page in a real browser: what a person would see, in pixels where that is the question."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import opened_page, wait_until
from tests.browser.daemon import ScriptedDaemon
from tests.browser.scripted import PASSWORD, PULSE_S, RATE

PX_PER_MM = 96 / 25.4
BANNER = "#not-monitoring"
ROW = "#alarm-list button[data-id]"


def trace(page: Page) -> NDArray[np.bool_]:
    """Where the sweep's line is, (height, width) of CSS pixels."""
    url = page.evaluate("document.getElementById('sweep').toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(picture)[:, :, 3] > 100


def edges(columns: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First columns of every run of True."""
    return np.flatnonzero(columns[1:] & ~columns[:-1]) + 1


def test_the_strip_moves_and_is_the_signal_that_was_sent(page: Page) -> None:
    page.wait_for_timeout(8000)
    ends = page.evaluate("[ecgEdge.sweep.head, performance.now()]")
    page.wait_for_timeout(2000)
    later = page.evaluate("[ecgEdge.sweep.head, performance.now()]")
    rate = (later[0] - ends[0]) / ((later[1] - ends[1]) / 1000)
    assert rate == pytest.approx(RATE, rel=0.1)

    line = trace(page)
    line[:25] = False  # the beats' letters
    rows = np.where(line.any(axis=0), line.argmax(axis=0), -1)
    base, top = line.shape[0] // 2, line.shape[0] // 2 - 10 * PX_PER_MM
    pulse = (rows >= 0) & (np.abs(rows - top) <= 2)
    rest = (rows >= 0) & (np.abs(rows - base) <= 2)
    drawn = rows >= 0
    assert (pulse | rest)[drawn].mean() > 0.9  # the rest of it: steep edges
    starts = np.diff(edges(pulse))
    whole = starts[np.abs(starts - 25 * PX_PER_MM) < 10]
    assert len(whole) >= 5
    assert np.median(whole) == pytest.approx(25 * PX_PER_MM, abs=1)
    assert pulse.sum() / len(edges(pulse)) == pytest.approx(25 * PX_PER_MM * PULSE_S, abs=3)


def test_every_sample_arrives_as_it_was_sent(page: Page) -> None:
    page.wait_for_timeout(3000)
    wrong = page.evaluate(
        """([rate, pulse]) => {
            const { signal } = ecgEdge.sources.get("chest");
            let wrong = 0;
            for (let i = signal.begin; i < signal.end; i++) {
              const sent = i % rate < pulse * rate ? 1000 : 0;
              if (signal.at(0, i) !== sent) wrong++;
            }
            return wrong;
        }""",
        [RATE, PULSE_S],
    )
    assert wrong == 0


def test_an_alarm_appears_within_a_second_and_is_announced(
    page: Page, daemon: ScriptedDaemon
) -> None:
    page.evaluate(
        """() => { window.seen = new Promise((done) => {
            new MutationObserver(() => document.querySelector("#alarm-list button")
              && done(Date.now() / 1000)).observe(document.body, {subtree: true, childList: true});
        }); }"""
    )
    daemon.ask("alarm")
    raised_s, shown_s = float(daemon.answer()), page.evaluate("window.seen")
    assert shown_s - raised_s < 1
    expect(page.locator("#announcer")).to_contain_text("ASYSTOLE")

    page.locator(ROW).click()
    detail = page.locator("#detail")
    expect(detail).to_contain_text("no beat for 4.0 s")
    expect(detail).to_contain_text("AHA")
    expect(detail.locator("canvas")).to_be_visible()
    expect(detail.locator("table tr")).not_to_have_count(0)


def test_the_sound_says_that_it_is_blocked_until_it_may(page: Page, daemon: ScriptedDaemon) -> None:
    button = page.locator("#sound")
    expect(button).to_have_text("Sound blocked: click to enable")
    button.click()
    expect(button).to_have_text("Sound on")
    daemon.ask("alarm")
    wait_until(page, "ecgEdge.sound.bursts > 0")


def test_a_daemon_that_stands_still_is_not_monitoring_within_15_s(
    page: Page, daemon: ScriptedDaemon
) -> None:
    expect(page.locator(BANNER)).to_be_hidden()
    daemon.freeze()
    try:
        expect(page.locator(BANNER)).to_contain_text("NOT MONITORING since", timeout=15_000)
        expect(page.locator("#rate-age")).to_be_visible()
        box, view = page.locator(BANNER).bounding_box(), page.viewport_size
        assert box is not None
        assert view is not None
        assert box["width"] >= view["width"] - 20
        assert "NOT MONITORING" in page.title()
    finally:
        daemon.thaw()
    expect(page.locator(BANNER)).to_be_hidden(timeout=20_000)


def test_a_sensor_that_falls_silent_is_not_monitoring_though_the_daemon_is_well(
    page: Page, daemon: ScriptedDaemon
) -> None:
    daemon.ask("unplug")
    expect(page.locator(BANNER)).to_contain_text("chest, wrist", timeout=15_000)


def test_the_page_finds_a_daemon_that_was_started_again(page: Page, daemon: ScriptedDaemon) -> None:
    before = page.evaluate("ecgEdge.sources.get('chest').session")
    daemon.stop()
    daemon.start()
    chest = "ecgEdge.sources.get('chest')"
    wait_until(page, f"{chest}.session !== '{before}' && {chest}.signal?.end > 500", 25)
    expect(page.locator(BANNER)).to_be_hidden(timeout=5000)


def test_several_sources_are_there_at_a_glance_and_one_can_choose(page: Page) -> None:
    buttons = page.locator("#sources button")
    expect(buttons).to_have_count(2)
    expect(buttons.nth(1)).to_contain_text("wrist")
    expect(buttons.nth(1)).to_contain_text("60")
    buttons.nth(1).click()
    expect(page.locator("#source-name")).to_have_text("wrist")
    page.wait_for_timeout(1500)
    line = trace(page)
    assert line[line.shape[0] // 2 + 30 :].any()  # its pulses point down


def test_chinese_by_the_browser_s_language_and_by_choice(
    chromium: Browser, daemon: ScriptedDaemon
) -> None:
    for page in opened_page(chromium, daemon, 1280, 900, locale="zh-CN"):
        expect(page.locator("body")).to_contain_text("非医疗器械，不可用于急救")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        page.locator("#language").select_option("en")
        expect(page.locator("body")).to_contain_text("Not a medical device, not for emergencies")
        page.reload()
        expect(page.locator("html")).to_have_attribute("lang", "en")


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    theme: str = request.param
    return theme


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (360, 740)])
def test_axe_finds_nothing_serious(
    chromium: Browser, daemon: ScriptedDaemon, theme: str, width: int, height: int
) -> None:
    for page in opened_page(chromium, daemon, width, height):
        page.locator("#theme").select_option(theme)
        daemon.ask("alarm")
        daemon.answer()
        page.locator(ROW).click()
        expect(page.locator("#detail canvas")).to_be_visible()
        log_in(page, "nurse")
        page.locator("#beat-review").click()
        expect(page.locator("#beat canvas")).to_be_visible()
        found: list[dict[str, Any]] = Axe().run(page).response["violations"]
        assert [one for one in found if one["impact"] in ("serious", "critical")] == []
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0


def test_who_logs_in_can_mark_and_export(page: Page, daemon: ScriptedDaemon) -> None:
    expect(page.locator("#mark-form")).to_be_hidden()
    page.locator("#session-list button").first.click()
    expect(page.locator("#export-answer")).to_contain_text("log in")

    page.locator("#login").click()
    page.locator("#login-name").fill("nurse")
    page.locator("#login-password").fill("wrong")
    page.locator("#login-form [type=submit]").click()
    expect(page.locator("#login-answer")).to_contain_text("wrong")
    page.locator("#login-password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#login")).to_have_text("Log out (nurse)")

    page.locator("#mark-text").fill("dizzy")
    page.keyboard.press("Enter")
    assert daemon.answer() == "chest: dizzy"
    with page.expect_download() as saved:
        page.locator("#session-list button").first.click()
    assert saved.value.path().read_bytes().startswith(b"%PDF-")
    page.locator("#login").click()
    expect(page.locator("#mark-form")).to_be_hidden()


def test_who_may_acknowledges_and_pauses_the_sound(page: Page, daemon: ScriptedDaemon) -> None:
    daemon.ask("alarm")
    daemon.answer()
    expect(page.locator(ROW)).to_be_visible()
    expect(page.locator(".acknowledge")).to_have_count(0)
    log_in(page, "nurse")
    page.locator("#pause").click()
    expect(page.locator("#desk-state")).to_contain_text("Sound paused for")
    page.locator("#pause").click()
    expect(page.locator("#desk-state")).to_be_hidden()
    page.locator(".acknowledge").click()
    expect(page.locator(ROW).first).to_contain_text("acknowledged")
    expect(page.locator(".acknowledge")).to_have_count(0)
    expect(page.locator("#off")).to_be_hidden()  # the administrator's


def log_in(page: Page, name: str) -> None:
    page.locator("#login").click()
    page.locator("#login-name").fill(name)
    page.locator("#login-password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#login")).to_have_text(f"Log out ({name})")


def test_an_alarm_is_reviewed_by_who_may(page: Page, daemon: ScriptedDaemon) -> None:
    daemon.ask("alarm")
    daemon.answer()
    page.locator(ROW).click()
    review = page.locator("#detail .review")
    expect(review).to_contain_text("Nobody has reviewed it")
    expect(review.locator("button")).to_have_count(0)
    log_in(page, "nurse")
    review.locator(".comment").fill("electrode <b>touched</b>")
    review.locator("[data-verdict=false]").click()
    expect(review.locator("li").first).to_contain_text("false")
    expect(review.locator("li").first).to_contain_text("electrode <b>touched</b>")
    review.locator(".other input").fill("artefact")
    review.locator("[data-verdict=reclassified]").click()
    expect(review.locator("li").first).to_contain_text("reclassified as artefact")
    expect(review.locator("li")).to_have_count(2)
    review.locator(".other input").fill("")
    review.locator("[data-verdict=reclassified]").click()
    expect(review.locator("[role=status]")).to_contain_text("label")


def test_a_beat_of_the_strip_is_reviewed(page: Page) -> None:
    log_in(page, "nurse")
    wait_until(page, "ecgEdge.sources.get('chest').beats.size > 4")
    # In one go: the sweep does not wait for a slow test.
    at, opened = page.evaluate(
        """([rate, perMm]) => {
            const { sweep, beatPanel, sources } = ecgEdge;
            const at = [...sources.get("chest").beats.keys()].at(-2);
            const { left, top } = sweep.canvas.getBoundingClientRect();
            const x = left + ((at % sweep.span) / rate) * 25 * perMm;
            const there = {clientX: x + 5, clientY: top + 50};
            sweep.canvas.dispatchEvent(new MouseEvent("click", there));
            return [at, beatPanel.beat.at];
        }""",
        [RATE, PX_PER_MM],
    )
    assert opened == at
    panel = page.locator("#beat")
    expect(panel.locator("canvas")).to_be_visible()
    panel.locator("#beat-after").click()
    assert page.evaluate("ecgEdge.beatPanel.beat.at") == at + RATE
    panel.locator(".other select").select_option("S")
    panel.locator("[data-verdict=reclassified]").click()
    expect(panel.locator(".reviews li").first).to_contain_text("reclassified as S")
    panel.locator("#beat-close").click()
    expect(panel).to_be_hidden()
    expect(page.locator("#beat-review")).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel).to_be_visible()


def test_the_holter_view_counts_a_recording_and_alarms_stay_in_sight(
    page: Page, daemon: ScriptedDaemon
) -> None:
    page.locator("#session-list a").first.click()
    expect(page.locator("#holter-body")).to_be_visible()
    expect(page.locator("#view-live")).to_be_hidden()
    expect(page.locator("#holter-figures")).to_contain_text("5950")
    expect(page.locator("#holter-rows tr")).to_have_count(4)
    expect(page.locator("#holter-moments")).to_contain_text("longest pause, 61.2 s")
    expect(page.locator("#alarm-line")).to_be_hidden()
    daemon.ask("alarm")
    daemon.answer()
    expect(page.locator("#alarm-line")).to_contain_text("ASYSTOLE (chest)")
    log_in(page, "nurse")
    with page.expect_download() as saved:
        page.locator("#holter-report").click()
    assert saved.value.path().read_bytes().startswith(b"%PDF-")
    page.locator("#alarm-line").click()
    expect(page.locator("#view-live")).to_be_visible()
    expect(page.locator("#alarm-line")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing_serious_in_the_holter_view(
    chromium: Browser, daemon: ScriptedDaemon, language: str
) -> None:
    for page in opened_page(chromium, daemon, 360, 740):
        page.locator("#language").select_option(language)
        page.locator("#to-holter").click()
        expect(page.locator("#holter-body")).to_be_visible()
        found: list[dict[str, Any]] = Axe().run(page).response["violations"]
        assert [one for one in found if one["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_rhythms_are_told_and_that_no_model_looks_for_any(page: Page) -> None:
    expect(page.locator("#rhythm-list")).to_contain_text("bigeminy (rule)")
    expect(page.locator("#no-rhythm-model")).to_be_visible()


def test_everything_can_be_reached_with_the_keyboard(page: Page, daemon: ScriptedDaemon) -> None:
    daemon.ask("alarm")
    daemon.answer()
    expect(page.locator(ROW)).to_be_visible()
    reached = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"skip", "sound", "login", "theme", "language", "lead", "high active"} <= reached
    page.locator(ROW).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_contain_text("no beat for 4.0 s")


def test_the_whole_page_is_small_and_quickly_there(page: Page) -> None:
    sizes = page.evaluate(
        """() => performance.getEntriesByType("resource").concat(
             performance.getEntriesByType("navigation"))
             .filter((e) => !e.name.includes("/api/")).map((e) => e.decodedBodySize)"""
    )
    assert sum(sizes) <= 300_000
    paint_ms = page.evaluate("performance.getEntriesByName('first-paint')[0].startTime")
    assert paint_ms < 1000


def test_a_page_left_open_does_not_grow(page: Page) -> None:
    """What it keeps is bounded: eight hours of beats and alarms, fed to it at once."""
    kept = page.evaluate(
        """() => {
            const source = ecgEdge.sources.get("chest");
            for (let n = 0; n < 40_000; n++) {
              const at = 10_000_000 + 400 * n;
              const event = {type: "beat_classified", at, label: "N", scores: {N: 1}};
              source.seeBeat({event, time: "2026-11-23T10:00:00.000Z"});
              ecgEdge.sweep.label(at, "N");
            }
            for (let n = 0; n < 1000; n++) {
              ecgEdge.board.alarms.size < 250 && ecgEdge.board.see({session: "x", source: "chest",
                time: "2026-11-23T10:00:00.000Z", event: {type: "alarm_raised", alarm: n,
                at: n, decided: n, rule: "r", kind: "technical", priority: "low", text: "t",
                explanation: {sentence: "", source: "", values: {}}}});
            }
            return [source.beats.size, ecgEdge.sweep.labels.size, ecgEdge.board.alarms.size,
              source.signal.leads[0].length];
        }"""
    )
    assert kept[0] <= 300
    assert kept[1] <= 100
    assert kept[2] <= 200
    assert kept[3] == 30 * RATE
