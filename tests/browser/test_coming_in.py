"""From the QR code of `edge-runtime invite` to the page, in a real browser over TLS."""

import asyncio
import threading
from pathlib import Path

from playwright.sync_api import Browser, expect

from edge_runtime.config import WebConfig
from tests.edge_runtime.integrations.happening import beat
from tests.edge_runtime.web.house import a_house
from tests.free_port import free_port
from tests.synthetic import chunks, ecg, opened


class Served:
    """The page with `web.lan` in a thread, and one invitation."""

    def __init__(self, directory: Path) -> None:
        self.code = ""
        self.port = free_port()
        self._directory = directory
        self._ready = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> "Served":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _serve(self) -> None:
        settings = WebConfig(enabled=True, lan=True, port=self.port)
        async with a_house(self._directory, settings=settings) as house:
            house.play([opened(source="chest"), *chunks(ecg([0.2], 1))], beat(100))
            async with house.local_client() as local:
                order = {"name": "nurse", "role": "acknowledge"}
                answer = await local.post("/api/v1/invitations", json=order)
            self.code = answer.json()["code"]
            self._ready.set()
            await asyncio.to_thread(self._over.wait)


def test_a_code_in_the_address_lets_in_once_and_vanishes(chromium: Browser, tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        address = f"https://localhost:{served.port}/"
        context = chromium.new_context(ignore_https_errors=True)  # the fingerprint was compared
        page = context.new_page()
        page.goto(f"{address}#code={served.code}")
        expect(page.locator("#login")).to_have_text("Log out (nurse)")
        assert page.url == address
        page.reload()
        expect(page.locator("#login")).to_have_text("Log out (nurse)")
        context.close()
        stranger = chromium.new_context(ignore_https_errors=True)
        page = stranger.new_page()
        page.goto(f"{address}#code={served.code}")
        expect(page.locator("#login")).to_have_text("Log in")
        stranger.close()
