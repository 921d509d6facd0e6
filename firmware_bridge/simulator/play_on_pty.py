"""From options to a running simulated sensor."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.boards.catalogue import BOARDS, UNTIMED
from firmware_bridge.simulator.device import SimulatedDevice
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.simulator.pty_port import PtyPort, play
from firmware_bridge.simulator.recording import Recording, demo_recording, record_file, resampled
from firmware_bridge.simulator.scenarios import SCENARIOS, Play
from firmware_bridge.simulator.sensor import SimulatedSensor

DEFAULT_RATE_HZ: Final = 500


def choose(
    record: Path | None, scenario: str, rate_hz: Fraction | None, leads: int, faults: Faults
) -> Play:
    """The edited recording at the sensor's rate (None: its own), and all faults of scenario and
    options.

    Raises UsageError or RecordError.
    """
    recording = demo_recording() if record is None else record_file(record, leads)
    if scenario == "none":
        play_ = Play(recording)
    elif scenario in SCENARIOS:
        play_ = SCENARIOS[scenario](recording)
    else:
        raise UsageError(f"no scenario {scenario!r}; there are {', '.join(SCENARIOS)} and none")
    both = replace(
        faults,
        stalls=faults.stalls + play_.faults.stalls,
        unplugs=faults.unplugs + play_.faults.unplugs,
    )
    rate_hz = play_.recording.rate_hz if rate_hz is None else rate_hz
    return Play(resampled(play_.recording, rate_hz), both)


def rate_of(name: str, asked_hz: int | None) -> Fraction:
    """What the simulated device of that name samples at. Raises UsageError where it is fixed."""
    board = BOARDS.get(name)
    if board is None:
        return Fraction(asked_hz or DEFAULT_RATE_HZ)
    if asked_hz is not None and name not in UNTIMED:
        raise UsageError(f"a {name} samples at {board.rate_hz} Hz: leave out --rate")
    return board.rate_hz if asked_hz is None else Fraction(asked_hz)


def device_of(name: str, recording: Recording, clock_ppm: float) -> SimulatedDevice:
    """The simulated device of that name, which plays `recording` (at the device's own rate)."""
    if name in BOARDS:
        return BOARDS[name].make(recording, clock_ppm)
    return SimulatedSensor(recording, clock_error_ppm=clock_ppm)


def describe(chosen: Play, link: Path) -> dict[str, object]:
    """What a person or a script should know about this sensor."""
    recording = chosen.recording
    return {
        "link": str(link),
        "title": recording.title,
        "notes": list(recording.notes),
        "rate_hz": float(recording.rate_hz),
        "leads": list(recording.leads),
        "duration_s": recording.duration_s,
    }


def run(
    device: SimulatedDevice,
    faults: Faults,
    link: Path,
    *,
    speed: float,
    duration_s: float | None,
    seed: int,
    with_parent: bool,
    ready: Callable[[], None],
) -> None:
    """Play until SIGINT or SIGTERM, or for `duration_s` of the sensor's time; `with_parent`: no
    longer than the process that started this one, even if that is killed."""
    stopped = False
    parent = os.getppid()

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    play(
        device,
        PtyPort(link),
        faults,
        seed=seed,
        speed=speed,
        ready=ready,
        should_stop=lambda elapsed: (
            stopped
            or (duration_s is not None and elapsed >= duration_s)
            or (with_parent and os.getppid() != parent)
        ),
    )
