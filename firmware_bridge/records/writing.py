"""Writing records: headers, signals in one go or block by block, and segments with gaps."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records import formats
from firmware_bridge.records.formats import INVALID_COUNT
from firmware_bridge.records.header import (
    NULL_SEGMENT,
    Header,
    Segment,
    SignalSpec,
    header_path,
    sibling,
)
from firmware_bridge.records.header_text import format_header


def write_header(path: Path | str, header: Header, *, sync: bool = False) -> None:
    """Write a header, whole or not at all (renamed into place). Raises `RecordError`.

    The record's name is the file's; `header.record_name` must agree. For a variable layout the
    layout segment's header (`header.segments[0]`) is written beside it. `sync` waits until the
    disk has it, file and directory.
    """
    file = header_path(path)
    if header.record_name != file.name.removesuffix(".hea"):
        raise RecordError(f"{file}: is the header of {header.record_name!r}; make the names agree")
    if header.has_variable_layout:
        layout = layout_header(header)
        write_header(sibling(file, layout.record_name), layout, sync=sync)
    replace_file(file, format_header(header).encode(), sync=sync)


def layout_header(header: Header) -> Header:
    """The layout segment of a variable-layout record: its signals, without samples."""
    signals = tuple(
        replace(s, file_name=NULL_SEGMENT, fmt=0, byte_offset=0, skew=0, init_value=0, checksum=0)
        for s in header.signals
    )
    return Header(header.segments[0].name, header.fs_fraction, 0, signals)


def replace_file(file: Path, data: bytes, *, sync: bool = False) -> None:
    """Put `data` in place of `file` by renaming, so that a reader sees the old or the new."""
    beside = file.with_name(f"{file.name}.part")
    try:
        with beside.open("wb") as out:
            out.write(data)
            if sync:
                out.flush()
                os.fsync(out.fileno())
        beside.replace(file)
        if sync:
            _sync_directory(file.parent)
    except OSError as error:
        raise RecordError(f"{file}: cannot be written ({error.strerror})") from error


def write_signals(path: Path | str, counts: NDArray[np.integer], header: Header) -> Header:
    """Write a single-segment record: `counts` (n, n_sig), `INVALID_COUNT` where invalid.

    Returns the header as written. See `SignalWriter` for what it fills in.
    """
    with SignalWriter(path, header) as writer:
        writer.write(counts)
    return writer.header


def write_segments(
    path: Path | str, parts: Sequence[NDArray[np.integer] | int], header: Header
) -> Header:
    """Write a variable-layout record of `parts`: counts (n, n_sig), or a gap's length in frames.

    Segments are named RECORD_0001 and so on, the layout RECORD_layout. Returns the header.
    """
    record = header_path(path)
    name = record.name.removesuffix(".hea")
    segments = [Segment(f"{name}_layout", 0)]
    for number, part in enumerate(parts, start=1):
        if isinstance(part, int):
            segments.append(Segment(NULL_SEGMENT, part))
            continue
        segment = f"{name}_{number:04d}"
        inner = replace(header, record_name=segment, comments=(), base_time=None, base_date=None)
        written = write_signals(record.with_name(segment), part, inner)
        segments.append(Segment(segment, written.n_samples or 0))
    whole = replace(
        header,
        record_name=name,
        segments=tuple(segments),
        n_samples=sum(s.n_samples for s in segments),
    )
    write_header(path, whole)
    return whole


class SignalWriter:
    """Writes a single-segment record block by block; the header comes when it is closed.

    The signals' `file_name`s say which files; empty ones mean RECORD.dat. Record name, length,
    `init_value` and `checksum` are filled in; signals are written aligned (skew 0). All must have
    the same number of samples per frame. Use as a context manager: leaving it by an exception
    writes no header.
    """

    def __init__(self, path: Path | str, header: Header) -> None:
        self._file = header_path(path)
        name = self._file.name.removesuffix(".hea")
        signals = tuple(
            replace(s, file_name=s.file_name or f"{name}.dat", skew=0) for s in header.signals
        )
        self.header = replace(
            header, record_name=name, signals=signals, segments=(), n_samples=0, n_sig=len(signals)
        )
        if len({s.samples_per_frame for s in signals}) != 1:
            raise UsageError(f"{path}: signals of different rates, or none; write one rate each")
        self._per_frame = signals[0].samples_per_frame
        self._groups = _by_file(signals, self._file)
        self._rows = 0
        self._pending = np.empty((0, len(signals)), np.int64)
        self._first: NDArray[np.int64] | None = None
        self._checksums = np.zeros(len(signals), np.int64)
        self._stack = ExitStack()
        self._open = {f: self._opened(f, signals[numbers[0]]) for f, numbers in self._groups}

    def write(self, counts: NDArray[np.integer]) -> None:
        """Append counts of shape (n, n_sig). Raises `RecordError` for a count out of range."""
        rows = np.asarray(counts)
        if rows.ndim != 2 or rows.shape[1] != self.header.n_sig:
            raise UsageError(f"{self._file}: counts of shape (n, {self.header.n_sig}) are needed")
        rows = np.concatenate((self._pending, rows))
        # Format 212 packs two samples into three bytes: keep back what ends inside a pair.
        whole = len(rows) // (2 * self._per_frame) * (2 * self._per_frame)
        self._pending = rows[whole:]
        self._append(rows[:whole])

    def close(self) -> None:
        """Write what is left and the header. Raises `RecordError` when a frame is incomplete."""
        if len(self._pending) % self._per_frame:
            raise RecordError(f"{self._file}: ends inside a frame of {self._per_frame} samples")
        self._append(self._pending)
        self._stack.close()
        first = np.zeros(self.header.n_sig, int) if self._first is None else self._first
        signals = tuple(
            replace(s, init_value=int(init), checksum=int(checksum))
            for s, init, checksum in zip(self.header.signals, first, self._checksums, strict=True)
        )
        n_frames = self._rows // self._per_frame
        self.header = replace(self.header, signals=signals, n_samples=n_frames)
        write_header(self._file, self.header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        self._stack.close()

    def _append(self, rows: NDArray[np.int64]) -> None:
        if not len(rows):
            return
        encoded = [(f, self._encoded(rows[:, numbers], numbers)) for f, numbers in self._groups]
        for file, data in encoded:
            try:
                self._open[file].write(data)
            except OSError as error:
                raise RecordError(f"{file}: cannot be written ({error.strerror})") from error
        lowest = [formats.invalid_value(s.fmt) for s in self.header.signals]
        stored = np.where(rows == INVALID_COUNT, lowest, rows)
        if self._first is None:
            self._first = stored[0]
        self._checksums = signed_16(self._checksums + stored.sum(axis=0))
        self._rows += len(rows)

    def _encoded(self, rows: NDArray[np.int64], numbers: Sequence[int]) -> bytes:
        frames = rows.reshape(-1, self._per_frame, len(numbers)).transpose(0, 2, 1)
        return formats.encode(self.header.signals[numbers[0]].fmt, frames.ravel())

    def _opened(self, file: Path, signal: SignalSpec) -> BinaryIO:
        try:
            out = self._stack.enter_context(file.open("wb"))
            out.write(bytes(signal.byte_offset))
        except OSError as error:
            raise RecordError(f"{file}: cannot be written ({error.strerror})") from error
        return out


def signed_16(sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums as WFDB's signed 16-bit checksums."""
    return (sums + 2**15) % 2**16 - 2**15


def _by_file(signals: Sequence[SignalSpec], header: Path) -> list[tuple[Path, list[int]]]:
    groups: dict[str, list[int]] = {}
    for number, signal in enumerate(signals):
        formats.check_format(signal.fmt)
        groups.setdefault(signal.file_name, []).append(number)
    for name, numbers in groups.items():
        if len({(signals[i].fmt, signals[i].byte_offset) for i in numbers}) > 1:
            raise UsageError(f"{name}: signals in one file need one format and offset")
    return [(sibling(header, name), numbers) for name, numbers in groups.items()]


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
