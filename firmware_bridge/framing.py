"""Frames on a byte stream: COBS between zero bytes, closed by a CRC-16. No I/O.

A frame on the wire is `cobs(body + crc16_le(body)) 0x00`. COBS removes every zero byte from the
encoded part (Cheshire & Baker 1999), so a zero always ends a frame and a reader that lost its
place finds it again at the next one. The CRC is CRC-16/CCITT-FALSE (polynomial 0x1021, start
0xFFFF, not reflected; check value of "123456789" is 0x29B1).
"""

import binascii
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_BODY_BYTES: Final = 1024
"""Longest body believed. A longer run without a zero byte is noise, not a frame."""

_CRC_START: Final = 0xFFFF
_CRC_BYTES: Final = 2
_LONGEST_RUN: Final = 254
# COBS adds one byte per started run of 254.
_MAX_ENCODED_BYTES: Final = (
    MAX_BODY_BYTES + _CRC_BYTES + (MAX_BODY_BYTES + _CRC_BYTES) // _LONGEST_RUN + 1
)


class FrameFault(StrEnum):
    """Why bytes between two zeros are no frame."""

    ENCODING = "bad COBS encoding"
    CHECKSUM = "bad checksum"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"


@dataclass(frozen=True, slots=True)
class MalformedFrame:
    """Bytes that were skipped: a value to count, never the end of the stream."""

    fault: FrameFault
    n_bytes: int


def crc16(body: bytes) -> int:
    """CRC-16/CCITT-FALSE of `body`."""
    return binascii.crc_hqx(body, _CRC_START)


def cobs_encode(data: bytes) -> bytes:
    """`data` without zero bytes, at most one byte in 254 longer. The delimiter is not added."""
    out = bytearray()
    for run in data.split(b"\0"):
        full, rest = divmod(len(run), _LONGEST_RUN)
        for k in range(full):
            out.append(_LONGEST_RUN + 1)
            out += run[k * _LONGEST_RUN : (k + 1) * _LONGEST_RUN]
        out.append(rest + 1)
        out += run[full * _LONGEST_RUN :]
    return bytes(out)


def cobs_decode(encoded: bytes) -> bytes | None:
    """Inverse of `cobs_encode`; None if `encoded` holds a zero or its last run is cut short."""
    out = bytearray()
    position, end = 0, len(encoded)
    while position < end:
        code = encoded[position]
        run = encoded[position + 1 : position + code]
        if code == 0 or len(run) != code - 1 or 0 in run:
            return None
        out += run
        position += code
        if code != _LONGEST_RUN + 1 and position < end:
            out.append(0)
    return bytes(out)


def encode_frame(body: bytes) -> bytes:
    """The bytes that carry `body`, with the closing delimiter. Raises ValueError when too long."""
    if not 0 < len(body) <= MAX_BODY_BYTES:
        raise ValueError(f"a frame body has 1 to {MAX_BODY_BYTES} bytes, not {len(body)}")
    return cobs_encode(body + crc16(body).to_bytes(_CRC_BYTES, "little")) + b"\0"


class FrameReader:
    """Push parser: feed bytes in any portions, get bodies and malformed frames in order."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._overflowing = False

    def feed(self, data: bytes) -> list[bytes | MalformedFrame]:
        """Frames that `data` completes. Empty frames (two delimiters in a row) are line idle."""
        *complete, rest = data.split(b"\0")
        frames: list[bytes | MalformedFrame] = []
        for piece in complete:
            self._pending += piece
            if self._overflowing:
                self._overflowing = False
            elif self._pending:
                frames.append(_decode(bytes(self._pending)))
            self._pending.clear()
        self._pending += rest
        if len(self._pending) > _MAX_ENCODED_BYTES:
            # Reported once, when it is certain; what follows up to the next zero belongs to it.
            if not self._overflowing:
                frames.append(MalformedFrame(FrameFault.TOO_LONG, len(self._pending)))
            self._overflowing = True
            self._pending.clear()
        return frames


def _decode(encoded: bytes) -> bytes | MalformedFrame:
    if len(encoded) > _MAX_ENCODED_BYTES:
        return MalformedFrame(FrameFault.TOO_LONG, len(encoded))
    decoded = cobs_decode(encoded)
    if decoded is None:
        return MalformedFrame(FrameFault.ENCODING, len(encoded))
    if len(decoded) <= _CRC_BYTES:
        return MalformedFrame(FrameFault.TOO_SHORT, len(encoded))
    body, checksum = decoded[:-_CRC_BYTES], int.from_bytes(decoded[-_CRC_BYTES:], "little")
    return body if crc16(body) == checksum else MalformedFrame(FrameFault.CHECKSUM, len(encoded))
