"""Sample storage formats 16, 24, 32 and 212: bytes to counts and back, vectorized.

Format definitions: https://wfdb.io/spec/signal-files.html . All are little-endian two's
complement; 212 packs two 12-bit samples into three bytes.
"""

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RecordError

INVALID_COUNT = -(2**31)
"""What an invalid sample is in every array of counts, whatever the format on disk."""

_BITS = {16: 16, 24: 24, 32: 32, 212: 12}
FORMATS = tuple(_BITS)
"""The formats that can be read and written."""


def check_format(fmt: int) -> None:
    """Raise `RecordError` when `fmt` is not one of `FORMATS`."""
    if fmt not in _BITS:
        raise RecordError(
            f"signal format {fmt} is not supported (supported: 16, 24, 32, 212); "
            "convert the record first, for example with WFDB's `xform`"
        )


def invalid_value(fmt: int) -> int:
    """The stored value that marks an invalid sample: the most negative one of the format."""
    check_format(fmt)
    return -(1 << (_BITS[fmt] - 1))


def bytes_needed(fmt: int, n: int) -> int:
    """Bytes that hold `n` samples; an odd last sample of format 212 takes two bytes."""
    check_format(fmt)
    return (3 * n + 1) // 2 if fmt == 212 else n * _BITS[fmt] // 8


def samples_held(fmt: int, n_bytes: int) -> int:
    """Whole samples that `n_bytes` bytes hold."""
    check_format(fmt)
    return n_bytes * 2 // 3 if fmt == 212 else n_bytes // (_BITS[fmt] // 8)


def read_start(fmt: int, first: int) -> tuple[int, int]:
    """Where to begin reading so that sample `first` comes: (byte, samples to drop)."""
    check_format(fmt)
    if fmt == 212:
        return first // 2 * 3, first % 2
    return bytes_needed(fmt, first), 0


def decode(fmt: int, data: bytes) -> NDArray[np.int32]:
    """Decode all whole samples of `data`; invalid ones become `INVALID_COUNT`. Shape (n,)."""
    check_format(fmt)
    counts = _DECODE[fmt](np.frombuffer(data, np.uint8))
    if fmt != 32:
        counts[counts == invalid_value(fmt)] = INVALID_COUNT
    return counts


def encode(fmt: int, counts: NDArray[np.integer]) -> bytes:
    """Encode counts of shape (n,); `INVALID_COUNT` becomes the format's invalid value.

    Raises `RecordError` when a valid count does not fit (the invalid value does not either).
    """
    check_format(fmt)
    values = np.asarray(counts, np.int64).ravel()
    lowest = invalid_value(fmt)
    invalid = values == INVALID_COUNT
    outside = ~invalid & ((values <= lowest) | (values >= -lowest))
    if outside.any():
        at = int(np.argmax(outside))
        raise RecordError(
            f"sample {at} is {values[at]}, outside {lowest + 1}..{-lowest - 1} of format {fmt}; "
            "use a wider format or a smaller gain"
        )
    return _ENCODE[fmt](np.where(invalid, lowest, values))


def _decode_16(data: NDArray[np.uint8]) -> NDArray[np.int32]:
    return data[: data.size // 2 * 2].view("<i2").astype(np.int32)


def _decode_32(data: NDArray[np.uint8]) -> NDArray[np.int32]:
    return data[: data.size // 4 * 4].view("<i4").astype(np.int32)


def _decode_24(data: NDArray[np.uint8]) -> NDArray[np.int32]:
    triplets = data[: data.size // 3 * 3].reshape(-1, 3)
    words = np.zeros((len(triplets), 4), np.uint8)
    words[:, 1:] = triplets
    return (words.view("<i4").ravel() >> 8).astype(np.int32)


def _decode_212(data: NDArray[np.uint8]) -> NDArray[np.int32]:
    n = samples_held(212, data.size)
    if data.size % 3:
        data = np.concatenate((data, np.zeros(3 - data.size % 3, np.uint8)))
    triplets = data.reshape(-1, 3).astype(np.int32)
    pairs = np.empty((len(triplets), 2), np.int32)
    pairs[:, 0] = triplets[:, 0] | (triplets[:, 1] & 0x0F) << 8
    pairs[:, 1] = triplets[:, 2] | (triplets[:, 1] & 0xF0) << 4
    # 12-bit two's complement: shift the sign bit up to bit 31 and back.
    return ((pairs << 20) >> 20).ravel()[:n]


def _encode_16(values: NDArray[np.int64]) -> bytes:
    return values.astype("<i2").tobytes()


def _encode_32(values: NDArray[np.int64]) -> bytes:
    return values.astype("<i4").tobytes()


def _encode_24(values: NDArray[np.int64]) -> bytes:
    return values.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _encode_212(values: NDArray[np.int64]) -> bytes:
    n = values.size
    pairs = np.concatenate((values, np.zeros(n % 2, np.int64))).reshape(-1, 2) & 0xFFF
    triplets = np.empty((len(pairs), 3), np.uint8)
    triplets[:, 0] = pairs[:, 0] & 0xFF
    triplets[:, 1] = pairs[:, 0] >> 8 | pairs[:, 1] >> 4 & 0xF0
    triplets[:, 2] = pairs[:, 1] & 0xFF
    return triplets.tobytes()[: bytes_needed(212, n)]


_DECODE = {16: _decode_16, 24: _decode_24, 32: _decode_32, 212: _decode_212}
_ENCODE = {16: _encode_16, 24: _encode_24, 32: _encode_32, 212: _encode_212}
