"""The Holter summary: by hand, by numpy, and by an archive's own annotations."""

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.holter import Holter, HolterBeat, HolterSession, Span, holter
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb

RATE = 100
START_MS = 1_790_000_000_000 // 3_600_000 * 3_600_000
"""On the hour."""


def of(end: int, rate_hz: int = RATE, rhythms: tuple[str, ...] = ()) -> HolterSession:
    return HolterSession("s", "chest", Fraction(rate_hz), START_MS, end, rhythms)


def beats(
    labels: str, rr_s: float | list[float] = 0.8, holes: tuple[int, ...] = (), start_s: float = 0.0
) -> list[HolterBeat]:
    """One beat a letter ('.': none), RR as given; before those in `holes` the RR is not known."""
    steps = [rr_s] * len(labels) if isinstance(rr_s, float) else rr_s
    made, at_s = [], start_s
    for number, (label, step) in enumerate(zip(labels, steps, strict=True)):
        at_s += step if number else 0.0
        known = step if number and number not in holes else None
        at, utc_ms = round(at_s * RATE), START_MS + round(at_s * 1000)
        made.append(HolterBeat(at, utc_ms, known, 60 / step, label.replace(".", "")))
    return made


def summed(made: list[HolterBeat], *lost: Span, end: int | None = None) -> Holter:
    return holter(of(end or made[-1].at + RATE), made, lost, ())


@pytest.mark.parametrize(
    ("labels", "singles", "couplets", "runs"),
    [
        ("NNVNN", 1, 0, 0),
        ("NVVN", 2, 1, 0),
        ("NVVVN", 3, 0, 1),
        ("VVNVVVVNVV", 8, 2, 1),
        ("NVFVN", 2, 0, 0),
        ("NV.VN", 2, 0, 0),
        ("NVQVN", 2, 0, 0),
        ("VV", 2, 1, 0),
    ],
)
def test_ectopy_in_a_row(labels: str, singles: int, couplets: int, runs: int) -> None:
    found = summed(beats(labels)).figures
    assert found.ventricular == singles
    assert (found.ventricular_couplets, found.ventricular_runs) == (couplets, runs)
    atrial = summed(beats(labels.replace("V", "S"))).figures
    assert (atrial.supraventricular_couplets, atrial.supraventricular_runs) == (couplets, runs)


def test_a_hole_ends_a_row() -> None:
    found = summed(beats("NVVVVN", holes=(3,))).figures
    assert (found.ventricular_couplets, found.ventricular_runs) == (2, 0)


def test_pauses_begin_above_two_seconds_and_holes_are_none() -> None:
    made = beats("NNNNN", [0.8, 2.0, 2.01, 3.5, 5.0], holes=(4,))
    found = summed(made).figures
    assert (found.pauses, found.longest_rr_s) == (2, 3.5)


def test_variability_is_that_of_numpy_over_normal_intervals_alone() -> None:
    rng = np.random.default_rng(3)
    n = 3000
    labels = "".join(rng.choice(list("NNNNNNNNVS"), n))
    rr = np.round(rng.uniform(0.25, 2.2, n), 3)
    holes = tuple(int(k) for k in rng.choice(np.arange(1, n), 100, replace=False))
    found = summed(beats(labels, list(rr), holes)).figures
    is_nn = np.array(
        [
            k > 0 and labels[k] == labels[k - 1] == "N" and k not in holes and 0.3 <= rr[k] <= 2.0
            for k in range(n)
        ]
    )
    steps = [rr[k] - rr[k - 1] for k in range(1, n) if is_nn[k] and is_nn[k - 1]]
    assert found.sdnn_ms == pytest.approx(1000 * np.std(rr[is_nn], ddof=1), abs=0.06)
    assert found.rmssd_ms == pytest.approx(1000 * np.sqrt(np.mean(np.square(steps))), abs=0.06)
    known = np.array([k > 0 and k not in holes for k in range(n)])
    assert found.mean_bpm == pytest.approx(60 / rr[known].mean(), abs=0.06)


def test_hours_and_days_add_up_to_the_whole() -> None:
    made = beats("NNNNNNNV" * 1000, 0.9, start_s=1800.0)
    end = made[-1].at + RATE
    lost = [Span(3500 * RATE, 3700 * RATE, START_MS + 3_500_000)]
    found = holter(of(end), made, lost, (), timezone(timedelta(hours=5, minutes=30)))
    hours = [hour for day in found.days for hour in day.hours]
    assert found.started.endswith("+05:30")
    assert all(hour.time[14:16] == "00" for hour in hours)
    for name in ("beats", "ventricular", "analysed_s", "lost_s", "pauses"):
        whole = getattr(found.figures, name)
        assert sum(getattr(one.figures, name) for one in hours) == pytest.approx(whole)
        assert sum(getattr(one.figures, name) for one in found.days) == pytest.approx(whole)
    assert found.figures.lost_s == 200
    assert found.figures.analysed_s == pytest.approx(end / RATE - 200)
    assert found.figures.ventricular_per_h == pytest.approx(
        1000 / found.figures.analysed_s * 3600, abs=0.01
    )


def test_af_is_not_looked_for_absent_or_a_share_of_the_analysed_time() -> None:
    made = beats("N" * 100)
    end = 1000 * RATE
    nobody = holter(of(end), made, (), ()).figures
    assert (nobody.af_s, nobody.af_burden) == (None, None)
    none = holter(of(end, rhythms=("AFIB",)), made, (), ()).figures
    assert (none.af_s, none.af_burden) == (0.0, 0.0)
    lost = [Span(0, 500 * RATE, START_MS)]
    some = [Span(600 * RATE, 700 * RATE, START_MS + 600_000)]
    found = holter(of(end), made, lost, some)
    assert (found.figures.af_s, found.figures.af_burden) == (100.0, 0.2)
    assert [(one.kind, one.value) for one in found.moments if "af" in one.kind] == [
        ("af_onset_s", 100.0)
    ]


def test_places_worth_a_look() -> None:
    rr = [0.8] * 12
    rr[4], rr[9] = 2.5, 3.0
    found = summed(beats("NNNNNVVNVVVN", rr))
    places = {one.kind: one for one in found.moments}
    assert places["longest_pause_s"].value == 3.0
    assert places["longest_ventricular_run_beats"].value == 3
    assert places["longest_ventricular_couplet_beats"].value == 2
    run = places["longest_ventricular_run_beats"]
    first, last = beats("NNNNNVVNVVVN", rr)[8].at, beats("NNNNNVVNVVVN", rr)[10].at
    assert (run.from_s, run.to_s) == pytest.approx((first / RATE - 5, last / RATE + 5))
    assert places["lowest_bpm"].value == pytest.approx(20)


def test_nothing_is_told_of_nothing() -> None:
    found = holter(of(0), (), (), ())
    assert found.days == []
    assert found.moments == []
    figures = found.figures
    assert (figures.beats, figures.mean_bpm, figures.sdnn_ms, figures.ventricular_per_h) == (
        0,
        None,
        None,
        None,
    )


def test_hours_take_no_more_memory_than_one() -> None:
    def many(n: int) -> Iterator[HolterBeat]:
        for k in range(n):
            label = "V" if k % 50 == 0 else "N"
            yield HolterBeat(k * 80, START_MS + k * 800, 0.8 + k % 7 * 0.01, 75.0, label)

    def peak(n: int) -> int:
        tracemalloc.start()
        holter(of(n * 80), many(n), (), ())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < peak(4000) + 100_000


AAMI = {"N": "NLRejB", "S": "AaJSn", "V": "VE", "F": "F", "Q": "/fQ"}


@pytest.mark.data
@pytest.mark.parametrize("record", ["106", "119", "208", "232"])
def test_an_archive_s_annotations_counted_by_numpy(record: str, data_dir: Path) -> None:
    notes = ask_wfdb("rdann", str(data_dir / "mitdb" / record), "atr")
    labels = {symbol: label for label, symbols in AAMI.items() for symbol in symbols}
    kept = [
        (int(at), labels[symbol])
        for at, symbol in zip(notes.sample, notes.symbol, strict=True)
        if symbol in labels
    ]
    at, classes = zip(*kept, strict=True)
    rr = np.diff(at) / 360
    made = [
        HolterBeat(
            a, START_MS + a * 1000 // 360, None if k == 0 else float(rr[k - 1]), None, classes[k]
        )
        for k, a in enumerate(at)
    ]
    found = holter(of(650_000, 360), made, (), ()).figures
    for label, count in (("V", found.ventricular), ("S", found.supraventricular)):
        assert count == classes.count(label)
    is_v = np.array([0, *(one == "V" for one in classes), 0])
    edges = np.flatnonzero(np.diff(is_v))
    lengths = edges[1::2] - edges[::2]
    assert found.ventricular_couplets == int((lengths == 2).sum())
    assert found.ventricular_runs == int((lengths >= 3).sum())
    assert found.pauses == int((rr > 2).sum())
    assert found.longest_rr_s == pytest.approx(rr.max(), abs=6e-4)
    nn = [
        gap
        for gap, (one, two) in zip(rr, pairwise(classes), strict=True)
        if one == two == "N" and 0.3 <= gap <= 2.0
    ]
    assert found.sdnn_ms == pytest.approx(1000 * np.std(nn, ddof=1), abs=0.06)
    assert found.analysed_s == pytest.approx(650_000 / 360, abs=0.01)
    assert holter(of(650_000, 360), made, (), (), UTC).days[0].hours[0].figures.beats == len(made)
