"""The two threads of the daemon: one owns every engine, one owns the store.

The loop hands items to the engine thread, which feeds them to the engines one by one (samples of
several patients together, where an accelerator gains by it), publishes events to the live views
first, and then hands items and events to the writer. Only the way to the store blocks: when the
disk hangs for minutes the engine waits, its own queue merges, and at last samples become a marked
overflow gap. Each thread counts its progress for the watchdog; what kills one is handed to the
supervisor.
"""

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errors import EdgeRuntimeError, StoreError
from edge_runtime.events import Event
from edge_runtime.gathering import MOST, Gathering
from edge_runtime.item_queue import ItemQueue
from edge_runtime.publication import Published, Session
from edge_runtime.rules.settings import RuleSettings
from firmware_bridge.stream import (
    BytesSkipped,
    ClockAnchor,
    Gap,
    GapReason,
    SampleChunk,
    StreamItem,
    StreamOpened,
)

ENGINE_QUEUE_SAMPLES: Final = 500 * 300
"""Five minutes of 500 Hz: longer than a disk's worst pause, small in memory (1.2 MB a lead)."""
_WRITER_QUEUE_ITEMS: Final = 4096
_WRITER_WAKES_S: Final = 0.5
_SAY_AGAIN_S: Final = 60.0
"""A full disk fails fifty times a second; a person needs to hear it once a minute."""


class AnyEngine(Protocol):
    """What the engine thread needs of `edge_runtime.engine.Engine`."""

    def feed(self, item: StreamItem) -> list[Event]:
        """Events that `item` completes, in order of `decided`."""
        ...

    def finish(self) -> list[Event]:
        """The stream is over: what was still to be said."""
        ...

    def change_rules(self, rules: RuleSettings, changes: Sequence[str]) -> list[Event]:
        """Other limits from the next sample on; `changes` say which."""
        ...


class AnyStore(Protocol):
    """What the writer thread needs of `edge_runtime.store.Store`; all calls from one thread."""

    def begin(self, session: Session) -> None:
        """A session starts. After a StoreError it is known all the same, and its row waits."""
        ...

    def record(self, session: str, item: StreamItem) -> None:
        """Keep raw signal, gaps and anchors."""
        ...

    def record_events(self, published: Sequence[Published]) -> None:
        """Keep events. Alarms are on disk when this returns."""
        ...

    def tick(self) -> None:
        """Called twice a second or more: sync when the durability interval is over."""
        ...

    def end(self, session: str, reason: str) -> None:
        """A session is over."""
        ...

    def close(self) -> None:
        """Everything on disk, nothing open."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """In place of an item: the stream of this source is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class PeopleActed:
    """In place of an item: a person, or the people's clock, changed what an alarm does.

    `alarm`: its number in `session`, 0 for all alarms of the running one; the rest as in
    `AlarmStateChanged`. Of a session that is over nothing more is published.
    """

    alarm: int
    state: str
    by: str
    session: str = ""


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """In place of an item: other limits from now on; `changes` are lines that say which."""

    rules: RuleSettings
    changes: tuple[str, ...]


InQueue = StreamItem | Ended | PeopleActed | RulesChanged
"""What the engine thread takes."""


class _Worker:
    """A named thread that counts its progress and hands over what killed it."""

    def __init__(self, name: str, failed: Callable[[str, BaseException], None]) -> None:
        self.progress = 0
        self._busy = False  # with something that waits no more and is not done yet
        self._failed = failed
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait until all work is done; False if that took longer than `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - the supervisor decides, nothing is lost
            self._failed(self._thread.name, error)

    def _work(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Record:
    """One thing for the store to do."""

    session: Session
    item: InQueue
    published: tuple[Published, ...] = ()


class Errand(Protocol):
    """Something that others want done where the store is."""

    def run(self) -> None:
        """Do it; whoever asked hears how it went. Never raises."""
        ...


class WriterThread(_Worker):
    """Owns the store: every SQLite statement and raw file is written here."""

    def __init__(
        self,
        store: AnyStore,
        trouble: Callable[[str, str], None],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        super().__init__("writer", failed)
        self._store = store
        self._trouble = trouble
        self._queue: queue.Queue[_Record | Errand | None] = queue.Queue(_WRITER_QUEUE_ITEMS)
        self._begun: set[str] = set()
        self._told: dict[str, float] = {}
        self._stopping = False

    def put(self, record: _Record) -> None:
        """Blocks when the store is more than the queue behind."""
        self._queue.put(record)

    def put_errand(self, errand: Errand) -> bool:
        """Between two records. Never blocks: False where the store is too far behind."""
        try:
            self._queue.put_nowait(errand)
        except queue.Full:
            return False
        return True

    def waiting(self) -> int:
        """Records not yet written, the one in work among them."""
        return self._queue.qsize() + self._busy

    def stop(self) -> None:
        """Finish what waits, then end. Never blocks, even when the disk hangs."""
        self._stopping = True
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)

    def _work(self) -> None:
        try:
            while True:
                try:
                    record = self._queue.get(timeout=_WRITER_WAKES_S)
                except queue.Empty:
                    if self._stopping:
                        return
                    record = None
                else:
                    if record is None:
                        return
                self._busy = True
                if isinstance(record, _Record):
                    self._write(record)
                elif record is not None:
                    record.run()
                self._guarded(self._store.tick)
                self._busy = False
                self.progress += 1
        finally:
            self._store.close()

    def _write(self, record: _Record) -> None:
        """Each call has its own guard: samples that are refused do not take alarms with them."""
        session = record.session
        if isinstance(record.item, StreamOpened):
            self._begun.add(session.id)  # also when the disk refuses it now: see AnyStore.begin
            self._guarded(self._store.begin, session)
        if session.id not in self._begun:
            return  # its engine could not even take the StreamOpened
        if not isinstance(record.item, StreamOpened | Ended | PeopleActed | RulesChanged):
            self._guarded(self._store.record, session.id, record.item)
        if record.published:
            self._guarded(self._store.record_events, record.published)
        if isinstance(record.item, Ended):
            self._begun.discard(session.id)
            self._guarded(self._store.end, session.id, record.item.reason)

    def _guarded(self, act: Callable[..., None], *arguments: object) -> None:
        """A store that fails is told to a person; the monitoring goes on without it."""
        try:
            act(*arguments)
        except StoreError as error:
            message, now_s = str(error), time.monotonic()
            if now_s - self._told.get(message, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
                self._told[message] = now_s
                self._trouble(error.part, message)


_Running = tuple[AnyEngine, Session]
_Said = list[Event] | EdgeRuntimeError


class EngineThread(_Worker):
    """Owns one engine and one session for each source."""

    def __init__(
        self,
        make_engine: Callable[[StreamOpened], AnyEngine],
        show: Callable[[str, InQueue, Sequence[Published]], None],
        writer: WriterThread | None,
        refused: Callable[[str, str], None],
        failed: Callable[[str, BaseException], None],
        dropped: Dropped | None = None,
        gathering: Callable[[], Gathering | None] = lambda: None,
    ) -> None:
        """`gathering`: where engines whose samples wait are to work together."""
        super().__init__("engine", failed)
        self._gathering = gathering
        self._dropped = dropped or Dropped()
        self._refused = refused
        self._make_engine = make_engine
        self._show = show
        self._writer = writer
        self._queue: ItemQueue[InQueue] = ItemQueue(ENGINE_QUEUE_SAMPLES)
        self._running: dict[str, _Running] = {}

    def put(self, source: str, item: InQueue) -> None:
        """Never blocks; see ItemQueue for what happens when the engine is late."""
        self._queue.put(source, item)

    def waiting(self) -> int:
        """Items that no engine is done with."""
        return len(self._queue) + self._busy

    def stop(self) -> None:
        """Finish what waits, then end."""
        self._queue.close()

    def _work(self) -> None:
        while self._take_together() or self._take_one():
            self._busy = False
            self.progress += 1

    def _take_one(self) -> bool:
        """Waits for it; False when there will be none."""
        entry = self._queue.get()
        if entry is None:
            return False
        self._busy = True
        source, item = entry
        if (running := self._before(source, item)) is not None:
            self._after(source, item, running, _said(*running, item))
        return True

    def _take_together(self) -> bool:
        """Samples of several sources, where that gains; False where there is nothing like that."""
        gathering = self._gathering()
        if gathering is None or gathering.from_patients is None:
            return False
        chunks = self._queue.get_chunks(gathering.from_patients, MOST)
        self._busy = bool(chunks)
        taken = [(s, chunk, running) for s, chunk in chunks if (running := self._before(s, chunk))]
        works = [functools.partial(_said, *running, chunk) for _, chunk, running in taken]
        for (source, chunk, running), said in zip(taken, gathering.together(works), strict=True):
            self._after(source, chunk, running, said)
        return bool(chunks)

    def _before(self, source: str, item: InQueue) -> _Running | None:
        """Who is to read the item: None where nobody is."""
        if isinstance(item, StreamOpened):
            if (running := self._running.get(source)) is not None:
                ended = Ended("the source was opened anew")
                self._after(source, ended, running, _said(*running, ended))
            self._open(source, item)
        running = self._running.get(source)
        self._count_dropped(source, item, is_read=running is not None)
        if running is None:
            return None  # refused, or ended before it was opened: there is no session
        _, session = running
        if isinstance(item, PeopleActed) and item.session not in {"", session.id}:
            return None
        if isinstance(item, ClockAnchor):
            session.see_anchor(item)
        elif isinstance(item, Gap):
            session.see_gap(item)
        return running

    def _after(self, source: str, item: InQueue, running: _Running, said: _Said) -> None:
        """Tell what the engine has said of the item."""
        _, session = running
        if isinstance(said, EdgeRuntimeError):
            # What this source sends cannot be read; the others go on, what is stored stays.
            self._refused(source, str(said))
            item, said = Ended(str(said)), []
        published = tuple(session.publish(event) for event in said)
        self._show(source, item, published)
        if self._writer is not None:
            self._writer.put(_Record(session, item, published))
        if isinstance(item, Ended):
            del self._running[source]

    def _count_dropped(self, source: str, item: InQueue, *, is_read: bool) -> None:
        match item:
            case SampleChunk() if not is_read:
                self._dropped.add(Drop.UNREAD_SAMPLES, len(item.samples), source)
            case Gap(reason=GapReason.OVERFLOW):
                self._dropped.add(Drop.OVERFLOW_SAMPLES, item.n_missing, source)
            case BytesSkipped():
                self._dropped.add(Drop.SKIPPED_BYTES, item.n_bytes, source)
            case _:
                pass

    def _open(self, source: str, opened: StreamOpened) -> None:
        try:
            engine = self._make_engine(opened)
        except EdgeRuntimeError as error:
            # One source that cannot be read must not end the others.
            self._running.pop(source, None)
            self._refused(source, str(error))
            return
        self._running[source] = (engine, Session.begin(opened))


def _said(engine: AnyEngine, session: Session, item: InQueue) -> _Said:
    """What follows from `item`, or why the engine cannot take it."""
    try:
        match item:
            case Ended():
                return engine.finish()
            case PeopleActed():
                return [session.state_changed(item.alarm, item.state, item.by)]
            case RulesChanged():
                return engine.change_rules(item.rules, item.changes)
            case _:
                return engine.feed(item)
    except EdgeRuntimeError as error:
        return error
