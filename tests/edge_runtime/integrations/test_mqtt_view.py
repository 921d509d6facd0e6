"""MQTT as the daemon runs it: a publisher for each source and for the daemon's own troubles."""

import asyncio
import logging
from pathlib import Path

import pytest

from edge_runtime.alarms import desk as desk_module
from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.events import Priority
from edge_runtime.integrations.mqtt import view as view_module
from edge_runtime.integrations.mqtt.view import MqttView
from edge_runtime.threads import Ended
from tests.edge_runtime.integrations.happening import beat, raised, session
from tests.edge_runtime.integrations.mosquitto import listening, mosquitto
from tests.edge_runtime.integrations.sending import plain
from tests.free_port import free_port
from tests.synthetic import opened


async def stopped(running: "asyncio.Task[None]") -> None:
    running.cancel()
    (ended,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended


def test_each_source_and_the_daemon_speak_for_themselves(tmp_path: Path) -> None:
    async def run() -> None:
        desk, stream = AlarmDesk(), session("wrist")
        async with mosquitto(tmp_path) as broker, listening(broker.port) as heard:
            settings = plain(broker.port, name="bedside", live_every_s=1.0)
            view = MqttView(settings, tmp_path, ("chest", "wrist"), desk)
            running = asyncio.create_task(view.run())
            published = [stream.publish(raised()), stream.publish(beat(700))]
            desk.see("wrist", opened(source="wrist"), published)
            view.see("wrist", opened(source="wrist"), published)
            view.see("unknown", Ended("stopped"), ())
            await heard.until(lambda h: len(h.on("/config")) == 3)
            await heard.until(lambda h: h.text("daemon/availability") == ["online"])
            await heard.until(lambda h: bool(h.on("wrist/events/alarm")))
            desk.trouble("store", "the disk is full")
            await heard.until(
                lambda h: any(one["priority"] == "medium" for one in h.json("daemon/alarms"))
            )
            await stopped(running)
            await heard.until(
                lambda h: len([t for t in h.text("availability") if t == "offline"]) >= 3
            )
            assert heard.on("/beat_detected") == []

    asyncio.run(run())


def test_a_broker_that_stays_away_is_told_once_and_becomes_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "_ALARM_AFTER_S", 0.2)

    async def run() -> None:
        desk = AlarmDesk()
        view = MqttView(plain(free_port()), tmp_path, ("chest",), desk)
        running = asyncio.create_task(view.run())
        async with asyncio.timeout(20):
            while not desk.board().alarms:
                await asyncio.sleep(0.05)
        (alarm,) = desk.board().alarms
        assert alarm.source == desk_module.DAEMON
        assert alarm.raised.priority is Priority.LOW
        assert "refused" in alarm.raised.text
        await stopped(running)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert sum("waits on disk" in line for line in caplog.messages) == 1
