"""A stretch of a stored session, read block by block: what every export is made of."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import StoreError
from edge_runtime.publication import Published
from edge_runtime.store.reading import (
    alignment_of,
    events_of,
    read_only,
    session_row,
    signal_place,
)
from edge_runtime.store.removal import RAW_FOLDER
from firmware_bridge.errors import RecordError
from firmware_bridge.records import open_record
from firmware_bridge.stream import SignalInfo

_BLOCK: Final = 1 << 15
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples [first, last) of a session's ECG, and its events. Indices are the session's own.
    `wearer` is a pseudonym, where one was asked for and is known. Of another signal than the ECG
    there are no events, and `aligned` (indices and seconds, each increasing) tells when its samples
    were taken by the ECG's count."""

    session: str
    started_utc_ns: int
    record: Path
    signal: SignalInfo
    first: int
    last: int
    events: tuple[Published, ...]
    wearer: str | None = None
    aligned: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def rate_hz(self) -> Fraction:
        """Nominal: what the indices count in."""
        return self.signal.rate_hz

    @property
    def n_samples(self) -> int:
        """Length in samples, holes included."""
        return self.last - self.first

    def utc_ns(self, index: int) -> int:
        """When sample `index` was taken, by the nominal rate from the session's start."""
        if self.aligned is not None:
            return self.started_utc_ns + int(float(self.seconds(index, 1)[0]) * _NS)
        return self.started_utc_ns + int(index * _NS / self.rate_hz)

    def seconds(self, first: int, n: int) -> NDArray[np.float64]:
        """When samples `first` to `first + n` were taken, from the session's start (n,)."""
        indices = np.arange(first, first + n, dtype=np.float64)
        return _seconds(indices, float(self.rate_hz), self.aligned)

    def blocks(self, n: int = _BLOCK) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Index and samples (at most n, n_leads) in the signal's unit, NaN in holes; in order."""
        played = open_record(self.record)
        for at in range(self.first, self.last, n):
            yield at, played.read(at, min(at + n, self.last))


def stored_recording(
    directory: Path,
    session: str,
    from_s: float = 0.0,
    to_s: float | None = None,
    *,
    with_wearer: bool = False,
    signal: str | None = None,
) -> Recording:
    """What the store in `directory` holds of `session` from `from_s` to `to_s` seconds: its ECG, or
    the signal of that name.

    A session that runs still is given as far as its finished pieces go. Raises StoreError: no such
    session or signal, no raw signal, or nothing within these times.
    """
    with closing(read_only(directory)) as connection:
        place = signal_place(connection, session, directory / RAW_FOLDER, signal)
        record = place.folder / place.record
        try:
            played = open_record(record)
        except RecordError as error:
            raise StoreError(
                f"session {session} has no raw signal that can be read: {error}"
            ) from error
        rate_hz = played.signal.rate_hz
        aligned = None
        first = round(from_s * rate_hz)
        last = played.n_frames if to_s is None else min(played.n_frames, round(to_s * rate_hz))
        reference = place.signal
        if signal is not None:
            reference = signal_place(connection, session, directory / RAW_FOLDER).signal
        is_reference = place.signal.id == reference.id
        if not is_reference:
            aligned = _aligned(alignment_of(connection, session, place.signal.id), reference)
            at_s = _seconds(np.arange(played.n_frames), float(rate_hz), aligned)
            first = int(np.searchsorted(at_s, from_s)) if from_s else 0
            last = played.n_frames if to_s is None else int(np.searchsorted(at_s, to_s))
        if first >= last:
            raise StoreError(
                f"session {session} has {float(played.n_frames / rate_hz):.1f} s of signal; "
                "nothing of it lies within these times"
            )
        events = tuple(events_of(connection, session, span=(first, last))) if is_reference else ()
        wearer = session_row(connection, session).wearer if with_wearer else None
    return Recording(
        session,
        place.started_utc_ns,
        record,
        played.signal,
        first,
        last,
        events,
        wearer,
        aligned,
    )


def _aligned(
    rows: list[tuple[int, int]], reference: SignalInfo
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Indices and seconds by the reference's count. None without any: the nominal rate is all that
    is known."""
    if not rows:
        return None
    table = np.array(rows, dtype=np.float64)
    return table[:, 0], table[:, 1] / float(reference.rate_hz)


def _seconds(
    indices: NDArray[Any],
    rate_hz: float,
    aligned: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> NDArray[np.float64]:
    """Between alignments a straight line; before the first and after the last the pace of all of
    them, of a single one the nominal rate."""
    if aligned is None:
        return indices / rate_hz
    known, seconds = aligned
    at: NDArray[np.float64] = np.interp(indices, known, seconds)
    span = known[-1] - known[0]
    pace = (seconds[-1] - seconds[0]) / span if span else 1 / rate_hz
    before, after = indices < known[0], indices > known[-1]
    at[before] = seconds[0] + (indices[before] - known[0]) * pace
    at[after] = seconds[-1] + (indices[after] - known[-1]) * pace
    return at
