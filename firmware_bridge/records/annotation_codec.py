"""The words of an MIT-format annotation file, to arrays and back; no symbols, no files.

Format: https://wfdb.io/spec/annotation-files.html . A file is little-endian 16-bit words, six
bits of code above ten bits of interval; codes 59 to 63 (SKIP, NUM, SUB, CHN, AUX) precede or
modify the annotations, and a zero word ends the file. Only SKIP and AUX carry further words,
so only they are walked one by one; everything else is array arithmetic.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RecordError

_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_MAX_INTERVAL = 1023
_MAX_SKIP = 2**31 - 1
MAX_AUX_BYTES = 255


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Annotations as stored: `code` 1 to 49, all arrays int64 of one length."""

    code: NDArray[np.int64]
    sample: NDArray[np.int64]
    subtype: NDArray[np.int64]
    chan: NDArray[np.int64]
    num: NDArray[np.int64]
    aux: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Walked:
    """What the walk over SKIP and AUX found; positions are word numbers."""

    plain: NDArray[np.intp]
    skips: list[tuple[int, int]]
    texts: list[tuple[int, bytes]]


def decode(data: bytes, source: str) -> Coded:
    """Decode a file's bytes; `source` names it in errors. Raises `RecordError`."""
    words = np.frombuffer(data, "<u2", count=len(data) // 2)
    walked = _walk(words, data, source)
    kept = words[walked.plain]
    codes = kept >> 10
    is_annotation = codes < _SKIP
    at = walked.plain[is_annotation]
    n = len(at)
    interval = (kept[is_annotation] & _MAX_INTERVAL).astype(np.int64)
    for position, ticks in walked.skips:
        following = int(np.searchsorted(at, position))
        if following < n:
            interval[following] += ticks
    aux = [b""] * n
    for position, text in walked.texts:
        aux[_owner(at, position, source)] = text
    if len(kept) and not is_annotation[0]:
        _owner(at, int(walked.plain[0]), source)
    owner = np.cumsum(is_annotation) - 1
    low = (kept & 0xFF).astype(np.uint8)

    def given(code: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        chosen = codes == code
        return owner[chosen], low[chosen]

    subtype = np.zeros(n, np.int64)
    modified, values = given(_SUB)
    subtype[modified] = values.view(np.int8)
    modified, values = given(_NUM)
    num = _carried(n, modified, values.view(np.int8).astype(np.int64))
    modified, values = given(_CHN)
    chan = _carried(n, modified, values.astype(np.int64))
    is_kept = codes[is_annotation] > 0  # code 0 only moves the time
    return Coded(
        code=codes[is_annotation][is_kept].astype(np.int64),
        sample=np.cumsum(interval)[is_kept],
        subtype=subtype[is_kept],
        chan=chan[is_kept],
        num=num[is_kept],
        aux=tuple(text for text, keep in zip(aux, is_kept, strict=True) if keep),
    )


def _walk(words: NDArray[np.uint16], data: bytes, source: str) -> _Walked:
    codes = words >> 10
    special = np.flatnonzero((codes == _SKIP) | (codes == _AUX) | (words == 0))
    plain = np.ones(len(words), bool)
    skips: list[tuple[int, int]] = []
    texts: list[tuple[int, bytes]] = []
    resume = 0
    for at in special.tolist():
        if at < resume:
            continue
        if words[at] == 0:
            plain[at:] = False
            return _Walked(np.flatnonzero(plain), skips, texts)
        if codes[at] == _SKIP:
            resume = at + 3
            # The high half comes first, each half little-endian.
            high, low = struct.unpack_from("<hH", data.ljust(2 * resume, b"\0"), 2 * at + 2)
            skips.append((at, (high << 16) + low))
        else:
            length = data[2 * at]
            resume = at + 1 + (length + 1) // 2
            texts.append((at, data[2 * at + 2 : 2 * at + 2 + length]))
        if resume > len(words):
            break
        plain[at:resume] = False
    raise RecordError(
        f"{source}: has no end mark after {len(data)} bytes, so it is truncated or no "
        "MIT-format annotation file; get it again"
    )


def _owner(at: NDArray[np.intp], position: int, source: str) -> int:
    """The annotation that a modifying word at `position` belongs to: the last one before it."""
    owner = int(np.searchsorted(at, position)) - 1
    if owner < 0:
        raise RecordError(
            f"{source}: begins with a word that modifies an annotation; it is damaged or no "
            "MIT-format annotation file"
        )
    return owner


def _carried(n: int, modified: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Values set at some annotations hold until the next one sets another; 0 before the first."""
    latest = np.full(n, -1, np.int64)
    latest[modified] = np.arange(len(modified))
    latest = np.maximum.accumulate(latest)
    return np.concatenate((values, [0]))[latest]


def encode(coded: Coded) -> bytes:
    """Encode, end mark included. Fields must be in the range of the format (see `check`)."""
    out = bytearray()
    chan = num = 0
    intervals = np.diff(coded.sample, prepend=0).tolist()
    fields = (coded.code, coded.subtype, coded.chan, coded.num)
    rows = zip(intervals, *(x.tolist() for x in fields), coded.aux, strict=True)
    for interval, code, subtype, new_chan, new_num, aux in rows:
        out += _encoded_step(interval, code)
        if new_num != num:
            num = new_num
            out += bytes((num & 0xFF, _NUM << 2))
        if subtype:
            out += bytes((subtype & 0xFF, _SUB << 2))
        if new_chan != chan:
            chan = new_chan
            out += bytes((chan, _CHN << 2))
        if aux:
            out += bytes((len(aux), _AUX << 2)) + aux + bytes(len(aux) % 2)
    return bytes(out) + b"\0\0"


def _encoded_step(interval: int, code: int) -> bytes:
    if 0 <= interval <= _MAX_INTERVAL:
        return struct.pack("<H", code << 10 | interval)
    out = b""
    while interval:
        ticks = max(-_MAX_SKIP, min(interval, _MAX_SKIP))
        out += struct.pack("<HhH", _SKIP << 10, ticks >> 16, ticks & 0xFFFF)
        interval -= ticks
    return out + struct.pack("<H", code << 10)


def check(coded: Coded) -> None:
    """Raise `RecordError` for what the format cannot hold."""
    limits = (("code", coded.code, 1, 49), ("subtype", coded.subtype, -128, 127),
              ("chan", coded.chan, 0, 255), ("num", coded.num, -128, 127))  # fmt: skip
    for name, values, low, high in limits:
        wrong = np.flatnonzero((values < low) | (values > high))
        if wrong.size:
            at = int(wrong[0])
            raise RecordError(f"annotation {at}: {name} {values[at]} is not in {low}..{high}")
    for at, text in enumerate(coded.aux):
        if len(text) > MAX_AUX_BYTES:
            raise RecordError(
                f"annotation {at}: its text has {len(text)} bytes; shorten it to {MAX_AUX_BYTES}"
            )
