"""SIGHUP: another configuration for a daemon that runs, or none at all."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.config import Config, SourceConfig, structure
from edge_runtime.errors import ConfigError
from edge_runtime.events import UserMarked
from edge_runtime.followers import MakeDriver
from edge_runtime.reload import Reloader
from edge_runtime.supervisor import Parts, Supervisor
from tests.edge_runtime.daemon_parts import ListDriver, ListStore, ListView, echo, stream
from tests.edge_runtime.service_manager import ServiceManager

CHEST = {"name": "chest", "port": "/dev/a"}
WRIST = {"name": "wrist", "port": "/dev/b"}
FAST = {"tachycardia": {"above_bpm": 130}}


class Running:
    """A daemon with fake sensors, and the file that it reads again."""

    def __init__(self, *sources: dict[str, Any]) -> None:
        self.table: dict[str, Any] | str = {"source": list(sources)}
        self.opened: list[str] = []
        self.accepted: list[Config] = []
        self.store, self.view, self.desk = ListStore(), ListView(), AlarmDesk()
        config = structure({"source": list(sources)})
        self.reloader = Reloader(config, self._read, self._make_driver, self.accepted.append)
        drivers = {source.name: self._make_driver(source) for source in config.source}
        self.parts = Parts(
            drivers, echo, self.store, (self.view,), self.desk, reloader=self.reloader
        )

    def _read(self) -> Config:
        if isinstance(self.table, str):
            raise ConfigError(self.table)
        return structure(self.table)

    def _make_driver(self, source: SourceConfig) -> MakeDriver:
        def make() -> ListDriver:
            self.opened.append(source.name)
            return ListDriver(stream(source.name), stays=True)

        return make

    def troubles(self) -> list[str]:
        return [shown.raised.rule for shown in self.desk.board().alarms]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.001)

    async def until_read(self, *sources: str) -> None:
        await self.until(lambda: all(self.view.marks(name) >= 20 for name in sources))


def while_running(running: Running, test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        daemon = asyncio.create_task(Supervisor(running.parts).run())
        await running.until_read(*running.parts.drivers)
        try:
            await test()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await daemon

    asyncio.run(run())


def test_other_limits_reach_every_running_source_and_no_stream_is_touched() -> None:
    running = Running(CHEST, WRIST)

    def told() -> list[str]:
        """What the engines were told, as EchoEngine repeats it."""
        events = [one.event for _, _, published in running.view.seen for one in published]
        texts = [event.text for event in events if isinstance(event, UserMarked)]
        return [text for text in texts if text.startswith("rules.")]

    async def test() -> None:
        running.table = {"source": [CHEST, WRIST], "rules": FAST}
        changes = await running.reloader.reload()
        assert [str(one) for one in changes] == [
            "rules.tachycardia.above_bpm none -> 130 (at once)"
        ]
        await running.until(lambda: told() == 2 * [str(changes[0])])

    while_running(running, test)
    assert running.opened == ["chest", "wrist"]
    assert [reason for _, reason in running.store.ended] == ["stopped", "stopped"]


def test_only_the_source_that_changed_is_opened_anew() -> None:
    running = Running(CHEST, WRIST)

    async def test() -> None:
        running.table = {"source": [CHEST | {"baud": 9600}, WRIST]}
        await running.reloader.reload()
        await running.until(lambda: running.view.marks("chest") >= 41)

    while_running(running, test)
    assert running.opened == ["chest", "wrist", "chest"]
    assert sorted(reason for _, reason in running.store.ended) == [
        "stopped",
        "stopped",
        "the configuration changed",
    ]
    assert running.accepted[-1].source[0].baud == 9600


def test_sources_come_and_go() -> None:
    running = Running(CHEST)

    async def test() -> None:
        running.table = {"source": [WRIST]}
        await running.reloader.reload()
        await running.until_read("wrist")

    while_running(running, test)
    assert running.opened == ["chest", "wrist"]
    assert [reason for _, reason in running.store.ended] == ["the configuration changed", "stopped"]


def test_what_all_sources_share_opens_all_anew() -> None:
    running = Running(CHEST, WRIST)

    async def test() -> None:
        running.table = {"source": [CHEST, WRIST], "signal": {"mains_hz": 60}}
        await running.reloader.reload()

    while_running(running, test)
    assert sorted(running.opened) == ["chest", "chest", "wrist", "wrist"]


@pytest.mark.parametrize(
    "broken", ["signal.mains_hz: 55 is not one of 0, 50, 60", {"source": []}, {"source": [CHEST]}]
)
def test_with_a_mistake_everything_stays_and_a_technical_alarm_says_so(
    broken: dict[str, Any] | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(CHEST | {"baud": 9600})
    if broken == {"source": [CHEST]}:  # its driver's extra is not installed

        def missing(_source: SourceConfig) -> MakeDriver:
            raise ConfigError("source chest: pyserial is missing")

        monkeypatch.setattr(running.reloader, "_make_driver", missing)

    async def test() -> None:
        good, running.table = running.table, broken
        with pytest.raises(ConfigError):
            await running.reloader.reload()
        assert running.troubles() == ["configuration"]
        assert "stays in force" in running.desk.board().alarms[0].raised.text
        running.table = good
        assert await running.reloader.reload() == ()
        assert running.troubles() == []

    while_running(running, test)
    assert running.opened == ["chest"]
    assert [reason for _, reason in running.store.ended] == ["stopped"]


def test_sighup_is_told_to_the_service_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Running(CHEST)
    with ServiceManager(tmp_path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)

        async def test() -> None:
            await asyncio.to_thread(manager.wait_for, "READY=1")
            running.table = {"source": [CHEST], "alarms": {"pause_s": 60}}
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.to_thread(manager.wait_for, "RELOADING=1")
            await asyncio.to_thread(manager.wait_for, "READY=1")
            running.desk.pause_audio("someone")
            assert running.desk.board().paused_for_s <= 60

        while_running(running, test)


def test_nobody_reloads_a_daemon_that_is_only_starting() -> None:
    with pytest.raises(ConfigError, match="only starting"):
        asyncio.run(Running(CHEST).reloader.reload())
