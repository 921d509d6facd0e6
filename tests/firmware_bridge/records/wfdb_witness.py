"""wfdb-python as a witness: loaded late, and told the same question in its own words."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.records import INVALID_COUNT, Header, read_counts, read_header, read_physical

_INVALID = {"16": -(2**15), "24": -(2**23), "32": -(2**31), "212": -(2**11)}
# Header fields that wfdb-python has under the same name, in record and in signal lines.
RECORD_FIELDS = ("record_name", "n_sig", "fs", "counter_freq", "base_counter")
SIGNAL_FIELDS = (
    "file_name",
    "samples_per_frame",
    "adc_gain",
    "baseline",
    "units",
    "adc_res",
    "adc_zero",
    "init_value",
    "checksum",
    "block_size",
)


def ask_wfdb(function: str, *args: Any, **options: Any) -> Any:
    """Call a function of wfdb-python by name."""
    with warnings.catch_warnings():
        # wfdb 4.3.1 uses what pandas 3 deprecates, at import and in rdann.
        warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning)
        # It loads pandas and matplotlib: a second that only tests which ask it should pay.
        import wfdb

        return getattr(wfdb, function)(*args, **options)


def witnessed_counts(record: str) -> np.ndarray:
    """wfdb's `d_signal`, with its per-format invalid values as ours."""
    read = ask_wfdb("rdrecord", record, physical=False)
    invalid = np.array([_INVALID[f] for f in read.fmt])
    return np.where(read.d_signal == invalid, INVALID_COUNT, read.d_signal)


def header_differences(record: str) -> list[str]:
    """Fields in which our header and wfdb's differ."""
    ours, theirs = read_header(record), ask_wfdb("rdheader", record)
    pairs = [(f, getattr(ours, f), getattr(theirs, f)) for f in RECORD_FIELDS]
    pairs += [("n_samples", ours.n_samples, theirs.sig_len)]
    pairs += [("comments", list(ours.comments), theirs.comments)]
    pairs += _start_pairs(record, ours, theirs)
    for field in SIGNAL_FIELDS:
        name = "samps_per_frame" if field == "samples_per_frame" else field
        pairs.append((field, [getattr(s, field) for s in ours.signals], getattr(theirs, name)))
    pairs.append(("fmt", [str(s.fmt) for s in ours.signals], theirs.fmt))
    pairs.append(("skew", [s.skew for s in ours.signals], [x or 0 for x in theirs.skew]))
    offsets = [x or 0 for x in theirs.byte_offset]
    pairs.append(("byte_offset", [s.byte_offset for s in ours.signals], offsets))
    # wfdb keeps None where a description is missing.
    pairs.append(("sig_name", list(ours.sig_name), [x or "" for x in theirs.sig_name]))
    return [f"{record}: {name}: {a!r} != {b!r}" for name, a, b in pairs if a != b]


def _start_pairs(record: str, ours: Header, theirs: Any) -> list[tuple[str, Any, Any]]:
    line = Path(f"{record}.hea").read_text().splitlines()[0]
    if "-" in line.split()[-2]:
        # "05-Feb-2020 11:39:16": wfdb-python takes the day for seconds.
        return []
    return [
        ("base_time", ours.base_time, theirs.base_time),
        ("base_date", ours.base_date, theirs.base_date),
    ]


def sample_differences(record: str) -> list[str]:
    """Whether counts and physical values are wfdb's, to the last bit of float32."""
    theirs = ask_wfdb("rdrecord", record, physical=True).p_signal.astype(np.float32)
    same_physical = np.array_equal(read_physical(record), theirs, equal_nan=True)
    same_counts = np.array_equal(read_counts(record), witnessed_counts(record))
    wrong = [] if same_physical else ["physical values"]
    wrong += [] if same_counts else ["counts"]
    return [f"{record}: {x} differ" for x in wrong]


def annotation_differences(path: Path, ours: Any) -> list[str]:
    """Fields in which our annotations and wfdb's of the same file differ."""
    theirs = ask_wfdb("rdann", str(path.with_suffix("")), path.suffix[1:])
    pairs = [
        ("sample", ours.sample.tolist(), theirs.sample.tolist()),
        ("symbol", list(ours.symbol), list(theirs.symbol)),
        ("subtype", ours.subtype.tolist(), theirs.subtype.tolist()),
        ("chan", ours.chan.tolist(), theirs.chan.tolist()),
        ("num", ours.num.tolist(), theirs.num.tolist()),
        ("aux", list(ours.aux), [x.rstrip("\0") for x in theirs.aux_note]),
    ]
    return [f"{path}: {name} differ" for name, a, b in pairs if a != b]
