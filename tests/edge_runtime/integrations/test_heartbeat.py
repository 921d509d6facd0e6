"""A sign of life over real HTTP, and when it must stay out."""

import asyncio
import logging
from pathlib import Path

import pytest

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.integrations.heartbeat import Heartbeat
from edge_runtime.integrations.settings import HeartbeatConfig
from edge_runtime.threads import Ended
from tests.edge_runtime.integrations.receiver import Receiver, receiver
from tests.free_port import free_port
from tests.synthetic import chunks, ecg, opened


def beating(view: Heartbeat, there: Receiver, n: int) -> None:
    async def run() -> None:
        task = asyncio.create_task(view.run())
        async with asyncio.timeout(20):
            while not there.took(n):
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def fast(**settings: object) -> HeartbeatConfig:
    chosen = HeartbeatConfig(**settings)  # type: ignore[arg-type]
    object.__setattr__(chosen, "every_s", 0.01)  # below what a person may set
    return chosen


def test_it_beats_while_every_source_is_online(tmp_path: Path) -> None:
    with receiver() as there:
        (tmp_path / "url").write_text(f"{there.url}\n")
        view = Heartbeat(fast(url_file=tmp_path / "url"), ("chest", "wrist"), AlarmDesk())

        async def silent() -> None:
            task = asyncio.create_task(view.run())
            await asyncio.sleep(0.1)
            assert not there.sent
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        view.see("chest", opened(source="chest"), ())
        view.see("chest", next(chunks(ecg([], 1))), ())
        asyncio.run(silent())  # the wrist sends nothing
        view.keep(("chest",))
        beating(view, there, 2)
        view.see("chest", Ended("stopped"), ())
        there.sent.clear()
        asyncio.run(silent())
    assert not there.sent


def test_it_may_beat_for_the_daemon_alone() -> None:
    with receiver() as there:
        beating(Heartbeat(fast(url=there.url, monitoring=False), ("chest",), AlarmDesk()), there, 2)
    assert {sent.method for sent in there.sent} == {"GET"}


def test_each_change_is_told_once_and_without_the_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/s3cret"

    async def run() -> None:
        view = Heartbeat(fast(url=url, monitoring=False), (), AlarmDesk())
        task = asyncio.create_task(view.run())
        async with asyncio.timeout(20):
            while not caplog.messages:
                await asyncio.sleep(0.005)
            with receiver(port, 503, 503) as there:
                while "heartbeat: it is heard again" not in caplog.messages:
                    await asyncio.sleep(0.005)
                assert there.took(3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    assert caplog.messages == [
        "heartbeat: ConnectError",
        "heartbeat: it answers 503",
        "heartbeat: it is heard again",
    ]
