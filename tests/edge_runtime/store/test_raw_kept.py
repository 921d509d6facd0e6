"""Raw signal: wfdb-python and our own reader find the source's counts, and NaN where none came."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.store import raw_record
from edge_runtime.store.store import Store
from firmware_bridge.records import INVALID_COUNT, read_counts, read_header, verify_record
from firmware_bridge.stream import SampleChunk, SampleIndex, SignalInfo, SignalKind
from tests.edge_runtime.store.making import ECG, PROVENANCE, RATE, Recording, chunk, noise, session
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb


def by_wfdb(record: Path, signal: SignalInfo = ECG) -> NDArray[np.int32]:
    """Counts as wfdb-python reads them, INVALID_COUNT for NaN."""
    read = ask_wfdb("rdrecord", str(record)).p_signal
    exact = read * np.array(signal.counts_per_unit) + np.array(signal.baseline)
    counts = np.round(np.nan_to_num(exact)).astype(np.int32)
    counts[np.isnan(read)] = INVALID_COUNT
    return counts


def expected(run: Recording) -> NDArray[np.int32]:
    whole = np.full((run.end, 2), INVALID_COUNT, np.int32)
    for first, counts in run.counts.items():
        whole[first : first + len(counts)] = counts
    return whole


def assert_kept(run: Recording) -> None:
    run.store.close()
    assert np.array_equal(read_counts(run.record), expected(run))
    assert np.array_equal(by_wfdb(run.record), expected(run))
    for part in read_header(run.record).segments[1:]:
        if part.name != "~":
            verify_record(run.record.with_name(part.name))


def names(run: Recording) -> list[tuple[str, int]]:
    return [(part.name, part.n_samples) for part in read_header(run.record).segments[1:]]


def test_short_gaps_are_invalid_samples_and_long_ones_are_null_segments(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(1, 500))
    run.gap(RATE - 1)
    run.samples(noise(2, 300))
    run.gap(RATE)
    run.samples(noise(3, 10))
    assert_kept(run)
    assert names(run) == [("ecg_000001", 899), ("~", 100), ("ecg_000002", 10)]


def test_a_gap_before_the_first_sample_and_after_the_last(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.gap(30)
    run.samples(noise(1, 70))
    run.gap(20)
    assert_kept(run)
    assert names(run) == [("~", 30), ("ecg_000001", 90)]


def test_gaps_one_after_the_other(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(1, 5))
    for n in (50, 60, 200, 3):
        run.gap(n)
    run.samples(noise(2, 5))
    assert_kept(run)
    assert names(run) == [("ecg_000001", 115), ("~", 203), ("ecg_000002", 5)]


def test_a_sample_too_large_for_16_bits_begins_a_wider_segment(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(1, 40, largest=0x7FFF))
    run.samples(np.array([[-0x8000, 0]], np.int32))  # the invalid value of format 16
    run.samples(noise(2, 40))  # would fit again: formats do not flutter
    run.gap(2)
    assert_kept(run)
    assert names(run) == [("ecg_000001", 40), ("ecg_000002", 43)]
    assert read_header(run.record.with_name("ecg_000002")).signals[0].fmt == 24


def test_a_long_session_has_a_segment_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_record, "SEGMENT_S", 1)
    run = Recording(tmp_path)
    for seed in range(30):
        run.samples(noise(seed, 37))
        run.store.sync()
    assert_kept(run)
    assert len(names(run)) == 10
    assert all(n >= RATE for _, n in names(run)[:-1])


def test_the_record_can_be_read_while_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_record, "SEGMENT_S", 600)
    run = Recording(tmp_path)
    for seed in range(7):
        run.samples(noise(seed, 100 * RATE))
    run.store.sync()
    assert np.array_equal(by_wfdb(run.record), expected(run)[: 600 * RATE])
    assert_kept(run)


def test_a_link_that_breaks_often_does_not_rewrite_the_header_each_time(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    header = run.record.with_suffix(".hea")
    written = set()
    for seed in range(130):  # of 10 s each
        run.samples(noise(seed, 8 * RATE))
        run.gap(2 * RATE)
        run.store.sync()
        if header.exists():
            written.add(header.read_text())
    assert len(written) == 2
    run.end -= 2 * RATE  # a record ends with its last sample
    assert_kept(run)


def test_samples_that_are_no_number_or_beyond_all_range(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    bad = np.array([[np.nan, 0], [np.inf, -np.inf], [1e9, -1e9]], np.float32)
    run.store.record(run.session.id, SampleChunk("ecg", SampleIndex(0), bad))
    run.store.close()
    largest = 0x7FFFFF
    none = INVALID_COUNT
    assert read_counts(run.record).tolist() == [[none, 1024], [none, none], [largest, -largest]]


def test_samples_that_come_twice_are_kept_once(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    counts = noise(1, 100)
    run.samples(counts)
    run.store.record(run.session.id, chunk(60, counts[60:]))
    run.store.record(run.session.id, chunk(90, np.concatenate((counts[90:], noise(2, 20)))))
    run.counts[100], run.end = noise(2, 20), 120
    assert_kept(run)


def test_empty_chunks_and_an_empty_session_leave_nothing(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    run.samples(noise(0, 0))
    run.store.sync()
    run.store.close()
    assert list((tmp_path / "raw").rglob("*")) == []


def test_signals_of_other_rates_lie_beside_each_other(tmp_path: Path) -> None:
    sound = SignalInfo(
        id="heart sound/1",
        kind=SignalKind.PCG,
        unit="a. u.",
        rate_hz=Fraction(4000, 3),
        leads=("apex",),
        counts_per_unit=(1.0,),
        baseline=(0,),
    )
    run = Recording(tmp_path, session=session(ECG, sound))
    run.samples(noise(1, 100))
    counts = noise(2, 1333)[:, :1]
    run.store.record(run.session.id, chunk(0, counts, sound))
    assert_kept(run)
    beside = run.record.with_name("heart_sound_1")
    assert np.array_equal(read_counts(beside), counts)
    assert np.array_equal(by_wfdb(beside, sound), counts)
    assert read_header(beside).fs == pytest.approx(4000 / 3, rel=1e-6)


def test_raw_signal_can_be_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path, PROVENANCE, {}, keep_raw=False)
    one = session()
    store.begin(one)
    store.record(one.id, chunk(0, noise(1, 64)))
    store.close()
    assert list((tmp_path / "raw").iterdir()) == []
