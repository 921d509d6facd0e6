"""Events as JSON lines on a stream: one published event a line, the store's own form."""

import io
import logging
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final

import msgspec

from edge_runtime.publication import Published

log = logging.getLogger(__name__)

_encoder: Final = msgspec.json.Encoder()
_KEPT_EVENTS: Final = 4096
"""About half an hour of a resting heart, some megabytes."""


class JsonLines:
    """Writes and flushes each batch. The reader may go away: then it falls silent."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._open = True

    def see(self, published: Sequence[Published]) -> None:
        """Write one line for each event."""
        if not self._open or not published:
            return
        try:
            self._stream.write(_lines(published))
            self._stream.flush()
        except BrokenPipeError:
            # `replay --json | head` ends the reader, not the replay.
            self._open = False


class LiveJsonLines:
    """The same lines, written by a thread of their own: `see` never waits for the reader.

    At most `kept` events wait. A reader that is later than that loses the oldest of them; how many
    is said on the log when lines flow again or at the end, and their numbers show where. A reader
    that has left, or a file that takes no more, ends the writing (`ended`), not the caller.

    `lost` is told how many, as it happens. `stream` is unbuffered and not closed here: a thread
    that hangs in a buffer's lock would keep the interpreter from ending.
    """

    def __init__(
        self,
        stream: io.RawIOBase,
        kept: int = _KEPT_EVENTS,
        lost: Callable[[int], None] = lambda _n: None,
    ) -> None:
        self._stream = stream
        self._kept = kept
        self._lost = lost
        self._waiting: deque[Published] = deque()
        self._last_line = b""
        self._left_out = 0
        self._closing = False
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="json lines", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Nothing can be written any more: the reader has left, or the stream failed."""
        return self._ended

    def see(self, published: Sequence[Published]) -> None:
        """Take events to be written; from any thread, never blocks."""
        if self._ended or not published:
            return
        with self._changed:
            self._waiting.extend(published)
            too_many = max(0, len(self._waiting) - self._kept)
            for _ in range(too_many):
                self._waiting.popleft()
            self._left_out += too_many
            self._changed.notify()
        if too_many:
            self._lost(too_many)

    def close(self, last_line: bytes, within_s: float) -> bool:
        """Write what waits and `last_line`; False if the reader did not take it `within_s`."""
        with self._changed:
            self._last_line = last_line
            self._closing = True
            self._changed.notify()
        self._thread.join(within_s)
        if not self._thread.is_alive():
            return True
        with self._changed:
            n = self._left_out + len(self._waiting)
        log.warning("standard output is not read: the last events are left out, %d or more", n)
        return False

    def _work(self) -> None:
        try:
            while True:
                batch, last, left_out = self._next()
                self._write(_lines(batch) + last)
                if left_out:
                    log.warning(
                        "standard output was not read in time: %d events left out", left_out
                    )
                if last or not batch:
                    return
        except BrokenPipeError:
            log.info("the reader of standard output has left")
        except OSError as error:
            log.error("standard output cannot be written: %s", error.strerror)
        finally:
            self._ended = True

    def _next(self) -> tuple[list[Published], bytes, int]:
        """What waits, the last line if this is the end, and how many were left out before."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            batch = list(self._waiting)
            self._waiting.clear()
            left_out, self._left_out = self._left_out, 0
            return batch, self._last_line if self._closing else b"", left_out

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            written = self._stream.write(rest)
            if written is None:  # whoever started us made it non-blocking
                select.select((), (self._stream,), ())
            else:
                rest = rest[written:]


def unbuffered(descriptor: int) -> io.RawIOBase:
    """The open file `descriptor` as a stream for `LiveJsonLines`; it stays open."""
    return io.FileIO(descriptor, "w", closefd=False)


def _lines(published: Sequence[Published]) -> bytes:
    return b"".join(_encoder.encode(one) + b"\n" for one in published)
