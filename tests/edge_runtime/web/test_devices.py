"""What makers' commands do while a daemon runs: asked over its socket, done by its radio."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.config import SourceConfig
from edge_runtime.devices import DeviceDesk
from edge_runtime.events import BeatDetected
from firmware_bridge.capture import capture
from firmware_bridge.conformance import StreamCheck
from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.flash import running
from firmware_bridge.flash.errors import RefusedError
from firmware_bridge.known_devices import FILE_NAME, read_known
from firmware_bridge.records import read_physical
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.stream import Gap, SampleChunk, StreamItem
from firmware_bridge.through_daemon import DaemonDevices
from tests.edge_runtime.web.house import House, a_house
from tests.firmware_bridge.simulated import of
from tests.firmware_bridge.simulator.on_the_air import (
    bluez,
    needs_dbus,
    on_the_air,
    wearing,
)
from tests.synthetic import chunks, ecg, gap, opened, steady

H10, SENSOR = STRAPS["h10"][1], STRAPS["ble-sensor"][1]
BEAT = BeatDetected(at=100, decided=150, lead="I", rr_s=None, heart_rate_bpm=None)
READ = SourceConfig(port=H10.address, name="chest", driver="ble", serial=H10.serial)


class Asking:
    """The commands' side, in a thread of its own as in a process of its own."""

    def __init__(self, house: House) -> None:
        self.devices = DaemonDevices(house.directory)

    async def __call__(self, method: str, *arguments: object) -> Any:
        return await asyncio.to_thread(getattr(self.devices, method), *arguments)


def beside(directory: Path, work: Callable[[House, Asking], Coroutine[Any, Any, None]]) -> None:
    """Run `work` in the house of a daemon that reads the H10."""
    desk = DeviceDesk(directory / FILE_NAME, lambda: [READ])

    async def run() -> None:
        async with asyncio.timeout(30), a_house(directory, devices=desk) as house:
            await work(house, Asking(house))

    on_the_air(run)


@needs_dbus
def test_scan_info_and_pair_are_done_by_the_daemon(tmp_path: Path) -> None:
    async def work(_house: House, ask: Asking) -> None:
        async with bluez() as link, wearing(link, "h10"), wearing(link, "ble-sensor"):
            seen = await ask("scan", 0.5)
            assert {one["address"] for one in seen} == {H10.address, SENSOR.address}
            assert (await ask("examine", SENSOR.address))["serial"] == SENSOR.serial
            with pytest.raises(LinkError, match="wrong passkey"):
                await ask("pair", SENSOR.address, "second", 1)
            paired = await ask("pair", SENSOR.address, "second", SENSOR.passkey)
            assert (paired["name"], paired["bonded"]) == ("second", True)

    beside(tmp_path, work)
    (known,) = read_known(tmp_path / FILE_NAME)
    assert (known.name, known.address, known.serial) == ("second", SENSOR.address, SENSOR.serial)


@needs_dbus
def test_what_a_source_reads_is_named_and_not_taken_away(tmp_path: Path) -> None:
    async def work(house: House, ask: Asking) -> None:
        house.play([opened(source="chest")])
        read = await ask("reading", H10.address.lower())
        assert (read["source"], read["serial"]) == ("chest", H10.serial)
        assert read["status"]["family"] == opened().family
        assert await ask("reading", SENSOR.address) is None
        for call in (("examine", H10.address), ("pair", H10.address, "again", None)):
            with pytest.raises(LinkError, match="is read by the daemon as source 'chest'"):
                await ask(*call)
        with pytest.raises(LinkError, match="bluetoothd is not running"):
            await ask("scan", 0.1)

    beside(tmp_path, work)


def test_flash_ends_a_session_only_when_it_is_told_to(tmp_path: Path) -> None:
    lent: list[object] = []

    class Followed:
        async def lend(self, name: str, for_s: float) -> bool:
            lent.append((name, for_s))
            return True

        def give_back(self, name: str) -> None:
            lent.append(name)

    desk = DeviceDesk(tmp_path / FILE_NAME, lambda: [READ])
    desk.loans.connect(Followed())

    def borrow(*, end_session: bool, device: str = H10.address) -> None:
        with running.lent(tmp_path, device, end_session=end_session):
            lent.append("flashing")

    async def work() -> None:
        async with a_house(tmp_path, devices=desk):
            with pytest.raises(RefusedError, match=r"as source 'chest'.*--end-session"):
                await asyncio.to_thread(borrow, end_session=False)
            await asyncio.to_thread(borrow, end_session=True)
            await asyncio.to_thread(borrow, end_session=False, device="/dev/ttyACM9")

    asyncio.run(work())
    borrow(end_session=False)  # there is no daemon any more
    loan = [("chest", running.LENT_FOR_S), "flashing", "chest"]
    assert lent == [*loan, "flashing", "flashing"]


@needs_dbus
def test_what_a_source_reads_is_captured_from_the_daemon(tmp_path: Path) -> None:
    signal = ecg(steady(75, 0.3, 4), 4, 250)
    played = [opened(250, source="chest"), *chunks(signal)]

    async def work(house: House, ask: Asking) -> None:
        with pytest.raises(LinkError, match="nothing comes from source 'chest' yet"):
            await capture(ask.devices.driver("chest"), tmp_path / "none", 1, stop=asyncio.Event())
        house.play(played[:2], BEAT)

        async def go_on() -> None:
            await asyncio.sleep(0.3)
            house.play(played[2:])

        going_on = asyncio.create_task(go_on())
        told = await capture(
            ask.devices.driver("chest"), tmp_path / "copy", 2.0, stop=asyncio.Event()
        )
        await going_on
        assert (told.rate_hz, told.n_samples, told.n_missing) == (250, 500, 0)

    beside(tmp_path, work)
    copied = read_physical(tmp_path / "copy")
    first = len(played[1].samples)  # type: ignore[union-attr]
    assert np.allclose(copied, signal[first : first + 500], atol=1e-4)


@needs_dbus
def test_holes_of_the_daemon_s_signal_are_gaps(tmp_path: Path) -> None:
    signal = ecg(steady(75, 0.3, 4), 4, 250)
    before, *after = chunks(signal)
    hole = gap(before.end, 100)

    async def work(house: House, ask: Asking) -> None:
        house.play([opened(250, source="chest"), before], BEAT)
        items: list[StreamItem] = []
        check = StreamCheck()
        async with aclosing(ask.devices.driver("chest").stream()) as stream:
            async for item in stream:
                check.see(item)
                items.append(item)
                if len(items) == 1:
                    shifted = next(chunks(after[0].samples, first=hole.first + 100))
                    house.play([hole, shifted])
                if of(items, SampleChunk):
                    break
        (found,) = of(items, Gap)
        assert (found.first, found.n_missing) == (0, 100)

    beside(tmp_path, work)


def test_a_name_of_another_kind_of_source_cannot_be_paired_over(tmp_path: Path) -> None:
    serial = SourceConfig(port="/dev/ttyACM0", name="board")
    desk = DeviceDesk(tmp_path / FILE_NAME, lambda: [serial])
    with pytest.raises(UsageError, match="'board'"):
        asyncio.run(desk.pair(SENSOR.address, "board", None))


def test_a_house_without_devices_says_so_and_strangers_learn_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with a_house(tmp_path) as house:
            async with house.local_client() as client:
                assert (await client.get("/api/v1/devices")).status_code == 503
            async with house.client() as client:
                assert (await client.get("/api/v1/devices")).status_code == 403
                answer = await client.post("/api/v1/devices/scan", json={"seconds": 1})
                assert answer.status_code == 401

    asyncio.run(run())
