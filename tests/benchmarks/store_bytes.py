"""Bytes that the store writes in a day of one source: a simulated hour, times 24.

Written is what the kernel sends to the disk (`write_bytes` of /proc/self/io: whole pages, each
time they are synced, without the file system's own journal); kept is what stays in files. A
folder in memory (tmpfs) counts as nothing written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from rich.table import Table

from edge_runtime.events import BeatClass, BeatClassified, BeatDetected, Event
from edge_runtime.publication import Session
from edge_runtime.store.database import Provenance
from edge_runtime.store.store import Store
from firmware_bridge.stream import (
    ClockAnchor,
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamOpened,
)

RATE: Final = 500
_CHUNK: Final = 50
_RR: Final = 400
"""75 bpm."""
_HOURS: Final = 1.0
_SIGNAL: Final = SignalInfo(
    "ecg", SignalKind.ECG, "mV", Fraction(RATE), ("I",), counts_per_unit=(200.0,), baseline=(0,)
)


@dataclass(frozen=True, slots=True)
class Bytes:
    """Of one day of one source."""

    written: float
    kept: float


def table(folder: Path) -> Table:
    """With and without raw signal, and for a longer durability interval."""
    shown = Table(title=f"bytes of a day, one lead at {RATE} Hz, 75 bpm (MB)")
    for column in ("store", "written to disk", "kept"):
        shown.add_column(column, justify="left" if column == "store" else "right")
    bare = 2 * RATE * 86_400 / 1e6
    shown.add_row("the samples alone, 16 bits", "", f"{bare:.0f}")
    for name, durability_s, raw in (
        ("events and signal, durability_s = 5", 5.0, True),
        ("events and signal, durability_s = 30", 30.0, True),
        ("events alone, durability_s = 5", 5.0, False),
    ):
        measured = of_a_day(folder / name, durability_s, keep_raw=raw)
        shown.add_row(name, f"{measured.written / 1e6:.0f}", f"{measured.kept / 1e6:.0f}")
    return shown


def of_a_day(folder: Path, durability_s: float, *, keep_raw: bool, hours: float = _HOURS) -> Bytes:
    """Bytes written and kept; ticks come as often as chunks, ten a second."""
    now = [0.0]
    store = Store(
        folder,
        Provenance("b" * 64, "c" * 64, "r" * 64),
        {},
        durability_s=durability_s,
        keep_raw=keep_raw,
        now_s=lambda: now[0],
        utc_ns=lambda: int(now[0] * 1e9),
    )
    opened = StreamOpened("chest", "fake", "model", "1", NoLossDetection(), (_SIGNAL,))
    session = Session(opened, 1_790_000_000_000_000_000, 0)
    noise = np.random.default_rng(1)
    before = _written_bytes()
    store.begin(session)
    for at in range(0, int(hours * 3600 * RATE), _CHUNK):
        now[0] = at / RATE
        samples = noise.normal(scale=0.3, size=(_CHUNK, 1)).astype(np.float32)
        store.record(session.id, SampleChunk("ecg", SampleIndex(at), samples))
        if at % RATE == 0:
            store.record(session.id, ClockAnchor(SampleIndex(at), None, at * 10**9 // RATE))
        if at % _RR == 0:
            store.record_events([session.publish(event) for event in _beat(at, noise)])
        store.tick()
    store.close()
    per_day = 24 / hours
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "reserve"]
    kept = sum(file.stat().st_size for file in files)
    return Bytes((_written_bytes() - before) * per_day, kept * per_day)


def _beat(at: int, noise: np.random.Generator) -> Iterator[Event]:
    rr_s = float(_RR / RATE + round(noise.normal(scale=0.02), 3))
    yield BeatDetected(at=at, decided=at + 180, lead="I", rr_s=rr_s, heart_rate_bpm=60 / rr_s)
    scores = dict(zip("NSVF", noise.dirichlet(np.ones(4)).tolist(), strict=True))
    yield BeatClassified(at=at, decided=at + 330, label=BeatClass.NORMAL, scores=scores)


def _written_bytes() -> int:
    for line in Path("/proc/self/io").read_text().splitlines():
        name, _, value = line.partition(": ")
        if name == "write_bytes":
            return int(value)
    raise RuntimeError("/proc/self/io has no write_bytes; this benchmark needs Linux")
