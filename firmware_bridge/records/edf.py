"""EDF and EDF+ (edfplus.info): 16-bit samples in data records, continuous or with holes.

Every signal has a whole number of samples in a data record, so a rate is a fraction. In EDF+D each
data record says when it begins; what lies between two of them is missing (edfio, a library that
needs only numpy, reads such a file as if it had no holes: hence a reader of our own). EDF has no
invalid sample; our own exports mark holes by the lowest count, and their recording field names us.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RecordError, UsageError

_HEAD_BYTES: Final = 256
_SIGNAL_HEAD_BYTES: Final = 256
_ANNOTATIONS: Final = "EDF Annotations"
_OURS: Final = b"ecg-edge"
_HOLE: Final = -32_768
"""Of our own exports; other writers have their lowest sample there."""
_SIGNAL_FIELDS: Final = (
    ("label", 16),
    ("transducer", 80),
    ("unit", 8),
    ("physical_min", 8),
    ("physical_max", 8),
    ("digital_min", 8),
    ("digital_max", 8),
    ("prefilter", 80),
    ("n_samples", 8),
    ("reserved", 32),
)


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """One signal: `count = physical * gain + baseline`; `per_record` samples in a data record."""

    name: str
    unit: str
    gain: float
    baseline: float
    per_record: int
    first_word: int

    @property
    def words(self) -> slice:
        """Where its samples are in a data record."""
        return slice(self.first_word, self.first_word + self.per_record)


class EdfRecord:
    """A file on disk: its signals, and any stretch of one rate on demand.

    Raises RecordError for a file that is no EDF, is cut off, or contradicts itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        head = _read(path, _HEAD_BYTES)
        if head[:8] != b"0       ":
            raise RecordError(f"{path}: is no EDF file (it does not begin with version 0)")
        n_signals = _whole(path, "number of signals", head[252:256])
        self._is_ours = _OURS in head[88:168]
        self.kind = _text(head[192:236])[:5] or "EDF"
        self.record_s = _fraction(path, "duration of a data record", head[244:252])
        columns = _read(path, _HEAD_BYTES + n_signals * _SIGNAL_HEAD_BYTES)[_HEAD_BYTES:]
        signals = _signals(path, columns, n_signals)
        self._annotations = [one for one in signals if one.name == _ANNOTATIONS]
        self.signals = tuple(one for one in signals if one.name != _ANNOTATIONS)
        self._words = self._map(signals, _whole(path, "number of data records", head[236:244]))
        if self.signals and self.record_s <= 0:
            raise RecordError(f"{path}: says that a data record lasts {self.record_s} s")
        self._begins = self._begin_times()

    def rate_hz(self, number: int) -> Fraction:
        """Samples a second of a signal."""
        return self.signals[number].per_record / self.record_s

    def n_samples(self, number: int) -> int:
        """Samples of a signal from the first to the last, those that are missing included."""
        firsts = self._firsts(number)
        return firsts[-1] + self.signals[number].per_record if firsts else 0

    def physical(self, first: int, last: int, numbers: list[int]) -> NDArray[np.float32]:
        """Samples [first, last) of signals that have one rate, in their units: float32 of shape
        (last - first, n_signals), NaN where invalid or missing."""
        out = np.full((last - first, len(numbers)), np.nan, np.float32)
        per_record = self.signals[numbers[0]].per_record
        firsts = self._firsts(numbers[0])
        low = int(np.searchsorted(firsts, first - per_record, side="right"))
        high = int(np.searchsorted(firsts, last, side="left"))
        for record in range(low, high):
            begin = firsts[record] - first
            rows = slice(max(begin, 0), min(begin + per_record, last - first))
            part = slice(rows.start - begin, rows.stop - begin)
            for column, number in enumerate(numbers):
                signal = self.signals[number]
                counts = self._words[record, signal.words][part]
                values = (counts - signal.baseline) / signal.gain
                hole = (counts == _HOLE) & self._is_ours
                out[rows, column] = np.where(hole, np.nan, values)
        return out

    def _map(self, signals: list[EdfSignal], n_records: int) -> NDArray[np.int16]:
        """All data records, (n_records, words), read as they are needed."""
        n_words = sum(one.per_record for one in signals)
        offset = _HEAD_BYTES + len(signals) * _SIGNAL_HEAD_BYTES
        if not n_words:
            raise RecordError(f"{self.path}: has no signals")
        whole, rest = divmod(self.path.stat().st_size - offset, 2 * n_words)
        if n_records == -1:  # the recorder did not come to write it
            n_records = whole
        elif n_records != whole or rest:
            raise RecordError(
                f"{self.path}: its header says {n_records} data records, but {whole} are there"
                f"{' and a piece' if rest else ''}; the file is cut off or damaged"
            )
        if not n_records:
            return np.empty((0, n_words), np.int16)
        return np.memmap(self.path, "<i2", "r", offset, (n_records, n_words))

    def _begin_times(self) -> list[Fraction] | None:
        """When each data record of an EDF+D begins, in seconds; None where they are contiguous."""
        if self.kind != "EDF+D":
            return None
        if not self._annotations:
            raise RecordError(f"{self.path}: is EDF+D, but has no annotations that tell its times")
        words = self._annotations[0].words
        begins = [self._onset(row[words].tobytes()) for row in self._words]
        for earlier, later in pairwise(begins):
            if later < earlier + self.record_s:
                raise RecordError(
                    f"{self.path}: a data record at {float(later):g} s begins before the one "
                    f"at {float(earlier):g} s is over"
                )
        return begins

    def _onset(self, texts: bytes) -> Fraction:
        """The time-keeping annotation, the first of a data record: `+SECONDS 14 14 00`."""
        onset, separator, _ = texts.partition(b"\x14\x14\x00")
        if not separator:
            raise RecordError(f"{self.path}: a data record does not say when it begins")
        return _fraction(self.path, "time of a data record", onset)

    def _firsts(self, number: int) -> list[int]:
        """The index of the first sample of each data record, counted from the first of all."""
        per_record = self.signals[number].per_record
        if self._begins is None:
            return [k * per_record for k in range(len(self._words))]
        rate_hz = self.rate_hz(number)
        origin = self._begins[0] if self._begins else Fraction(0)
        return [round((begin - origin) * rate_hz) for begin in self._begins]


def _read(path: Path, n_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(n_bytes)
    except FileNotFoundError:
        raise RecordError(f"{path}: no such file; give the whole name, ending included") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) < n_bytes:
        raise RecordError(f"{path}: is no EDF file, or its header is cut off")
    return data


def _signals(path: Path, columns: bytes, n_signals: int) -> list[EdfSignal]:
    fields: dict[str, list[bytes]] = {}
    position = 0
    for name, width in _SIGNAL_FIELDS:
        ends = range(position, position + n_signals * width, width)
        fields[name] = [columns[at : at + width] for at in ends]
        position += n_signals * width
    signals: list[EdfSignal] = []
    word = 0
    for k in range(n_signals):
        signal = _signal(path, {name: values[k] for name, values in fields.items()}, word)
        signals.append(signal)
        word += signal.per_record
    return signals


def _signal(path: Path, field: dict[str, bytes], first_word: int) -> EdfSignal:
    name = _text(field["label"])
    n_samples = _whole(path, f"samples of {name}", field["n_samples"])
    if n_samples < 0:
        raise RecordError(f"{path}: {name} has {n_samples} samples in a data record")
    if name == _ANNOTATIONS:
        return EdfSignal(name, "", 1.0, 0.0, n_samples, first_word)
    low, high = (_number(path, name, field[key]) for key in ("physical_min", "physical_max"))
    bottom, top = (_number(path, name, field[key]) for key in ("digital_min", "digital_max"))
    if low == high or bottom >= top:
        span = f"{low:g} to {high:g} over {bottom:g} to {top:g}"
        raise RecordError(f"{path}: {name} has no range ({span})")
    gain = (top - bottom) / (high - low)
    return EdfSignal(name, _text(field["unit"]), gain, bottom - low * gain, n_samples, first_word)


def _text(field: bytes) -> str:
    return field.decode("latin-1").strip(" \0")


def _whole(path: Path, what: str, field: bytes) -> int:
    number = _fraction(path, what, field)
    if number.denominator != 1:
        raise RecordError(f"{path}: its header says {_text(field)!r} for the {what}")
    return int(number)


def _number(path: Path, what: str, field: bytes) -> float:
    return float(_fraction(path, f"range of {what}", field))


def _fraction(path: Path, what: str, field: bytes) -> Fraction:
    try:
        return Fraction(_text(field))
    except (ValueError, ZeroDivisionError):
        raise RecordError(f"{path}: its header says {_text(field)!r} for the {what}") from None


def one_rate(record: EdfRecord, wanted: list[int]) -> None:
    """Raises UsageError where the signals `wanted` differ in rate."""
    rates = {record.rate_hz(number) for number in wanted}
    if len(rates) > 1:
        names = ", ".join(f"{record.signals[k].name} {record.rate_hz(k)} Hz" for k in wanted)
        raise UsageError(f"{record.path}: {names} differ in rate; choose channels of one rate")
