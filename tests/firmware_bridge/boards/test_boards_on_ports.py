"""Every board behind a real pty, with faults, faster than real time; and the commands."""

import asyncio
import json
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from firmware_bridge.boards.catalogue import BOARDS
from firmware_bridge.cli import main
from firmware_bridge.driver_names import BOARD_NAMES
from firmware_bridge.drivers import DriverRequest, driver_maker
from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.links import serial
from firmware_bridge.records import read_header, read_physical
from firmware_bridge.simulator.boards import catalogue
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.simulator.recording import Recording, demo_recording, resampled
from firmware_bridge.stream import (
    BytesSkipped,
    CounterLoss,
    Gap,
    GapReason,
    LeadStatus,
    LinkChanged,
    SampleChunk,
    StreamItem,
    StreamOpened,
)
from tests.firmware_bridge.simulated import collect, device_at, missing, of, samples_reached

SPEED = 4.0
COUNTED = ("healthypi6", "cyton")
TIMED = tuple(name for name in BOARD_NAMES if name != "ad8232")


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's clock goes as fast as the boards do."""
    began_ns = time.monotonic_ns()
    hurried = lambda: began_ns + int((time.monotonic_ns() - began_ns) * SPEED)  # noqa: E731
    monkeypatch.setattr(serial, "_now_ns", hurried)
    monkeypatch.setattr(serial, "_COLLECT_S", 0.2 / SPEED)


@cache
def recording(name: str) -> Recording:
    """A minute of a real ECG at the board's rate."""
    demo = demo_recording()
    minute = replace(demo, millivolts=demo.millivolts[: int(60 * demo.rate_hz)])
    return resampled(minute, catalogue.BOARDS[name].rate_hz)


@contextmanager
def board_at(link: Path, name: str, faults: Faults | None = None, speed: float = SPEED) -> Any:
    board = catalogue.BOARDS[name].make(recording(name), 0.0)
    with device_at(link, board, faults, speed=speed):
        yield board


def played(link: Path, name: str, faults: Faults | None, until_s: float) -> list[StreamItem]:
    rate = catalogue.BOARDS[name].rate_hz
    with board_at(link, name, faults):
        driver = driver_maker(name)(DriverRequest("chest", str(link), rate_hz=int(rate)))
        return asyncio.run(collect(driver, samples_reached(int(until_s * rate))))


def signal(items: list[StreamItem]) -> "np.ndarray":
    return np.concatenate([chunk.samples[:, 0] for chunk in of(items, SampleChunk)])


@pytest.mark.parametrize("name", BOARD_NAMES)
def test_a_board_streams_the_ecg_it_plays(tmp_path: Path, name: str) -> None:
    items = played(tmp_path / "port", name, None, 3)
    opened = items[0]
    assert isinstance(opened, StreamOpened)
    assert (opened.source, opened.family) == ("chest", name)
    assert isinstance(opened.loss, CounterLoss) == (name in COUNTED)
    assert missing(items) == 0
    ours, truth = signal(items), recording(name).millivolts[:, 0]
    if name == "ad8232":  # ten bits do not hold all of it
        truth = np.clip(truth, ours.min(), ours.max())
    # The stream may begin some samples in: the port takes a moment to open.
    n = len(ours)
    offsets = range(len(truth) - len(ours))
    errors = [float(np.abs(ours[:n] - truth[k : k + n]).max()) for k in offsets[:2000]]
    assert min(errors) < (0.02 if name == "ad8232" else 0.01)


@pytest.mark.parametrize("name", COUNTED)
def test_lost_duplicated_and_spoilt_frames(tmp_path: Path, name: str) -> None:
    items = played(tmp_path / "port", name, Faults(drop=0.02, duplicate=0.02, bit_flip=0.05), 12)
    gaps = of(items, Gap)
    assert gaps
    assert {gap.reason for gap in gaps} == {GapReason.LOST_PACKET}
    assert 0.002 < missing(items) / of(items, SampleChunk)[-1].end < 0.3
    assert of(items, BytesSkipped)


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("name", ["ads1292r", *COUNTED])
def test_an_unplugged_board_comes_back_behind_a_gap(tmp_path: Path, name: str) -> None:
    items = played(tmp_path / "port", name, Faults(unplugs=((3, 6),)), 10)
    down, up = of(items, LinkChanged)
    assert (down.up, down.reason, up.up) == (False, "unplugged", True)
    gaps = [gap for gap in of(items, Gap) if gap.reason is GapReason.RECONNECT]
    (gap,) = gaps
    assert gap.exact == (name == "healthypi6")
    seconds = float(gap.n_missing / of(items, StreamOpened)[0].reference.rate_hz)
    assert 5.5 < seconds < 9


@pytest.mark.parametrize("name", ["healthypi3", "healthypi4", "ad8232"])
def test_a_lead_that_is_off_is_told(tmp_path: Path, name: str) -> None:
    link = tmp_path / "port"
    kind = catalogue.BOARDS[name]
    rate = int(kind.rate_hz)
    played_ = recording(name)
    off = Recording("off", played_.rate_hz, ("I",), played_.millivolts, ((3 * rate, 5 * rate, 0),))
    with device_at(link, kind.make(off, 0.0), speed=SPEED):
        driver = driver_maker(name)(DriverRequest("chest", str(link), rate_hz=rate))
        items = asyncio.run(collect(driver, samples_reached(7 * rate)))
    assert [status.off for status in of(items, LeadStatus)] == [(False,), (True,), (False,)]
    came_off, came_on = (status.at for status in of(items, LeadStatus)[1:])
    assert came_on - came_off == 2 * rate


@pytest.mark.slow
def test_the_rate_of_an_ad8232_is_measured(tmp_path: Path) -> None:
    link = tmp_path / "port"
    with board_at(link, "ad8232", speed=1.0):
        result = CliRunner().invoke(main, ["info", str(link), "--driver", "ad8232", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["rate_hz"] == pytest.approx(125, abs=4)


def test_info_tells_what_is_known_of_a_board(tmp_path: Path) -> None:
    with board_at(tmp_path / "port", "cyton"):
        arguments = ["info", str(tmp_path / "port"), "--driver", "cyton", "--json"]
        result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["model"], told["rate_hz"], len(told["leads"])) == ("OpenBCI Cyton", 250, 8)
    assert told["loss"] == "told by a counter of 256 samples"


def test_capture_writes_what_a_board_sends(tmp_path: Path) -> None:
    with board_at(tmp_path / "port", "healthypi6", speed=4.0):
        arguments = ["capture", str(tmp_path / "port"), str(tmp_path / "rec"), "--for", "4"]
        result = CliRunner().invoke(main, [*arguments, "--driver", "healthypi6", "--json"])
    assert result.exit_code == 0, result.output
    header = read_header(tmp_path / "rec")
    assert (header.fs_fraction, header.n_samples) == (500, 2000)
    assert header.sig_name == ("I", "II", "V1")
    assert np.nanmax(read_physical(tmp_path / "rec")[:, 0]) > 0.5


def test_a_board_that_is_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BOARDS, "max30001", replace(BOARDS["max30001"], greeting_s=0.5))
    driver = driver_maker("max30001")(DriverRequest("chest", str(tmp_path / "port")))
    words = "no samples of a ProtoCentral MAX30001; check the baud"
    with board_at(tmp_path / "port", "healthypi4"), pytest.raises(LinkError, match=words):
        asyncio.run(collect(driver, lambda _: False))


def test_a_driver_that_nothing_stands_for_is_named_with_its_neighbour() -> None:
    with pytest.raises(UsageError, match="did you mean cyton"):
        driver_maker("cyten")
