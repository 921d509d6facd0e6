"""A strap that is out of reach for two hours: the session goes on where it is found again."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise

import numpy as np
import pytest

from firmware_bridge.conformance import StreamCheck
from firmware_bridge.errors import LinkError
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.gatt import Connection, Notified
from firmware_bridge.stream import Gap, LinkChanged, SampleChunk, StreamItem, Tick
from tests.firmware_bridge.links.fake_radio import PACKET, FakeH10, FakeRadio
from tests.firmware_bridge.simulated import of
from tests.hurried_clock import hurried

AWAY_S = 2 * 3600.0
SCAN_S = 10.0
RATE_HZ = 130


class FarRadio(FakeRadio):
    """Looks for as long as a real one before it says that nothing is there."""

    def __init__(self, strap: FakeH10) -> None:
        super().__init__(strap)
        self.is_near = True
        self.tries = 0

    async def connect(
        self, address: str, notified: Notified, lost: Callable[[], None]
    ) -> Connection:
        self.tries += 1
        if not self.is_near:
            await asyncio.sleep(SCAN_S)
            raise LinkError("not seen")
        return await super().connect(address, notified, lost)


async def _worn(strap: FakeH10) -> None:
    """Samples are taken, and told to whoever listens."""
    while True:
        await asyncio.sleep(PACKET / RATE_HZ)
        strap.send()


async def _walk(radio: FarRadio, gone: list[float]) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(30)
    gone.append(loop.time())
    radio.is_near = False
    radio.strap.notify = lambda _characteristic, _value: None
    radio.strap.lost()
    await asyncio.sleep(AWAY_S)
    radio.is_near = True
    gone.append(loop.time())


def test_two_hours_out_of_reach_are_one_gap_of_their_length() -> None:
    gone: list[float] = []
    ticks: list[float] = []
    back: list[float] = []

    async def read() -> tuple[list[StreamItem], FarRadio]:
        loop = asyncio.get_running_loop()
        strap = FakeH10()
        radio = FarRadio(strap)
        items: list[StreamItem] = []
        check = StreamCheck()
        others = [asyncio.ensure_future(_worn(strap)), asyncio.ensure_future(_walk(radio, gone))]
        driver = BleSensor("chest", "C4:A1:B2:C3:D4:E5", radio)
        async with aclosing(driver.stream()) as stream:
            async for item in stream:
                check.see(item)
                if isinstance(item, Tick):
                    ticks.append(loop.time())
                    continue
                items.append(item)
                if isinstance(item, LinkChanged) and item.up:
                    back.append(loop.time())
                if len(gone) == 2 and len(of(items, SampleChunk)) % 50 == 0 and back:
                    break
        for other in others:
            other.cancel()
        return items, radio

    items, radio = hurried(read)
    down, up = of(items, LinkChanged)
    assert (down.up, up.up) == (False, True)
    # Found again within one look, the longest pause and a packet, and read since then.
    assert back[0] - gone[1] < SCAN_S + 10 + 1
    (gap,) = of(items, Gap)
    assert gap.n_missing / RATE_HZ == pytest.approx(back[0] - gone[0], abs=1.2)
    # By the stamps the hole is right to the sample: each is where its number says.
    offsets = {
        int(offset)
        for chunk in of(items, SampleChunk)
        for offset in np.round(chunk.samples[:, 0] * 1000) - np.arange(chunk.first, chunk.end)
    }
    assert len(offsets) == 1, offsets
    # Every quarter of a second it was told how far the strap must have come by now.
    pauses = [later - earlier for earlier, later in pairwise(ticks)]
    assert max(pauses) < 0.6
    assert len(ticks) > 0.9 * 4 * AWAY_S
    # It was looked for all the time, at a pace that a radio and a battery bear.
    assert AWAY_S / 30 < radio.tries < AWAY_S / SCAN_S
