"""One signal of one session while it is being recorded."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edge_runtime.errors import StoreError
from edge_runtime.store.database import Database, SegmentRow
from edge_runtime.store.raw import (
    NARROW,
    WIDE,
    RawPlace,
    to_counts,
    wide_enough,
    write_record_header,
)
from edge_runtime.store.segment import OpenSegment
from firmware_bridge.records import INVALID_COUNT
from firmware_bridge.stream import Gap, SampleChunk

SEGMENT_S: Final = 3600
BRIDGED_GAP_S: Final = 1
"""Shorter holes are stored as WFDB's invalid samples inside a segment: a link that loses a packet
a second would otherwise make a segment a second. Longer ones are `~` segments."""
_HEADER_S: Final = 600
"""The record's header grows with every segment; writing it anew for each would cost the square of
their number on a link that breaks every few seconds."""
_PATIENCE_S: Final = 600
"""Signal kept in memory while the disk refuses it."""


class RawRecord:
    """Takes chunks and gaps into memory; `sync` brings them to disk.

    A new segment begins every hour, after a long gap, and when a sample needs a wider format.
    """

    def __init__(self, place: RawPlace, session: str, database: Database) -> None:
        self.given_up = 0  # samples
        self._place = place
        self._session = session
        self._database = database
        self._growing: OpenSegment | None = None
        self._unfinished: list[OpenSegment] = []
        self._finished: list[SegmentRow] = []
        self._in_header = 0
        self._header_end = 0
        self._n_opened = 0
        self._end = 0
        self._fmt = NARROW
        rate = place.signal.rate_hz
        self._longest = int(SEGMENT_S * rate)
        self._bridged = int(BRIDGED_GAP_S * rate)
        self._header_every = int(_HEADER_S * rate)
        self._most_waiting = int(_PATIENCE_S * rate) * place.frame_bytes(WIDE)

    def add_chunk(self, chunk: SampleChunk) -> None:
        """Keep samples; those that came before are dropped. Raises StoreError when samples are
        given up because the disk refuses them for too long."""
        repeated = max(0, self._end - chunk.first)
        counts = to_counts(self._place.signal, chunk.samples[repeated:])
        if not len(counts):
            return
        if not wide_enough(self._fmt, counts):
            self._fmt = WIDE
        segment = self._growing
        if (
            segment is None
            or segment.end != chunk.first + repeated
            or segment.n_samples >= self._longest
            or segment.row.fmt != self._fmt
        ):
            segment = self._growing = self._open(int(chunk.first) + repeated)
        segment.append(counts)
        self._end = segment.end
        if sum(one.bytes_waiting for one in self._unfinished) > self._most_waiting:
            self._give_up()

    def add_gap(self, gap: Gap) -> None:
        """A hole: invalid samples when it is short, otherwise the end of the segment."""
        segment = self._growing
        if segment is None:
            return
        if gap.n_missing >= self._bridged or segment.end != gap.first:
            self._growing = None
            return
        shape = (int(gap.n_missing), len(self._place.signal.leads))
        segment.append(np.full(shape, INVALID_COUNT, np.int32))
        self._end = segment.end

    def sync(self) -> None:
        """Everything so far is on disk when this returns. Raises StoreError: the rest waits."""
        if not all(segment.has_file for segment in self._unfinished):
            # The row is on disk before the file exists: a crash in between leaves a row without
            # a file, which recovery forgets, never a file that nothing points to.
            self._database.commit()
        for segment in list(self._unfinished):
            segment.sync()
            if segment is not self._growing:
                self._finish(segment)
        if self._finished and self._end - self._header_end >= self._header_every:
            self._write_header()

    def close(self) -> None:
        """Finish everything: the record is complete and readable when this returns.

        After a StoreError it can be called again.
        """
        self._growing = None
        self.sync()
        self._write_header()

    def take_out(self, left: Sequence[SegmentRow]) -> None:
        """Only the finished segments in `left` are still of this record. Raises StoreError."""
        names = {row.name for row in left}
        kept = [row for row in self._finished if row.name in names]
        if len(kept) < len(self._finished):
            write_record_header(self._place, kept)
            self._finished = kept
            self._in_header = len(kept)

    def _open(self, first: int) -> OpenSegment:
        self._n_opened += 1
        row = SegmentRow(
            signal=self._place.signal.id,
            first=first,
            name=self._place.segment_name(self._n_opened),
            fmt=self._fmt,
            n_samples=None,
        )
        self._database.add_segment(self._session, row)
        segment = OpenSegment(self._place, row)
        self._unfinished.append(segment)
        return segment

    def _finish(self, segment: OpenSegment) -> None:
        n_samples = segment.finish()
        self._unfinished.remove(segment)
        self._database.finish_segment(self._session, segment.row, n_samples)
        if n_samples:
            self._finished.append(replace(segment.row, n_samples=n_samples))

    def _write_header(self) -> None:
        if len(self._finished) == self._in_header:
            return
        write_record_header(self._place, self._finished)
        self._in_header = len(self._finished)
        self._header_end = self._end

    def _give_up(self) -> None:
        self.given_up += sum(segment.forget_waiting() for segment in self._unfinished)
        self._growing = None
        raise StoreError(
            f"{self._place.folder}: could not be written for {_PATIENCE_S} s; "
            "that signal is lost, see the first message about it"
        )
