"""Raw signal as a variable-layout multi-segment WFDB record, appended while it comes.

The open segment is a bare data file; its header and the record's are written when it is closed,
each renamed into place and synced. After a crash `finish_segment_file` makes the same of what
is on the disk: a data file is never longer than what was written and never rewritten.
"""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import StoreError
from edge_runtime.store.database import SegmentRow
from firmware_bridge.records import (
    INVALID_COUNT,
    Header,
    Segment,
    SignalSpec,
    formats,
    write_header,
)
from firmware_bridge.stream import SignalInfo

SEGMENT_S: Final = 3600
BRIDGED_GAP_S: Final = 1
"""Shorter holes are stored as WFDB's invalid samples inside a segment: a link that loses a packet
a second would otherwise make a segment a second. Longer ones are `~` segments."""
_NARROW: Final = 16
_WIDE: Final = 24
_LIMIT: Final = {_NARROW: 0x7FFF, _WIDE: 0x7FFFFF}
_BYTES: Final = {_NARROW: 2, _WIDE: 3}


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Where one signal of one session lies."""

    folder: Path
    signal: SignalInfo
    started_utc_ns: int

    def data_file(self, segment: str) -> Path:
        """The samples of a segment."""
        return self.folder / f"{segment}.dat"

    def segment_name(self, number: int) -> str:
        """Names that sort."""
        return f"{self.signal.id}_{number:06d}"

    def specs(self, fmt: int, file_name: str) -> tuple[SignalSpec, ...]:
        """The signal lines of a segment's header."""
        signal = self.signal
        return tuple(
            SignalSpec(
                name=lead,
                file_name=file_name,
                fmt=fmt,
                adc_gain=gain,
                baseline=baseline,
                units=signal.unit,
                adc_res=fmt,
                adc_zero=baseline,
                block_size=0,
            )
            for lead, gain, baseline in zip(
                signal.leads, signal.counts_per_unit, signal.baseline, strict=True
            )
        )


class OpenSegment:
    """A data file that grows."""

    def __init__(self, place: RawPlace, row: SegmentRow) -> None:
        self.row = row
        self.n_samples = 0
        self._place = place
        self._path = place.data_file(row.name)
        try:
            self._file = self._path.open("xb", buffering=1 << 16)
        except OSError as error:
            raise _failed(self._path, error) from error

    @property
    def end(self) -> int:
        """Index just after the last sample."""
        return self.row.first + self.n_samples

    def append(self, counts: NDArray[np.int32]) -> None:
        """Counts (n, n_leads), INVALID_COUNT where there is none."""
        try:
            self._file.write(formats.encode(self.row.fmt, counts.ravel()))
        except OSError as error:
            raise _failed(self._path, error) from error
        self.n_samples += len(counts)

    def sync(self) -> None:
        """Everything appended is on disk when this returns."""
        try:
            self._file.flush()
            os.fdatasync(self._file.fileno())
        except OSError as error:
            raise _failed(self._path, error) from error

    def close(self) -> int:
        """Sync, close, write the header; the number of samples."""
        self.sync()
        self._file.close()
        return finish_segment_file(self._place, self.row)


def wide_enough(fmt: int, counts: NDArray[np.int32]) -> bool:
    """`counts` can be written in `fmt`, whose lowest value means invalid."""
    valid = counts[counts != INVALID_COUNT]
    return not len(valid) or int(np.abs(valid).max()) <= _LIMIT[fmt]


def narrowest(counts: NDArray[np.int32]) -> int:
    """The format for a segment that begins with `counts`."""
    return _NARROW if wide_enough(_NARROW, counts) else _WIDE


def to_counts(signal: SignalInfo, samples: NDArray[np.float32]) -> NDArray[np.int32]:
    """The source's own counts again; INVALID_COUNT where a sample is no number."""
    gain = np.asarray(signal.counts_per_unit, dtype=np.float64)
    exact = samples.astype(np.float64) * gain + np.asarray(signal.baseline)
    limit = _LIMIT[_WIDE]
    counts: NDArray[np.int32] = np.clip(np.round(np.nan_to_num(exact)), -limit, limit).astype(
        np.int32
    )
    counts[~np.isfinite(samples)] = INVALID_COUNT
    return counts


def finish_segment_file(place: RawPlace, row: SegmentRow) -> int:
    """Write the header of a segment whose data file is complete (or cut off by a crash: a partial
    frame at the end is dropped). Returns the number of samples; a file without any is removed."""
    path = place.data_file(row.name)
    n_leads = len(place.signal.leads)
    frame = _BYTES[row.fmt] * n_leads
    try:
        n_samples = path.stat().st_size // frame if path.exists() else 0
        if n_samples == 0:
            path.unlink(missing_ok=True)
            return 0
        os.truncate(path, n_samples * frame)
        counts = formats.decode(row.fmt, path.read_bytes()).reshape(n_samples, n_leads)
    except OSError as error:
        raise _failed(path, error) from error
    stored = np.where(counts == INVALID_COUNT, formats.invalid_value(row.fmt), counts)
    sums = stored.sum(axis=0, dtype=np.int64)
    signals = tuple(
        replace(spec, init_value=int(first), checksum=int((total + 2**15) % 2**16 - 2**15))
        for spec, first, total in zip(place.specs(row.fmt, path.name), stored[0], sums, strict=True)
    )
    header = Header(row.name, place.signal.rate_hz, n_samples, signals)
    write_header(place.folder / row.name, header, sync=True)
    return n_samples


def write_record_header(place: RawPlace, rows: list[SegmentRow]) -> None:
    """The header that joins all closed segments, with `~` where nothing was recorded."""
    name = place.signal.id
    segments = [Segment(f"{name}_layout", 0)]
    end = 0
    for row in rows:
        if not row.n_samples:
            continue
        if row.first > end:
            segments.append(Segment("~", row.first - end))
        segments.append(Segment(row.name, row.n_samples))
        end = row.first + row.n_samples
    if len(segments) == 1:
        return
    started = datetime.fromtimestamp(place.started_utc_ns / 1e9, UTC)
    header = Header(
        name,
        place.signal.rate_hz,
        end,
        place.specs(0, "~"),
        segments=tuple(segments),
        base_time=started.time(),
        base_date=started.date(),
    )
    write_header(place.folder / name, header, sync=True)


def _failed(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: {error.strerror}; check free space (df -h) and rights")
