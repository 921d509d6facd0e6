"""MQTT against a real mosquitto, heard by mosquitto_sub."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge_runtime.integrations.spool import LATE_AFTER_S
from tests.edge_runtime.integrations.happening import alarms, beat, cleared, raised, session
from tests.edge_runtime.integrations.mosquitto import Mosquitto, listening, mosquitto
from tests.edge_runtime.integrations.proxy import Wire, proxy
from tests.edge_runtime.integrations.sending import BASE, Sender, plain
from tests.synthetic import chunks, ecg, opened, steady

Test = Callable[[Mosquitto, Sender], Awaitable[None]]


def at_broker(folder: Path, test: Test, extra: str = "") -> Sender:
    async def run() -> Sender:
        async with mosquitto(folder, extra) as broker:
            sender = Sender(folder, plain(broker.port, live_every_s=1.0))
            await test(broker, sender)
            return sender

    return asyncio.run(run())


def play(sender: Sender) -> None:
    """Two seconds of a heart, and one beat that was found."""
    stream = session()
    sender.see(opened(source="chest"))
    *first, last = chunks(ecg(steady(75, 0.5, 2), 2))
    for chunk in first:
        sender.see(chunk)
    sender.state.see(last, [stream.publish(beat(700, 74.6))])


def test_values_are_retained_expire_and_come_with_an_availability(tmp_path: Path) -> None:
    async def test(broker: Mosquitto, sender: Sender) -> None:
        async with listening(broker.port) as heard:
            play(sender)
            async with sender.running():
                await heard.until(lambda h: bool(h.on("/live")) and bool(h.on("/alarms")))
                (values, *_) = heard.json("/live")
                assert values["heart_rate_bpm"] == 74.6
                assert values["notice"] == "Not a medical device, not for emergencies."
                assert heard.on("/live")[0]["properties"]["message-expiry-interval"] == 3
                assert heard.text("/availability") == ["online"]
                sender.now_s += 5.1
                await heard.until(lambda h: "no_signal" in h.text("/availability"))
            await heard.until(lambda h: "offline" in h.text("/availability"))
        # Who comes later: the broker has kept the newest of each, and they are marked as kept.
        async with listening(broker.port, topic=f"{BASE}/+") as later:
            await later.until(lambda h: bool(h.on("/availability")) and bool(h.on("/live")))
            assert later.text("/availability") == ["offline"]
            assert all(one["retain"] == 1 for one in later.messages)
            assert later.on("/live")[0]["properties"]["message-expiry-interval"] <= 3

    at_broker(tmp_path, test)


def test_one_alarm_has_one_id_in_all_that_is_told_of_it(tmp_path: Path) -> None:
    stream = session()

    async def test(broker: Mosquitto, sender: Sender) -> None:
        async with listening(broker.port, topic=f"{BASE}/#") as heard, sender.running() as sending:
            play(sender)
            await sender.until("reached")
            (chunk, *_) = chunks(ecg([], 1), first=1000)
            sender.see(chunk, [stream.publish(raised(1))])
            sending.wake()
            await heard.until(lambda h: bool(h.on("/events/alarm")) and len(h.on("/alarms")) > 1)
            sender.see(chunk, [stream.publish(cleared(1))])
            sending.wake()
            await heard.until(lambda h: len(h.on("/events/alarm")) == 2)
            alarm = f"{stream.id}/1"
            told = heard.json("/events/alarm")
            assert [one["event"]["type"] for one in told] == ["alarm_raised", "alarm_cleared"]
            assert {one["alarm"] for one in told} == {alarm}
            assert not any(one["published_late"] for one in told)
            assert all(one["retain"] == 0 and one["qos"] == 1 for one in heard.on("/events/alarm"))
            holding = [one for one in heard.json("/alarms") if one["alarms"]]
            assert holding[0]["priority"] == "high"
            assert {one["alarm"] for board in holding for one in board["alarms"]} == {alarm}
            await heard.until(lambda h: h.json("/alarms")[-1]["priority"] == "none")

    at_broker(tmp_path, test)


def test_what_happens_while_the_broker_is_dead_is_told_once_and_as_history(tmp_path: Path) -> None:
    before, while_dead = alarms(3), alarms(8)[3:]

    async def test(broker: Mosquitto, _: Sender) -> None:
        async with proxy(broker.port) as wire:
            sender = Sender(tmp_path, plain(wire.port))
            await through(broker, sender, wire)

    async def through(broker: Mosquitto, sender: Sender, wire: Wire) -> None:
        async with sender.running():
            play(sender)
            await sender.until("reached")
            async with listening(broker.port, topic=f"{BASE}/#") as heard:
                for one in before:
                    sender.spool.put(one)
                await heard.until(lambda h: len(h.on("/events/alarm")) == 3)
            await acknowledged(sender)
            sender.said.clear()
            broker.stop(signal.SIGKILL)
            wire.cut()  # until somebody listens
            await sender.until("")
            for one in while_dead:
                sender.spool.put(one)
            await on_disk(sender, 5)
            sender.now_s += LATE_AFTER_S + 1
            await broker.start()
            async with listening(broker.port, topic=f"{BASE}/#") as heard:
                wire.mend()
                await heard.until(lambda h: len(h.on("/history/alarm")) == 5)
                told = heard.json("/history/alarm")
                assert [one["id"] for one in told] == [one.id for one in while_dead]
                assert all(one["published_late"] for one in told)
                assert heard.on("/events/alarm") == []
            await acknowledged(sender)

    at_broker(tmp_path, test)


async def acknowledged(sender: Sender) -> None:
    async with asyncio.timeout(10):
        while len(sender.outbox):
            await asyncio.sleep(0.005)


async def on_disk(sender: Sender, n: int) -> None:
    async with asyncio.timeout(10):
        while len(sender.outbox) < n:
            await asyncio.sleep(0.005)


def test_three_days_without_a_broker_are_drained_in_order(tmp_path: Path) -> None:
    """An alarm and its end every half hour of three days, as the clocks of the test have it."""
    stream = session()
    happened = [
        stream.publish(event)
        for n in range(1, 3 * 48 + 1)
        for event in (raised(n, at=n * 900_000), cleared(n, at=n * 900_000 + 5000))
    ]

    async def test(broker: Mosquitto, _: Sender) -> None:
        async with proxy(broker.port) as wire:
            wire.cut()
            await through(broker, Sender(tmp_path, plain(wire.port)), wire)

    async def through(broker: Mosquitto, sender: Sender, wire: Wire) -> None:
        async with sender.running():
            for n, one in enumerate(happened, 1):
                sender.now_s += 900
                sender.utc_s += 900
                sender.spool.put(one)
                if n % 100 == 0:
                    await on_disk(sender, n)
            await on_disk(sender, len(happened))
            sender.now_s += LATE_AFTER_S + 1
            async with listening(broker.port, topic=f"{BASE}/#") as heard:
                wire.mend()
                fresh = stream.publish(raised(9999))
                sender.spool.put(fresh)
                await heard.until(lambda h: len(h.on("/history/alarm")) >= len(happened))
                await heard.until(lambda h: len(h.on("/events/alarm")) == 1)
                history = heard.json("/history/alarm")
                assert [one["id"] for one in history] == [one.id for one in happened]
                assert [one["time"] for one in history] == [one.time for one in happened]
                assert all(one["published_late"] for one in history)
                by_alarm: dict[str, list[str]] = {}
                for one in history:
                    by_alarm.setdefault(one["alarm"], []).append(one["event"]["type"])
                assert len(by_alarm) == 144
                assert set(map(tuple, by_alarm.values())) == {("alarm_raised", "alarm_cleared")}
        assert sender.outbox.dropped == sender.spool.lost == 0

    at_broker(tmp_path, test)


@pytest.mark.slow
def test_a_network_that_is_cut_is_noticed_and_the_broker_says_offline(tmp_path: Path) -> None:
    """The wire is dead: no byte goes through and no connection is closed."""
    (alarm,) = alarms(1)

    async def test(broker: Mosquitto, _: Sender) -> None:
        async with proxy(broker.port) as wire:
            sender = Sender(tmp_path, plain(wire.port, live_every_s=1.0), keepalive_s=1)
            play(sender)
            async with listening(broker.port, topic=f"{BASE}/#") as heard, sender.running():
                await heard.until(lambda h: h.text("/availability")[-1:] == ["online"])
                wire.cut()
                sender.spool.put(alarm)
                await heard.until(lambda h: h.text("/availability")[-1:] == ["offline"])
                sender.now_s += LATE_AFTER_S + 1
                wire.mend()
                await heard.until(lambda h: bool(h.on("/history/alarm")))
                play(sender)
                await heard.until(lambda h: h.text("/availability")[-1:] == ["online"])
                assert {one["id"] for one in heard.json("/history/alarm")} == {alarm.id}

    at_broker(tmp_path, test)


def test_a_message_that_the_broker_refuses_is_not_counted_as_delivered(tmp_path: Path) -> None:
    rights = tmp_path / "acl"
    rights.write_text(f"topic write {BASE}/availability\ntopic write {BASE}/alarms\n")

    async def test(_: Mosquitto, sender: Sender) -> None:
        sender.settings = plain(sender.settings.port, discovery="")
        async with sender.running():
            sender.spool.put(alarms(1)[0])
            await sender.until("Not authorized")
        assert len(sender.outbox) == 1

    at_broker(tmp_path, test, f"acl_file {rights}")


def test_a_daemon_that_is_killed_is_offline_by_its_will(tmp_path: Path) -> None:
    async def test(broker: Mosquitto, sender: Sender) -> None:
        play(sender)
        async with listening(broker.port, topic=f"{BASE}/#") as heard, proxy(broker.port) as wire:
            sender.settings = plain(wire.port)
            async with sender.running():
                await heard.until(lambda h: h.text("/availability") == ["online"])
                wire.hang_up()
                await heard.until(lambda h: "offline" in h.text("/availability"))

    at_broker(tmp_path, test)


def test_password_and_discovery(tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    secret.write_text("correct horse\n")
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "ecg", "correct horse"], check=True
    )

    async def test(broker: Mosquitto, sender: Sender) -> None:
        wrong = sender.settings
        async with sender.running():
            await sender.until("Not authorized")
        sender.settings = plain(wrong.port, username="ecg", password_file=secret)
        sender.spool = Sender(tmp_path, wrong).spool
        credentials = ("-u", "ecg", "-P", "correct horse")
        async with listening(broker.port, *credentials) as heard, sender.running():
            await heard.until(lambda h: bool(h.on("/config")))
            (told,) = heard.on("/config")
            assert told["topic"] == "homeassistant/device/ecg_edge_bedside_chest/config"
            assert json.loads(told["payload"])["components"]["heart_rate"]["platform"] == "sensor"

    at_broker(tmp_path, test, f"allow_anonymous false\npassword_file {passwords}")
