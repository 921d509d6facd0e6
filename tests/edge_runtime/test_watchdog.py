"""The service manager is fed only while every part moves."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_runtime.watchdog import Part, Watchdog, look_every_s, notify, notify_reloading
from tests.edge_runtime.service_manager import ServiceManager


@dataclass
class Count:
    done: int = 0
    waiting: int = 0

    def part(self, name: str) -> Part:
        return Part(name, lambda: self.done, lambda: self.waiting)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path) as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
        yield listening


def test_fed_while_all_move_or_have_nothing_to_do(manager: ServiceManager) -> None:
    busy, idle = Count(done=1, waiting=5), Count()
    watchdog = Watchdog([busy.part("engine"), idle.part("writer")])
    assert watchdog.stuck() == []
    busy.done += 1
    assert watchdog.stuck() == []
    assert manager.heard() == ["WATCHDOG=1"] * 2


def test_not_fed_while_one_is_stuck(manager: ServiceManager) -> None:
    engine, writer = Count(), Count(done=3, waiting=9)
    watchdog = Watchdog([engine.part("engine"), writer.part("writer")])
    watchdog.stuck()
    manager.heard()
    assert watchdog.stuck() == ["writer"]
    assert manager.heard() == []
    writer.done += 1
    assert watchdog.stuck() == []
    assert manager.heard() == ["WATCHDOG=1"]


def test_states_reach_the_service_manager(manager: ServiceManager) -> None:
    notify("READY=1")
    notify("STOPPING=1")
    assert manager.heard() == ["READY=1", "STOPPING=1"]


def test_reloading_is_told_with_its_moment(manager: ServiceManager) -> None:
    notify_reloading()
    (said,) = manager.heard()
    reloading, _, moment = said.partition("\n")
    assert reloading == "RELOADING=1"
    assert moment.removeprefix("MONOTONIC_USEC=").isdigit()


@pytest.mark.parametrize(
    ("patience_us", "every_s"),
    [("30000000", 5.0), ("6000000", 2.0), ("0", 5.0), ("", 5.0), ("soon", 5.0)],
)
def test_it_looks_as_often_as_the_service_manager_needs(
    monkeypatch: pytest.MonkeyPatch, patience_us: str, every_s: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", patience_us)
    assert look_every_s() == every_s


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ecg-edge-test-{id(monkeypatch)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + name)
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        notify("READY=1")
        assert channel.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_no_service_manager_is_no_reason_to_stop(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
