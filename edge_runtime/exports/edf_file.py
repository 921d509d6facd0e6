"""EDF+ (edfplus.info): 16-bit samples in data records of about a second, annotations beside them.

The file is continuous (EDF+C): a hole is the lowest digital value, and an annotation says where it
is and why. A source finer than 16 bits is coarsened to what its range needs.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import StoreError
from edge_runtime.exports.recording import Recording
from edge_runtime.exports.remarks import Remark, remarks

_LIMIT: Final = 32_767
_HOLE: Final = -32_768
_LONGEST_RECORD_S: Final = 60
_SIGNAL_HEAD: Final = 256
_MONTHS: Final = [
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
]


@dataclass(frozen=True, slots=True)
class _Scale:
    """The range of one lead as the head's texts of 8 characters say it: what a reader goes by."""

    bottom: str
    top: str

    def digital(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Digital values of `values` in the unit, not yet whole."""
        step = (float(self.top) - float(self.bottom)) / (_LIMIT - _HOLE)
        return (values - float(self.bottom)) / step + _HOLE


@dataclass(frozen=True, slots=True)
class _Layout:
    """`record_s` seconds hold `samples` of every lead and `words` (2 bytes) of annotations."""

    record_s: int
    samples: int
    words: int
    scales: tuple[_Scale, ...]
    texts: tuple[bytes, ...]


def edf_blocks(recording: Recording) -> Iterator[bytes]:
    """The file, piece by piece. Raises StoreError for a rate that no data record can hold."""
    layout = _layout(recording)
    yield _head(recording, layout)
    for number, (_, block) in enumerate(recording.blocks(layout.samples)):
        yield _record(block, layout, layout.texts[number])


def _layout(recording: Recording) -> _Layout:
    record_s = recording.rate_hz.denominator
    if record_s > _LONGEST_RECORD_S:
        raise StoreError(f"EDF+ has no place for a rate of {recording.rate_hz} Hz; export CSV")
    samples = recording.rate_hz.numerator
    n_records = -(-recording.n_samples // samples)
    texts = _annotations(recording, n_records, samples)
    longest = max(map(len, texts))
    return _Layout(record_s, samples, (longest + 1) // 2, _scales(recording), texts)


def _scales(recording: Recording) -> tuple[_Scale, ...]:
    """Of each lead: its own counts where the samples fit, else as fine as they allow."""
    largest = np.zeros(len(recording.signal.leads))
    for _, block in recording.blocks():
        largest = np.fmax(largest, np.fmax.reduce(np.abs(block), axis=0))
    own = 1.0 / np.asarray(recording.signal.counts_per_unit)
    steps = np.maximum(own, largest / _LIMIT)
    return tuple(_Scale(_number(step * _HOLE), _number(step * _LIMIT)) for step in steps)


def _annotations(recording: Recording, n_records: int, samples: int) -> tuple[bytes, ...]:
    """The annotation lists of every data record; each begins with the record's own time."""
    of_record: list[list[Remark]] = [[] for _ in range(n_records)]
    for remark in remarks(recording.events):
        of_record[(remark.at - recording.first) // samples].append(remark)
    rate_hz = float(recording.rate_hz)
    record_s = recording.rate_hz.denominator
    texts = []
    for number, found in enumerate(of_record):
        parts = [f"+{number * record_s}\x14\x14\x00"]
        for remark in sorted(found, key=lambda one: one.at):
            onset = f"+{(remark.at - recording.first) / rate_hz:.6f}"
            length = f"\x15{remark.length / rate_hz:.6f}" if remark.length else ""
            parts.append(f"{onset}{length}\x14{_plain(remark.text)}\x14\x00")
        texts.append("".join(parts).encode("utf-8"))
    return tuple(texts)


def _plain(text: str) -> str:
    """Without the characters that EDF+ keeps for itself."""
    return "".join(c if c >= " " else " " for c in text)


def _record(block: NDArray[np.float32], layout: _Layout, text: bytes) -> bytes:
    digital = np.full((layout.samples, block.shape[1]), _HOLE, "<i2")
    for lead, scale in enumerate(layout.scales):
        exact = scale.digital(block[:, lead].astype(np.float64))
        known = np.isfinite(exact)
        whole = np.clip(np.rint(exact[known]), -_LIMIT, _LIMIT)
        digital[: len(block), lead][known] = whole
    return digital.T.tobytes() + text.ljust(2 * layout.words, b"\x00")


def _head(recording: Recording, layout: _Layout) -> bytes:
    leads = recording.signal.leads
    started_ns = recording.utc_ns(recording.first)
    moment = datetime.datetime.fromtimestamp(started_ns / 1e9, datetime.UTC)
    day = f"{moment.day:02d}-{_MONTHS[moment.month - 1]}-{moment.year}"
    n_signals = len(leads) + 1
    fixed = _fields(
        ("0", 8),
        # EDF+ parts these by blanks: code, sex, birthday, name.
        (f"{(recording.wearer or 'X').replace(' ', '_')} X X X", 80),
        (f"Startdate {day} X X ecg-edge", 80),
        (f"{moment:%d.%m.%y}", 8),
        (f"{moment:%H.%M.%S}", 8),
        (str(_SIGNAL_HEAD * (n_signals + 1)), 8),
        ("EDF+C", 44),
        (str(len(layout.texts)), 8),
        (str(layout.record_s), 8),
        (str(n_signals), 4),
    )
    tops = [scale.top for scale in layout.scales]
    bottoms = [scale.bottom for scale in layout.scales]
    columns: Sequence[tuple[Sequence[str], int]] = (
        ([*(f"ECG {lead}" for lead in leads), "EDF Annotations"], 16),
        ([""] * n_signals, 80),
        ([*[recording.signal.unit] * len(leads), ""], 8),
        ([*bottoms, "-1"], 8),
        ([*tops, "1"], 8),
        (["-32768"] * n_signals, 8),
        (["32767"] * n_signals, 8),
        ([""] * n_signals, 80),
        ([*[str(layout.samples)] * len(leads), str(layout.words)], 8),
        ([""] * n_signals, 32),
    )
    return fixed + b"".join(_fields(*((text, width) for text in texts)) for texts, width in columns)


def _number(value: float) -> str:
    """As exact as 8 characters allow."""
    for decimals in range(7, -1, -1):
        text = f"{value:.{decimals}f}"
        if len(text) <= 8:
            return text
    raise StoreError(f"EDF+ has no place for a range of {value:g}; export CSV")


def _fields(*fields: tuple[str, int]) -> bytes:
    return b"".join(text.encode("ascii", "replace")[:width].ljust(width) for text, width in fields)
