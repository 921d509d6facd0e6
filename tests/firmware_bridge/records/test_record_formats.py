"""Storage formats: our bytes against each other and against wfdb-python's."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from wfdb_witness import ask_wfdb, header_differences, sample_differences

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records import (
    INVALID_COUNT,
    Header,
    SignalSpec,
    SignalWriter,
    formats,
    read_counts,
    read_header,
    read_physical,
    verify_record,
    write_signals,
)

# Two processes share a core: no deadline for what calls wfdb-python or writes files.
_with_files = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BITS = {16: 16, 24: 24, 32: 32, 212: 12}


def counts_of(fmt: int, max_rows: int = 40, n_sig: int | None = None) -> st.SearchStrategy[Any]:
    top = 2 ** (BITS[fmt] - 1) - 1
    shape = st.tuples(st.integers(0, max_rows), st.just(n_sig) if n_sig else st.integers(1, 4))
    elements = st.integers(-top, top) | st.just(INVALID_COUNT)
    return shape.flatmap(lambda s: arrays(np.int32, s, elements=elements))


def header_for(fmt: int, n_sig: int, **fields: Any) -> Header:
    signals = [SignalSpec(f"lead {i}", "", fmt, 200.0, -3 * i, **fields) for i in range(n_sig)]
    return Header("any", Fraction(250), None, tuple(signals))


@given(st.data(), st.sampled_from(sorted(BITS)))
def test_decode_undoes_encode(data: st.DataObject, fmt: int) -> None:
    counts = data.draw(counts_of(fmt)).ravel()
    encoded = formats.encode(fmt, counts)
    assert len(encoded) == formats.bytes_needed(fmt, counts.size)
    np.testing.assert_array_equal(formats.decode(fmt, encoded), counts)


@given(st.data(), st.sampled_from(sorted(BITS)))
def test_any_stretch_can_be_decoded_by_itself(data: st.DataObject, fmt: int) -> None:
    counts = data.draw(counts_of(fmt)).ravel()
    first = data.draw(st.integers(0, counts.size))
    byte, drop = formats.read_start(fmt, first)
    np.testing.assert_array_equal(
        formats.decode(fmt, formats.encode(fmt, counts)[byte:])[drop:], counts[first:]
    )


def test_known_bytes() -> None:
    # 212: signal-files(5) - first sample in byte 1 and the low half of byte 2.
    assert formats.decode(212, bytes.fromhex("e333f3")).tolist() == [995, 1011]
    assert formats.decode(24, bytes.fromhex("ffffff010000")).tolist() == [-1, 1]
    assert formats.decode(16, bytes.fromhex("00800180")).tolist() == [INVALID_COUNT, -32767]
    assert formats.decode(32, bytes.fromhex("feffffff")).tolist() == [-2]


@pytest.mark.parametrize("fmt", [16, 24, 212])
def test_a_count_that_does_not_fit_is_refused(fmt: int) -> None:
    top = 2 ** (BITS[fmt] - 1)
    for value in (top, -top):
        with pytest.raises(RecordError, match=rf"outside .* of format {fmt}; use a wider format"):
            formats.encode(fmt, np.array([0, value]))


@_with_files
@given(data=st.data(), fmt=st.sampled_from(sorted(BITS)))
def test_wfdb_reads_what_we_write(data: st.DataObject, fmt: int, tmp_path: Path) -> None:
    counts = data.draw(counts_of(fmt).filter(len))
    record = tmp_path / "any"
    write_signals(record, counts, header_for(fmt, counts.shape[1]))
    np.testing.assert_array_equal(read_counts(record), counts)
    assert header_differences(str(record)) == []
    assert sample_differences(str(record)) == []
    verify_record(record)


@_with_files
@given(data=st.data(), fmt=st.sampled_from(sorted(BITS)))
def test_we_read_what_wfdb_writes(data: st.DataObject, fmt: int, tmp_path: Path) -> None:
    counts = data.draw(counts_of(fmt).filter(len))
    n_sig = counts.shape[1]
    stored = np.where(counts == INVALID_COUNT, 0, counts).astype(np.int64)
    ask_wfdb(
        "wrsamp", "theirs", fs=250, units=["mV"] * n_sig, sig_name=[f"s{i}" for i in range(n_sig)],
        d_signal=stored, fmt=[str(fmt)] * n_sig, adc_gain=[123.5] * n_sig, baseline=[7] * n_sig,
        comments=["as wfdb-python writes"], write_dir=str(tmp_path),
    )  # fmt: skip
    np.testing.assert_array_equal(read_counts(tmp_path / "theirs"), stored)
    assert header_differences(str(tmp_path / "theirs")) == []
    verify_record(tmp_path / "theirs")


@_with_files
@given(data=st.data(), fmt=st.sampled_from(sorted(BITS)))
def test_blocks_of_any_length_write_the_same_file(
    data: st.DataObject, fmt: int, tmp_path: Path
) -> None:
    counts = data.draw(counts_of(fmt, n_sig=3))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(counts)), max_size=5)))
    whole = write_signals(tmp_path / "whole", counts, header_for(fmt, 3))
    with SignalWriter(tmp_path / "blocks", header_for(fmt, 3)) as writer:
        for begin, end in zip([0, *cuts], [*cuts, len(counts)], strict=True):
            writer.write(counts[begin:end])
    assert (tmp_path / "blocks.dat").read_bytes() == (tmp_path / "whole.dat").read_bytes()
    ours = [(s.init_value, s.checksum) for s in writer.header.signals]
    assert ours == [(s.init_value, s.checksum) for s in whole.signals]


def test_signals_in_several_files_of_several_formats(tmp_path: Path) -> None:
    signals = (
        SignalSpec("I", "a.dat", 16, 200.0),
        SignalSpec("II", "a.dat", 16, 50.0),
        SignalSpec("III", "b.dat", 212, 100.0),
    )
    counts = np.arange(33, dtype=np.int32).reshape(11, 3)
    write_signals(tmp_path / "three", counts, Header("three", Fraction(100), None, signals))
    np.testing.assert_array_equal(read_counts(tmp_path / "three"), counts)
    some = read_counts(tmp_path / "three", 3, 9, ["III", 1])
    np.testing.assert_array_equal(some, counts[3:9, [2, 1]])
    assert sample_differences(str(tmp_path / "three")) == []


def test_signals_of_one_file_need_not_be_neighbours(tmp_path: Path) -> None:
    names = ("a.dat", "b.dat", "a.dat")
    signals = tuple(SignalSpec(f"{i}", name, 16) for i, name in enumerate(names))
    counts = np.arange(33, dtype=np.int32).reshape(11, 3)
    write_signals(tmp_path / "three", counts, Header("three", Fraction(100), None, signals))
    np.testing.assert_array_equal(read_counts(tmp_path / "three"), counts)


def test_several_samples_per_frame(tmp_path: Path) -> None:
    counts = np.arange(48, dtype=np.int32).reshape(24, 2)
    write_signals(tmp_path / "framed", counts, header_for(212, 2, samples_per_frame=4))
    assert read_header(tmp_path / "framed").n_samples == 6
    np.testing.assert_array_equal(read_counts(tmp_path / "framed"), counts)
    np.testing.assert_array_equal(read_counts(tmp_path / "framed", 2, 5, [1]), counts[8:20, 1:])
    theirs = ask_wfdb("rdrecord", str(tmp_path / "framed"), physical=False, smooth_frames=False)
    np.testing.assert_array_equal(np.stack(theirs.e_d_signal, axis=1), counts)


def test_signals_of_different_rates_are_read_one_rate_at_a_time(tmp_path: Path) -> None:
    # Frames of one slow and two fast samples.
    (tmp_path / "mixed.dat").write_bytes(formats.encode(16, np.array([1, 10, 11, 2, 12, 13])))
    (tmp_path / "mixed.hea").write_text(
        "mixed 2 100 2\nmixed.dat 16 200 16 0 0 0 0 slow\nmixed.dat 16x2 200 16 0 0 0 0 fast\n"
    )
    assert read_counts(tmp_path / "mixed", channels=["fast"]).ravel().tolist() == [10, 11, 12, 13]
    assert read_counts(tmp_path / "mixed", channels=["slow"]).ravel().tolist() == [1, 2]
    with pytest.raises(UsageError, match="different rates"):
        read_counts(tmp_path / "mixed")


def test_skewed_signals_are_aligned_as_wfdb_does(tmp_path: Path) -> None:
    stored = np.arange(40).reshape(20, 2)
    (tmp_path / "skewed.dat").write_bytes(formats.encode(16, stored.ravel()))
    (tmp_path / "skewed.hea").write_text(
        "skewed 2 100 20\nskewed.dat 16 200 16 0 0 0 0 a\nskewed.dat 16:3 200 16 0 0 0 0 b\n"
    )
    assert sample_differences(str(tmp_path / "skewed")) == []
    assert np.isnan(read_physical(tmp_path / "skewed")[:, 1]).sum() == 3
    np.testing.assert_array_equal(
        read_counts(tmp_path / "skewed", 4, 9), read_counts(tmp_path / "skewed")[4:9]
    )


def test_a_preamble_is_skipped(tmp_path: Path) -> None:
    counts = np.arange(10, dtype=np.int32).reshape(5, 2)
    write_signals(tmp_path / "offset", counts, header_for(16, 2, byte_offset=24))
    assert (tmp_path / "offset.dat").stat().st_size == 24 + 20
    assert sample_differences(str(tmp_path / "offset")) == []


def test_a_header_without_length_takes_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "n.dat").write_bytes(formats.encode(212, np.arange(7)))
    (tmp_path / "n.hea").write_text("n 1 100\nn.dat 212\n")
    assert read_counts(tmp_path / "n").ravel().tolist() == list(range(7))
