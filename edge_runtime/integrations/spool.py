"""From the engine's thread to a sender in the loop, by way of the disk.

What is put is on disk within moments and stays there until it was delivered. What can be delivered
at once is *fresh*; what had to wait longer, or was put by a daemon before this one, is *late*. The
fresh goes first: an alarm of now never queues behind three days of history. Within each the order
is that in which it was put.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.integrations.outbox import Outbox
from edge_runtime.publication import Published

log = logging.getLogger(__name__)

LATE_AFTER_S: Final = 10.0
"""As long as the page waits before it says NOT MONITORING."""
_MOST_ARRIVING: Final = 4096
_MOST_FRESH: Final = 1024

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Published)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """`number` is None where the disk did not take it."""

    number: int | None
    put_s: float
    published: Published


@dataclass(frozen=True, slots=True)
class Batch:
    """What to deliver next, in order; `late`: as history."""

    published: tuple[Published, ...]
    late: bool
    _numbers: tuple[int, ...]


class Spool:
    """`outbox` with a door for the engine's thread. `trouble` is told when the disk fails."""

    def __init__(
        self,
        outbox: Outbox,
        trouble: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._trouble = trouble
        self._now_s = now_s
        self._arriving: deque[tuple[float, Published]] = deque()
        self._fresh: deque[_Fresh] = deque()
        self._delivered: set[int] = set()  # and perhaps still on disk
        self._backlog = True  # perhaps there is something on disk that is not fresh
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._news = asyncio.Event()
        self._disk = asyncio.Lock()
        self.lost = 0

    def put(self, published: Published) -> None:
        """Take what is to be delivered. Any thread; never blocks.

        A loop that stands still for so long that thousands wait loses the oldest.
        """
        self._arriving.append((self._now_s(), published))
        if len(self._arriving) > _MOST_ARRIVING:
            self._arriving.popleft()
            self.lost += 1
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    @property
    def dropped(self) -> int:
        """What will never be delivered: too old, too much, or no disk to wait on."""
        return self.lost + self._outbox.dropped

    async def run(self) -> None:
        """Bring to the disk what is put, until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._arrived.set()
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                await self._keep()
        finally:
            self._loop = None

    async def next_batch(self, limit: int) -> Batch:
        """What to deliver next; waits until there is something."""
        while True:
            self._news.clear()
            self._let_age()
            if self._fresh:
                first = list(self._fresh)[:limit]
                numbers = tuple(one.number for one in first if one.number is not None)
                return Batch(tuple(one.published for one in first), False, numbers)
            if self._backlog:
                batch = await self._late(limit)
                if batch is not None:
                    return batch
                continue
            await self._news.wait()

    async def delivered(self, batch: Batch) -> None:
        """Forget it."""
        sent = {one.id for one in batch.published}
        self._fresh = deque(one for one in self._fresh if one.published.id not in sent)
        self._delivered.update(batch._numbers)
        async with self._disk:
            try:
                await asyncio.to_thread(self._outbox.remove, tuple(self._delivered))
            except StoreError as error:
                self._trouble(str(error))  # tried again with the next
            else:
                self._delivered.clear()

    def close(self) -> None:
        """What came last is on disk, and nothing is open any more."""
        payloads = [_encoder.encode(published) for _, published in self._arriving]
        self._arriving.clear()
        try:
            if payloads:
                self._outbox.put(payloads)
        except StoreError as error:
            self._trouble(str(error))
        self._outbox.close()

    async def _keep(self) -> None:
        arrived = [self._arriving.popleft() for _ in range(len(self._arriving))]
        if not arrived:
            return
        payloads = [_encoder.encode(published) for _, published in arrived]
        numbers: list[int | None] = [None] * len(arrived)
        async with self._disk:
            try:
                numbers = list(await _finished(self._outbox.put, payloads))
            except StoreError as error:
                self._trouble(str(error))
            for number, (put_s, published) in zip(numbers, arrived, strict=True):
                self._fresh.append(_Fresh(number, put_s, published))
            while len(self._fresh) > _MOST_FRESH:
                self._grow_late(self._fresh.popleft())
        self._news.set()

    async def _late(self, limit: int) -> Batch | None:
        async with self._disk:
            fresh = [one.number for one in self._fresh if one.number is not None]
            below = min(fresh, default=None)
            wanted = limit + len(self._delivered)
            try:
                found = await asyncio.to_thread(self._outbox.oldest, wanted, below)
            except StoreError as error:
                self._trouble(str(error))
                found = []
            waiting = [one for one in found if one.number not in self._delivered][:limit]
            if not waiting:
                self._backlog = False
                return None
        published, numbers = [], []
        for one in waiting:
            numbers.append(one.number)
            try:
                published.append(_decoder.decode(one.payload))
            except msgspec.DecodeError as error:
                log.error("a message that waited cannot be read, and is left out: %s", error)
        return Batch(tuple(published), True, tuple(numbers))

    def _let_age(self) -> None:
        while self._fresh and self._now_s() - self._fresh[0].put_s > LATE_AFTER_S:
            self._grow_late(self._fresh.popleft())

    def _grow_late(self, one: _Fresh) -> None:
        if one.number is None:
            self.lost += 1
        else:
            self._backlog = True


async def _finished(put: Callable[[list[bytes]], list[int]], payloads: list[bytes]) -> list[int]:
    """In a thread; who is cancelled meanwhile still waits for it, so that nothing is lost."""
    putting = asyncio.ensure_future(asyncio.to_thread(put, payloads))
    try:
        return await asyncio.shield(putting)
    except asyncio.CancelledError:
        await putting
        raise
