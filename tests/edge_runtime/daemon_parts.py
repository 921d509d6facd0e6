"""Hand-written stand-ins for what the daemon composes: engine, store, driver, view."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from edge_runtime.events import Event, UserMarked
from edge_runtime.publication import Published, Session
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.threads import InQueue
from firmware_bridge.stream import SampleChunk, SampleIndex, StreamItem, StreamOpened, Tick
from tests.synthetic import chunks, ecg, opened


def stream(source: str, n_chunks: int = 20) -> list[StreamItem]:
    """A short stream of `source`, with an event from EchoEngine for each of its chunks."""
    samples = ecg([], n_chunks * 0.1)
    return [opened(500, source=source), *chunks(samples, 50)]


@dataclass
class EchoEngine:
    """Says a UserMarked for each chunk, and one at the end. Raises what `fails` holds for a
    chunk's first index."""

    fails: dict[int, Exception] = field(default_factory=dict)
    end: int = 0

    def feed(self, item: StreamItem) -> list[Event]:
        if not isinstance(item, SampleChunk):
            return []
        if item.first in self.fails:
            raise self.fails[item.first]
        self.end = item.end
        return [UserMarked(at=item.first, decided=item.end, text="chunk")]

    def finish(self) -> list[Event]:
        return [UserMarked(at=self.end, decided=self.end, text="end")]

    def change_rules(self, rules: RuleSettings, changes: Sequence[str]) -> list[Event]:
        return [UserMarked(at=self.end, decided=self.end, text="; ".join(changes))]


@dataclass
class ListStore:
    """Keeps everything in lists; `failing` is asked before each call and may raise."""

    failing: Callable[[str], None] = lambda _: None
    begun: list[str] = field(default_factory=list)
    items: list[tuple[str, StreamItem]] = field(default_factory=list)
    events: list[Published] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    ticks: int = 0
    closed: bool = False

    def begin(self, session: Session) -> None:
        self.begun.append(session.id)  # also when it is refused, as the contract of begin says
        self.failing("begin")

    def record(self, session: str, item: StreamItem) -> None:
        self.failing("record")
        if session not in self.begun:
            raise KeyError(session)  # as a store that looks its session up
        self.items.append((session, item))

    def record_events(self, published: Sequence[Published]) -> None:
        self.failing("record_events")
        self.events += published

    def tick(self) -> None:
        self.failing("tick")
        self.ticks += 1

    def end(self, session: str, reason: str) -> None:
        self.failing("end")
        self.ended.append((session, reason))

    def close(self) -> None:
        self.closed = True

    def indices(self, session: str) -> list[SampleIndex]:
        """Where the chunks kept of `session` begin."""
        return [i.first for s, i in self.items if s == session and isinstance(i, SampleChunk)]


@dataclass
class ListDriver:
    """Plays `items`, then raises `error`, waits for ever, ticks for ever, or ends."""

    items: Sequence[StreamItem]
    error: Exception | None = None
    stays: bool = False
    ticks: bool = False
    closed: bool = False

    async def stream(self) -> AsyncIterator[StreamItem]:
        try:
            for item in self.items:
                yield item
            if self.error is not None:
                raise self.error
            if self.stays:
                await asyncio.Event().wait()
            while self.ticks:
                await asyncio.sleep(0.001)
                yield Tick(SampleIndex(0))
        finally:
            self.closed = True


@dataclass
class ListView:
    """Remembers what it was shown and told."""

    seen: list[tuple[str, InQueue, tuple[Published, ...]]] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    error: Exception | None = None

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        self.seen.append((source, item, tuple(published)))

    def say(self, source: str, message: str) -> None:
        self.said.append((source, message))

    async def run(self) -> None:
        if self.error is not None:
            raise self.error

    def marks(self, source: str) -> int:
        """Events shown of `source`."""
        return sum(len(published) for s, _, published in self.seen if s == source)


def echo(_opened: StreamOpened) -> EchoEngine:
    """An engine for any stream."""
    return EchoEngine()
