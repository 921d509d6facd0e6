"""What the page says of the models in use, in a real browser."""

from playwright.sync_api import Page, expect


def test_models_that_nobody_has_signed_are_said_all_the_time(page: Page) -> None:
    note = page.locator("#models-note")
    expect(note).to_be_hidden()
    models = {"name": "default", "version": "9.0.0", "origin": "unsigned", "on_trial": True}
    page.route("**/api/v1/status", lambda route: route.fulfill(json={"models": models}))
    page.reload()
    expect(note).to_have_text("MODELS THAT NOBODY HAS SIGNED: default 9.0.0")
    page.select_option("#language", "zh")
    expect(note).to_have_text("模型未经签名：default 9.0.0")
    models["origin"] = "signed"
    page.select_option("#language", "en")
    expect(note).to_have_text("New models on trial: default 9.0.0")
