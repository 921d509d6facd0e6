"""A record as a device: the stream items that a live source of the same signal would yield."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import UsageError
from firmware_bridge.records.delimited import CsvRecord, read_csv
from firmware_bridge.records.edf import EdfRecord, one_rate
from firmware_bridge.records.header import SignalSpec
from firmware_bridge.records.signals import Channels, Record, choose_channels
from firmware_bridge.stream import (
    Gap,
    GapReason,
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
)

# Names that the archives give to signals that are no ECG; anything else is taken for ECG.
_KINDS = (
    (SignalKind.PPG, re.compile(r"ppg|pleth|spo2", re.IGNORECASE)),
    (SignalKind.PCG, re.compile(r"pcg|phono|heart.?sound", re.IGNORECASE)),
    (SignalKind.ACC, re.compile(r"acc([_ ]?[xyz])?$", re.IGNORECASE)),
)
_CSV_SUFFIXES = (".csv", ".txt")
_EDF_SUFFIXES = (".edf", ".edf+")
# EDF+ puts what a signal is before its name: "ECG II".
_EDF_ECG = re.compile(r"(?:ECG|EKG)\b[ -]*", re.IGNORECASE)
# Counts of a CSV are made up for what needs some (a store): as fine as 16 bits allow.
_CSV_MAX_COUNT = 32_000
# Samples are read in blocks of about this many frames, however short the chunks are.
_BLOCK_FRAMES = 1 << 15
_TO_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}
_NO_STREAM_KIND = re.compile(
    r"(abp|art|cvp|pap|icp|bp|resp|gyr|mag|aux|temp|baro|co2)\d*([_ ].*)?$", re.IGNORECASE
)


def signal_kind(name: str) -> SignalKind | None:
    """What a signal measures, told by its name; None: something a stream has no kind for."""
    for kind, pattern in _KINDS:
        if pattern.match(name.strip()):
            return kind
    return None if _NO_STREAM_KIND.match(name.strip()) else SignalKind.ECG


def iter_record(
    path: Path | str,
    chunk_samples: int = 4096,
    channels: Channels = None,
    first: int = 0,
    last: int | None = None,
    *,
    fs: Fraction | float | None = None,
) -> Iterator[StreamItem]:
    """Yield a record's [first, last) as a stream, as fast as it is asked for.

    `path` is a WFDB record (without ending), an `.edf` file or a `.csv` or `.txt` file. `channels`,
    by number or name, become the leads of one signal; None takes those that are ECG by their names,
    at the highest rate among them. `fs` is for CSV without a time column. `first` and `last` are
    frames of the record (samples where a frame holds one per signal); the stream's own indices
    count from `first`. Stretches in which every lead is invalid become a `Gap`; where only some
    leads are, these are NaN in the chunk. Volts and microvolts become mV. Raises `RecordError` and
    `UsageError` at the first item.
    """
    yield from open_record(path, channels, fs=fs).items(chunk_samples, first, last)


def open_record(
    path: Path | str, channels: Channels = None, *, fs: Fraction | float | None = None
) -> "PlayedRecord":
    """What `iter_record` plays, for who must know its frames beforehand. Raises the same errors."""
    return _open(Path(path), channels, fs)


@dataclass(frozen=True, slots=True)
class PlayedRecord:
    """One signal of a file, `per_frame` samples to a frame: `read(first, last)` gives frames in
    the signal's unit, float32 of shape (frames * per_frame, leads)."""

    path: Path
    model: str
    signal: SignalInfo
    n_frames: int
    per_frame: int
    read: Callable[[int, int], NDArray[np.float32]]

    @property
    def frames_hz(self) -> Fraction:
        """Frames in a second: the record's own sampling frequency, which annotations count in."""
        return self.signal.rate_hz / self.per_frame

    @property
    def opened(self) -> StreamOpened:
        """The first item of its stream."""
        return StreamOpened(
            source=str(self.path),
            family="record",
            model=self.model,
            firmware="",
            loss=NoLossDetection(),
            signals=(self.signal,),
        )

    def items(
        self, chunk_samples: int, first: int = 0, last: int | None = None
    ) -> Iterator[StreamItem]:
        """Frames [first, last) as a stream; see `iter_record`."""
        if chunk_samples < 1:
            raise UsageError(f"chunks of {chunk_samples} samples make no stream; take 1 or more")
        last = self.n_frames if last is None else last
        if not 0 <= first <= last <= self.n_frames:
            raise UsageError(
                f"{self.path}: samples {first} to {last} were asked for; it has {self.n_frames} "
                f"({float(self.n_frames / self.frames_hz):.6g} s)"
            )
        yield self.opened
        yield from _items(self, chunk_samples, first, last)


def _items(played: PlayedRecord, chunk_samples: int, first: int, last: int) -> Iterator[StreamItem]:
    """Chunks, and gaps joined over block borders."""
    name = played.signal.id
    frames = max(_BLOCK_FRAMES // chunk_samples, 1) * chunk_samples
    gap: Gap | None = None
    for start in range(first, last, frames):
        block = played.read(start, min(start + frames, last))
        begin = (start - first) * played.per_frame
        valid_rows = np.logical_not(np.isnan(block).all(axis=1))
        for valid, at, end in _runs(valid_rows):
            if not valid:
                n = end - at + (gap.n_missing if gap else 0)
                gap_first = gap.first if gap else SampleIndex(begin + at)
                gap = Gap(name, gap_first, n, exact=True, reason=GapReason.INVALID)
                continue
            if gap:
                yield gap
                gap = None
            for i in range(at, end, chunk_samples):
                samples = block[i : min(i + chunk_samples, end)]
                yield SampleChunk(name, SampleIndex(begin + i), samples)
    if gap:
        yield gap


def _runs(valid: NDArray[np.bool_]) -> Iterator[tuple[bool, int, int]]:
    """Runs of equal values as (value, begin, end)."""
    changes = np.flatnonzero(valid[1:] != valid[:-1]) + 1
    edges = [0, *changes.tolist(), len(valid)]
    for at, end in pairwise(edges):
        if at < end:
            yield bool(valid[at]), at, end


def _open(path: Path, channels: Channels, fs: Fraction | float | None) -> PlayedRecord:
    if path.suffix.lower() in _CSV_SUFFIXES:
        return _from_csv(path, read_csv(path, fs), channels)
    if path.suffix.lower() in _EDF_SUFFIXES:
        return _from_edf(path, EdfRecord(path), channels)
    record = Record(path)
    if fs is not None and Fraction(fs) != record.header.fs_fraction:
        raise UsageError(
            f"{path}: its header says {record.header.fs:g} Hz; leave the rate out, or correct it"
        )
    return _from_wfdb(path, record, channels)


def _from_wfdb(path: Path, record: Record, channels: Channels) -> PlayedRecord:
    chosen = record.channels(channels)
    if channels is None:
        chosen = _ecg_of(path, record.header.signals)
    specs = [record.header.signals[i] for i in chosen]
    per_frame = specs[0].samples_per_frame if specs else 1
    rate_hz = record.header.fs_fraction * per_frame
    signal, factors = _signal(path, specs, rate_hz)

    def read(first: int, last: int) -> NDArray[np.float32]:
        samples = record.physical(first, last, chosen)
        return samples if (factors == 1).all() else samples * factors

    return PlayedRecord(path, "WFDB", signal, record.n_samples, per_frame, read)


def _from_csv(path: Path, table: CsvRecord, channels: Channels) -> PlayedRecord:
    specs = tuple(
        SignalSpec(name, str(path), 16, adc_gain=_csv_gain(table.samples[:, i]), units=unit)
        for i, (name, unit) in enumerate(zip(table.sig_name, table.units, strict=True))
    )
    chosen = choose_channels(table.sig_name, channels, str(path))
    if channels is None:
        chosen = _ecg_of(path, specs)
    signal, factors = _signal(path, [specs[i] for i in chosen], table.fs_fraction)
    samples = table.samples[:, chosen] * factors

    def read(first: int, last: int) -> NDArray[np.float32]:
        return samples[first:last]

    return PlayedRecord(path, "CSV", signal, len(samples), 1, read)


def _from_edf(path: Path, record: EdfRecord, channels: Channels) -> PlayedRecord:
    names = tuple(_EDF_ECG.sub("", one.name) or one.name for one in record.signals)
    specs = tuple(
        SignalSpec(
            name=name,
            file_name=str(path),
            fmt=16,
            samples_per_frame=one.per_record,
            adc_gain=abs(one.gain),
            baseline=round(one.baseline),
            units=one.unit,
        )
        for name, one in zip(names, record.signals, strict=True)
    )
    chosen = choose_channels(names, channels, str(path))
    if channels is None:
        said = [k for k, one in enumerate(record.signals) if _EDF_ECG.match(one.name)]
        of_ecg = _ecg_of(path, [specs[k] for k in said] or specs)
        chosen = [said[k] for k in of_ecg] if said else of_ecg
    one_rate(record, chosen)
    signal, factors = _signal(path, [specs[k] for k in chosen], record.rate_hz(chosen[0]))

    def read(first: int, last: int) -> NDArray[np.float32]:
        return record.physical(first, last, chosen) * factors

    return PlayedRecord(path, record.kind, signal, record.n_samples(chosen[0]), 1, read)


def _ecg_of(path: Path, specs: Sequence[SignalSpec]) -> list[int]:
    ecg = [i for i, s in enumerate(specs) if signal_kind(s.name) is SignalKind.ECG]
    if not ecg:
        names = ", ".join(f"{i} {s.name}" for i, s in enumerate(specs)) or "none at all"
        raise UsageError(f"{path}: no signal is an ECG by its name; choose a channel ({names})")
    highest = max(specs[i].samples_per_frame for i in ecg)
    return [i for i in ecg if specs[i].samples_per_frame == highest]


def _signal(
    path: Path, specs: Sequence[SignalSpec], rate_hz: Fraction
) -> tuple[SignalInfo, NDArray[np.float32]]:
    """The signal that the chosen ones make, and the factors that bring them to its unit."""
    kinds = {signal_kind(s.name) or SignalKind.ECG for s in specs}
    units = {"mV" if s.units.lower() in _TO_MV else s.units for s in specs}
    if len(kinds) != 1 or len(units) != 1:
        what = ", ".join(f"{s.name} [{s.units}]" for s in specs) or "nothing"
        raise UsageError(f"{path}: {what} is no one signal; choose channels of one kind and unit")
    kind, unit = kinds.pop(), units.pop()
    factors = [_TO_MV.get(s.units.lower(), 1.0) for s in specs]
    signal = SignalInfo(
        id=kind.value,
        kind=kind,
        unit=unit,
        rate_hz=rate_hz,
        leads=tuple(s.name for s in specs),
        counts_per_unit=tuple(s.adc_gain / f for s, f in zip(specs, factors, strict=True)),
        baseline=tuple(s.baseline for s in specs),
    )
    return signal, np.array(factors, np.float32)


def _csv_gain(samples: NDArray[np.float32]) -> float:
    finite = np.abs(samples[np.isfinite(samples)])
    largest = float(finite.max()) if finite.size else 0.0
    return float(10.0 ** np.floor(np.log10(_CSV_MAX_COUNT / largest))) if largest else 1.0
