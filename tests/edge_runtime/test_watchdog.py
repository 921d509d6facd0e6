"""The service manager is fed only while every part moves."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_runtime.watchdog import Part, Watchdog, notify


@dataclass
class Count:
    done: int = 0
    waiting: int = 0

    def part(self, name: str) -> Part:
        return Part(name, lambda: self.done, lambda: self.waiting)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager's end of NOTIFY_SOCKET."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(address))
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        yield channel


def heard(channel: socket.socket) -> list[bytes]:
    said: list[bytes] = []
    while True:
        try:
            said.append(channel.recv(100))
        except BlockingIOError:
            return said


def test_fed_while_all_move_or_have_nothing_to_do(manager: socket.socket) -> None:
    busy, idle = Count(done=1, waiting=5), Count()
    watchdog = Watchdog([busy.part("engine"), idle.part("writer")])
    assert watchdog.stuck() == []
    busy.done += 1
    assert watchdog.stuck() == []
    assert heard(manager) == [b"WATCHDOG=1"] * 2


def test_not_fed_while_one_is_stuck(manager: socket.socket) -> None:
    engine, writer = Count(), Count(done=3, waiting=9)
    watchdog = Watchdog([engine.part("engine"), writer.part("writer")])
    watchdog.stuck()
    heard(manager)
    assert watchdog.stuck() == ["writer"]
    assert heard(manager) == []
    writer.done += 1
    assert watchdog.stuck() == []
    assert heard(manager) == [b"WATCHDOG=1"]


def test_states_reach_the_service_manager(manager: socket.socket) -> None:
    notify("READY=1")
    notify("STOPPING=1")
    assert heard(manager) == [b"READY=1", b"STOPPING=1"]


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ecg-edge-test-{id(monkeypatch)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + name)
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        notify("READY=1")
        assert heard(channel) == [b"READY=1"]


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_no_service_manager_is_no_reason_to_stop(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
