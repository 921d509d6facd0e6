"""`edge-runtime setup` on a terminal, with a sensor that answers, and by a file of answers."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from edge_runtime import saved_settings
from edge_runtime.config import load
from edge_runtime.wearers import Wearers
from firmware_bridge.simulator.ble.private_bus import ENVIRONMENT, private_bus
from tests.e2e.processes import ROOT, running
from tests.firmware_bridge.simulator.on_the_air import heart, needs_dbus
from tests.records_on_disk import write_record

PATIENCE_S = 60
NO_BUS = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}


AT_A_TERMINAL = ("env", "--default-signal=INT")
"""A test run that was itself started in the background has its interrupts ignored, and hands that
down; a shell with a person at it does not."""


class Person:
    """Sits at a terminal: waits for words, then types."""

    def __init__(self, *arguments: str | Path) -> None:
        ours, theirs = pty.openpty()
        self._terminal = ours
        self.seen = ""
        self.program = subprocess.Popen(
            [*AT_A_TERMINAL, sys.executable, "-m", "edge_runtime", "setup", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | NO_BUS | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "TZ": "UTC"},
            start_new_session=True,
        )
        os.close(theirs)

    def answer(self, question: str, text: str) -> None:
        self._wait_for(question)
        os.write(self._terminal, f"{text}\n".encode())

    def leave(self, question: str) -> None:
        """By Ctrl-C, again and again: one that falls between the question and the reading of its
        answer is lost."""
        self._wait_for(question)
        until = time.monotonic() + PATIENCE_S
        while self.program.poll() is None:
            assert time.monotonic() < until, f"goes on after Ctrl-C: {self.seen}"
            self.program.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.program.wait(1.0)

    def finish(self) -> int:
        """The exit status, and all that was shown in `seen`."""
        self._wait_for(None)
        return self.program.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        os.close(self._terminal)

    def _wait_for(self, question: str | None) -> None:
        begin, until = len(self.seen), time.monotonic() + PATIENCE_S
        while question is None or question not in self.seen[begin:]:
            assert time.monotonic() < until, f"no {question!r} in {self.seen}"
            if not select.select([self._terminal], [], [], 0.2)[0]:
                continue
            try:
                come = os.read(self._terminal, 4096)
            except OSError:  # the other end was closed: how a pty ends
                come = b""
            if not come:
                assert question is None, f"ended before {question!r}: {self.seen}"
                return
            self.seen += come.decode()


def test_a_conversation_from_nothing_to_a_source(tmp_path: Path) -> None:
    link, store = tmp_path / "sensor", tmp_path / "store"
    arguments = ["simulate", "--link", str(link), "--scenario", "none", "--json"]
    with (
        running("firmware_bridge", *arguments, cwd=tmp_path) as sensor,
        Person("--set", f"store.directory={store}") as person,
    ):
        sensor.wait_for("title")
        person.answer("none [", "nonsense")
        person.answer("none [", str(link))
        person.answer("What is on it", "serial")
        person.answer("What to call it", "")
        person.answer("grid", "60")
        person.answer("Pseudonym", "p\x01")
        person.answer("Pseudonym", "p-007")
        person.answer("The page", "1")
        person.answer("Start monitoring", "n")
        assert person.finish() == 0, person.seen
    assert "there is no 'nonsense'" in person.seen
    assert "I at 500 Hz" in person.seen or "II at 500 Hz" in person.seen, person.seen
    assert "printable characters" in person.seen
    loaded, _ = load(None, [f"store.directory={store}"])
    (source,) = loaded.source
    assert (source.name, source.port, source.driver) == ("chest", str(link), "serial")
    assert loaded.signal.mains_hz == 60
    assert (loaded.web.enabled, loaded.web.lan) == (True, False)
    assert Wearers(store, {"chest": None}).get("chest") == "p-007"


def test_asked_again_enter_keeps_everything(tmp_path: Path) -> None:
    source = {"name": "chest", "port": "/dev/ttyUSB9", "driver": "cyton"}
    table = {"source": [source], "signal": {"mains_hz": 60}, "web": {"enabled": True, "lan": True}}
    saved_settings.write(tmp_path, table)
    with Person("--set", f"store.directory={tmp_path}") as person:
        for question in ("none [", "grid", "Pseudonym", "The page"):
            person.answer(question, "")
        person.answer("Start monitoring", "n")
        assert person.finish() == 0, person.seen
    assert "configured: chest, /dev/ttyUSB9" in person.seen
    assert saved_settings.read(tmp_path) == table


def test_ctrl_c_changes_nothing(tmp_path: Path) -> None:
    with Person("--set", f"store.directory={tmp_path / 'store'}") as person:
        person.answer("none [", "n")
        person.leave("grid")
        assert person.finish() != 0
    assert not (tmp_path / "store").exists()


def by_file(answers: str, store: Path) -> tuple[int, str]:
    file = store.parent / "answers.toml"
    file.write_text(answers)
    arguments = ["setup", "--answers", str(file), "--set", f"store.directory={store}"]
    with running("edge_runtime", *arguments, cwd=store.parent) as program:
        status = program.finish(PATIENCE_S)
    return status, program.errors


def test_answers_from_a_file_ask_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    text = 'sensor = "/dev/ttyUSB0"\nmains_hz = 50\nwearer = "p-1"\npage = "off"\nservice = false\n'
    assert by_file(text, store)[0] == 0
    loaded, _ = load(None, [f"store.directory={store}"])
    assert [one.port for one in loaded.source] == ["/dev/ttyUSB0"]
    assert by_file("mains_hz = 60\nservice = false\n", store)[0] == 0
    loaded, _ = load(None, [f"store.directory={store}"])
    assert [one.port for one in loaded.source] == ["/dev/ttyUSB0"]
    assert loaded.signal.mains_hz == 60
    assert Wearers(store, {"sensor": None}).get("sensor") == "p-1"


def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    status, errors = by_file('sensor = "/dev/ttyUSB0"\nmains_hz = 40\n', tmp_path / "store")
    assert (status, "mains_hz" in errors) == (2, True)
    assert not (tmp_path / "store").exists()


@needs_dbus
def test_a_strap_is_paired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, store = heart(), tmp_path / "store"
    record = write_record(tmp_path / "heart", recording.millivolts, recording.rate_hz)
    with private_bus() as bus:
        monkeypatch.setenv(ENVIRONMENT, bus)
        emulate = ["simulate", "--device", "h10", "--bus", bus, "--json", "--record", str(record)]
        with running("firmware_bridge", *emulate, "--scenario", "none", cwd=tmp_path) as strap:
            strap.wait_for("addresses")
            answers = (
                'sensor = "C4:A1:B2:C3:D4:E5"\nname = "chest"\nwearer = "p-2"\nservice = false\n'
            )
            status, errors = by_file(answers, store)
    assert status == 0, errors
    loaded, _ = load(None, [f"store.directory={store}"])
    (source,) = loaded.source
    assert (source.name, source.driver, source.port) == ("chest", "ble", "C4:A1:B2:C3:D4:E5")
    assert Wearers(store, {"chest": None}).get("chest") == "p-2"
