"""Ten seconds of an alarm's strip as a picture (PNG) on ECG paper: 25 mm/s, 10 mm/mV."""

import struct
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import open_record, read_header

SHOWN_S: Final = 10.0
AFTER_S: Final = 1.0
"""So much of it lies behind the place that is asked for."""
PX_PER_MM: Final = 4
_MM_PER_S: Final = 25
_MM_PER_MV: Final = 10
_HEIGHT_MM: Final = 40
_PAPER: Final = (255, 255, 255)
_MINOR: Final = (250, 222, 217)
_MAJOR: Final = (235, 178, 168)
_INK: Final = (13, 20, 26)


def strip_picture(record: Path, at: int) -> bytes:
    """The first lead of `record` up to a second after sample `at` of its session.

    Raises RecordError, UsageError.
    """
    played = open_record(record)
    rate_hz = float(played.signal.rate_hz)
    begin = _first_of(record)
    end = min(played.n_frames, max(1, at - begin + round(AFTER_S * rate_hz)))
    first = max(0, end - round(SHOWN_S * rate_hz))
    return _png(_drawn(played.read(first, end)[:, 0], rate_hz))


def _first_of(record: Path) -> int:
    """The session's sample that the strip begins with, as its header says."""
    for comment in read_header(record).comments:
        words = comment.split()
        if words[:1] == ["samples"] and words[1].isdigit():
            return int(words[1])
    return 0


def _drawn(values: NDArray[np.float32], rate_hz: float) -> NDArray[np.uint8]:
    """Paper with a trace, (height, width, 3)."""
    width, height = round(SHOWN_S * _MM_PER_S * PX_PER_MM), _HEIGHT_MM * PX_PER_MM
    image = np.full((height, width, 3), _PAPER, np.uint8)
    for colour, every_mm in ((_MINOR, 1), (_MAJOR, 5)):
        image[:: every_mm * PX_PER_MM] = colour
        image[:, :: every_mm * PX_PER_MM] = colour
    known = np.isfinite(values)
    if not known.any():
        return image
    baseline = float(np.median(values[known]))
    y = height / 2 - (values - baseline) * _MM_PER_MV * PX_PER_MM
    y = np.clip(y, 0, height - 2)
    column = (np.arange(len(values)) / rate_hz * _MM_PER_S * PX_PER_MM).astype(int)
    for k in range(len(values) - 1):
        # A vertical stroke from sample to sample, in every column between them: no gap at any rate.
        if known[k] and known[k + 1] and column[k + 1] < width:
            low, high = sorted((round(float(y[k])), round(float(y[k + 1]))))
            image[low : high + 2, column[k] : column[k + 1] + 1] = _INK
    return image


def _png(image: NDArray[np.uint8]) -> bytes:
    """`image` (height, width, 3) as a PNG file."""
    height, width, _ = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
