"""A press marks the newest sample; a line that is not there is told, and tried again."""

import asyncio
import errno
import logging
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import mark_button
from edge_runtime.config import Config, structure
from edge_runtime.errors import ConfigError
from edge_runtime.mark_button import ButtonConfig, MarkButton, request_line
from firmware_bridge.stream import Gap, GapReason, SampleChunk, SampleIndex, UserMark
from tests.synthetic import opened

CONFIG = ButtonConfig(line=17)


class FakeLine:
    """A pipe: a byte is a press. `unplug` makes reading fail, as a USB expander that is pulled."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.unplugged = self.released = False

    def press(self) -> None:
        os.write(self._write, b"x")

    def unplug(self) -> None:
        self.unplugged = True
        self.press()

    def fileno(self) -> int:
        return self._read

    def presses(self) -> int:
        pressed = len(os.read(self._read, 100))
        if self.unplugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return pressed

    def release(self) -> None:
        self.released = True
        os.close(self._read)
        os.close(self._write)


class Bench:
    def __init__(self, config: ButtonConfig = CONFIG) -> None:
        self.marks: list[tuple[str, UserMark]] = []
        self.lines: list[FakeLine | ConfigError] = [FakeLine()]
        self.asked = 0
        self.button = MarkButton(config, lambda *mark: self.marks.append(mark), self._request)

    def _request(self, _config: ButtonConfig) -> FakeLine:
        line = self.lines[self.asked]
        self.asked += 1
        if isinstance(line, ConfigError):
            raise line
        return line

    def play(self, source: str, samples: int) -> None:
        self.button.see(source, opened(250, source=source), ())
        chunk = SampleChunk("ecg", SampleIndex(0), np.zeros((samples, 1), np.float32))
        self.button.see(source, chunk, ())

    def during(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            listening = asyncio.create_task(self.button.run())
            await settle()
            await work
            await settle()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

        asyncio.run(run())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)


def test_a_press_marks_where_every_source_stands() -> None:
    bench = Bench()
    (line,) = bench.lines
    assert isinstance(line, FakeLine)

    async def press() -> None:
        bench.play("chest", 500)
        bench.play("wrist", 100)
        bench.button.see("wrist", Gap("ecg", SampleIndex(100), 50, True, GapReason.RECONNECT), ())
        line.press()

    bench.during(press())
    assert bench.marks == [
        ("chest", UserMark(SampleIndex(499), "button")),
        ("wrist", UserMark(SampleIndex(149), "button")),
    ]
    assert line.released


def test_one_may_be_meant_and_what_is_gone_is_not_marked(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ButtonConfig(line=17, source="wrist"))
    (line,) = bench.lines
    assert isinstance(line, FakeLine)

    async def press() -> None:
        bench.play("chest", 500)
        bench.play("wrist", 100)
        line.press()
        await settle()
        bench.button.keep(["chest"])
        line.press()

    with caplog.at_level(logging.WARNING):
        bench.during(press())
    assert [name for name, _ in bench.marks] == ["wrist"]
    assert "pressed while nothing was recorded" in caplog.text


def test_a_line_that_is_not_there_is_told_once_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mark_button, "_TRY_AGAIN_S", 0.0)
    bench = Bench()
    line = FakeLine()
    bench.lines = [ConfigError("button: busy"), ConfigError("button: busy"), line]

    async def press() -> None:
        bench.play("chest", 500)
        line.press()

    with caplog.at_level(logging.ERROR):
        bench.during(press())
    assert len(bench.marks) == 1
    assert [record.message for record in caplog.records] == ["button: busy"]


def test_a_line_that_goes_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark_button, "_TRY_AGAIN_S", 0.0)
    bench = Bench()
    first, second = FakeLine(), FakeLine()
    bench.lines = [first, second]

    async def press() -> None:
        bench.play("chest", 500)
        first.unplug()
        await settle()
        second.press()

    bench.during(press())
    assert first.released
    assert len(bench.marks) == 1


def test_what_the_kernel_refuses_is_said_in_a_line(tmp_path: Path) -> None:
    pytest.importorskip("gpiod")
    for chip in (tmp_path / "gpiochip0", Path("/dev/null")):
        with pytest.raises(ConfigError, match=f"line 17 of {chip} cannot be had: "):
            request_line(ButtonConfig(line=17, chip=chip))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(ConfigError, match=r"pip install 'ecg-edge\[gpio\]'"):
        request_line(CONFIG)


def test_there_is_no_button_unless_a_line_is_named() -> None:
    assert Config().button.line is None
    assert structure({"button": {"line": 4, "pressed": "high"}}).button.line == 4
    with pytest.raises(ConfigError, match=r"button.line: -1 is outside 0 to 4095"):
        structure({"button": {"line": -1}})
