"""Checking a record against its own header: sizes, first values, checksums."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from firmware_bridge.errors import RecordError
from firmware_bridge.records import formats
from firmware_bridge.records.formats import INVALID_COUNT
from firmware_bridge.records.header import Header, header_path, read_header, sibling
from firmware_bridge.records.signal_file import SignalFile, signal_files

_BLOCK_FRAMES = 1 << 16


def verify_record(path: Path | str) -> None:
    """Read a whole record, in blocks, and compare it with its header.

    Raises one `RecordError` that lists all differences: a missing, truncated or overlong signal
    file, a first value or a checksum that is not the header's. Readers do not check this by
    themselves: some published records have wrong checksums and good samples.
    """
    file = header_path(path)
    header = read_header(file)
    problems: list[str] = []
    if header.is_multi_segment:
        for segment in header.segments:
            if not segment.is_gap and segment.n_samples:
                problems += _collected(sibling(file, segment.name))
    else:
        for signals in signal_files(header, file):
            problems += _differences(signals, header)
    if problems:
        raise RecordError("\n".join([*problems, "get the record again from its source"]))


def _collected(segment: Path) -> Iterator[str]:
    try:
        verify_record(segment)
    except RecordError as error:
        yield from str(error).splitlines()[:-1] or [str(error)]


def _differences(file: SignalFile, header: Header) -> Iterator[str]:
    n_frames = file.n_frames if header.n_samples is None else header.n_samples
    expected = formats.bytes_needed(file.fmt, n_frames * file.frame_size)
    if file.n_bytes != expected:
        yield f"{file.path}: has {file.n_bytes} bytes of samples, its header means {expected}"
    if file.n_bytes < expected:
        return
    sums = np.zeros(file.frame_size, np.int64)
    for at in range(0, n_frames, _BLOCK_FRAMES):
        counts = file.read(at, min(at + _BLOCK_FRAMES, n_frames))
        # The checksum is of what is stored, marks of invalid samples included.
        stored = np.where(counts == INVALID_COUNT, formats.invalid_value(file.fmt), counts)
        if at == 0:
            first = stored[0]
        sums += stored.sum(axis=0, dtype=np.int64)
    for number, signal in zip(file.numbers, file.signals, strict=True):
        columns = file.columns(number)
        named = f"{file.path}: signal {number} ({signal.name})"
        if n_frames and signal.init_value not in (None, first[columns][0]):
            yield f"{named} begins with {first[columns][0]}, its header says {signal.init_value}"
        checksum = int(sums[columns].sum())
        if signal.checksum is not None and (checksum - signal.checksum) % 2**16:
            yield f"{named} has checksum {checksum % 2**16}, not {signal.checksum % 2**16}"
