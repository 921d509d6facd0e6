"""The ring buffer: copies and allocations per sample."""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from rich.table import Table

from edge_runtime.signal.ring import RingBuffer

_RATE_HZ = 500
_CHUNK = 50
_CHUNKS = 20_000


def table() -> Table:
    """Time per sample against one plain copy, and what stays allocated."""
    chunk = np.zeros((_CHUNK, 1), np.float32)
    ring = RingBuffer(10 * 60 * _RATE_HZ, 1)
    ring_s = _timed(lambda k: ring.write(k * _CHUNK, chunk))
    target = np.empty_like(chunk)
    copy_s = _timed(lambda _: np.copyto(target, chunk))
    position = ring.end
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for k in range(2000):
        ring.write(position + k * _CHUNK, chunk)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    shown = Table(title=f"ring buffer, chunks of {_CHUNK} samples")
    for column in ("", "ns per sample", "ratio"):
        shown.add_column(column, justify="right" if column else "left")
    n = _CHUNK * _CHUNKS
    shown.add_row("one bare copy", f"{copy_s / n * 1e9:.1f}", "1.0")
    shown.add_row("RingBuffer.write", f"{ring_s / n * 1e9:.1f}", f"{ring_s / copy_s:.1f}")
    shown.add_row(
        f"allocated over {2000 * _CHUNK:,} samples",
        f"{after - before} B kept",
        f"{peak - before} B at most",
    )
    return shown


def _timed(act: Callable[[int], None]) -> float:
    started = time.perf_counter()
    for k in range(_CHUNKS):
        act(k)
    return time.perf_counter() - started
