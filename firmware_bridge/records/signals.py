"""Reading samples: `Record` reads any stretch of a record without loading the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records.formats import INVALID_COUNT
from firmware_bridge.records.header import Header, SignalSpec, header_path, read_header, sibling
from firmware_bridge.records.signal_file import SignalFile, signal_files

Channels = Sequence[int | str] | None
"""Signals chosen by number or name, in that order; None is all."""


def read_counts(
    path: Path | str, first: int = 0, last: int | None = None, channels: Channels = None
) -> NDArray[np.int32]:
    """Samples [first, last) in ADC counts, shape (n, n_channels); see `Record.counts`."""
    return Record(path).counts(first, last, channels)


def read_physical(
    path: Path | str, first: int = 0, last: int | None = None, channels: Channels = None
) -> NDArray[np.float32]:
    """Samples [first, last) in the signals' units, shape (n, n_channels), NaN where invalid."""
    return Record(path).physical(first, last, channels)


def to_physical(counts: NDArray[np.int32], signals: Sequence[SignalSpec]) -> NDArray[np.float32]:
    """Counts (n, n_signals) in the signals' units; `INVALID_COUNT` becomes NaN."""
    baseline = np.array([s.baseline for s in signals], np.float64)
    gain = np.array([s.adc_gain for s in signals], np.float64)
    physical = ((counts - baseline) / gain).astype(np.float32)
    physical[counts == INVALID_COUNT] = np.nan
    return physical


class Record:
    """A record on disk: its header, and any stretch of its samples on demand.

    Positions are frames of the header's `fs`; `first` is included, `last` is not. Signals read
    together must have the same number k of samples per frame; the result then has k rows per
    frame. Multi-segment records read as one; gaps and signals that a segment lacks are invalid.
    """

    def __init__(self, path: Path | str) -> None:
        self._file = header_path(path)
        self.header: Header = read_header(path)
        self._files: tuple[SignalFile, ...] = ()
        self._segments: dict[str, Record] = {}
        if not self.header.is_multi_segment:
            self._files = signal_files(self.header, self._file)
            if self.header.n_samples is None and self._files:
                n_frames = min(f.n_frames for f in self._files)
                self.header = replace(self.header, n_samples=n_frames)

    @property
    def n_samples(self) -> int:
        """Length in frames; from the size of the signal file where the header does not tell."""
        return self.header.n_samples or 0

    def counts(
        self, first: int = 0, last: int | None = None, channels: Channels = None
    ) -> NDArray[np.int32]:
        """Counts of [first, last), shape (n, n_channels), `INVALID_COUNT` where invalid.

        Where a segment's gain or baseline is not the layout's, its counts are converted, so
        that `header.signals` holds for all. Raises `RecordError`, and `UsageError` for a
        stretch or channel that the record does not have.
        """
        first, last = self._stretch(first, last)
        chosen = self.channels(channels)
        if not self.header.is_multi_segment:
            return self._stored(first, last, chosen)
        per_frame = self._samples_per_frame(chosen)
        out = np.full(((last - first) * per_frame, len(chosen)), INVALID_COUNT, np.int32)
        for record, start, stop, at in self._overlaps(first, last):
            rows = slice(at * per_frame, (at + stop - start) * per_frame)
            for column, number in enumerate(chosen):
                source = self._number_in(record, number)
                if source is not None:
                    counts = record._stored(start, stop, [source])
                    old, new = record.header.signals[source], self.header.signals[number]
                    out[rows, column] = _rescaled(counts, old, new)[:, 0]
        return out

    def physical(
        self, first: int = 0, last: int | None = None, channels: Channels = None
    ) -> NDArray[np.float32]:
        """The same in physical units, NaN where invalid, each segment by its own gain."""
        first, last = self._stretch(first, last)
        chosen = self.channels(channels)
        if not self.header.is_multi_segment:
            counts = self._stored(first, last, chosen)
            return to_physical(counts, [self.header.signals[i] for i in chosen])
        per_frame = self._samples_per_frame(chosen)
        out = np.full(((last - first) * per_frame, len(chosen)), np.nan, np.float32)
        for record, start, stop, at in self._overlaps(first, last):
            rows = slice(at * per_frame, (at + stop - start) * per_frame)
            for column, number in enumerate(chosen):
                source = self._number_in(record, number)
                if source is not None:
                    out[rows, column] = record.physical(start, stop, [source])[:, 0]
        return out

    def blocks(self, n: int, channels: Channels = None) -> Iterator[NDArray[np.float32]]:
        """All of the record in physical units, `n` frames at a time (the last block shorter)."""
        end = self.n_samples
        for at in range(0, end, n):
            yield self.physical(at, min(at + n, end), channels)

    def channels(self, wanted: Channels) -> list[int]:
        """Signal numbers of what was asked for by number or name. Raises `UsageError`."""
        return choose_channels(self.header.sig_name, wanted, str(self._file))

    def _stretch(self, first: int, last: int | None) -> tuple[int, int]:
        last = self.n_samples if last is None else last
        if not 0 <= first <= last <= self.n_samples:
            raise UsageError(
                f"{self._file}: samples {first} to {last} were asked for, "
                f"but the record has {self.n_samples}"
            )
        return first, last

    def _samples_per_frame(self, chosen: Sequence[int]) -> int:
        per_frame = {self.header.signals[i].samples_per_frame for i in chosen}
        if len(per_frame) > 1:
            raise UsageError(
                f"{self._file}: the chosen signals have different rates "
                f"({sorted(per_frame)} samples per frame); read them one rate at a time"
            )
        return per_frame.pop() if per_frame else 1

    def _stored(self, first: int, last: int, chosen: Sequence[int]) -> NDArray[np.int32]:
        """Counts as they are in the files of this (single-segment) record."""
        per_frame = self._samples_per_frame(chosen)
        n = last - first
        out = np.full((n * per_frame, len(chosen)), INVALID_COUNT, np.int32)
        for file in self._files:
            wanted = [(i, number) for i, number in enumerate(chosen) if number in file.numbers]
            if not wanted or n == 0:
                continue
            # A skewed signal is stored later in the file than its time.
            skews = [self.header.signals[number].skew for _, number in wanted]
            frames = file.read(first, min(last + max(skews), self.n_samples))
            for (column, number), skew in zip(wanted, skews, strict=True):
                samples = frames[skew : skew + n, file.columns(number)].ravel()
                out[: len(samples), column] = samples
        return out

    def _overlaps(self, first: int, last: int) -> Iterator[tuple["Record", int, int, int]]:
        """Segments that overlap [first, last): record, its stretch, and where that begins."""
        begin = 0
        for segment in self.header.segments:
            end = begin + segment.n_samples
            start, stop = max(first, begin), min(last, end)
            if start < stop and not segment.is_gap:
                record = self._segment(segment.name, segment.n_samples)
                yield record, start - begin, stop - begin, start - first
            begin = end

    def _segment(self, name: str, n_samples: int) -> "Record":
        if name not in self._segments:
            record = Record(sibling(self._file, name))
            if record.header.is_multi_segment:
                raise RecordError(f"{self._file}: segment {name} has segments itself; flatten it")
            if record.n_samples != n_samples or record.header.fs != self.header.fs:
                raise RecordError(
                    f"{self._file}: says segment {name} has {n_samples} samples at "
                    f"{self.header.fs:g} Hz, its own header {record.n_samples} at "
                    f"{record.header.fs:g} Hz; correct the wrong one"
                )
            self._segments[name] = record
        return self._segments[name]

    def _number_in(self, record: "Record", number: int) -> int | None:
        """Which signal of a segment is signal `number` of this record; None: it has none."""
        if not self.header.has_variable_layout:
            return number
        return _index(record.header.sig_name, self.header.signals[number].name)


def choose_channels(names: Sequence[str], wanted: Channels, source: str) -> list[int]:
    """Numbers of what was asked for by number or name; all for None. Raises `UsageError`."""
    if wanted is None:
        return list(range(len(names)))
    found = []
    for one in wanted:
        number = one if isinstance(one, int) else _index(names, one)
        if number is None or not 0 <= number < len(names):
            listed = ", ".join(f"{i} {name}" for i, name in enumerate(names))
            raise UsageError(f"{source}: has no channel {one!r}; choose among {listed}")
        found.append(number)
    return found


def _index(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None


def _rescaled(counts: NDArray[np.int32], old: SignalSpec, new: SignalSpec) -> NDArray[np.int32]:
    if (old.adc_gain, old.baseline) == (new.adc_gain, new.baseline):
        return counts
    physical = (counts - float(old.baseline)) / old.adc_gain
    rescaled = np.rint(physical * new.adc_gain + new.baseline).astype(np.int32)
    return np.where(counts == INVALID_COUNT, np.int32(INVALID_COUNT), rescaled)
