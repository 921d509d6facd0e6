"""A daemon's page on a real port and a real command socket, with a stream that the test plays."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.audit import Audit
from edge_runtime.config import WebConfig
from edge_runtime.devices import DeviceDesk
from edge_runtime.errands import Errands
from edge_runtime.events import Event
from edge_runtime.keeping import Keeping
from edge_runtime.publication import Session
from edge_runtime.reload import Reloader
from edge_runtime.setting_desk import SettingDesk
from edge_runtime.store.store import Store
from edge_runtime.threads import Errand
from edge_runtime.wearers import Wearers
from edge_runtime.web.phones import Tried
from edge_runtime.web.serving import SOCKET_FOLDER, SOCKET_NAME
from edge_runtime.web.view import WebView
from firmware_bridge.stream import StreamItem, UserMark
from tests.free_port import free_port
from tests.synthetic import opened

START_NS = 1_790_000_000_000_000_000


@dataclass
class House:
    """The view under test, and where it is."""

    view: WebView
    directory: Path
    port: int
    marks: list[tuple[str, UserMark]]
    desk: AlarmDesk
    anew: list[tuple[str, str]]
    session: Session = field(default_factory=lambda: Session(opened(source="chest"), START_NS, 0))

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, trust_env=False
        )

    def local_client(self) -> httpx.AsyncClient:
        """Over the command socket."""
        path = self.directory / SOCKET_FOLDER / SOCKET_NAME
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        return httpx.AsyncClient(transport=transport, base_url="http://daemon")

    def play(self, items: Iterable[StreamItem], *events: Event) -> None:
        """Each item, and `events` with the last."""
        played = list(items)
        for item in played[:-1]:
            self.view.see("chest", item, ())
        published = [self.session.publish(event) for event in events]
        self.desk.see("chest", played[-1], published)
        self.view.see("chest", played[-1], published)


@asynccontextmanager
async def a_house(
    directory: Path,
    sources: tuple[str, ...] = ("chest",),
    settings: WebConfig | None = None,
    store: Store | None = None,
    reloader: Reloader | None = None,
    devices: DeviceDesk | None = None,
    phones: Sequence[Tried] = (),
    setting_desk: SettingDesk | None = None,
) -> AsyncIterator[House]:
    """`store`: what errands are done to, in the loop's own thread."""
    marks: list[tuple[str, UserMark]] = []
    settings = settings or WebConfig(enabled=True, port=free_port())
    audit = Audit(directory)
    desk = AlarmDesk(audit=audit)
    errands = Errands()
    if store is not None:
        errands.are_for(store)
    errands.open(_done_at_once)
    anew: list[tuple[str, str]] = []
    keeping = Keeping(
        errands, audit, Wearers(directory, {}), lambda source, why: anew.append((source, why))
    )
    view = WebView(
        settings,
        directory,
        sources,
        lambda name, mark: marks.append((name, mark)),
        desk,
        keeping,
        reloader,
        devices=devices,
        phones=phones,
        setting_desk=setting_desk,
    )
    running = asyncio.create_task(view.run())
    house = House(view, directory, settings.port, marks, desk, anew)
    try:
        await _answering(house)
        yield house
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _done_at_once(errand: Errand) -> bool:
    errand.run()
    return True


async def _answering(house: House) -> None:
    async with asyncio.timeout(10), house.client() as client:
        while True:
            try:
                await client.get("/api/v1/who")
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
            except httpx.RemoteProtocolError:
                return  # it listens, and speaks TLS
            else:
                return
