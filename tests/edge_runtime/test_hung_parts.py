"""A part that hangs starves the watchdog, and only as long as it hangs."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.events import Event
from edge_runtime.supervisor import Parts, Supervisor
from firmware_bridge.stream import SampleChunk, StreamItem
from tests.edge_runtime.daemon_parts import EchoEngine, ListDriver, ListStore, ListView, stream
from tests.edge_runtime.service_manager import ServiceManager

LOOK_S = 0.02
LAST_CHUNK = 19 * 50


class Hanging:
    """Something that hangs, once it is told to, until it is released."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def hang(self) -> None:
        self.entered.set()
        self.released.wait(30)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path) as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
        monkeypatch.setenv("WATCHDOG_USEC", str(int(3 * LOOK_S * 1e6)))
        yield listening


def is_starved(manager: ServiceManager) -> bool:
    return any(manager.is_silent_for(15 * LOOK_S) for _ in range(20))


async def check_starving(parts: Parts, hanging: Hanging, manager: ServiceManager) -> None:
    """Starved while it hangs; fed again afterwards."""
    running = asyncio.create_task(Supervisor(parts).run())
    try:
        await asyncio.to_thread(hanging.entered.wait, 10)
        assert await asyncio.to_thread(is_starved, manager)
        hanging.released.set()
        await asyncio.to_thread(manager.wait_for, "WATCHDOG=1")
    finally:
        hanging.released.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class HangingEngine(EchoEngine):
    """Hangs on the last item that comes: nothing waits behind it."""

    def __init__(self, hanging: Hanging) -> None:
        super().__init__()
        self._hanging = hanging

    def feed(self, item: StreamItem) -> list[Event]:
        if isinstance(item, SampleChunk) and item.end > LAST_CHUNK:
            self._hanging.hang()
        return super().feed(item)


def test_a_hung_engine(manager: ServiceManager) -> None:
    hanging = Hanging()

    driver = ListDriver(stream("chest"), stays=True)
    parts = Parts(
        {"chest": lambda: driver}, lambda _: HangingEngine(hanging), ListStore(), (ListView(),)
    )
    asyncio.run(check_starving(parts, hanging, manager))


@pytest.mark.parametrize("call", ["record", "tick"])
def test_a_hung_writer(manager: ServiceManager, call: str) -> None:
    hanging = Hanging()

    def failing(called: str) -> None:
        if called == call and not hanging.entered.is_set():
            hanging.hang()

    driver = ListDriver(stream("chest"), stays=True)
    parts = Parts(
        {"chest": lambda: driver}, lambda _: EchoEngine(), ListStore(failing=failing), (ListView(),)
    )
    asyncio.run(check_starving(parts, hanging, manager))


def test_ready_first_and_stopping_last(manager: ServiceManager) -> None:
    driver = ListDriver(stream("chest"))
    parts = Parts({"chest": lambda: driver}, lambda _: EchoEngine(), ListStore(), (ListView(),))
    asyncio.run(Supervisor(parts).run())
    said = [word for word in manager.heard() if word != "WATCHDOG=1"]
    assert said == ["READY=1", "STOPPING=1"]
