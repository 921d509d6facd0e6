"""The desk in the daemon: what people do is stored, survives a restart, and needs no signal."""

import asyncio
import json
from pathlib import Path

import pytest

from edge_runtime.alarms.desk import DAEMON, AlarmDesk
from edge_runtime.events import AlarmStateChanged, Event, Priority
from edge_runtime.publication import Published
from edge_runtime.supervisor import Parts, Supervisor
from edge_runtime.threads import Ended, PeopleActed
from firmware_bridge.stream import SampleChunk, StreamItem
from tests.edge_runtime.alarms.making import cleared, raised
from tests.edge_runtime.daemon_parts import EchoEngine, ListDriver, ListStore, ListView, stream


class Desk(AlarmDesk):
    """A desk with a hand on its clock and a list in place of the engine thread."""

    def __init__(self, file: Path | None = None, sounder: object = None) -> None:
        self.now = 100.0
        super().__init__(None, file, sounder, lambda: self.now)  # type: ignore[arg-type]
        self.posted: list[tuple[str, PeopleActed]] = []
        self.connect(lambda source, acted: self.posted.append((source, acted)))

    def hear(self, *events: Event, source: str = "chest", session: str = "s1") -> None:
        published = [
            Published(id="", source=source, session=session, number=n, time="", event=event)
            for n, event in enumerate(events)
        ]
        self.see(source, None, published)


def test_what_a_person_does_is_answered_and_posted_to_its_source() -> None:
    desk = Desk()
    desk.hear(raised(1))
    desk.hear(raised(1, Priority.LOW), source="wrist", session="s2")
    assert desk.acknowledge("s1", 1, "nurse")
    assert not desk.acknowledge("s1", 1, "nurse")
    assert desk.posted == [("chest", PeopleActed(1, "acknowledged", "nurse", "s1"))]
    assert desk.pause_audio("nurse", 30.0)
    assert [source for source, _ in desk.posted[1:]] == ["chest", "wrist"]
    board = desk.board()
    assert (board.paused_for_s, board.sounding, board.off) == (30.0, None, False)
    assert len(board.alarms) == 2


def test_time_goes_on_without_signal() -> None:
    desk = Desk()
    desk.hear(raised(1))
    desk.now += 61.0
    desk.tick()
    assert desk.posted == [("chest", PeopleActed(1, "escalated", "nobody", "s1"))]


def test_the_end_of_a_source_ends_its_conditions() -> None:
    desk = Desk()
    desk.hear(raised(1), raised(2, Priority.MEDIUM))
    desk.see("chest", Ended("unplugged"), [])
    assert [(a.raised.alarm, a.holds) for a in desk.board().alarms] == [(1, False)]
    assert desk.reset("nurse")
    assert desk.posted == []  # its session is over: nothing can be published in it


def test_a_restart_forgets_neither_latches_nor_off(tmp_path: Path) -> None:
    file = tmp_path / "alarms.json"
    desk = Desk(file)
    desk.hear(raised(1))
    desk.switch_off("nurse")
    other = Desk(file)
    assert [a.raised.alarm for a in other.board().alarms] == [1]
    assert other.board().off
    assert other.switch_on("nurse")
    assert not Desk(file).board().off


def test_the_file_is_written_only_when_something_changed(tmp_path: Path) -> None:
    file = tmp_path / "alarms.json"
    desk = Desk(file)
    desk.hear(raised(1))
    desk.tick()
    first = file.stat().st_mtime_ns
    desk.now += 5.0
    desk.tick()
    assert file.stat().st_mtime_ns == first
    desk.hear(cleared(1))
    desk.tick()
    assert json.loads(file.read_text())["shown"]


@pytest.mark.parametrize("content", ["", "{}", '{"shown": [{}], "off": 1}', "[]"])
def test_a_broken_file_is_said_and_starts_empty(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "alarms.json"
    file.write_text(content)
    assert Desk(file).board().alarms == ()
    assert "cannot be read" in caplog.text


def test_a_file_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path / "none" / "alarms.json")
    desk.hear(raised(1))
    desk.tick()
    assert "cannot be written" in caplog.text
    assert desk.acknowledge("s1", 1, "nurse")


def test_a_trouble_of_the_daemon_is_a_technical_alarm_until_it_is_silent() -> None:
    desk = Desk()
    desk.trouble("store", "no space left")
    desk.trouble("store", "no space left")
    (shown,) = desk.board().alarms
    assert (shown.session, shown.raised.kind, shown.raised.text) == (
        DAEMON,
        "technical",
        "no space left",
    )
    desk.now += 151.0
    desk.tick()
    assert desk.board().alarms == ()
    desk.trouble("store", "again")
    desk.trouble_over("store")
    assert desk.board().alarms == ()


class BrokenSounder:
    def __init__(self) -> None:
        self.problem: str | None = "no sound card"

    def sound(self, priority: Priority | None, now_s: float) -> str | None:
        return self.problem

    def close(self) -> None:
        pass


def test_sound_that_fails_is_a_technical_alarm() -> None:
    sounder = BrokenSounder()
    desk = Desk(sounder=sounder)
    desk.tick()
    assert [a.raised.rule for a in desk.board().alarms] == ["audible"]
    sounder.problem = None
    desk.tick()
    assert desk.board().alarms == ()


class AlarmingEngine(EchoEngine):
    """Raises an alarm with its first chunk."""

    def feed(self, item: StreamItem) -> list[Event]:
        if isinstance(item, SampleChunk) and item.first == 0:
            return [raised(1)]
        return super().feed(item)


def test_the_daemon_stores_what_people_did() -> None:
    store, desk = ListStore(), AlarmDesk()

    class Nurse(ListView):
        async def run(self) -> None:
            while not desk.board().alarms:
                await asyncio.sleep(0.001)
            (alarm,) = desk.board().alarms
            desk.acknowledge(alarm.session, alarm.raised.alarm, "nurse")
            while not any(isinstance(p.event, AlarmStateChanged) for p in store.events):
                await asyncio.sleep(0.001)
            raise StopAsyncIteration

    driver = ListDriver(stream("chest"), stays=True)
    parts = Parts({"chest": lambda: driver}, lambda _: AlarmingEngine(), store, (Nurse(),), desk)
    with pytest.raises(Exception, match="view failed"):
        asyncio.run(Supervisor(parts, duration_s=20.0).run())
    (change,) = [p.event for p in store.events if isinstance(p.event, AlarmStateChanged)]
    assert (change.alarm, change.state, change.by) == (1, "acknowledged", "nurse")
    numbers = [p.number for p in store.events]
    assert numbers == sorted(numbers)


def test_a_store_that_fails_is_a_technical_alarm_at_the_desk() -> None:
    desk = AlarmDesk()

    def failing(act: str) -> None:
        from edge_runtime.errors import StoreError

        if act == "record":
            raise StoreError("no space left")

    driver = ListDriver(stream("chest"))
    parts = Parts({"chest": lambda: driver}, lambda _: EchoEngine(), ListStore(failing), (), desk)
    asyncio.run(Supervisor(parts).run())
    assert [a.raised.text for a in desk.board().alarms] == ["no space left"]


def test_the_daemon_loads_changed_site_rules_and_says_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("rule_engine")
    from edge_runtime.site_rules import SiteBook

    file, desk = tmp_path / "site.toml", AlarmDesk()
    file.write_text("[[rule]]\nname='a'\nwhen='readable'\ntext='A'\npriority='low'\n")
    book = SiteBook(file, lambda problem: desk.trouble("site_rules", problem, lasts_s=None))
    file.write_text("[[rule]]\nname='a'\nwhen='nonsense > 1'\ntext='A'\npriority='low'\n")

    class Watcher(ListView):
        async def run(self) -> None:
            while not desk.board().alarms:
                await asyncio.sleep(0.001)
            raise StopAsyncIteration

    driver = ListDriver(stream("chest"), stays=True)
    parts = Parts(
        {"chest": lambda: driver},
        lambda _: EchoEngine(),
        ListStore(),
        (Watcher(),),
        desk=desk,
        site=book,
    )
    with pytest.raises(Exception, match="view failed"):
        asyncio.run(Supervisor(parts, duration_s=20.0).run())
    (shown,) = desk.board().alarms
    assert "stay in force" in shown.raised.text
