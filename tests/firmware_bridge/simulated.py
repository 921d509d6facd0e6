"""A simulated sensor behind a real pty, in a thread of the test, faster than real time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np

from firmware_bridge.conformance import StreamCheck
from firmware_bridge.driver import Driver
from firmware_bridge.simulator.device import SimulatedDevice
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.simulator.pty_port import PtyPort, play
from firmware_bridge.simulator.recording import Recording
from firmware_bridge.simulator.sensor import SimulatedSensor
from firmware_bridge.stream import Gap, SampleChunk, StreamItem

Kind = TypeVar("Kind")

SPEED = 20.0
MODULUS = 30_000
"""Sample number k of the numbered recording is k millivolts / 1000, modulo this."""


def numbered(leads: tuple[str, ...] = ("I",)) -> Recording:
    """A minute at 500 Hz whose samples carry their number, so that any shift shows."""
    millivolts = (np.arange(MODULUS) / 1000).astype(np.float32)
    return Recording("numbers", Fraction(500), leads, np.tile(millivolts[:, None], (1, len(leads))))


@contextmanager
def sensor_at(
    link: Path,
    faults: Faults | None = None,
    *,
    recording: Recording | None = None,
    boot: int = 1,
    speed: float = SPEED,
) -> Iterator[SimulatedSensor]:
    """A sensor of the own protocol at `link` for as long as the context lasts."""
    sensor = SimulatedSensor(recording or numbered(), boot)
    with device_at(link, sensor, faults, speed=speed):
        yield sensor


@contextmanager
def device_at(
    link: Path, device: SimulatedDevice, faults: Faults | None = None, *, speed: float = SPEED
) -> Iterator[None]:
    """A simulated device at `link` for as long as the context lasts."""
    plugged, over = threading.Event(), threading.Event()

    def run() -> None:
        play(
            device,
            PtyPort(link),
            faults or Faults(),
            seed=7,
            speed=speed,
            ready=plugged.set,
            should_stop=lambda _: over.is_set(),
        )

    thread = threading.Thread(target=run)
    thread.start()
    assert plugged.wait(5)
    try:
        yield
    finally:
        over.set()
        thread.join(5)


async def collect(driver: Driver, enough: Callable[[list[StreamItem]], bool]) -> list[StreamItem]:
    """Items of `driver`, checked against the stream contract, until there are `enough`."""
    items: list[StreamItem] = []
    check = StreamCheck()
    async with aclosing(driver.stream()) as stream:
        async for item in stream:
            check.see(item)
            items.append(item)
            if enough(items):
                break
    return items


def samples_reached(n: int) -> Callable[[list[StreamItem]], bool]:
    """True once a chunk ends at or behind index `n`."""
    return lambda items: isinstance(items[-1], SampleChunk) and items[-1].end >= n


def of(items: list[StreamItem], kind: type[Kind]) -> list[Kind]:
    """The items of one kind."""
    return [item for item in items if isinstance(item, kind)]


def misplaced(items: list[StreamItem]) -> int:
    """How many samples of the numbered recording are not where their number says."""
    wrong = 0
    origin: int | None = None
    for chunk in of(items, SampleChunk):
        numbers = np.round(chunk.samples[:, 0] * 1000).astype(int)
        if origin is None:
            origin = int(numbers[0]) - chunk.first
        expected = (origin + np.arange(chunk.first, chunk.end)) % MODULUS
        wrong += int((numbers != expected).sum())
    return wrong


def missing(items: list[StreamItem]) -> int:
    """Samples in gaps."""
    return sum(gap.n_missing for gap in of(items, Gap))
