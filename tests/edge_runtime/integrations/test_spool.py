"""Fresh first, history in order, nothing lost and nothing twice, whatever the disk does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge_runtime.errors import StoreError
from edge_runtime.integrations.outbox import Outbox
from edge_runtime.integrations.spool import LATE_AFTER_S, Spool
from tests.edge_runtime.integrations.happening import alarms


class House:
    """A spool with a clock of its own; what it says is wrong."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 0.0
        self.outbox = Outbox(folder / "outbox.sqlite3")
        self.troubles: list[str] = []
        self.spool = Spool(self.outbox, self.troubles.append, lambda: self.now_s)

    async def delivered(self, n: int) -> list[tuple[str, bool]]:
        """The next `n` that are delivered: id, late."""
        told: list[tuple[str, bool]] = []
        async with asyncio.timeout(10):
            while len(told) < n:
                batch = await self.spool.next_batch(2)
                told += [(one.id, batch.late) for one in batch.published]
                await self.spool.delivered(batch)
        return told

    async def kept(self, n: int) -> None:
        """Until so many are on disk."""
        async with asyncio.timeout(10):
            while len(self.outbox) < n:
                await asyncio.sleep(0.001)

    async def fresh(self, n: int) -> None:
        """Until it knows so many that it thinks fresh: those that aged are still among them."""
        async with asyncio.timeout(10):
            while len(self.spool._fresh) < n:
                await asyncio.sleep(0.001)


def in_house(folder: Path, test: Callable[[House], Awaitable[None]]) -> House:
    house = House(folder)

    async def run() -> None:
        running = asyncio.create_task(house.spool.run())
        try:
            await test(house)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    return house


def test_what_can_be_delivered_at_once_is_fresh(tmp_path: Path) -> None:
    events = alarms(5)

    async def test(house: House) -> None:
        for one in events:
            house.spool.put(one)
        assert await house.delivered(5) == [(one.id, False) for one in events]
        assert len(house.outbox) == 0

    assert in_house(tmp_path, test).troubles == []


def test_what_had_to_wait_is_history_and_the_fresh_goes_before_it(tmp_path: Path) -> None:
    *waited, fresh = alarms(6)

    async def test(house: House) -> None:
        for one in waited:
            house.spool.put(one)
        await house.kept(5)
        house.now_s += LATE_AFTER_S + 0.1
        house.spool.put(fresh)
        await house.kept(6)
        await house.fresh(6)
        assert await house.delivered(6) == [
            (fresh.id, False),
            *((one.id, True) for one in waited),
        ]

    in_house(tmp_path, test)


def test_what_a_daemon_before_left_is_history(tmp_path: Path) -> None:
    events = alarms(3)

    async def nobody_listens(house: House) -> None:
        for one in events:
            house.spool.put(one)  # and it is stopped at once

    in_house(tmp_path, nobody_listens).spool.close()

    async def test(house: House) -> None:
        assert await house.delivered(3) == [(one.id, True) for one in events]

    in_house(tmp_path, test)


def test_a_disk_that_fails_does_not_hold_up_what_can_be_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = alarms(3)

    def full(*_: object) -> list[int]:
        raise StoreError("disk is full")

    async def test(house: House) -> None:
        monkeypatch.setattr(house.outbox, "put", full)
        house.spool.put(events[0])
        assert await house.delivered(1) == [(events[0].id, False)]
        monkeypatch.undo()
        house.spool.put(events[1])
        monkeypatch.setattr(house.outbox, "remove", full)
        assert await house.delivered(1) == [(events[1].id, False)]
        monkeypatch.undo()
        # It is on disk still, and yet it is not told again.
        assert len(house.outbox) == 1
        house.spool.put(events[2])
        assert await house.delivered(1) == [(events[2].id, False)]
        assert len(house.outbox) == 0

    assert in_house(tmp_path, test).troubles == ["disk is full", "disk is full"]


def test_what_no_disk_took_and_nobody_could_take_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = alarms(2)

    def full(*_: object) -> list[int]:
        raise StoreError("disk is full")

    async def test(house: House) -> None:
        monkeypatch.setattr(house.outbox, "put", full)
        house.spool.put(events[0])
        async with asyncio.timeout(10):
            while not house.troubles:
                await asyncio.sleep(0.001)
        house.now_s += LATE_AFTER_S + 0.1
        monkeypatch.undo()
        house.spool.put(events[1])
        assert await house.delivered(1) == [(events[1].id, False)]
        assert house.spool.lost == 1

    in_house(tmp_path, test)
