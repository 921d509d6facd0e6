"""A bounded queue between the radio and a thread that may fall behind."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np

from firmware_bridge.stream import Gap, GapReason, SampleChunk

Item = TypeVar("Item")

_MERGE_ABOVE: Final = 64
"""Items waiting (about three seconds of packets) from which adjacent chunks are merged."""
_MAX_MERGED_SAMPLES: Final = 1 << 14


@dataclass(slots=True)
class QueueCounts:
    """What happened to what did not flow freely."""

    merged: int = 0
    overflowed_samples: int = 0


class ItemQueue(Generic[Item]):
    """First in, first out; adjacent chunks merge when the reader is late, which changes nothing
    downstream because the engine is chunk-invariant. Beyond `max_samples` waiting, new samples
    are refused and become one Gap (reason overflow). Other items are never refused: they are few.
    """

    def __init__(self, max_samples: int) -> None:
        self.counts = QueueCounts()
        self._max_samples = max_samples
        self._items: deque[tuple[str, Item | SampleChunk | Gap]] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closed = False

    def put(self, source: str, item: Item | SampleChunk | Gap) -> None:
        """Never blocks."""
        with self._changed:
            if isinstance(item, SampleChunk):
                self._put_chunk(source, item)
            else:
                self._items.append((source, item))
            self._changed.notify()

    def get(self) -> tuple[str, Item | SampleChunk | Gap] | None:
        """Waits for the next item; None once the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return self._first() if self._items else None

    def get_chunks(self, least: int, most: int) -> list[tuple[str, SampleChunk]]:
        """Samples that may be read in any order: of each source the next, up to what else waits.

        Of `most` sources at most; none where there are fewer than `least`. Does not wait.
        """
        with self._changed:
            found: dict[str, SampleChunk] = {}
            for source, item in self._items:
                if not isinstance(item, SampleChunk) or source in found or len(found) == most:
                    break
                found[source] = item
            if len(found) < least:
                return []
            for _ in found:
                self._first()
            return list(found.items())

    def _first(self) -> tuple[str, Item | SampleChunk | Gap]:
        source, item = self._items.popleft()
        if isinstance(item, SampleChunk):
            self._waiting -= len(item.samples)
        return source, item

    def close(self) -> None:
        """No more items will come; what waits is still delivered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._items)

    def _put_chunk(self, source: str, chunk: SampleChunk) -> None:
        if self._waiting + len(chunk.samples) > self._max_samples:
            self.counts.overflowed_samples += len(chunk.samples)
            self._put_overflow(source, chunk)
            return
        self._waiting += len(chunk.samples)
        late = len(self._items) > _MERGE_ABOVE
        if late and self._replace_last(source, lambda last: _merged_chunks(last, chunk)):
            self.counts.merged += 1
            return
        self._items.append((source, chunk))

    def _put_overflow(self, source: str, chunk: SampleChunk) -> None:
        gap = Gap(
            chunk.signal, chunk.first, len(chunk.samples), exact=True, reason=GapReason.OVERFLOW
        )
        if not self._replace_last(source, lambda last: _merged_gaps(last, gap)):
            self._items.append((source, gap))

    def _replace_last(
        self, source: str, merge: Callable[[object], SampleChunk | Gap | None]
    ) -> bool:
        if not self._items or self._items[-1][0] != source:
            return False
        merged = merge(self._items[-1][1])
        if merged is None:
            return False
        self._items[-1] = (source, merged)
        return True


def _merged_chunks(last: object, chunk: SampleChunk) -> SampleChunk | None:
    if (
        isinstance(last, SampleChunk)
        and last.signal == chunk.signal
        and last.end == chunk.first
        and last.samples.shape[1] == chunk.samples.shape[1]  # the engine refuses it, with words
        and len(last.samples) + len(chunk.samples) <= _MAX_MERGED_SAMPLES
    ):
        both = np.concatenate([last.samples, chunk.samples])
        return SampleChunk(chunk.signal, last.first, both)
    return None


def _merged_gaps(last: object, gap: Gap) -> Gap | None:
    if (
        isinstance(last, Gap)
        and last.signal == gap.signal
        and last.first + last.n_missing == gap.first
        and last.reason is gap.reason
    ):
        return Gap(gap.signal, last.first, last.n_missing + gap.n_missing, last.exact, gap.reason)
    return None
