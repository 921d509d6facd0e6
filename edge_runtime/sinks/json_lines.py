"""Events as JSON lines on a stream: one published event a line, the store's own form."""

from collections.abc import Sequence
from typing import BinaryIO, Final

import msgspec

from edge_runtime.publication import Published

_encoder: Final = msgspec.json.Encoder()


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
            self._stream.write(b"".join(_encoder.encode(one) + b"\n" for one in published))
            self._stream.flush()
        except BrokenPipeError:
            # `make run JSON=1 | head` ends the reader, not the monitoring.
            self._open = False
