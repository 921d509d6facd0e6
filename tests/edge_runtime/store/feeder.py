"""A process to be killed: feeds a store through the daemon's own writer thread, faster than life.

`python -m tests.edge_runtime.store.feeder DIRECTORY DURABILITY_S [MOST_BYTES]` prints a line for
everything that it handed over and for everything that the store confirmed:

    session NAME | put INDEX MONOTONIC_S | synced INDEX | events NUMBER

Samples are a function of their index, gaps too, so that whoever reads them later can check them.
With MOST_BYTES the oldest signal goes all the time, as it does in months.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.publication import Published, Session
from edge_runtime.store import housekeeping, raw_record
from edge_runtime.store.retention import RetentionSettings
from edge_runtime.store.store import Store
from edge_runtime.threads import WriterThread, _Record
from firmware_bridge.records import INVALID_COUNT
from firmware_bridge.stream import ClockAnchor, Gap, GapReason, SampleIndex, StreamItem
from tests.edge_runtime.store.making import PROVENANCE, RATE, alarm, beat, chunk, opened

CHUNK = 50
_PAUSE_S = 0.004


def counts_at(first: int, n: int) -> NDArray[np.int32]:
    """What was recorded from `first` on, (n, 2); INVALID_COUNT in the gaps."""
    index = np.arange(first, first + n)
    counts = np.stack((index * 7919 % 4001 - 2000, index * 31 % 30011 - 15000), axis=1)
    counts[_is_gap(index // CHUNK)] = INVALID_COUNT
    return counts.astype(np.int32)


def _is_gap(chunk_number: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Short holes often, holes of five chunks (2.5 s) sometimes."""
    gap: NDArray[np.bool_] = (chunk_number % 23 == 22) | (chunk_number % 101 >= 96)
    return gap


class _TellingStore(Store):
    """Says what is on disk, right after it is."""

    taken = 0

    def begin(self, session: Session) -> None:
        super().begin(session)
        say(f"session {session.id}")

    def record(self, session: str, item: StreamItem) -> None:
        super().record(session, item)
        if not isinstance(item, ClockAnchor):
            self.taken += CHUNK

    def record_events(self, published: Sequence[Published]) -> None:
        super().record_events(published)
        say(f"events {published[-1].number}")

    def sync(self) -> None:
        super().sync()
        say(f"synced {self.taken}")


def say(line: str) -> None:
    """One line, in one write: a kill does not tear it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _complain(*what: object) -> None:
    say(f"trouble {what}")


def main(directory: Path, durability_s: float, most_bytes: int = 0) -> None:
    """Feed until killed."""
    if most_bytes:
        housekeeping._EVERY_S = housekeeping._ALL_EVERY_S = 0.05  # type: ignore[misc]
        raw_record.SEGMENT_S = 20  # type: ignore[misc]
        # Of signal alone: sessions would go with their events for the size of the database.
        housekeeping.Housekeeping._other_bytes = lambda _self: 0  # type: ignore[method-assign]
    store = _TellingStore(
        directory,
        PROVENANCE,
        {},
        durability_s=durability_s,
        retention=RetentionSettings(most_gb=most_bytes / 1e9, least_free_gb=0),
    )
    writer = WriterThread(store, _complain, _complain)
    session = Session.begin(opened())
    writer.start()
    writer.put(_Record(session, session.opened))
    at = 0
    while True:
        if _is_gap(np.array(at // CHUNK)):
            gap = Gap("ecg", SampleIndex(at), CHUNK, True, GapReason.LOST_PACKET)
            writer.put(_Record(session, gap))
        else:
            number = at // CHUNK
            # Only alarms promise anything at once; they come last, after the beat before them.
            due = number % 20 == 0
            events = (*beat(at), alarm(at, number)) if due else ()
            published = tuple(session.publish(event) for event in events)
            writer.put(_Record(session, chunk(at, counts_at(at, CHUNK)), published))
            if number % 2 == 0:
                anchor = ClockAnchor(SampleIndex(at), None, at * 10**9 // RATE)
                writer.put(_Record(session, anchor))
        at += CHUNK
        say(f"put {at} {time.monotonic()}")
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), *map(int, sys.argv[3:]))
