"""What a WFDB record is: its header as values, and `read_header`, which finds them on disk."""

import datetime as dt
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from firmware_bridge.errors import RecordError

DEFAULT_GAIN = 200.0
"""Counts per unit where the header says 0 or nothing (WFDB's DEFGAIN)."""
DEFAULT_FS = Fraction(250)
"""Frames per second where the header says nothing (WFDB's DEFFREQ)."""
NULL_SEGMENT = "~"
"""The segment name that stands for a gap, and the file name of a signal without samples."""


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """One signal line. `physical = (count - baseline) / adc_gain`, in `units`.

    `calibrated` is False where the header's gain is 0 or absent; `adc_gain` is then 200.
    `samples_per_frame` samples come in each frame; `skew` is in frames; `byte_offset` is the
    length of a preamble in the file. None: the header does not say.
    """

    name: str
    file_name: str
    fmt: int
    adc_gain: float = DEFAULT_GAIN
    baseline: int = 0
    units: str = "mV"
    adc_res: int | None = None
    adc_zero: int | None = None
    init_value: int | None = None
    checksum: int | None = None
    block_size: int | None = None
    samples_per_frame: int = 1
    skew: int = 0
    byte_offset: int = 0
    calibrated: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment line; the name `~` is a gap. Length in frames; 0 is a layout segment."""

    name: str
    n_samples: int

    @property
    def is_gap(self) -> bool:
        """Whether nothing was recorded here."""
        return self.name == NULL_SEGMENT


@dataclass(frozen=True, slots=True)
class Header:
    """What a record is. `n_samples` is in frames (per signal where samples_per_frame is 1).

    For a multi-segment record `signals` are those of its layout segment (variable layout) or
    of its first segment that is no gap (fixed layout); `parse_header` alone leaves them empty.
    """

    record_name: str
    fs_fraction: Fraction
    n_samples: int | None
    signals: tuple[SignalSpec, ...]
    segments: tuple[Segment, ...] = ()
    comments: tuple[str, ...] = ()
    base_time: dt.time | None = None
    base_date: dt.date | None = None
    counter_freq: float | None = None
    base_counter: float | None = None
    n_sig: int = -1

    def __post_init__(self) -> None:
        if self.n_sig < 0:
            object.__setattr__(self, "n_sig", len(self.signals))

    @property
    def fs(self) -> float:
        """Frames per second (samples per second where samples_per_frame is 1)."""
        return float(self.fs_fraction)

    @property
    def is_multi_segment(self) -> bool:
        """Whether the samples lie in other records, one after the other."""
        return bool(self.segments)

    @property
    def has_variable_layout(self) -> bool:
        """Whether each segment may hold other signals: the first segment has length 0."""
        return bool(self.segments) and self.segments[0].n_samples == 0

    @property
    def sig_name(self) -> tuple[str, ...]:
        """Names of the signals, in order."""
        return tuple(s.name for s in self.signals)


def header_path(path: Path | str) -> Path:
    """The `.hea` file of a record named with or without that ending."""
    return Path(path) if str(path).endswith(".hea") else Path(f"{path}.hea")


def read_header(path: Path | str) -> Header:
    """Read a header; `path` with or without `.hea`. Raises `RecordError`.

    Of a multi-segment record the layout (or first) segment's header is read too, for `signals`.
    """
    # Here, because the text module builds on the values above.
    from firmware_bridge.records.header_text import parse_header  # noqa: PLC0415

    file = header_path(path)
    header = parse_header(_read_text(file), source=str(file))
    return header if not header.is_multi_segment else _with_layout(header, file)


def sibling(header_file: Path, name: str) -> Path:
    """The file `name` that a header refers to; it may not leave the header's directory."""
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise RecordError(
            f"{header_file}: refers to {name!r}, outside its own directory; "
            "put the files of a record into one directory and name them without a path"
        )
    return header_file.parent / relative


def _with_layout(header: Header, file: Path) -> Header:
    described = next((s for s in header.segments if not s.is_gap), None)
    if described is None:
        raise RecordError(f"{file}: all segments are gaps, so nothing tells what the signals are")
    if described.name == header.record_name:
        raise RecordError(f"{file}: names itself as a segment; name the segments' own records")
    signals = read_header(sibling(file, described.name)).signals
    if len(signals) != header.n_sig:
        raise RecordError(
            f"{file}: announces {header.n_sig} signals, but segment {described.name} has "
            f"{len(signals)}; make the two headers agree"
        )
    return replace(header, signals=signals)


def _read_text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise RecordError(
            f"{file}: no such header; name a record by the path of its .hea file, without ending"
        ) from None
    except OSError as error:
        raise RecordError(f"{file}: cannot be read ({error.strerror})") from error
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
