"""A stream to a record, and back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.capture import Captured, capture
from firmware_bridge.errors import UsageError
from firmware_bridge.records import read_header, read_physical
from firmware_bridge.stream import (
    Gap,
    GapReason,
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
)
from tests.firmware_bridge.simulated import SPEED, sensor_at

ECG = SignalInfo("ecg", SignalKind.ECG, "mV", Fraction(130), ("chest",), (1000.0,), (5,))
RR = SignalInfo("rr", SignalKind.RR, "1/1024 s", Fraction(1024), ("RR",), (1.0,), (0,))


class Played:
    """A driver that yields given items."""

    def __init__(self, items: list[StreamItem], signal: SignalInfo = ECG) -> None:
        opened = StreamOpened("s", "f", "H10", "1", NoLossDetection(), (signal,))
        self.items: list[StreamItem] = [opened, *items]
        self.closed = False

    async def stream(self) -> AsyncIterator[StreamItem]:
        try:
            for item in self.items:
                yield item
        finally:
            self.closed = True


def chunk(first: int, n: int) -> SampleChunk:
    numbers = np.arange(first, first + n, dtype=np.float32)[:, np.newaxis] / 1000
    return SampleChunk("ecg", SampleIndex(first), numbers)


def captured(
    played: Played, path: Path, seconds: float | None, when: Callable[[float], bool] | None = None
) -> Captured:
    async def run() -> Captured:
        stop = asyncio.Event()

        def progress(so_far_s: float) -> None:
            if when is not None and when(so_far_s):
                stop.set()

        return await capture(played, path, seconds, stop=stop, progress=progress)

    return asyncio.run(run())


def hole(first: int, n: int) -> Gap:
    return Gap("ecg", SampleIndex(first), n, exact=False, reason=GapReason.RECONNECT)


def test_samples_come_back_and_holes_are_invalid(tmp_path: Path) -> None:
    played = Played([chunk(0, 100), hole(100, 40_000), chunk(40_100, 100)])
    told = captured(played, tmp_path / "rec", None)
    assert (told.n_samples, told.n_missing, told.model) == (40_200, 40_000, "H10")
    signal = read_physical(tmp_path / "rec")[:, 0]
    assert np.isnan(signal[100:40_100]).all()
    assert np.allclose(signal[40_100:], np.arange(40_100, 40_200) / 1000)
    header = read_header(tmp_path / "rec")
    assert (header.fs_fraction, header.sig_name) == (130, ("chest",))
    assert header.base_date is not None
    assert played.closed


@pytest.mark.parametrize(
    ("items", "n_samples"),
    [
        ([chunk(0, 100), chunk(100, 100)], 130),
        ([chunk(0, 100), hole(100, 5000), chunk(5100, 5)], 130),
        ([chunk(0, 100), Tick(SampleIndex(500)), chunk(100, 100)], 100),
    ],
)
def test_it_ends_after_so_many_seconds_of_the_device(
    tmp_path: Path, items: list[StreamItem], n_samples: int
) -> None:
    assert captured(Played(items), tmp_path / "rec", 1.0).n_samples == n_samples
    assert read_header(tmp_path / "rec").n_samples == n_samples


def test_it_ends_whole_when_it_is_told_to_stop(tmp_path: Path) -> None:
    played = Played([chunk(100 * k, 100) for k in range(50)])
    told = captured(played, tmp_path / "rec", None, when=lambda so_far_s: so_far_s > 2)
    assert told.n_samples == 300
    assert len(read_physical(tmp_path / "rec")) == 300


def test_a_strap_without_ecg_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no ECG"):
        captured(Played([], RR), tmp_path / "rec", None)


def test_the_command_reads_a_serial_sensor(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from firmware_bridge.cli import main

    with sensor_at(tmp_path / "port"):
        arguments = ["capture", str(tmp_path / "port"), str(tmp_path / "out" / "rec"), "--json"]
        result = CliRunner().invoke(main, [*arguments, "--for", str(SPEED / 4)])
    assert result.exit_code == 0, result.output
    assert read_header(tmp_path / "out" / "rec").n_samples == SPEED / 4 * 500
