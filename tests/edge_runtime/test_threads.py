"""The engine and the writer thread: nothing is lost, and no part takes another down."""

import threading
from collections.abc import Callable

import pytest

from edge_runtime.errors import PathError, StoreError
from edge_runtime.events import Event
from edge_runtime.gathering import Gathering
from edge_runtime.inference.calls import Call
from edge_runtime.threads import AnyEngine, Ended, EngineThread, WriterThread
from firmware_bridge.stream import SampleChunk, StreamItem, StreamOpened
from tests.edge_runtime.daemon_parts import EchoEngine, ListStore, ListView, echo, stream


class Daemon:
    """Both threads with a list at every end."""

    def __init__(
        self,
        store: ListStore | None = None,
        make: Callable[[StreamOpened], AnyEngine] = echo,
        gathering: Gathering | None = None,
    ) -> None:
        self.store = store or ListStore()
        self.view = ListView()
        self.failures: list[tuple[str, BaseException]] = []
        self.writer = WriterThread(self.store, self.view.say, self._failed)
        self.engine = EngineThread(
            make, self.view.see, self.writer, self.view.say, self._failed,
            gathering=lambda: gathering,
        )  # fmt: skip
        self.writer.start()
        self.engine.start()

    def _failed(self, name: str, error: BaseException) -> None:
        self.failures.append((name, error))

    def play(self, source: str, n_chunks: int = 20) -> None:
        for item in stream(source, n_chunks):
            self.engine.put(source, item)

    def stop(self) -> None:
        self.engine.stop()
        assert self.engine.join(5)
        self.writer.stop()
        assert self.writer.join(5)


def test_everything_is_stored_before_the_threads_end() -> None:
    daemon = Daemon()
    daemon.play("chest", 300)
    daemon.engine.put("chest", Ended("stopped"))
    daemon.stop()
    store = daemon.store
    (session,) = store.begun
    # A late engine gets merged chunks, so that their number varies; their order does not.
    starts = store.indices(session)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert store.ended == [(session, "stopped")]
    assert store.closed
    numbers = [one.number for one in store.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert store.events[-1].event.at == 300 * 50
    assert daemon.view.marks("chest") == len(store.events)
    assert daemon.failures == []
    assert daemon.engine.waiting() == daemon.writer.waiting() == 0


def test_a_failing_store_is_told_once_and_monitoring_goes_on() -> None:
    def disk_full(call: str) -> None:
        if call == "record":
            raise StoreError("no space left on the disk")

    daemon = Daemon(ListStore(failing=disk_full))
    daemon.play("chest", 50)
    daemon.stop()
    assert daemon.view.said == [("store", "no space left on the disk")]
    assert daemon.view.marks("chest") > 0
    assert daemon.failures == []
    assert daemon.store.closed


def test_a_session_that_begins_while_the_disk_is_full_is_recorded() -> None:
    def locked(call: str) -> None:
        if call == "begin":
            raise StoreError("the database is locked")

    daemon = Daemon(ListStore(failing=locked))
    daemon.play("chest")
    daemon.engine.put("chest", Ended("stopped"))
    daemon.stop()
    assert daemon.view.said == [("store", "the database is locked")]
    (session,) = daemon.store.begun
    assert daemon.store.indices(session)[0] == 0
    assert len(daemon.store.events) == daemon.view.marks("chest") > 0
    assert daemon.store.ended == [(session, "stopped")]
    assert daemon.failures == []


def test_events_are_kept_when_their_samples_are_refused() -> None:
    def disk_full(call: str) -> None:
        if call == "record":
            raise StoreError("no space left on the disk")

    daemon = Daemon(ListStore(failing=disk_full))
    daemon.play("chest")
    daemon.stop()
    assert daemon.store.items == []
    assert len(daemon.store.events) == daemon.view.marks("chest") > 0


def test_a_session_is_ended_when_its_last_events_are_refused() -> None:
    def disk_full(call: str) -> None:
        if call == "record_events":
            raise StoreError("no space left on the disk")

    daemon = Daemon(ListStore(failing=disk_full))
    daemon.play("chest")
    daemon.engine.put("chest", Ended("stopped"))
    daemon.stop()
    assert [reason for _, reason in daemon.store.ended] == ["stopped"]


def test_an_engine_that_refuses_one_source_leaves_the_others() -> None:
    def make(opened: StreamOpened) -> EchoEngine:
        if opened.source == "wrist":
            raise PathError("50 Hz is too slow")
        return EchoEngine()

    daemon = Daemon(make=make)
    daemon.play("wrist")
    daemon.play("chest")
    daemon.stop()
    assert daemon.view.said == [("wrist", "50 Hz is too slow")]
    assert daemon.view.marks("wrist") == 0
    assert daemon.view.marks("chest") > 0
    assert len(daemon.store.begun) == 1


def test_a_source_that_turns_unreadable_ends_its_session_only() -> None:
    def make(opened: StreamOpened) -> EchoEngine:
        shape = PathError("samples of another shape")
        return EchoEngine(fails={0: shape} if opened.source == "wrist" else {})

    daemon = Daemon(make=make)
    daemon.play("wrist", 1)
    daemon.play("chest")
    daemon.stop()
    assert daemon.view.said == [("wrist", "samples of another shape")]
    assert [reason for _, reason in daemon.store.ended] == ["samples of another shape"]
    assert daemon.view.marks("chest") > 0
    assert daemon.failures == []


def test_a_source_opened_anew_ends_the_session_before() -> None:
    daemon = Daemon()
    daemon.play("chest", 2)
    daemon.play("chest", 2)
    daemon.stop()
    first, second = daemon.store.begun
    assert first != second
    assert daemon.store.ended == [(first, "the source was opened anew")]


def test_items_without_a_session_are_nobodys() -> None:
    daemon = Daemon()
    daemon.engine.put("chest", Ended("no such port"))
    daemon.stop()
    assert daemon.view.seen == []
    assert daemon.store.begun == []


@pytest.mark.parametrize("thread", ["engine", "writer"])
def test_a_bug_is_handed_to_the_supervisor_and_the_store_is_closed(thread: str) -> None:
    bug = ZeroDivisionError("a bug")

    def failing(call: str) -> None:
        if thread == "writer" and call == "record":
            raise bug

    def make(_opened: StreamOpened) -> EchoEngine:
        return EchoEngine(fails={0: bug} if thread == "engine" else {})

    daemon = Daemon(ListStore(failing=failing), make)
    daemon.play("chest", 5)
    daemon.stop()
    assert daemon.failures == [(thread, bug)]
    assert daemon.store.closed


def test_stopping_does_not_wait_for_a_disk_that_hangs() -> None:
    hangs, entered = threading.Event(), threading.Event()

    def hanging(call: str) -> None:
        if call == "record":
            entered.set()
            hangs.wait(10)

    daemon = Daemon(ListStore(failing=hanging))
    daemon.play("chest", 5)
    assert entered.wait(5)
    daemon.engine.stop()
    assert daemon.engine.join(5)
    daemon.writer.stop()
    assert not daemon.writer.join(0.01)
    hangs.set()
    assert daemon.writer.join(5)
    assert daemon.store.closed


class Counting:
    """A network that writes down of how many rows each call was part."""

    model = b""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def make(self, _call: Call, rows: int) -> None:
        self.rows.append(rows)


class CallingEngine(EchoEngine):
    """Calls a network for each chunk before it says something, and waits for `begin` first."""

    def __init__(self, gathering: Gathering, network: Counting, begin: threading.Event) -> None:
        super().__init__()
        self._gathering, self._network, self._begin = gathering, network, begin

    def feed(self, item: StreamItem) -> list[Event]:
        self._begin.wait(5)
        if isinstance(item, SampleChunk):
            self._gathering.takes(Call(self._network, {}, {"said": [0]}))
        return super().feed(item)


@pytest.mark.parametrize("from_patients", [None, 3])
def test_sources_that_wait_together_are_read_together(from_patients: int | None) -> None:
    gathering, network, begin = Gathering(), Counting(), threading.Event()
    gathering.from_patients = from_patients
    daemon = Daemon(make=lambda _: CallingEngine(gathering, network, begin), gathering=gathering)
    streams = {source: stream(source, 10) for source in "abc"}
    for items in zip(*streams.values(), strict=True):
        for source, item in zip(streams, items, strict=True):
            daemon.engine.put(source, item)
    begin.set()
    daemon.stop()
    assert network.rows == ([] if from_patients is None else [3] * 30)
    for source in streams:
        assert daemon.view.marks(source) == 10
    for session in daemon.store.begun:
        starts = daemon.store.indices(session)
        assert starts == sorted(set(starts))
        assert len(starts) == 10
    assert daemon.failures == []
    assert daemon.engine.waiting() == 0


def test_a_source_that_cannot_be_read_leaves_those_beside_it() -> None:
    gathering = Gathering()
    gathering.from_patients = 2
    begin = threading.Event()

    def make(opened: StreamOpened) -> AnyEngine:
        fails: dict[int, Exception] = {50: PathError("no ECG")}
        fails = fails if opened.source == "b" else {}
        begin.wait(5)
        return EchoEngine(fails)

    daemon = Daemon(make=make, gathering=gathering)
    streams = {source: stream(source, 5) for source in "abc"}
    for items in zip(*streams.values(), strict=True):
        for source, item in zip(streams, items, strict=True):
            daemon.engine.put(source, item)
    begin.set()
    daemon.stop()
    assert daemon.view.said == [("b", "no ECG")]
    assert [daemon.view.marks(source) for source in "abc"] == [5, 1, 5]
    assert [reason for _, reason in daemon.store.ended] == ["no ECG"]


@pytest.mark.parametrize("from_patients", [None, 3])
def test_a_bug_takes_nothing_from_those_who_were_before_it(from_patients: int | None) -> None:
    gathering, bug = Gathering(), ZeroDivisionError("a bug")
    gathering.from_patients = from_patients
    begin = threading.Event()

    def make(opened: StreamOpened) -> AnyEngine:
        begin.wait(5)
        return EchoEngine({0: bug} if opened.source == "b" else {})

    daemon = Daemon(make=make, gathering=gathering)
    for items in zip(*(stream(source, 1) for source in "abc"), strict=True):
        for source, item in zip("abc", items, strict=True):
            daemon.engine.put(source, item)
    begin.set()
    daemon.stop()
    assert daemon.failures == [("engine", bug)]
    assert [daemon.view.marks(source) for source in "abc"] == [1, 0, 0]
    assert len(daemon.store.events) == 1
