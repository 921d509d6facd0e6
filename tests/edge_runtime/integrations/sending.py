"""One source's publisher against a real broker, its clocks in the test's hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.integrations.mqtt.broker import Broker
from edge_runtime.integrations.mqtt.publisher import Reached, SourcePublisher
from edge_runtime.integrations.outbox import Outbox
from edge_runtime.integrations.settings import MqttConfig
from edge_runtime.integrations.spool import Spool
from edge_runtime.integrations.state import SourceState
from edge_runtime.publication import Published
from firmware_bridge.stream import StreamItem

NODE = "bedside"
BASE = f"ecg-edge/{NODE}/chest"


@dataclass
class Sender:
    """The parts around a publisher, and what it said of the broker."""

    folder: Path
    settings: MqttConfig
    keepalive_s: int = 10
    now_s: float = 0.0
    utc_s: float = 1_790_000_000.0
    said: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.sqlite3", utc_s=lambda: self.utc_s)
        self.spool = Spool(self.outbox, self.troubles.append, lambda: self.now_s)
        self.desk = AlarmDesk()
        self.state = SourceState(
            "chest", self.desk, now_s=lambda: self.now_s, utc_ns=lambda: int(self.utc_s * 1e9)
        )

    def see(self, item: StreamItem, published: Sequence[Published] = ()) -> None:
        """As the view does it."""
        self.desk.see("chest", item, published)
        self.state.see(item, published)
        for one in published:
            self.spool.put(one)

    async def until(self, word: str, timeout_s: float = 20) -> None:
        """Until it has said so of the broker."""
        async with asyncio.timeout(timeout_s):
            while not any(word in said for said in self.said):
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SourcePublisher"]:
        """Publishing, until the block ends; then stopped in order."""

        def told(reached: Reached) -> None:
            self.said.append(reached.problem or "reached")

        publisher = SourcePublisher(
            self.settings,
            NODE,
            Broker(self.settings, self.keepalive_s),
            self.state,
            self.spool,
            told,
        )
        running = asyncio.create_task(publisher.run())
        try:
            yield publisher
        finally:
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended


def plain(port: int, **settings: Any) -> MqttConfig:
    """Without TLS, on loopback."""
    return MqttConfig(enabled=True, host="127.0.0.1", port=port, tls=False, **settings)
