"""One signal of one session while it is being recorded."""

import numpy as np

from edge_runtime.store.database import Database, SegmentRow
from edge_runtime.store.raw import (
    BRIDGED_GAP_S,
    SEGMENT_S,
    OpenSegment,
    RawPlace,
    narrowest,
    to_counts,
    wide_enough,
    write_record_header,
)
from firmware_bridge.records import INVALID_COUNT
from firmware_bridge.stream import Gap, SampleChunk


class RawRecord:
    """Appends chunks and gaps to the open segment; begins a new one every hour, after a long gap,
    and when a sample needs a wider format."""

    def __init__(self, place: RawPlace, session: str, database: Database) -> None:
        self._place = place
        self._session = session
        self._database = database
        self._segment: OpenSegment | None = None
        self._numbers = len(database.segments(session, place.signal.id))
        rate = place.signal.rate_hz
        self._longest = int(SEGMENT_S * rate)
        self._bridged = int(BRIDGED_GAP_S * rate)

    def add_chunk(self, chunk: SampleChunk) -> None:
        """Keep samples. Raises StoreError."""
        counts = to_counts(self._place.signal, chunk.samples)
        segment = self._segment
        if segment is not None and not (
            segment.end == chunk.first
            and segment.n_samples < self._longest
            and wide_enough(segment.row.fmt, counts)
        ):
            self.close_segment()
        if self._segment is None:
            self._segment = self._open(int(chunk.first), narrowest(counts))
        self._segment.append(counts)

    def add_gap(self, gap: Gap) -> None:
        """A hole: invalid samples when it is short, otherwise the end of the segment."""
        segment = self._segment
        if segment is None:
            return
        if gap.n_missing >= self._bridged or segment.end != gap.first:
            self.close_segment()
            return
        shape = (gap.n_missing, len(self._place.signal.leads))
        segment.append(np.full(shape, INVALID_COUNT, np.int32))

    def sync(self) -> None:
        """Everything so far is on disk when this returns."""
        if self._segment is not None:
            self._segment.sync()

    def close_segment(self) -> None:
        """Finish the open segment and bring the record's header up to date."""
        if self._segment is None:
            return
        segment, self._segment = self._segment, None
        n_samples = segment.close()
        row = segment.row
        self._database.finish_segment(self._session, row.signal, row.first, n_samples)
        write_record_header(
            self._place, self._database.segments(self._session, self._place.signal.id)
        )

    def _open(self, first: int, fmt: int) -> OpenSegment:
        self._numbers += 1
        row = SegmentRow(
            signal=self._place.signal.id,
            first=first,
            name=self._place.segment_name(self._numbers),
            fmt=fmt,
            n_samples=None,
        )
        # The row is on disk before the file exists: a crash in between leaves a row without a
        # file, which recovery forgets, never a file that nothing points to.
        self._database.add_segment(self._session, row)
        self._database.commit()
        return OpenSegment(self._place, row)
