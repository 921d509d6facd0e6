"""What happens to Bluetooth at night, on unmodified bleak: the session goes on, holes marked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
from bumble.link import LocalLink

from firmware_bridge.conformance import StreamCheck
from firmware_bridge.links import bleak_radio
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.bleak_radio import BleakRadio
from firmware_bridge.simulator.ble.bluez import BluezFacade
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.ble.radio import radio_device
from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.stream import Gap, LinkChanged, SampleChunk, StreamItem
from tests.firmware_bridge.simulated import misplaced, missing, numbered, of
from tests.firmware_bridge.simulator.on_the_air import (
    bluetoothd,
    bond,
    needs_dbus,
    on_the_air,
    wearing,
    worn_strap,
)
from tests.soak.straps import steal_for

pytestmark = needs_dbus

ADDRESS = STRAPS["ble-sensor"][1].address
Trouble = Callable[[LocalLink, BluezFacade, EmulatedStrap], Awaitable[None]]


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncIterator[StreamItem]]:
    driver = BleSensor("chest", ADDRESS, BleakRadio())
    async with asyncio.timeout(60), aclosing(driver.stream()) as stream:
        yield stream


def through(trouble: Trouble) -> list[StreamItem]:
    """Items from before the trouble to a second after it."""

    async def run() -> list[StreamItem]:
        link = LocalLink()
        items: list[StreamItem] = []
        check = StreamCheck()
        async with (
            bluetoothd(link) as facade,
            wearing(link, "ble-sensor", recording=numbered()) as strap,
        ):
            await bond("ble-sensor")
            happening: asyncio.Future[None] | None = None
            async with reading() as stream:
                async for item in stream:
                    check.see(item)
                    items.append(item)
                    if happening is None and len(of(items, SampleChunk)) == 10:
                        happening = asyncio.ensure_future(trouble(link, facade, strap))
                    ups = [i for i, one in enumerate(items) if isinstance(one, LinkChanged)]
                    if len(ups) == 2 and len(of(items[ups[1] :], SampleChunk)) == 10:
                        break
            assert happening is not None
            await happening
        return items

    return on_the_air(run)


def was_bridged(items: list[StreamItem], reason: str) -> float:
    """Seconds of the one hole, whose length the counter has told."""
    down, up = of(items, LinkChanged)
    assert (down.up, up.up) == (False, True)
    assert reason in down.reason
    assert misplaced(items) == 0
    assert all(gap.exact for gap in of(items, Gap))
    return missing(items) / 500


@pytest.mark.slow
def test_an_adapter_that_is_pulled_out_and_put_back() -> None:
    async def pull(_link: LocalLink, facade: BluezFacade, _strap: EmulatedStrap) -> None:
        await facade.unplug()
        await asyncio.sleep(2.0)
        facade.plug()

    assert 2 < was_bridged(through(pull), "link was lost") < 20


@pytest.mark.slow
def test_a_phone_that_takes_the_sensor_away_and_lets_it_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bleak_radio, "_SEEN_WITHIN_S", 1.0)

    async def steal(link: LocalLink, _facade: BluezFacade, strap: EmulatedStrap) -> None:
        phone = radio_device(link, "D0:00:00:00:00:01", "phone")
        await phone.power_on()
        await steal_for(strap, ADDRESS, phone, 3.0)

    assert 3 < was_bridged(through(steal), "link was lost") < 25


@pytest.mark.slow
def test_a_sensor_that_falls_silent_while_its_link_stays_up() -> None:
    async def stall(_link: LocalLink, _facade: BluezFacade, strap: EmulatedStrap) -> None:
        strap.fall_silent()

    assert 3 < was_bridged(through(stall), "no data for 3 s") < 15


def test_packets_that_come_twice_or_in_another_order_are_counted_once() -> None:
    async def work() -> list[StreamItem]:
        bad = Faults(duplicate=0.2, reorder=0.2)
        items: list[StreamItem] = []
        check = StreamCheck()
        async with worn_strap("ble-sensor", bad, recording=numbered()) as strap:
            await bond("ble-sensor")
            async with reading() as stream:
                async for item in stream:
                    check.see(item)
                    items.append(item)
                    injected = strap.injected
                    if min(injected["duplicate"], injected["reorder"]) >= 3 and isinstance(
                        item, SampleChunk
                    ):
                        break
        return items

    items = on_the_air(work)
    assert misplaced(items) == 0
    assert of(items, Gap)  # what comes late, comes too late
