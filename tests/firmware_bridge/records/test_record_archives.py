"""Every record of the archives, read by us and by wfdb-python; and written back by us."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wfdb_witness import annotation_differences, ask_wfdb, header_differences, sample_differences

from firmware_bridge.errors import RecordError
from firmware_bridge.records import (
    INVALID_COUNT,
    read_annotations,
    read_counts,
    read_header,
    verify_record,
    write_annotations,
    write_signals,
)

pytestmark = pytest.mark.data

_DATABASES = 14
_ANNOTATORS = re.compile(r"\.(atr|man|pu[01]?|pwave|q1c|qt1|i{1,3}|av[rlf]|v[1-6])$")


def records(data_dir: Path) -> list[str]:
    return sorted(str(p.with_suffix("")) for p in data_dir.rglob("*.hea"))


def annotation_files(data_dir: Path) -> list[Path]:
    return sorted(p for p in data_dir.rglob("*.*") if _ANNOTATORS.search(p.name))


def few_of_each_folder(paths: list[str], n: int) -> list[str]:
    folders: dict[Path, list[str]] = {}
    for path in paths:
        folders.setdefault(Path(path).parent, []).append(path)
    return [x for group in folders.values() for x in group[:: max(len(group) // n, 1)][:n]]


def test_every_header_equals_wfdb(data_dir: Path) -> None:
    names = records(data_dir)
    assert len({Path(x).parent for x in names}) >= _DATABASES - 1
    assert [d for x in names for d in header_differences(x)] == []


def test_samples_equal_wfdb_in_each_database(data_dir: Path) -> None:
    chosen = few_of_each_folder(records(data_dir), 3)
    assert [d for x in chosen for d in sample_differences(x)] == []


def test_annotations_equal_wfdb_in_each_database(data_dir: Path) -> None:
    chosen = annotation_files(data_dir)[::25]
    assert len(chosen) > 50
    differences = [d for p in chosen for d in annotation_differences(p, read_annotations(p))]
    assert differences == []


def test_written_annotations_are_the_same_to_wfdb(data_dir: Path, tmp_path: Path) -> None:
    for path in annotation_files(data_dir)[::60]:
        ours = read_annotations(path)
        written = tmp_path / f"{path.stem}.out"
        write_annotations(written, ours)
        assert annotation_differences(written, ours) == []
        again = read_annotations(path)
        assert again.sample.tolist() == ours.sample.tolist()


def test_written_records_are_the_same_to_wfdb(data_dir: Path, tmp_path: Path) -> None:
    for record in few_of_each_folder(records(data_dir), 1):
        assert _rewritten_differences(record, tmp_path / Path(record).name) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_headers_samples_and_checksums(data_dir: Path) -> None:
    for record in records(data_dir):
        assert header_differences(record) == []
        assert sample_differences(record) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_annotations(data_dir: Path) -> None:
    for path in annotation_files(data_dir):
        assert annotation_differences(path, read_annotations(path)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_records_written_back(data_dir: Path, tmp_path: Path) -> None:
    for record in records(data_dir):
        assert _rewritten_differences(record, tmp_path / Path(record).name) == []


def test_sizes_first_values_and_checksums_are_the_headers(data_dir: Path) -> None:
    for record in few_of_each_folder(records(data_dir), 4):
        if "cinc2017" in record:
            # Published with checksums of 0.
            with pytest.raises(RecordError, match=r"has checksum \d+, not 0"):
                verify_record(record)
        else:
            verify_record(record)


def test_challenge_2020_dates_in_words_are_understood(data_dir: Path) -> None:
    header = read_header(data_dir / "cinc2020" / "A0002")
    assert f"{header.base_date} {header.base_time}" == "2020-02-05 11:39:16"


def test_a_stretch_and_a_choice_of_channels_equal_the_whole(data_dir: Path) -> None:
    for record in few_of_each_folder(records(data_dir), 1):
        whole = read_counts(record)
        n = len(whole)
        columns = [whole.shape[1] - 1, 0]
        for first, last in ((0, 1), (n // 3, n // 2 + 1), (n - 7, n)):
            part = read_counts(record, first, last, columns)
            np.testing.assert_array_equal(part, whole[first:last, columns])


def _rewritten_differences(record: str, target: Path) -> list[str]:
    """Write a record's samples with its own header; compare the original with the copy."""
    header, counts = read_header(record), read_counts(record)
    written = write_signals(target, counts, header)
    copied, original = (ask_wfdb("rdrecord", str(x), physical=False) for x in (target, record))
    differences = header_differences(str(target)) + sample_differences(str(target))
    if not np.array_equal(copied.d_signal, original.d_signal):
        differences.append(f"{record}: samples changed")
    for name in ("fmt", "adc_gain", "baseline", "units", "sig_name", "fs"):
        if getattr(copied, name) != getattr(original, name):
            differences.append(f"{record}: {name} changed")
    # Challenge 2017 was published with checksums of 0 and some wrong first values; ours are right.
    for old, new in zip(header.signals, written.signals, strict=True):
        same = old.init_value == new.init_value and (old.checksum - new.checksum) % 2**16 == 0
        if "cinc2017" not in record and not same:
            differences.append(f"{record}: first value or checksum changed")
    return differences


def test_invalid_counts_survive_a_copy(data_dir: Path, tmp_path: Path) -> None:
    header = read_header(data_dir / "mitdb" / "100")
    counts = read_counts(data_dir / "mitdb" / "100", 0, 101)
    counts[10:20, 1] = INVALID_COUNT
    signals = tuple(replace(s, fmt=24) for s in header.signals)
    write_signals(tmp_path / "x", counts, replace(header, signals=signals))
    np.testing.assert_array_equal(read_counts(tmp_path / "x"), counts)
    assert sample_differences(str(tmp_path / "x")) == []
