"""How raw signal lies on the disk: names, counts and the header that joins the segments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import StoreError
from edge_runtime.store.database import SegmentRow
from edge_runtime.store.disk import remove_file
from firmware_bridge.errors import RecordError
from firmware_bridge.records import INVALID_COUNT, Header, Segment, SignalSpec, write_header
from firmware_bridge.stream import SignalInfo

NARROW: Final = 16
WIDE: Final = 24
_LIMIT: Final = {NARROW: 0x7FFF, WIDE: 0x7FFFFF}
_BYTES: Final = {NARROW: 2, WIDE: 3}
_UNFIT: Final = re.compile(r"[^-\w]", re.ASCII)
"""What a WFDB record's name (and so a file's) must not hold."""
_UNFIT_UNIT: Final = re.compile(r"[^-\w^?%/]", re.ASCII)
"""What wfdb-python does not take for part of a unit: it would read no gain, and so no samples."""


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Where one signal of one session lies."""

    folder: Path
    signal: SignalInfo
    started_utc_ns: int

    @property
    def record(self) -> str:
        """The record's name."""
        return _UNFIT.sub("_", self.signal.id)

    def data_file(self, segment: str) -> Path:
        """The samples of a segment."""
        return self.folder / f"{segment}.dat"

    def segment_name(self, number: int) -> str:
        """Names that sort."""
        return f"{self.record}_{number:06d}"

    def frame_bytes(self, fmt: int) -> int:
        """One sample of every lead."""
        return frame_bytes(self.signal, fmt)

    def specs(self, fmt: int, file_name: str) -> tuple[SignalSpec, ...]:
        """The signal lines of a segment's header."""
        signal = self.signal
        units = _UNFIT_UNIT.sub("_", signal.unit.replace("\N{MICRO SIGN}", "u"))
        return tuple(
            SignalSpec(
                name=lead,
                file_name=file_name,
                fmt=fmt,
                adc_gain=gain,
                baseline=baseline,
                units=units,
                adc_res=fmt,
                adc_zero=baseline,
                block_size=0,
            )
            for lead, gain, baseline in zip(
                signal.leads, signal.counts_per_unit, signal.baseline, strict=True
            )
        )

    def write(self, header: Header) -> None:
        """Put a header in place, synced. Raises StoreError."""
        try:
            write_header(self.folder / header.record_name, header, sync=True)
        except RecordError as error:
            raise StoreError(f"{error}; check free space (df -h) and rights") from error


def frame_bytes(signal: SignalInfo, fmt: int) -> int:
    """One sample of every lead of `signal`, in WFDB format `fmt`."""
    return _BYTES[fmt] * len(signal.leads)


class _StoredStream(msgspec.Struct):
    """The part of a stored StreamOpened that says where its signal lies."""

    signals: tuple[SignalInfo, ...]


def signals_of(stream: str) -> tuple[SignalInfo, ...]:
    """The signals of a stored StreamOpened. Raises `msgspec.MsgspecError`."""
    stored = msgspec.json.decode(stream, type=_StoredStream, dec_hook=lambda kind, x: kind(x))
    return stored.signals


def wide_enough(fmt: int, counts: NDArray[np.int32]) -> bool:
    """`counts` can be written in `fmt`, whose lowest value means invalid."""
    valid = counts[counts != INVALID_COUNT]
    return not len(valid) or int(np.abs(valid).max()) <= _LIMIT[fmt]


def to_counts(signal: SignalInfo, samples: NDArray[np.float32]) -> NDArray[np.int32]:
    """The source's own counts again; INVALID_COUNT where a sample is no number."""
    gain = np.asarray(signal.counts_per_unit, dtype=np.float64)
    exact = samples.astype(np.float64) * gain + np.asarray(signal.baseline)
    finite = np.isfinite(exact)
    limit = _LIMIT[WIDE]
    counts: NDArray[np.int32] = np.clip(np.round(np.where(finite, exact, 0)), -limit, limit).astype(
        np.int32
    )
    counts[~finite] = INVALID_COUNT
    return counts


def write_record_header(place: RawPlace, rows: Sequence[SegmentRow]) -> None:
    """The header that joins all finished segments, with `~` where nothing is (left). Without any
    there is none. Raises StoreError."""
    segments = [Segment(f"{place.record}_layout", 0)]
    end = 0
    for row in rows:
        if not row.n_samples:
            continue
        if row.first > end:
            segments.append(Segment("~", row.first - end))
        segments.append(Segment(row.name, row.n_samples))
        end = row.first + row.n_samples
    if end == 0:
        _remove_record_header(place)
        return
    started = datetime.fromtimestamp(place.started_utc_ns / 1e9, UTC)
    place.write(
        Header(
            place.record,
            place.signal.rate_hz,
            end,
            place.specs(0, "~"),
            segments=tuple(segments),
            base_time=started.time(),
            base_date=started.date(),
        )
    )


def _remove_record_header(place: RawPlace) -> None:
    for name in (place.record, f"{place.record}_layout"):
        remove_file(place.folder / f"{name}.hea")
