"""Multi-segment records: gaps, fixed and variable layout, with wfdb-python as witness."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wfdb_witness import ask_wfdb

from firmware_bridge.errors import RecordError
from firmware_bridge.records import (
    INVALID_COUNT,
    Header,
    Record,
    Segment,
    SignalSpec,
    read_counts,
    read_header,
    read_physical,
    verify_record,
    write_header,
    write_segments,
    write_signals,
)

SIGNALS = (SignalSpec("II", "", 24, 1000.0), SignalSpec("V5", "", 24, 500.0, 9))
HEADER = Header("any", Fraction(250), None, SIGNALS)


def ramp(n: int, start: int = 0) -> np.ndarray:
    return np.arange(2 * n, dtype=np.int32).reshape(n, 2) + start


def stitched(parts: list[np.ndarray | int]) -> np.ndarray:
    gap = [np.full((p, 2), INVALID_COUNT) if isinstance(p, int) else p for p in parts]
    return np.concatenate(gap)


def witnessed(record: Path) -> np.ndarray:
    return ask_wfdb("rdrecord", str(record)).p_signal.astype(np.float32)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lengths=st.lists(st.tuples(st.booleans(), st.integers(1, 30)), min_size=1, max_size=6),
    data=st.data(),
)
def test_gaps_between_segments(
    lengths: list[tuple[bool, int]], data: st.DataObject, tmp_path: Path
) -> None:
    parts = [n if gap else ramp(n, 100 * i) for i, (gap, n) in enumerate(lengths)]
    header = write_segments(tmp_path / "day", parts, HEADER)
    whole = stitched(parts)
    assert header == read_header(tmp_path / "day") or header.n_samples == len(whole)
    np.testing.assert_array_equal(read_counts(tmp_path / "day"), whole)
    np.testing.assert_array_equal(read_physical(tmp_path / "day"), witnessed(tmp_path / "day"))
    verify_record(tmp_path / "day")
    first = data.draw(st.integers(0, len(whole)))
    last = data.draw(st.integers(first, len(whole)))
    np.testing.assert_array_equal(
        read_counts(tmp_path / "day", first, last, ["V5"]), whole[first:last, 1:]
    )


def test_blocks_make_the_whole(tmp_path: Path) -> None:
    write_segments(tmp_path / "day", [ramp(50), 30, ramp(41)], HEADER)
    record = Record(tmp_path / "day")
    np.testing.assert_array_equal(
        np.concatenate(list(record.blocks(17))), read_physical(tmp_path / "day")
    )


def test_a_fixed_layout(tmp_path: Path) -> None:
    for name, start in (("a", 0), ("b", 70)):
        write_signals(tmp_path / name, ramp(20, start), HEADER)
    segments = (Segment("a", 20), Segment("~", 5), Segment("b", 20))
    write_header(
        tmp_path / "fixed", replace(HEADER, record_name="fixed", segments=segments, n_samples=45)
    )
    counts = read_counts(tmp_path / "fixed")
    np.testing.assert_array_equal(counts, stitched([ramp(20), 5, ramp(20, 70)]))
    assert [s.name for s in read_header(tmp_path / "fixed").signals] == ["II", "V5"]
    # Here wfdb-python cannot join a gap; without one it can.
    without = replace(HEADER, record_name="w", segments=(segments[0], segments[2]), n_samples=40)
    write_header(tmp_path / "w", without)
    np.testing.assert_array_equal(read_physical(tmp_path / "w"), witnessed(tmp_path / "w"))


def test_segments_with_other_signals_and_gains(tmp_path: Path) -> None:
    ii, v5 = HEADER.signals
    write_signals(tmp_path / "s1", ramp(10)[:, :1], replace(HEADER, signals=(v5,), n_sig=1))
    louder = replace(ii, adc_gain=2000.0, baseline=4)
    write_signals(tmp_path / "s2", ramp(10) * 2, replace(HEADER, signals=(v5, louder)))
    segments = (Segment("lay", 0), Segment("s1", 10), Segment("s2", 10))
    whole = replace(HEADER, record_name="v", segments=segments, n_samples=20)
    write_header(tmp_path / "v", whole)
    physical = read_physical(tmp_path / "v")
    np.testing.assert_array_equal(physical, witnessed(tmp_path / "v"))
    assert np.isnan(physical[:10, 0]).all()
    counts = read_counts(tmp_path / "v")
    expected = (2 * ramp(10)[:, 1] - 4) / 2
    np.testing.assert_array_equal(counts[10:, 0], expected)
    assert (counts[:10, 0] == INVALID_COUNT).all()


@pytest.mark.parametrize(
    ("main", "message"),
    [
        ("m/2 2 250 30\na 20\nb 20\n", "its segments sum to 40; correct the length"),
        ("m/2 2 250\na 20\n", "announces 2 segments but describes 1"),
        ("m/1 2 250 5\n~ 5\n", "all segments are gaps"),
        ("m/1 3 250 20\na 20\n", "announces 3 signals, but segment a has 2"),
        ("m/1 2 250 20\nm 20\n", "names itself as a segment"),
        ("m/1 2 250 20\n../a 20\n", "outside its own directory"),
        ("m/1 2 250 20\nlost 20\n", "no such header"),
    ],
)
def test_headers_that_contradict_themselves(main: str, message: str, tmp_path: Path) -> None:
    write_signals(tmp_path / "a", ramp(20), HEADER)
    (tmp_path / "m.hea").write_text(main)
    with pytest.raises(RecordError, match=re.escape(message)):
        read_header(tmp_path / "m")


@pytest.mark.parametrize("line", ["m/1 2 250 19\na 19\n", "m/1 2 100 20\na 20\n"])
def test_a_segment_that_contradicts_the_record(line: str, tmp_path: Path) -> None:
    write_signals(tmp_path / "a", ramp(20), HEADER)
    (tmp_path / "m.hea").write_text(line)
    with pytest.raises(RecordError, match=r"its own header 20 at 250 Hz; correct the wrong one"):
        read_counts(tmp_path / "m")
