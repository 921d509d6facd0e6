"""A stretch of a stored session, read block by block: what every export is made of."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import StoreError
from edge_runtime.publication import Published
from edge_runtime.store.reading import events_of, read_only, reference_place, session_row
from edge_runtime.store.removal import RAW_FOLDER
from firmware_bridge.errors import RecordError
from firmware_bridge.records import open_record
from firmware_bridge.stream import SignalInfo

_BLOCK: Final = 1 << 15
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples [first, last) of a session's ECG, and its events. Indices are the session's own.
    `wearer` is a pseudonym, where one was asked for and is known."""

    session: str
    started_utc_ns: int
    record: Path
    signal: SignalInfo
    first: int
    last: int
    events: tuple[Published, ...]
    wearer: str | None = None

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
        return self.started_utc_ns + int(index * _NS / self.rate_hz)

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
) -> Recording:
    """What the store in `directory` holds of `session` from `from_s` to `to_s` seconds.

    A session that runs still is given as far as its finished pieces go. Raises StoreError: no such
    session, no raw signal, or nothing within these times.
    """
    with closing(read_only(directory)) as connection:
        place = reference_place(connection, session, directory / RAW_FOLDER)
        record = place.folder / place.record
        try:
            played = open_record(record)
        except RecordError as error:
            raise StoreError(
                f"session {session} has no raw signal that can be read: {error}"
            ) from error
        rate_hz = played.signal.rate_hz
        first = round(from_s * rate_hz)
        last = played.n_frames if to_s is None else min(played.n_frames, round(to_s * rate_hz))
        if first >= last:
            raise StoreError(
                f"session {session} has {float(played.n_frames / rate_hz):.1f} s of signal; "
                "nothing of it lies within these times"
            )
        events = tuple(events_of(connection, session, span=(first, last)))
        wearer = session_row(connection, session).wearer if with_wearer else None
    return Recording(
        session, place.started_utc_ns, record, played.signal, first, last, events, wearer
    )
