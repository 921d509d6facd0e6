"""The daemon on one page: ends, retries, failures, and what is told about them."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from edge_runtime import followers, supervisor
from edge_runtime.errors import EdgeRuntimeError, PathError
from edge_runtime.events import Event
from edge_runtime.publication import Session
from edge_runtime.supervisor import Parts, Supervisor
from firmware_bridge.driver import Driver
from firmware_bridge.errors import LinkError, ProtocolError
from firmware_bridge.stream import StreamItem, StreamOpened
from tests.edge_runtime.daemon_parts import (
    EchoEngine,
    ListDriver,
    ListStore,
    ListView,
    echo,
    stream,
)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers.Backoff, "next_s", lambda _self: 0.0)


def parts(store: ListStore, view: ListView, **drivers: Callable[[], Driver]) -> Parts:
    return Parts(drivers, echo, store, (view,))


def one_after_the_other(*drivers: ListDriver) -> Callable[[], Driver]:
    left = iter(drivers)
    return lambda: next(left)


def test_it_ends_when_all_sources_have() -> None:
    store, view = ListStore(), ListView()
    chest, wrist = ListDriver(stream("chest")), ListDriver(stream("wrist"))
    running = parts(store, view, chest=lambda: chest, wrist=lambda: wrist)
    asyncio.run(Supervisor(running).run())
    assert len(store.begun) == 2
    assert sorted(reason for _, reason in store.ended) == ["stopped", "stopped"]
    assert view.marks("chest") > 0
    assert view.marks("wrist") > 0
    assert store.closed


def test_it_ends_when_its_time_is_over() -> None:
    store, view = ListStore(), ListView()
    driver = ListDriver(stream("chest"), stays=True)
    asyncio.run(Supervisor(parts(store, view, chest=lambda: driver), duration_s=0.05).run())
    assert [reason for _, reason in store.ended] == ["stopped"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    store, view = ListStore(), ListView()

    class Stopper(ListView):
        async def run(self) -> None:
            os.kill(os.getpid(), number)

    driver = ListDriver(stream("chest"), stays=True)
    running = Parts({"chest": lambda: driver}, echo, store, (view, Stopper()))
    asyncio.run(Supervisor(running).run())
    assert store.closed


def test_a_sensor_that_is_not_there_is_waited_for_and_told_once() -> None:
    store, view = ListStore(), ListView()
    absent = [ListDriver([], LinkError("no such port")) for _ in range(3)]
    drivers = one_after_the_other(*absent, ListDriver(stream("chest")))
    asyncio.run(Supervisor(parts(store, view, chest=drivers)).run())
    assert view.said == [("chest", "no such port")]
    assert view.marks("chest") > 0


def test_another_device_on_the_port_begins_another_session() -> None:
    store, view = ListStore(), ListView()
    drivers = one_after_the_other(
        ListDriver(stream("chest", 3), ProtocolError("another device answers")),
        ListDriver(stream("chest", 3)),
    )
    asyncio.run(Supervisor(parts(store, view, chest=drivers)).run())
    assert [reason for _, reason in store.ended] == ["another device answers", "stopped"]
    assert len(set(store.begun)) == 2


def test_another_wearer_begins_another_session_with_another_stream() -> None:
    store, view = ListStore(), ListView()
    left = [ticking(3), ListDriver(stream("chest", 3))]
    running = Parts({"chest": lambda: left.pop(0)}, echo, store, (view,))

    class Changing(ListView):
        async def run(self) -> None:
            while view.marks("chest") < 3:
                await asyncio.sleep(0.001)
            running.inbox.begin_anew("chest", "another wearer")

    running = replace(running, views=(view, Changing()))
    asyncio.run(Supervisor(running).run())
    assert [reason for _, reason in store.ended] == ["another wearer", "stopped"]
    assert [store.indices(name) for name in store.begun] == [[0, 50, 100]] * 2
    assert left == []
    assert view.said == []


def refusing(first: int, times: int) -> Callable[[StreamOpened], EchoEngine]:
    """Makes engines of which the first `times` cannot read the chunk at `first`."""
    fails = iter([{first: PathError("samples of another shape")}] * times)
    return lambda _opened: EchoEngine(next(fails, {}))


def ticking(n_chunks: int) -> ListDriver:
    return ListDriver(stream("chest", n_chunks), ticks=True)


def test_a_source_that_turns_unreadable_is_opened_anew_as_another_session() -> None:
    store, view = ListStore(), ListView()
    left = [ticking(3), ListDriver(stream("chest", 3))]
    running = Parts({"chest": lambda: left.pop(0)}, refusing(50, times=1), store, (view,))
    asyncio.run(Supervisor(running).run())
    assert view.said == [("chest", "samples of another shape; opening it anew")]
    assert [reason for _, reason in store.ended] == ["samples of another shape", "stopped"]
    first, second = store.begun
    assert store.indices(first) == [0]
    assert store.indices(second) == [0, 50, 100]
    assert left == []


def test_a_source_that_stays_unreadable_is_told_once_and_closed_each_time() -> None:
    store, view = ListStore(), ListView()
    drivers = [ticking(3) for _ in range(4)]
    left = [*drivers, ListDriver(stream("chest", 3))]
    running = Parts({"chest": lambda: left.pop(0)}, refusing(0, times=4), store, (view,))
    asyncio.run(Supervisor(running).run())
    assert view.said == [("chest", "samples of another shape; opening it anew")]
    assert len(store.begun) == 5
    assert all(driver.closed for driver in drivers)


def test_a_source_that_was_read_well_in_between_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(followers, "_READ_WELL_S", -1.0)
    store, view = ListStore(), ListView()
    left = [ticking(3), ticking(3), ListDriver(stream("chest", 3))]
    running = Parts({"chest": lambda: left.pop(0)}, refusing(50, times=2), store, (view,))
    asyncio.run(Supervisor(running).run())
    assert view.said == [("chest", "samples of another shape; opening it anew")] * 2


def test_a_driver_with_a_bug_stops_the_daemon_with_its_name() -> None:
    store, view = ListStore(), ListView()
    broken = ListDriver(stream("chest", 3), ZeroDivisionError("a bug"))
    other = ListDriver(stream("wrist", 3), stays=True)
    running = parts(store, view, chest=lambda: broken, wrist=lambda: other)
    with pytest.raises(EdgeRuntimeError, match="source chest failed: ZeroDivisionError"):
        asyncio.run(Supervisor(running).run())
    assert len(store.ended) == 2
    assert store.closed


def test_a_store_with_a_bug_stops_the_daemon() -> None:
    def failing(call: str) -> None:
        if call == "record":
            raise ZeroDivisionError("a bug")

    store, view = ListStore(failing=failing), ListView()
    driver = ListDriver(stream("chest", 3), stays=True)
    with pytest.raises(EdgeRuntimeError, match="writer failed: ZeroDivisionError"):
        asyncio.run(Supervisor(parts(store, view, chest=lambda: driver)).run())
    assert store.closed


def test_a_view_that_cannot_draw_does_not_freeze_in_silence() -> None:
    store, view = ListStore(), ListView(error=ValueError("no terminal"))
    driver = ListDriver(stream("chest", 3), stays=True)
    with pytest.raises(EdgeRuntimeError, match="view failed: ValueError"):
        asyncio.run(Supervisor(parts(store, view, chest=lambda: driver)).run())
    assert [reason for _, reason in store.ended] == ["stopped"]


def test_it_runs_without_a_store() -> None:
    view = ListView()
    running = Parts({"chest": lambda: ListDriver(stream("chest"))}, echo, None, (view,))
    asyncio.run(Supervisor(running).run())
    assert view.marks("chest") > 0


def test_it_stops_in_the_reverse_of_the_order_in_which_it_started() -> None:
    order: list[str] = []

    class Store(ListStore):
        def begin(self, session: Session) -> None:
            order.append("+store")
            super().begin(session)

        def close(self) -> None:
            order.append("-store")
            super().close()

    class Watching(ListView):
        async def run(self) -> None:
            order.append("+view")
            try:
                await asyncio.Event().wait()
            finally:
                order.append("-view")

    class Engine(EchoEngine):
        def finish(self) -> list[Event]:
            order.append("-engine")
            return super().finish()

    class Sensor(ListDriver):
        async def stream(self) -> AsyncIterator[StreamItem]:
            order.append("+source")
            try:
                async for item in super().stream():
                    yield item
            finally:
                order.append("-source")

    def make(_opened: StreamOpened) -> Engine:
        order.append("+engine")
        return Engine()

    driver = Sensor(stream("chest"), stays=True)
    running = Parts({"chest": lambda: driver}, make, Store(), (Watching(),))
    asyncio.run(Supervisor(running, duration_s=0.2).run())
    # A session needs its engine first, and both a stream: their plus comes after the source's.
    assert order == [
        "+view",
        "+source",
        "+engine",
        "+store",
        "-source",
        "-engine",
        "-view",
        "-store",
    ]


def hanging_store(until: Callable[[], bool]) -> ListStore:
    """Takes nothing until it may, a moment for each call."""

    def slow(call: str) -> None:
        if call == "record":
            waited.wait(0.02)
        while not until() and call == "record":
            waited.wait(0.001)

    waited = threading.Event()
    return ListStore(failing=slow)


def test_a_slow_store_is_waited_for_while_it_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_STUCK_AFTER_S", 0.1)
    store, view = hanging_store(lambda: True), ListView()
    driver = ListDriver(stream("chest"))
    asyncio.run(Supervisor(parts(store, view, chest=lambda: driver)).run())
    assert store.closed
    assert len(store.items) == 20


def test_a_store_that_takes_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_STUCK_AFTER_S", 0.05)
    released = threading.Event()
    store, view = hanging_store(released.is_set), ListView()
    driver = ListDriver(stream("chest"))
    with pytest.raises(EdgeRuntimeError, match=r"writer failed: .*still not done"):
        asyncio.run(Supervisor(parts(store, view, chest=lambda: driver)).run())
    released.set()


def test_a_source_is_lent_and_followed_again_when_it_is_given_back_or_too_late() -> None:
    store, view = ListStore(), ListView()
    made: list[ListDriver] = []

    def make() -> Driver:
        made.append(ListDriver(stream("chest"), stays=True))
        return made[-1]

    running = parts(store, view, chest=make)

    class Borrower(ListView):
        async def run(self) -> None:
            while len(store.begun) < 1:
                await asyncio.sleep(0.001)
            assert not await running.loans.lend("wrist", 60)
            assert await running.loans.lend("chest", 60)
            assert not await running.loans.lend("chest", 60)
            assert len(made) == 1
            running.loans.give_back("chest")
            running.loans.give_back("chest")
            while len(store.begun) < 2:
                await asyncio.sleep(0.001)
            assert await running.loans.lend("chest", 0.01)
            while len(store.begun) < 3:
                await asyncio.sleep(0.001)
            os.kill(os.getpid(), signal.SIGTERM)

    running = replace(running, views=(view, Borrower()))
    asyncio.run(Supervisor(running).run())
    assert len(made) == 3
    reasons = [reason for _, reason in store.ended]
    assert reasons == ["lent to another program", "lent to another program", "stopped"]
