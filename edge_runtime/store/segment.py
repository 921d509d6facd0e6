"""One data file of raw signal: grows while it is recorded, gets its header when it is finished.

Samples wait in memory until `sync` writes them at their own place in the file, and until the disk
has confirmed them: a write that failed or was cut short is simply done again. After a crash
`finish_segment_file` makes a readable segment of what is on the disk.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.store.database import SegmentRow
from edge_runtime.store.disk import failed, make_directory, sync_directory
from edge_runtime.store.raw import RawPlace
from firmware_bridge.records import INVALID_COUNT, Header, formats

_BLOCK_FRAMES: Final = 1 << 16


class OpenSegment:
    """A segment that is being recorded, or waits for a disk that takes it."""

    def __init__(self, place: RawPlace, row: SegmentRow) -> None:
        self.row = row
        self.n_samples = 0
        self._place = place
        self._path = place.data_file(row.name)
        self._waiting = bytearray()
        self._on_disk = 0
        self._handle: int | None = None

    @property
    def end(self) -> int:
        """Index just after the last sample."""
        return self.row.first + self.n_samples

    @property
    def has_file(self) -> bool:
        """Something of it has been written."""
        return self._handle is not None

    @property
    def bytes_waiting(self) -> int:
        """What is not yet known to be on disk."""
        return len(self._waiting)

    def append(self, counts: NDArray[np.int32]) -> None:
        """Counts (n, n_leads), INVALID_COUNT where there is none."""
        self._waiting += formats.encode(self.row.fmt, counts.ravel())
        self.n_samples += len(counts)

    def sync(self) -> None:
        """Everything appended is on disk when this returns. Raises StoreError: it waits."""
        if not self._waiting:
            return
        try:
            if self._handle is None:
                self._handle = self._create()
            done = 0
            while done < len(self._waiting):
                done += os.pwrite(self._handle, self._waiting[done:], self._on_disk + done)
            os.fdatasync(self._handle)
        except OSError as error:
            raise failed(self._path, error) from error
        self._on_disk += done
        self._waiting.clear()

    def forget_waiting(self) -> int:
        """Give up what the disk did not take, so many samples; nothing may be appended after."""
        forgotten = len(self._waiting) // self._place.frame_bytes(self.row.fmt)
        self._waiting.clear()
        return forgotten

    def finish(self) -> int:
        """After the last `sync`: close the file and write its header; the number of samples."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        return finish_segment_file(self._place, self.row)

    def _create(self) -> int:
        make_directory(self._path.parent)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        sync_directory(self._path.parent)
        return handle


def finish_segment_file(place: RawPlace, row: SegmentRow) -> int:
    """Write the header of a segment whose data file is complete (or cut off by a crash: a partial
    frame at the end is dropped). Returns the number of samples; a file without any is removed.

    Can be repeated. Raises StoreError.
    """
    path = place.data_file(row.name)
    frame = place.frame_bytes(row.fmt)
    try:
        n_samples = path.stat().st_size // frame if path.exists() else 0
        if n_samples == 0:
            if path.exists():
                path.unlink()
                sync_directory(path.parent)  # or it comes back when its row is gone
            return 0
        first, sums = _cut_and_summed(path, row.fmt, frame, n_samples)
    except OSError as error:
        raise failed(path, error) from error
    signals = tuple(
        replace(spec, init_value=int(init), checksum=int((total + 2**15) % 2**16 - 2**15))
        for spec, init, total in zip(place.specs(row.fmt, path.name), first, sums, strict=True)
    )
    place.write(Header(row.name, place.signal.rate_hz, n_samples, signals))
    return n_samples


def _cut_and_summed(
    path: Path, fmt: int, frame: int, n_samples: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first frame and the sums of all, (n_leads,) each; the file is cut to whole frames."""
    frames_first: NDArray[np.int64] | None = None
    sums: NDArray[np.int64] | int = 0
    with path.open("r+b") as file:
        file.truncate(n_samples * frame)
        # What a header will speak of must be on disk before it: recovery also meets bytes that
        # a killed daemon wrote and never synced.
        os.fsync(file.fileno())
        while block := file.read(frame * _BLOCK_FRAMES):
            counts = formats.decode(fmt, block).reshape(-1, frame // formats.bytes_needed(fmt, 1))
            stored = np.where(counts == INVALID_COUNT, formats.invalid_value(fmt), counts)
            if frames_first is None:
                frames_first = stored[0].astype(np.int64)
            sums = sums + stored.sum(axis=0, dtype=np.int64)
    assert frames_first is not None
    return frames_first, np.asarray(sums)
