"""What is told of good and bad leads, when, and that chunks do not matter."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.events import QualityLevel
from edge_runtime.signal.observations import QualityChanged
from edge_runtime.signal.quality import LEVELS, QualityMeter
from tests import synthetic

GOOD, USABLE, UNUSABLE, LEAD_OFF = QualityLevel
RATE = 500


def clean(seconds: int = 30, rate: int = RATE, leads: int = 1) -> np.ndarray:
    beats = synthetic.steady(72, 0.5, seconds)
    return synthetic.ecg(beats, seconds, rate, lead_gains=(1.0,) * leads).astype(np.float64)


def meter(leads: int = 1, rate: Fraction | int = RATE, mains: int | None = 50) -> QualityMeter:
    return QualityMeter(Fraction(rate), (0.001,) * leads, mains)


def story(x: np.ndarray, rate: int = RATE) -> list[tuple[int, QualityLevel, str]]:
    changes = meter(rate=rate).feed(0, x).changes
    return [(round(c.at / rate), c.level, c.reason) for c in changes]


@pytest.mark.parametrize("rate", [125, 250, 360, 500, 1000])
def test_a_clean_lead_is_good(rate: int) -> None:
    assert story(clean(rate=rate), rate) == [(0, GOOD, "")]


@pytest.mark.parametrize(
    ("spoil", "level", "reason"),
    [
        (lambda x: np.full_like(x, -3.2), UNUSABLE, "flat line"),
        (lambda x: np.full_like(x, np.nan), UNUSABLE, "invalid samples"),
        (lambda x: np.where(np.arange(len(x)) % 50 == 0, np.nan, x.T).T, USABLE, "invalid samples"),
        (lambda x: np.clip(x * 8 + 2, None, 2.8), UNUSABLE, "saturated"),
        (lambda x: x * 20, UNUSABLE, "amplitude out of range"),
        (lambda x: x + 0.06 * noise(x), USABLE, "noise"),
        (lambda x: x + 0.2 * noise(x), UNUSABLE, "noise"),
        (lambda x: x + 4 * wave(x, 0.9), USABLE, "baseline wander"),
        (lambda x: x + 5.5 * wave(x, 0.9), UNUSABLE, "baseline wander"),
    ],
)
def test_each_fault_is_named_where_it_begins_and_ends(spoil, level, reason) -> None:
    x = clean(30)
    x[10 * RATE : 20 * RATE] = spoil(x[10 * RATE : 20 * RATE])
    told = story(x)
    assert told[0] == (0, GOOD, "")
    assert told[-1][1] == GOOD
    assert 20 <= told[-1][0] <= 22
    assert (level, reason) in [(level, reason) for _, level, reason in told]
    assert 9 <= told[1][0] <= 14


@pytest.mark.parametrize("mv", [0.03, 0.06, 0.15, 0.5, 2.0])
def test_more_noise_is_never_called_better(mv: float) -> None:
    worst = []
    for gain in (1.0, 2.0):
        x = clean(30)
        x[10 * RATE : 20 * RATE] += gain * mv * noise(x[10 * RATE : 20 * RATE])
        worst.append(max(LEVELS.index(level) for _, level, _ in story(x)))
    assert worst[0] <= worst[1]


def noise(x: np.ndarray) -> np.ndarray:
    return np.random.default_rng(5).normal(size=x.shape)


def wave(x: np.ndarray, hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(len(x)) / RATE)[:, None]


def test_mains_hum_that_the_notch_takes_away_is_no_noise() -> None:
    x = clean() + 0.3 * np.sin(2 * np.pi * 50 * np.arange(30 * RATE) / RATE)[:, None]
    assert [c.level for c in meter(mains=50).feed(0, x).changes] == [GOOD]
    assert [c.level for c in meter(mains=None).feed(0, x).changes] == [UNUSABLE]


def test_a_wide_flutter_wave_is_no_fault() -> None:
    # Ventricular flutter looks like this; quality must not call it noise.
    x = 0.8 * wave(np.zeros((20 * RATE, 1)), 4.5)
    assert story(x) == [(0, GOOD, "")]


def shrunk(share: float, start: int = 20, end: int = 60, duration: int = 60) -> np.ndarray:
    x = clean(duration)
    x[start * RATE : end * RATE] *= share
    return x


@pytest.mark.parametrize(("share", "told"), [(0.1, True), (0.38, True), (0.42, False), (3, False)])
def test_a_sudden_loss_of_amplitude_is_told_within_two_seconds(share, told) -> None:
    changes = meter().feed(0, shrunk(share)).changes[1:]
    if not told:
        assert changes == []
        return
    first = changes[0]
    assert (first.at, first.decided) == (20 * RATE, 22 * RATE - 1)
    assert (first.level, first.reason) == (USABLE, "amplitude collapsed")


def test_what_stays_small_is_good_again_after_a_while() -> None:
    told = story(shrunk(0.2))[1:]
    assert [(level, reason) for _, level, reason in told] == [
        (USABLE, "amplitude collapsed"),
        (GOOD, ""),
    ]
    assert 35 <= told[1][0] <= 45


def test_a_collapse_is_told_of_its_own_lead_alone() -> None:
    x = np.hstack([shrunk(0.1, duration=30), clean(30)])
    changes = meter(2).feed(0, x).changes
    assert [c.lead for c in changes if c.reason] == [0]


def test_artefact_leaves_no_high_water_mark() -> None:
    x = clean(60)
    x[10 * RATE : 40 * RATE] += 20 * wave(x[: 30 * RATE], 3)
    assert {reason for _, _, reason in story(x)} == {"", "amplitude out of range"}


def test_an_electrode_put_on_anew_may_show_another_amplitude() -> None:
    running, x = meter(), shrunk(0.1)
    running.feed(0, x[: 20 * RATE])
    running.electrodes((True,), 20 * RATE, 20 * RATE)
    running.electrodes((False,), 20 * RATE, 20 * RATE)
    changes = running.feed(20 * RATE, x[20 * RATE :]).changes
    assert [(c.level, c.reason) for c in changes] == [(GOOD, "")]


def test_one_bad_second_changes_nothing() -> None:
    x = clean()
    x[10 * RATE : 11 * RATE] += 20 * wave(x[:RATE], 3)
    assert story(x) == [(0, GOOD, "")]


def test_a_change_is_decided_with_the_second_that_settles_it() -> None:
    x = clean()
    x[10 * RATE : 20 * RATE] = 0
    changes = meter().feed(0, x).changes
    assert [(c.at, c.decided) for c in changes] == [
        (0, 2 * RATE - 1),
        (10 * RATE, 12 * RATE - 1),
        (20 * RATE, 25 * RATE - 1),
    ]


def test_only_the_device_takes_lead_off_back() -> None:
    x = clean(30, leads=2)
    running = meter(2)
    running.feed(0, x[: 10 * RATE])
    assert running.electrodes((False, True), 4990, 5000) == [
        QualityChanged(4990, 5000, 1, LEAD_OFF, "reported off by the device")
    ]
    assert running.electrodes((False, True), 5100, 5100) == []
    assert running.feed(5000, x[5000:10_000]).changes == []
    assert running.ranks() == (0, 3)
    (back,) = running.electrodes((False, False), 10_000, 10_000)
    assert (back.lead, back.level) == (1, UNUSABLE)
    (better,) = running.feed(10_000, x[10_000:]).changes
    assert (better.lead, better.level, better.decided) == (1, GOOD, 25 * RATE - 1)


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([Fraction(128), Fraction(360), Fraction(500), Fraction(1000, 3)]),
    start=st.integers(0, 10**6),
    data=st.data(),
)
def test_chunks_and_restarts_do_not_matter(rate, start, data) -> None:
    rng = np.random.default_rng(start)
    n = int(rate * 40)
    x = np.tile(clean(40, leads=2)[:n], 1)[:n]
    for _ in range(4):
        a = int(rng.integers(0, n))
        x[a : a + int(rate * 5)] += rng.choice([0.05, 0.3, 5.0, np.nan]) * rng.normal(
            size=x[a : a + int(rate * 5)].shape
        )
    x[int(rate * 22) : int(rate * 30)] *= 0.15
    cut = data.draw(st.integers(1, n - 1), label="gap")
    missing = data.draw(st.integers(1, 3000))
    runs = [(start, x[:cut]), (start + cut + missing, x[cut:])]

    whole = meter(2, rate)
    expected = [whole.feed(first, part) for first, part in runs]

    running, got = meter(2, rate), []
    for first, part in runs:
        at = 0
        while at < len(part):
            size = int(rng.choice([1, 7, 50, 400, 4000]))
            got.append(running.feed(first + at, part[at : at + size]))
            at += size
            if rng.random() < 0.1:
                state = running.snapshot()
                running = meter(2, rate)
                running.restore(state)

    assert [c for a in got for c in a.changes] == [c for a in expected for c in a.changes]
    for name in ("ranks", "ends"):
        assert np.array_equal(
            np.concatenate([getattr(a, name) for a in got]),
            np.concatenate([getattr(a, name) for a in expected]),
        )
