"""ProtoCentral's OpenView packets: `0a fa`, three bytes of head, payload, `00 0b`. No I/O.

The first version's head is the payload's length (u16, little-endian) and a type; there is no
checksum and no sequence number, and the payload may hold the bytes of head or tail. The second
version (HealthyPi 6) has length, version and type, and its payload begins with a sequence number.
Sources: the sketches in ProtoCentral's repositories, `openview_protocol.h` of HealthyPi 6.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.boards.samples import BoardItem, BoardSamples, Unreadable

SYNC: Final = b"\x0a\xfa"
TAIL: Final = b"\x00\x0b"
HEAD_BYTES: Final = 5
DATA: Final = 0x02
_LONGEST_PAYLOAD: Final = 64
"""The makers' longest is 50 bytes; a longer length is noise."""

Rows = NDArray[Any]
"""Payloads as a structured array, one row each."""


def head(n_bytes: int, kind: int = DATA) -> bytes:
    """The five bytes before a payload of `n_bytes` in the first version."""
    return SYNC + n_bytes.to_bytes(2, "little") + bytes([kind])


class OpenViewParser:
    """Finds packets and decodes those of one board.

    `payloads` names the layout of the payload behind each head that the board sends; `decode` makes
    samples of consecutive payloads of one layout, or None where they hold no ECG.
    """

    def __init__(
        self,
        payloads: Mapping[bytes, np.dtype[Any]],
        decode: Callable[[Rows], BoardSamples | None],
    ) -> None:
        self._payloads = payloads
        self._decode = decode
        self._pending = b""

    def feed(self, data: bytes) -> list[BoardItem]:
        """Samples of whole packets in `data` and what was kept back, and what was skipped."""
        buffer = self._pending + data
        items: list[BoardItem] = []
        run: list[bytes] = []  # payloads behind the same head, one after another
        run_head = b""
        position = skipped_from = 0
        while (start := buffer.find(SYNC, position)) >= 0:
            begins = buffer[start : start + HEAD_BYTES]
            n_bytes = self._payload_bytes(begins)
            end = start + HEAD_BYTES + n_bytes + len(TAIL)
            if len(begins) < HEAD_BYTES or (n_bytes and end > len(buffer)):
                break  # the rest of it is on its way
            if not n_bytes or buffer[end - len(TAIL) : end] != TAIL:
                position = start + 1
                continue
            if skipped_from < start:
                items += self._samples(run_head, run)
                items.append(Unreadable("between packets", start - skipped_from))
                run = []
            if begins != run_head:
                items += self._samples(run_head, run)
                run_head, run = begins, []
            run.append(buffer[start + HEAD_BYTES : end - len(TAIL)])
            position = skipped_from = end
        items += self._samples(run_head, run)
        keep = start if start >= 0 else len(buffer) - (buffer[-1:] == SYNC[:1])
        if skipped_from < keep:
            items.append(Unreadable("between packets", keep - skipped_from))
        self._pending = buffer[keep:]
        return items

    def _payload_bytes(self, begins: bytes) -> int:
        """How long the payload behind this head is; 0 if no packet begins so."""
        layout = self._payloads.get(begins)
        if layout is not None:
            return layout.itemsize
        n_bytes = int.from_bytes(begins[2:4], "little")
        return n_bytes if n_bytes <= _LONGEST_PAYLOAD else 0

    def _samples(self, run_head: bytes, run: list[bytes]) -> list[BoardItem]:
        if not run:
            return []
        layout = self._payloads.get(run_head)
        if layout is None:
            size = sum(map(len, run)) + len(run) * (HEAD_BYTES + len(TAIL))
            return [Unreadable("packet of another kind", size)]
        samples = self._decode(np.frombuffer(b"".join(run), dtype=layout))
        return [] if samples is None else [samples]
