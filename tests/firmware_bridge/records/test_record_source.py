"""A record played as a stream: nothing lost, invalid stretches as gaps, any chunk length."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge.conformance import check_stream
from firmware_bridge.errors import UsageError
from firmware_bridge.records import (
    INVALID_COUNT,
    Header,
    SignalSpec,
    iter_record,
    read_physical,
    write_segments,
    write_signals,
)
from firmware_bridge.records.source import signal_kind
from firmware_bridge.stream import Gap, GapReason, SampleChunk, SignalKind, StreamOpened

SIGNALS = (SignalSpec("II", "", 16, 200.0), SignalSpec("V5", "", 16, 100.0, 5))
HEADER = Header("any", Fraction(250), None, SIGNALS)


def played(
    path: Path, *args: object, **options: object
) -> tuple[StreamOpened, np.ndarray, list[Gap]]:
    """What was opened, all samples (gaps as NaN), the gaps; every item obeys the contract."""
    opened, *items = iter_record(path, *args, **options)
    check_stream([opened, *items])
    assert isinstance(opened, StreamOpened)
    n_leads = len(opened.signals[0].leads)
    rows, gaps = [], []
    for item in items:
        assert isinstance(item, SampleChunk | Gap)
        if isinstance(item, Gap):
            gaps.append(item)
            rows.append(np.full((item.n_missing, n_leads), np.nan, np.float32))
        else:
            rows.append(item.samples)
    return opened, np.concatenate(rows), gaps


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    invalid=st.lists(st.tuples(st.integers(0, 150), st.integers(1, 40), st.booleans()), max_size=4),
    chunk=st.integers(1, 200),
)
def test_any_chunks_give_the_same_samples(
    invalid: list[tuple[int, int, bool]], chunk: int, tmp_path: Path
) -> None:
    counts = np.arange(300, dtype=np.int32).reshape(150, 2)
    for first, n, one_lead in invalid:
        counts[first : first + n, slice(0, 1) if one_lead else slice(None)] = INVALID_COUNT
    write_signals(tmp_path / "r", counts, HEADER)
    _, samples, gaps = played(tmp_path / "r", chunk)
    physical = read_physical(tmp_path / "r")
    np.testing.assert_array_equal(samples, physical)
    assert sum(g.n_missing for g in gaps) == np.isnan(physical).all(axis=1).sum()
    assert all(a.first + a.n_missing < b.first for a, b in pairwise(gaps))
    assert all(g.exact and g.reason is GapReason.INVALID for g in gaps)


def test_a_long_gap_is_one_gap(tmp_path: Path) -> None:
    part = np.ones((40, 2), np.int32)
    write_segments(tmp_path / "day", [10, part, 200_000, part, 7], HEADER)
    _, samples, gaps = played(tmp_path / "day", 50)
    assert [(g.first, g.n_missing) for g in gaps] == [(0, 10), (50, 200_000), (200_090, 7)]
    assert len(samples) == 200_097


def test_a_stretch_is_a_stream_of_its_own(tmp_path: Path) -> None:
    write_signals(tmp_path / "r", np.arange(300, dtype=np.int32).reshape(150, 2), HEADER)
    items = list(iter_record(tmp_path / "r", 20, ["V5"], 30, 75))
    assert [(c.first, len(c.samples)) for c in items[1:]] == [(0, 20), (20, 20), (40, 5)]
    expected = read_physical(tmp_path / "r", 30, 75, ["V5"])
    np.testing.assert_array_equal(np.concatenate([c.samples for c in items[1:]]), expected)
    assert items[0].signals[0].leads == ("V5",)
    assert items[0].reference.counts_per_unit == (100.0,)
    assert items[0].reference.baseline == (5,)


def test_leads_are_the_ecg_signals_unless_chosen(tmp_path: Path) -> None:
    names = ("RESP", "MLII", "PLETH", "V1")
    header = Header("m", Fraction(125), None, tuple(SignalSpec(n, "", 16) for n in names))
    write_signals(tmp_path / "m", np.zeros((9, 4), np.int32), header)
    opened, _, _ = played(tmp_path / "m")
    assert opened.reference.leads == ("MLII", "V1")
    opened, _, _ = played(tmp_path / "m", channels=["PLETH"])
    assert opened.signals[0].kind is SignalKind.PPG
    with pytest.raises(UsageError, match="is no one signal; choose channels of one kind"):
        played(tmp_path / "m", channels=[1, 2])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ECG", SignalKind.ECG), ("MLII", SignalKind.ECG), ("aVR", SignalKind.ECG),
     ("PLETH", SignalKind.PPG), ("PCG2", SignalKind.PCG), ("ACC_X", SignalKind.ACC),
     ("ABP", None), ("GYR_Z", None), ("RESP", None), ("", SignalKind.ECG)],
)  # fmt: skip
def test_what_a_name_says(name: str, kind: SignalKind | None) -> None:
    assert signal_kind(name) is kind


def test_microvolts_become_millivolts(tmp_path: Path) -> None:
    header = Header("u", Fraction(250), None, (SignalSpec("I", "", 16, 0.5, 0, "uV"),))
    write_signals(tmp_path / "u", np.array([[500]]), header)
    opened, samples, _ = played(tmp_path / "u")
    assert (opened.reference.unit, opened.reference.counts_per_unit) == ("mV", (500.0,))
    assert samples.tolist() == [[1.0]]


def test_several_samples_per_frame_make_a_higher_rate(tmp_path: Path) -> None:
    header = Header("f", Fraction(125), None, (SignalSpec("I", "", 16, samples_per_frame=4),))
    write_signals(tmp_path / "f", np.arange(40).reshape(40, 1), header)
    opened, samples, _ = played(tmp_path / "f", 7, None, 2, 9)
    assert opened.reference.rate_hz == 500
    np.testing.assert_array_equal(samples[:, 0], np.arange(8, 36, dtype=np.float32) / 200)


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Time [s],II,PLETH\n0,0.5,7\n0.004,,7\n0.008,1.5,7\n")
    opened, samples, gaps = played(path, 2)
    assert (opened.model, opened.reference.rate_hz) == ("CSV", 250)
    np.testing.assert_array_equal(samples, np.float32([[0.5], [np.nan], [1.5]]))
    assert [(g.first, g.n_missing) for g in gaps] == [(1, 1)]
    assert opened.reference.counts_per_unit == (10_000.0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_samples": 0}, "take 1 or more"),
        ({"last": 10}, "samples 0 to 10 were asked for; it has 9"),
        ({"fs": 500}, "its header says 250 Hz"),
        ({"channels": ["V9"]}, "no channel 'V9'; choose among 0 II, 1 V5"),
    ],
)
def test_requests_that_make_no_sense(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    write_signals(tmp_path / "r", np.zeros((9, 2), np.int32), HEADER)
    with pytest.raises(UsageError, match=message):
        list(iter_record(tmp_path / "r", **options))


def test_a_record_without_an_ecg(tmp_path: Path) -> None:
    header = Header("r", Fraction(250), None, (SignalSpec("ABP", "", 16, units="mmHg"),))
    write_signals(tmp_path / "r", np.zeros((9, 1), np.int32), header)
    with pytest.raises(UsageError, match=r"no signal is an ECG .* choose a channel \(0 ABP\)"):
        list(iter_record(tmp_path / "r"))


def test_an_empty_record_is_opened_and_ends(tmp_path: Path) -> None:
    write_signals(tmp_path / "r", np.zeros((0, 2), np.int32), HEADER)
    assert len(list(iter_record(tmp_path / "r"))) == 1


@pytest.mark.data
def test_every_archive_can_be_played(data_dir: Path) -> None:
    for folder in sorted(p for p in data_dir.iterdir() if p.is_dir()):
        header = min(folder.rglob("*.hea"), default=None)
        if header is not None:
            record = header.with_suffix("")
            opened, samples, _ = played(record, 997)
            names = list(opened.reference.leads)
            np.testing.assert_array_equal(samples, read_physical(record, channels=names))
