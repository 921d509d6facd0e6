"""One daemon, many one-lead 500 Hz serial sources: CPU, memory, and whether a sample is lost."""

import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.table import Table

from firmware_bridge.records import open_record
from tests.benchmarks.many_sensors import RATE_HZ

COUNTS = (1, 16, 64)
_OPEN_WITHIN_S = 60


@dataclass(frozen=True)
class Run:
    """One measured daemon. `lost`: samples in gaps; `short`: those that the slowest source has
    less than the time would have it."""

    sources: int
    percent: float
    rss_mb: float
    lost: int
    kept_s: float


def table(folder: Path, seconds: float) -> Table:
    """From one source to many."""
    shown = Table(title=f"many sources at {RATE_HZ} Hz in one daemon, {seconds:g} s, headless")
    for column in ("sources", "% of one core", "RSS MB", "samples lost", "s kept of the shortest"):
        shown.add_column(column, justify="right")
    for count in COUNTS:
        place = folder / f"sources-{count}"
        place.mkdir()
        run = measure(place, count, seconds)
        shown.add_row(
            str(run.sources),
            f"{run.percent:.1f}",
            f"{run.rss_mb:.0f}",
            str(run.lost),
            f"{run.kept_s:.1f}",
        )
    return shown


def measure(folder: Path, count: int, seconds: float) -> Run:
    """Run a daemon for `seconds` after all its sources have begun."""
    sensors = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.many_sensors", str(count), str(folder)],
        stdout=subprocess.PIPE,
    )
    assert sensors.stdout is not None
    sensors.stdout.readline()
    config = folder / "config.toml"
    config.write_text(
        f'[store]\ndirectory = "{folder / "store"}"\n'
        + "".join(
            f'[[source]]\nname = "bed-{k}"\nport = "{folder / f"sensor-{k}"}"\n'
            for k in range(count)
        )
    )
    daemon = subprocess.Popen(
        [sys.executable, "-m", "edge_runtime", "run", "--view", "log", "--config", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
    )
    try:
        _wait_for_sessions(folder / "store", count)
        process = psutil.Process(daemon.pid)
        before, started = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, elapsed = process.cpu_times(), time.monotonic() - started
        rss_mb = process.memory_info().rss / 2**20
    finally:
        daemon.terminate()
        daemon.wait()
        sensors.terminate()
        sensors.wait()
    used = after.user + after.system - before.user - before.system
    lost, kept_s = _kept(folder / "store")
    return Run(count, 100 * used / elapsed, rss_mb, lost, kept_s)


def _wait_for_sessions(store: Path, count: int) -> None:
    until = time.monotonic() + _OPEN_WITHIN_S
    while time.monotonic() < until:
        if (store / "events.sqlite3").exists() and _ask(
            store, "SELECT count(*) FROM session"
        ) == count:
            return
        time.sleep(0.2)
    raise RuntimeError(f"not all of {count} sources were opened")


def _kept(store: Path) -> tuple[int, float]:
    """Samples lost in gaps, and seconds on disk of the session with the fewest."""
    lost = _ask(store, "SELECT coalesce(sum(n_missing), 0) FROM gap")
    records = [folder / "ecg" for folder in (store / "raw").iterdir()]
    return lost, min(open_record(record).n_frames for record in records) / RATE_HZ


def _ask(store: Path, query: str) -> int:
    connection = sqlite3.connect(f"file:{store / 'events.sqlite3'}?mode=ro", uri=True)
    try:
        return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # it is being made
        return -1
    finally:
        connection.close()
