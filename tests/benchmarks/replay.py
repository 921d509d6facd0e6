"""A long one-lead 500 Hz recording: the whole engine beside peers that only find R peaks."""

import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from rich.table import Table

from firmware_bridge.records import Header, SignalSpec, SignalWriter
from firmware_bridge.simulator.recording import demo_recording, resampled

RATE_HZ = 500
GAIN = 1000.0
_XQRS_SHARE = 1 / 24
"""wfdb's detector is slow: it gets an hour of the day and its time is scaled."""


@dataclass(frozen=True)
class Run:
    """One measured process."""

    name: str
    signal_s: float
    cpu_s: float
    wall_s: float
    peak_mb: float


def table(folder: Path, hours: float) -> Table:
    """Replay against peers."""
    record = write_recording(folder, hours)
    signal_s = hours * 3600
    runs = [
        _measure(
            "edge-runtime replay (all of it)",
            signal_s,
            [sys.executable, "-c", _PEAK + _REPLAY, "replay", str(record), "--channel", "0"],
        ),
        _peer("sleepecg 0.6 detector (C), R peaks only", record, signal_s, _SLEEPECG),
        _peer("wfdb xqrs, R peaks only", record, signal_s * _XQRS_SHARE, _XQRS),
    ]
    shown = Table(title=f"{hours:g} h, one lead, {RATE_HZ} Hz, one core")
    for column in ("program", "times real time", "ratio", "CPU s for 24 h", "peak RSS MB"):
        shown.add_column(column, justify="left" if column == "program" else "right")
    own = runs[0].signal_s / runs[0].cpu_s
    for run in runs:
        speed = run.signal_s / run.cpu_s
        shown.add_row(
            run.name,
            f"{speed:,.0f}",
            f"{speed / own:.2f}",
            f"{86_400 / speed:.1f}",
            f"{run.peak_mb:.0f}",
        )
    return shown


def write_recording(folder: Path, hours: float) -> Path:
    """Five real minutes over and over, written an excerpt at a time."""
    counts = np.round(resampled(demo_recording(), Fraction(RATE_HZ)).millivolts * GAIN)
    path = folder / "long"
    left = int(hours * 3600 * RATE_HZ)
    spec = SignalSpec("MLII", "long.dat", 16, adc_gain=GAIN, adc_res=16, adc_zero=0)
    with SignalWriter(path, Header("long", Fraction(RATE_HZ), 0, (spec,))) as writer:
        while left > 0:
            part = counts[:left].astype(np.int32)
            writer.write(part)
            left -= len(part)
    return path


_SLEEPECG = """
import numpy, sleepecg, sys
signal = numpy.fromfile(sys.argv[1] + ".dat", "<i2") / 1000
def run():
    for part in numpy.array_split(signal, max(1, len(signal) // 1_800_000)):
        sleepecg.detect_heartbeats(part, 500)
"""
_XQRS = """
import numpy, wfdb.processing, sys
signal = numpy.fromfile(sys.argv[1] + ".dat", "<i2") / 1000
def run():
    wfdb.processing.xqrs_detect(signal[: len(signal) // 24], 500, verbose=False)
"""
_TIMED = """
import resource, time
before = resource.getrusage(resource.RUSAGE_SELF); wall = time.perf_counter()
run()
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
      time.perf_counter() - wall, peak_mb())
"""
_PEAK = """
def peak_mb():
    # Not ru_maxrss: that of a child begins with the memory of the process that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
"""
_REPLAY = """
import sys
from edge_runtime.cli import main
main(sys.argv[1:], standalone_mode=False)
print(peak_mb(), file=sys.stderr)
"""


def _peer(name: str, record: Path, signal_s: float, script: str) -> Run:
    """Only the detection is timed, not the imports: that favours the peer."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PEAK + script + _TIMED, str(record)],
        capture_output=True,
        text=True,
        check=True,
    )
    cpu_s, wall_s, peak_mb = map(float, done.stdout.split()[-3:])
    return Run(name, signal_s, cpu_s, wall_s, peak_mb)


def _measure(name: str, signal_s: float, command: list[str]) -> Run:
    """The whole process, start-up included."""
    started = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall_s = time.perf_counter() - started
    return Run(name, signal_s, cpu_s, wall_s, float(done.stderr.split()[-1]))
