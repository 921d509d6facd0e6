"""One signal file of a record: any stretch of its frames, decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RecordError
from firmware_bridge.records import formats
from firmware_bridge.records.header import NULL_SEGMENT, Header, SignalSpec, sibling


@dataclass(frozen=True, slots=True)
class SignalFile:
    """A file that holds `signals` (header numbers `numbers`), interleaved frame by frame."""

    path: Path
    numbers: tuple[int, ...]
    signals: tuple[SignalSpec, ...]

    @property
    def fmt(self) -> int:
        """Storage format of the whole file."""
        return self.signals[0].fmt

    @property
    def frame_size(self) -> int:
        """Samples in a frame, all signals together."""
        return sum(s.samples_per_frame for s in self.signals)

    @property
    def n_bytes(self) -> int:
        """Bytes of samples, without the preamble. Raises `RecordError` if there is no file."""
        try:
            return max(self.path.stat().st_size - self.signals[0].byte_offset, 0)
        except OSError as error:
            raise _unreadable(self.path, error) from error

    @property
    def n_frames(self) -> int:
        """Whole frames in the file."""
        return formats.samples_held(self.fmt, self.n_bytes) // self.frame_size

    def read(self, first: int, last: int) -> NDArray[np.int32]:
        """Frames [first, last) as counts of shape (last - first, frame_size)."""
        start, drop = formats.read_start(self.fmt, first * self.frame_size)
        n = (last - first) * self.frame_size
        n_bytes = formats.bytes_needed(self.fmt, n + drop)
        try:
            with self.path.open("rb") as file:
                file.seek(self.signals[0].byte_offset + start)
                data = file.read(n_bytes)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(data) < n_bytes:
            raise RecordError(
                f"{self.path}: is truncated: it holds {self.n_frames} samples per signal, and "
                f"its header promises at least {last}; copy it again, or read no further "
                "than it goes (replay: --to SECONDS)"
            )
        return formats.decode(self.fmt, data)[drop : drop + n].reshape(-1, self.frame_size)

    def columns(self, number: int) -> slice:
        """Where in a frame the samples of header signal `number` are."""
        at = self.numbers.index(number)
        start = sum(s.samples_per_frame for s in self.signals[:at])
        return slice(start, start + self.signals[at].samples_per_frame)


def signal_files(header: Header, header_file: Path) -> tuple[SignalFile, ...]:
    """The files of a single-segment record, in header order; signals without a file left out."""
    numbers: dict[str, list[int]] = {}
    for number, signal in enumerate(header.signals):
        if signal.file_name != NULL_SEGMENT and signal.fmt != 0:
            numbers.setdefault(signal.file_name, []).append(number)
    return tuple(_signal_file(header, header_file, name, x) for name, x in numbers.items())


def _signal_file(
    header: Header, header_file: Path, name: str, numbers: Sequence[int]
) -> SignalFile:
    signals = tuple(header.signals[i] for i in numbers)
    try:
        formats.check_format(signals[0].fmt)
    except RecordError as error:
        raise RecordError(f"{header_file}: {error}") from error
    if len({(s.fmt, s.byte_offset) for s in signals}) > 1:
        raise RecordError(
            f"{header_file}: gives the signals of {name} different formats or offsets; "
            "correct the header"
        )
    return SignalFile(sibling(header_file, name), tuple(numbers), signals)


def _unreadable(path: Path, error: OSError) -> RecordError:
    if isinstance(error, FileNotFoundError):
        return RecordError(f"{path}: no such signal file; copy it beside its header")
    return RecordError(f"{path}: cannot be read ({error.strerror})")
