"""The driver on unmodified bleak, against emulated straps; reasons in words that are true."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner

from firmware_bridge.conformance import StreamCheck
from firmware_bridge.errors import LinkError
from firmware_bridge.links import bleak_radio, reasons
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.bleak_radio import BleakRadio
from firmware_bridge.links.device_lock import DeviceLock, _command
from firmware_bridge.protocol import MessageType
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.straps import own_service
from firmware_bridge.stream import (
    DeviceStatus,
    Gap,
    LinkChanged,
    RrIntervals,
    SampleChunk,
    StreamItem,
    StreamOpened,
)
from tests.firmware_bridge.simulated import misplaced, missing, numbered, of
from tests.firmware_bridge.simulator.on_the_air import (
    bluez,
    bond,
    needs_dbus,
    on_the_air,
    wearing,
    worn_strap,
)

pytestmark = needs_dbus

IDENTIFY, START, STOP = MessageType.IDENTIFY, MessageType.START, MessageType.STOP


async def listen(
    device: str, enough: Callable[[list[StreamItem]], bool], rate_hz: int | None = None
) -> list[StreamItem]:
    items: list[StreamItem] = []
    check = StreamCheck()
    driver = BleSensor("chest", STRAPS[device][1].address, BleakRadio(), rate_hz=rate_hz)
    async with asyncio.timeout(30), aclosing(driver.stream()) as stream:
        async for item in stream:
            check.see(item)
            items.append(item)
            if enough(items):
                return items
    raise AssertionError("the stream ended")


def reached(items: list[StreamItem]) -> int:
    """Index of the end of what has come."""
    chunks = of(items, SampleChunk)
    return chunks[-1].end if chunks else 0


def n_chunks(n: int) -> Callable[[list[StreamItem]], bool]:
    return lambda items: len(of(items, SampleChunk)) >= n


def test_an_emulated_h10_streams_and_is_told_to_stop() -> None:
    async def work() -> tuple[list[StreamItem], list[bytes]]:
        async with worn_strap("h10") as strap:
            seen = await BleakRadio().scan(0.5)
            assert [(one.address, one.name) for one in seen] == [
                ("C4:A1:B2:C3:D4:E5", "Polar H10 A1B2C3D4")
            ]
            return await listen("h10", n_chunks(4)), strap.commands

    items, commands = on_the_air(work)
    opened = of(items, StreamOpened)[0]
    assert (opened.model, opened.reference.rate_hz) == ("H10", 130)
    assert not of(items, Gap)
    assert of(items, DeviceStatus)[-1].contact is True
    peak = max(float(chunk.samples.max()) for chunk in of(items, SampleChunk))
    assert peak > 0.5
    assert commands[-1].hex() == "0300"


def test_movesense_at_its_highest_rate_in_split_packets() -> None:
    async def work() -> list[StreamItem]:
        async with worn_strap("movesense") as strap:
            strap.has_short_form = False  # type: ignore[attr-defined]
            strap._device.gatt_server.max_mtu = 50
            return await listen("movesense", n_chunks(60), 512)

    items = on_the_air(work)
    assert of(items, StreamOpened)[0].reference.rate_hz == 512
    assert missing(items) == 0


def test_the_own_sensor_sends_eight_leads_at_500_hz_and_loses_none() -> None:
    leads = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")

    async def work() -> tuple[list[StreamItem], list[bytes]]:
        async with worn_strap("ble-sensor", recording=numbered(leads)) as strap:
            seen = await BleakRadio().scan(0.5)
            assert [one.name for one in seen] == ["ecg-edge 1"]
            await bond("ble-sensor")
            items = await listen("ble-sensor", lambda got: reached(got) >= 1500)
            return items, strap.commands

    items, commands = on_the_air(work)
    signal = of(items, StreamOpened)[0].reference
    assert (signal.rate_hz, signal.leads) == (500, leads)
    assert (missing(items), misplaced(items)) == (0, 0)
    assert commands == [own_service.command(kind) for kind in (IDENTIFY, START, STOP)]


@pytest.mark.slow
def test_the_own_sensor_over_a_bad_link_and_a_reboot_is_samples_and_marked_gaps() -> None:
    faults = Faults(drop=0.05, duplicate=0.1, unplugs=((2.0, 0.5),))

    async def work() -> list[StreamItem]:
        recording = numbered()
        async with worn_strap("ble-sensor", faults, (6.0,), recording=recording):
            await bond("ble-sensor")
            return await listen(
                "ble-sensor", lambda got: [c.up for c in of(got, LinkChanged)] == [False, True] * 2
                and isinstance(got[-1], SampleChunk)
            )  # fmt: skip

    items = on_the_air(work)
    inexact = [gap for gap in of(items, Gap) if not gap.exact]
    # Only the reboot began a new count; all the rest was counted.
    assert len(inexact) == 1
    assert inexact[0].n_missing / 500 == pytest.approx(2.5, abs=1.5)
    before = items[: items.index(inexact[0])]
    assert missing(before) > 250
    assert misplaced(before) == 0


def test_a_heart_rate_strap_tells_rr() -> None:
    async def work() -> list[StreamItem]:
        async with worn_strap("strap"):
            return await listen("strap", lambda items: len(of(items, RrIntervals)) >= 2)

    items = on_the_air(work)
    intervals = [rr for item in of(items, RrIntervals) for rr in item.intervals_s]
    assert intervals == pytest.approx([0.8] * len(intervals), abs=0.02)


def test_a_strap_that_goes_away_reboots_and_comes_back() -> None:
    async def work() -> list[StreamItem]:
        async with worn_strap("h10", Faults(drop=0.1, duplicate=0.2), reboots=(3.0,)):
            return await listen(
                "h10", lambda items: [c.up for c in of(items, LinkChanged)] == [False, True]
                and isinstance(items[-1], SampleChunk)
            )  # fmt: skip

    items = on_the_air(work)
    assert of(items, LinkChanged)[0].reason == "the link was lost"
    away = of(items, Gap)[-1]
    assert not away.exact
    assert away.n_missing / 130 == pytest.approx(2.8, abs=1.5)


def test_straps_are_looked_for_in_turn_and_stream_at_once() -> None:
    async def work() -> list[list[StreamItem]]:
        async with (
            bluez() as link,
            wearing(link, "h10"),
            wearing(link, "movesense"),
            wearing(link, "strap"),
        ):
            return await asyncio.gather(
                listen("h10", n_chunks(4)),
                listen("movesense", n_chunks(40)),
                listen("strap", lambda items: bool(of(items, RrIntervals))),
            )

    assert not any(of(items, Gap) for items in on_the_air(work))


def test_a_connection_that_a_killed_program_left_is_taken_over() -> None:
    async def work() -> list[StreamItem]:
        async with worn_strap("h10"):
            device = await BleakScanner.find_device_by_address(STRAPS["h10"][1].address)
            assert device is not None
            killed = BleakClient(device)
            await killed.connect()  # the strap does not advertise any more
            items = await listen("h10", n_chunks(1))
            await killed.disconnect()
            return items

    assert of(on_the_air(work), SampleChunk)


def test_reasons_are_true_words() -> None:
    async def scan() -> str:
        with pytest.raises(LinkError) as failed:
            await BleakRadio().scan(0.1)
        return str(failed.value)

    async def unpowered() -> str:
        async with bluez(powered=False):
            return await scan()

    assert on_the_air(scan) == reasons.NOT_RUNNING
    assert on_the_air(unpowered) == reasons.POWERED_OFF


def test_a_strap_that_is_not_worn_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bleak_radio, "_SEEN_WITHIN_S", 0.3)

    async def work() -> None:
        async with bluez():
            await BleakRadio().connect("C4:A1:B2:C3:D4:E5", lambda _c, _v: None, lambda: None)

    with pytest.raises(LinkError, match="not seen: moisten and wear the strap"):
        on_the_air(work)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError("no"), "join group bluetooth"),
        (FileNotFoundError("no"), "is dbus running"),
        (TimeoutError(), "does not answer"),
        (ValueError("odd"), "odd"),
    ],
)
def test_other_troubles_have_words_too(error: Exception, words: str) -> None:
    assert words in reasons.reason(error)


def test_one_program_at_a_time_holds_a_strap(tmp_path: Path) -> None:
    lock = DeviceLock("C4:A1", "system", tmp_path)
    with pytest.raises(LinkError, match=r"is held by .* \(process \d+\)"):
        DeviceLock("C4:A1", "system", tmp_path)
    DeviceLock("C4:A1", "another radio", tmp_path).release()
    assert _command(["/usr/bin/edge-runtime", "run", "--json"]) == "edge-runtime run"
    assert _command(["/x/firmware_bridge/__main__.py", "--help"]) == "firmware-bridge"
    lock.release()
    DeviceLock("C4:A1", "system", tmp_path).release()
