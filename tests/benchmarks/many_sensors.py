"""Many simulated 500 Hz sensors in one process, each behind a pty of its own.

    python -m tests.benchmarks.many_sensors COUNT FOLDER

Prints a line once FOLDER/sensor-0 and so on are there; plays until it is terminated.
"""

import signal
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from firmware_bridge.simulator.pty_port import PtyPort
from firmware_bridge.simulator.recording import Recording, demo_recording, resampled
from firmware_bridge.simulator.sensor import SimulatedSensor

RATE_HZ = 500
_STEP_S = 0.04
_APART_S = 7
"""Each plays another place of the recording: hearts do not beat in step."""


def play(count: int, folder: Path) -> None:
    """Until SIGTERM."""
    recording = resampled(demo_recording(), Fraction(RATE_HZ))
    sensors = [SimulatedSensor(_begun_later(recording, k * _APART_S)) for k in range(count)]
    ports = [PtyPort(folder / f"sensor-{k}") for k in range(count)]
    for port in ports:
        port.plug()
    print(count, flush=True)
    started = time.monotonic()
    while True:
        elapsed_s = time.monotonic() - started
        for sensor, port in zip(sensors, ports, strict=True):
            port.send(b"".join(sensor.frames_until(elapsed_s)))
            for answer in sensor.receive(port.exchange(0.0)):
                port.send(answer)
        time.sleep(max(0.0, _STEP_S - (time.monotonic() - started - elapsed_s)))


def _begun_later(recording: Recording, seconds: float) -> Recording:
    by = -int(seconds * RATE_HZ)
    return replace(recording, millivolts=np.roll(recording.millivolts, by, axis=0))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    play(int(sys.argv[1]), Path(sys.argv[2]))
