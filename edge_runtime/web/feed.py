"""From the engine's thread to every open page, without a queue of any page's own.

The newest frames, each encoded once, lie in one short list that all readers share; a reader keeps
only how far it has come. One that is later than the list is long continues with a fresh beginning:
it sees the newest, and neither the daemon nor another page waits or grows because of it.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import msgspec

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.alarms.signals import ShownAlarm
from edge_runtime.dropped import Drop, Dropped
from edge_runtime.publication import Published, utc_text
from edge_runtime.threads import InQueue
from edge_runtime.web.followed import Followed
from edge_runtime.web.shapes import (
    Alarm,
    AlarmBoard,
    DroppedCount,
    Frame,
    LiveSource,
    SourceStatus,
    Strip,
    Trend,
)

FRAMES_PER_S: Final = 10
_FRAMES_KEPT: Final = 100
_STATUS_EVERY: Final = FRAMES_PER_S
RING_S: Final = 300.0
MOST_READERS: Final = 32

_encoder: Final = msgspec.json.Encoder()


class TooManyReadersError(Exception):
    """As many live streams are open as are allowed."""


class LiveFeed:
    """What happens, for the page. `see` is called in the engine's thread, all else in the loop's.

    `sources` are those configured: they are shown before their first stream, too.
    """

    def __init__(
        self,
        sources: Sequence[str],
        desk: AlarmDesk,
        dropped: Dropped | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._desk = desk
        self._dropped = dropped or Dropped()
        self._now_s, self._utc_ns = now_s, utc_ns
        self.started = utc_text(utc_ns())
        self._lock = threading.Lock()
        self._sources = {name: Followed(name, RING_S) for name in sources}
        self._frames: deque[bytes] = deque(maxlen=_FRAMES_KEPT)
        self._number = 0  # of the newest frame
        self._ticks = 0
        self._readers = 0
        self._news = asyncio.Event()
        self._closed = False

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """One item and the events it brought; never waits for a reader."""
        with self._lock:
            self._followed(source).see(item, published, self._now_s())

    def keep(self, sources: Sequence[str]) -> None:
        """Only these are configured from now on: what was seen of others is forgotten."""
        with self._lock:
            self._sources = {name: self._followed(name) for name in sources}

    def say(self, source: str, message: str) -> None:
        """A line for a person about a source, or about the store."""
        with self._lock:
            known = self._sources.get(source)
            for one in [known] if known else self._sources.values():
                one.say(message)

    async def run(self) -> None:
        """Make frames until cancelled."""
        while True:
            await asyncio.sleep(1 / FRAMES_PER_S)
            self.make_frame()

    def make_frame(self) -> None:
        """Encode what came since the last frame, if anybody reads."""
        if not self._readers:
            return
        self._ticks += 1
        status_at_s = self._now_s() if self._ticks % _STATUS_EVERY == 0 else None
        with self._lock:
            news = [one.news(status_at_s) for one in self._sources.values()]
        told = [one for one in news if one is not None]
        if told:
            board = None if status_at_s is None else self.board()
            self._frames.append(self._encoded(told, None, board))
            self._number += 1
            news_came, self._news = self._news, asyncio.Event()
            news_came.set()

    async def follow(self) -> AsyncGenerator[bytes]:
        """The live stream of one reader: server-sent events, the first one a full beginning.

        Raises TooManyReadersError before the first.
        """
        if self._readers >= MOST_READERS:
            raise TooManyReadersError
        if not self._readers:
            with self._lock:
                for one in self._sources.values():
                    one.catch_up()
        self._readers += 1
        try:
            seen = self._number
            yield self._beginning()
            while not self._closed:
                missing = self._number - seen
                seen = self._number
                if not missing:
                    await self._news.wait()
                elif missing > len(self._frames):
                    self._dropped.add(Drop.PAGE_FRAMES, missing)
                    yield self._beginning()
                else:
                    yield b"".join(list(self._frames)[-missing:])
        finally:
            self._readers -= 1

    def close(self) -> None:
        """End every live stream."""
        self._closed = True
        self._news.set()

    def forget(self, session: str) -> None:
        """Show nothing of a session that was deleted."""
        with self._lock:
            for one in self._sources.values():
                one.forget(session)

    def forget_source(self, source: str) -> None:
        """Somebody else wears it now: nothing of before is shown."""
        with self._lock:
            self._sources[source].forget(None)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of all, in the order of the configuration."""
        return tuple(self._sources)

    @property
    def readers(self) -> int:
        """Live streams that are open."""
        return self._readers

    def status(self) -> list[SourceStatus]:
        """Every source, in the order of the configuration."""
        with self._lock:
            return [one.status(self._now_s()) for one in self._sources.values()]

    def dropped(self) -> list[DroppedCount]:
        """Everything the daemon had to drop since its start, by kind and source."""
        counts = self._dropped.counts()
        return [
            DroppedCount(kind=kind, source=source, count=n) for (kind, source), n in counts.items()
        ]

    def alarms(self) -> list[Alarm]:
        """Of all sources, newest first."""
        with self._lock:
            found = [alarm for one in self._sources.values() for alarm in one.alarms]
        return sorted(found, key=lambda alarm: alarm.time, reverse=True)

    def board(self) -> AlarmBoard:
        """What holds for all alarms, and those that no source of this run has raised."""
        board = self._desk.board()
        known = {alarm.id for alarm in self.alarms()}
        return AlarmBoard(
            off=board.off,
            paused_for_s=round(board.paused_for_s, 1),
            sounding=board.sounding,
            acknowledged=[_id(one) for one in board.alarms if one.acknowledged],
            latched=[_id(one) for one in board.alarms if not one.holds],
            others=[self._other(one) for one in board.alarms if _id(one) not in known],
        )

    def _other(self, one: ShownAlarm) -> Alarm:
        raised_ns = self._utc_ns() - int((self._now_s() - one.since_s) * 1e9)
        return Alarm(
            id=_id(one),
            source=one.source,
            session=one.session,
            time=utc_text(raised_ns),
            active=one.holds,
            cleared=None,
            states=[],
            alarm=one.raised,
        )

    def trend(self, source: str) -> Trend | None:
        """Minutes and rhythms of `source`, oldest first; None: no such source."""
        with self._lock:
            one = self._sources.get(source)
            if one is None:
                return None
            return Trend(source=source, points=one.trend.points(), rhythms=one.trend.rhythms())

    def strip(self, source: str, first: int, end: int) -> Strip | None:
        """Raw samples [first, end) that are still held; None: no such source, or no stream yet."""
        with self._lock:
            one = self._sources.get(source)
            return one.strip(first, end) if one else None

    def _followed(self, source: str) -> Followed:
        return self._sources.setdefault(source, Followed(source, RING_S))

    def _beginning(self) -> bytes:
        with self._lock:
            told = [one.beginning(self._now_s()) for one in self._sources.values()]
        return self._encoded(told, self.alarms(), self.board())

    def _encoded(
        self, told: list[LiveSource], alarms: list[Alarm] | None, board: AlarmBoard | None
    ) -> bytes:
        time_text = utc_text(self._utc_ns())
        frame = Frame(time=time_text, sources=told, alarms=alarms, board=board)
        return b"data: " + _encoder.encode(frame) + b"\n\n"


def _id(one: ShownAlarm) -> str:
    return f"{one.session}/{one.raised.alarm}"
