"""CSV recordings: a table of numbers with or without headings and a time column.

Read are comma, semicolon, tab and blank as separators; headings such as `Time [s], II [mV]`;
empty cells, `nan` and `-` as invalid samples.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RateUnknownError, RecordError

_HEADING = re.compile(r"(.*?)\s*[\[(]([^\])]*)[\])]\s*$")
_TIME_NAMES = ("time", "t", "elapsed time", "timestamp", "seconds")
_TIME_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_INVALID = ("", "-", "nan", "na", "null", "none")
_RATE_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class CsvRecord:
    """A CSV recording: `samples` is float32 (n, n_sig), NaN where a cell has no number."""

    name: str
    fs_fraction: Fraction
    sig_name: tuple[str, ...]
    units: tuple[str, ...]
    samples: NDArray[np.float32]

    @property
    def fs(self) -> float:
        """Samples per second."""
        return float(self.fs_fraction)


def read_csv(path: Path | str, fs: Fraction | float | None = None, units: str = "mV") -> CsvRecord:
    """Read a CSV recording. Raises `RecordError` that names file, line and what to do.

    `fs` (Hz) is needed when there is no time column, and checked against it when there is one
    (to 1 %). `units` holds for columns whose heading names none.
    """
    file = Path(path)
    text = _read_text(file)
    separator, headings = _layout(file, text)
    values = _numbers(file, text, separator, skip=bool(headings))
    headings = headings or [f"column {i + 1}" for i in range(values.shape[1])]
    if len(headings) != values.shape[1]:
        raise RecordError(
            f"{file}: has {len(headings)} headings over {values.shape[1]} columns; "
            "give each column one heading"
        )
    labels = [_split_heading(h, units) for h in headings]
    clock = next((i for i, (name, _) in enumerate(labels) if name.lower() in _TIME_NAMES), None)
    rate = _rate(file, fs, None if clock is None else values[:, clock], labels, clock)
    kept = [i for i in range(len(labels)) if i != clock]
    if not kept:
        raise RecordError(f"{file}: has a time column but no signal; add a column of samples")
    samples = values[:, kept].astype(np.float32)
    samples.flags.writeable = False
    names, named_units = zip(*(labels[i] for i in kept), strict=True)
    return CsvRecord(file.stem, rate, names, named_units, samples)


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RecordError(f"{file}: no such file; give the whole name, ending included") from None
    except UnicodeDecodeError:
        raise RecordError(f"{file}: is not text; export the recording as CSV in UTF-8") from None
    except OSError as error:
        raise RecordError(f"{file}: cannot be read ({error.strerror})") from error


def _layout(file: Path, text: str) -> tuple[str, list[str]]:
    """The separator, and the headings (none if the first line is numbers)."""
    first = next((line for line in text.splitlines() if line.strip()), None)
    if first is None:
        raise RecordError(f"{file}: is empty; it needs one row per sample")
    separator = next((s for s in ";\t," if s in first), ",")
    cells = [c.strip() for c in first.split(separator)]
    if separator == "," and len(cells) == 1 and all(_is_number(c) for c in first.split()):
        separator, cells = " ", first.split()
    if all(_is_number(c) for c in cells):
        return separator, []
    return separator, next(csv.reader([first], delimiter=separator, skipinitialspace=True))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.lower() in _INVALID
    return True


def _numbers(file: Path, text: str, separator: str, skip: bool) -> NDArray[np.float64]:
    lines = [line for line in text.splitlines() if line.strip()][skip:]
    if not lines:
        raise RecordError(f"{file}: has headings but no samples; it needs one row per sample")
    delimiter = None if separator == " " else separator
    try:
        return np.loadtxt(lines, delimiter=delimiter, ndmin=2, comments=None)
    except ValueError:
        # Empty cells, or a mistake: slower, but it can tell which.
        return _numbers_cell_by_cell(file, text, delimiter, skip)


def _numbers_cell_by_cell(
    file: Path, text: str, delimiter: str | None, skip: bool
) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    numbered = [(n, x) for n, x in enumerate(text.splitlines(), start=1) if x.strip()]
    for number, line in numbered[skip:]:
        cells = [c.strip() for c in line.split(delimiter)]
        if rows and len(cells) != len(rows[0]):
            raise RecordError(
                f"{file}, line {number}: has {len(cells)} columns where the others have "
                f"{len(rows[0])}; the file is damaged or truncated, export it again"
            )
        wrong = next((c for c in cells if not _is_number(c)), None)
        if wrong is not None:
            raise RecordError(
                f"{file}, line {number}: {wrong!r} is no number (decimals are written with a "
                "point, missing samples as empty cells)"
            )
        rows.append([np.nan if c.lower() in _INVALID else float(c) for c in cells])
    return np.array(rows, np.float64)


def _split_heading(heading: str, units: str) -> tuple[str, str]:
    match = _HEADING.match(heading.strip())
    return (match[1].strip(), match[2].strip()) if match else (heading.strip(), units)


def _rate(
    file: Path,
    fs: Fraction | float | None,
    clock: NDArray[np.float64] | None,
    labels: Sequence[tuple[str, str]],
    at: int | None,
) -> Fraction:
    given = None if fs is None else Fraction(fs).limit_denominator(10**6)
    if given is not None and given <= 0:
        raise RecordError(f"{file}: a sampling rate of {fs} Hz means nothing; give a positive one")
    if clock is None or at is None:
        if given is None:
            raise RateUnknownError(
                f"{file}: has no time column; give its sampling rate (fs, in Hz)"
            )
        return given
    measured = _measured_rate(file, clock * _TIME_UNITS.get(labels[at][1].lower(), 1.0))
    if given is not None and abs(measured / given - 1) > _RATE_TOLERANCE:
        raise RecordError(
            f"{file}: its time column says {float(measured):g} Hz, but {float(given):g} Hz was "
            "given; leave the rate out, or remove the time column"
        )
    return measured if given is None else given


def _measured_rate(file: Path, seconds: NDArray[np.float64]) -> Fraction:
    """The rate of a uniform time column, whole in Hz where its rounding allows."""
    steps = np.diff(seconds)
    # Published tables round the time until neighbours are equal (BIDMC: 100.02, 100.02).
    if not (steps >= 0).all() or not seconds[0] < seconds[-1]:
        raise RecordError(
            f"{file}: its time column does not rise; remove it and give the "
            "sampling rate (fs, in Hz)"
        )
    rate = (len(seconds) - 1) / (seconds[-1] - seconds[0])
    drift = seconds - seconds[0] - np.arange(len(seconds)) / rate
    if np.abs(drift).max() * rate > 1.0:
        raise RecordError(
            f"{file}: its time column is not evenly spaced (off by "
            f"{np.abs(drift).max():.3g} s); resample the recording, or mark lost samples by rows "
            "with empty cells"
        )
    whole = Fraction(round(rate))
    near = whole > 0 and abs(rate / float(whole) - 1) < 1 / len(seconds)
    return whole if near else Fraction(rate).limit_denominator(1000)
