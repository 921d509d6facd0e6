"""The R-peak detector on signals whose truth is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import PathError
from edge_runtime.signal.held_peaks import HeldPeaks
from edge_runtime.signal.qrs import Peaks, QrsDetector
from edge_runtime.signal.qrs_constants import QrsConstants, shipped_constants
from edge_runtime.signal.windows import WINDOW_AFTER

RATE_HZ = 250


def beat_train(
    r_at: np.ndarray, n: int, *, r_mv: float = 1.0, t_mv: float = 0.25, width_s: float = 0.012
) -> np.ndarray:
    """Conditioned ECG: a P wave, a QRS and a T wave, each a Gaussian, for every R in `r_at`."""
    waves = (
        (-0.16, 0.025, 0.12 * r_mv),
        (-0.028, width_s, -0.12 * r_mv),
        (0.0, width_s, r_mv),
        (0.03, width_s, -0.25 * r_mv),
        (0.28, 0.05, t_mv),
    )
    t = np.arange(n) / RATE_HZ
    x = np.zeros(n)
    for r in r_at / RATE_HZ:
        near = slice(max(0, int((r - 0.4) * RATE_HZ)), int((r + 0.6) * RATE_HZ))
        for offset, sigma, height in waves:
            x[near] += height * np.exp(-0.5 * ((t[near] - r - offset) / sigma) ** 2)
    return x


def regular(rate_bpm: float, seconds: float) -> np.ndarray:
    step = 60.0 / rate_bpm * RATE_HZ
    return np.arange(RATE_HZ, seconds * RATE_HZ - RATE_HZ, step).astype(np.int64)


def noise_mv(n: int, rms_mv: float, seed: int = 0) -> np.ndarray:
    """White noise after a 40 Hz low-pass (moving mean of 4)."""
    white = np.random.default_rng(seed).normal(size=n + 3)
    smooth = white[:-3] + white[1:-2] + white[2:-1] + white[3:]
    return smooth * (rms_mv / 2.0)


def detect(
    x: np.ndarray,
    block: int = 2500,
    detector: QrsDetector | None = None,
    *,
    everything: bool = False,
) -> Peaks:
    """Firm peaks, or `everything`."""
    detector = detector or QrsDetector()
    parts = [detector.process(x[i : i + block]) for i in range(0, len(x), block)]
    found = Peaks.join(parts)
    return found if everything else found.firm()


def missed_and_extra(found: np.ndarray, truth: np.ndarray, tolerance: int) -> tuple[int, int]:
    near = np.abs(found[:, None] - truth[None, :]) <= tolerance
    return int((~near.any(axis=0)).sum()), int((~near.any(axis=1)).sum())


def with_ectopy(seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Irregular narrow beats, every seventh wide and inverted, with noise; and their R."""
    rng = np.random.default_rng(seed)
    r_at = np.cumsum(rng.uniform(0.55, 0.95, int(seconds / 0.75)) * RATE_HZ).astype(np.int64)
    n = int(seconds * RATE_HZ)
    r_at = r_at[(r_at > RATE_HZ) & (r_at < n - RATE_HZ)]
    x = beat_train(np.delete(r_at, np.s_[::7]), n)
    x += beat_train(r_at[::7], n, r_mv=-1.4, t_mv=0.4, width_s=0.03)
    return x + noise_mv(n, 0.03, seed), r_at


SIGNAL, SIGNAL_R = with_ectopy(40.0, seed=3)
EAGER = replace(shipped_constants(), tentative_threshold=-1e6)
"""Every place that is no firm peak is a tentative one."""


def test_every_beat_is_found_once_and_at_its_peak() -> None:
    found = detect(SIGNAL).at
    known = SIGNAL_R[0] - 25  # before the first beat, noise is the largest thing ever seen
    missed, extra = missed_and_extra(found[found > known], SIGNAL_R, tolerance=4)
    assert (missed, extra) == (0, 0)


@pytest.mark.parametrize("rate_bpm", [30, 60, 120, 180, 240])
def test_rates(rate_bpm: float) -> None:
    r_at = regular(rate_bpm, 30)
    x = beat_train(r_at, 30 * RATE_HZ, t_mv=0.1 if rate_bpm > 150 else 0.25)
    missed, extra = missed_and_extra(detect(x).at[3:], r_at[4:], tolerance=4)
    assert missed == 0
    assert extra <= 1  # the first beats teach the rhythm


@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0, -1.0])
def test_any_gain_and_either_polarity(gain: float) -> None:
    found = detect(gain * SIGNAL).at
    learnt = SIGNAL_R[1] - 25  # before the first beat, size means nothing
    missed, extra = missed_and_extra(found[found > learnt], SIGNAL_R[1:], tolerance=6)
    assert (missed, extra) == (0, 0)


def test_decisions_come_in_order_and_in_time() -> None:
    peaks = detect(SIGNAL)
    latency = peaks.decided - peaks.at
    assert (np.diff(peaks.at) > 0).all()
    assert (np.diff(peaks.decided) > 0).all()
    assert latency.min() >= 0
    assert latency.max() <= QrsDetector.max_latency <= 85


def test_a_peak_is_out_when_its_sample_has_come_and_not_before() -> None:
    expected = detect(SIGNAL[:3000], detector=QrsDetector(EAGER), everything=True)
    detector = QrsDetector(EAGER)
    for i in range(3000):
        peaks = detector.process(SIGNAL[i : i + 1])
        assert (peaks.decided == i).all()
        assert np.array_equal(peaks.at, expected.at[expected.decided == i])
        assert np.array_equal(peaks.tentative, expected.tentative[expected.decided == i])


def test_the_horizon_never_lies() -> None:
    detector = QrsDetector()
    for i in range(0, 5000, 17):
        before = detector.horizon
        peaks = detector.process(SIGNAL[i : i + 17])
        assert (peaks.firm().at >= before).all()
        assert detector.horizon >= before
    assert detector.horizon >= 5000 - QrsDetector.max_latency


chunk_lengths = st.lists(
    st.one_of(st.integers(1, 12), st.integers(1, 300), st.integers(1, 2500)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(
    lengths=chunk_lengths,
    gap=st.tuples(st.integers(0, 4000), st.integers(0, 3000)),
    restart=st.integers(0, 60),
)
def test_chunks_and_restarts_change_nothing(
    lengths: list[int], gap: tuple[int, int], restart: int
) -> None:
    """Bit for bit: peaks, decisions, horizon and everything learnt, across a gap."""
    at_gap, missing = gap
    x = SIGNAL[: at_gap + sum(lengths)]

    whole = QrsDetector(EAGER)
    first = whole.process(x[:at_gap])
    whole.skip(missing)
    second = whole.process(x[at_gap:])

    stops = {*np.minimum(np.cumsum(lengths), len(x)).tolist(), at_gap, len(x)}
    pieces = QrsDetector(EAGER)
    found: list[Peaks] = []
    start = 0
    for turn, stop in enumerate(sorted(stops)):
        found.append(pieces.process(x[start:stop]))
        start = stop
        if stop == at_gap:
            pieces.skip(missing)
        if turn == restart:
            state = json.loads(json.dumps(pieces.snapshot()))
            pieces = QrsDetector(EAGER)
            pieces.restore(state)

    at = np.concatenate([peaks.at for peaks in found])
    decided = np.concatenate([peaks.decided for peaks in found])
    assert np.array_equal(at, np.concatenate((first.at, second.at)))
    assert np.array_equal(decided, np.concatenate((first.decided, second.decided)))
    tentative = np.concatenate([peaks.tentative for peaks in found])
    assert np.array_equal(tentative, np.concatenate((first.tentative, second.tentative)))
    assert pieces.horizon == whole.horizon
    assert pieces.snapshot() == whole.snapshot()


def test_tentative_peaks_change_no_firm_one() -> None:
    alone = detect(SIGNAL, detector=QrsDetector(replace(EAGER, tentative_threshold=0.0)))
    among = detect(SIGNAL, detector=QrsDetector(EAGER))
    assert np.array_equal(alone.at, among.at)
    assert np.array_equal(alone.decided, among.decided)


def test_tentative_peaks_keep_away_from_every_other_and_come_before_their_window_ends() -> None:
    found = detect(SIGNAL, detector=QrsDetector(EAGER), everything=True)
    assert found.tentative.sum() > 20
    assert np.diff(found.by_place().at).min() >= EAGER.refractory
    assert (np.diff(found.decided) >= 0).all()
    late = (found.decided - found.at)[found.tentative]
    assert late.max() < WINDOW_AFTER - 1


def test_a_beat_too_small_to_be_firm_is_tentative() -> None:
    r_at = regular(75, 30)
    odd = int(r_at[20]) - 90
    x = beat_train(np.delete(r_at, 20), 30 * RATE_HZ)
    x += beat_train(np.array([odd]), 30 * RATE_HZ, r_mv=0.18)
    found = detect(x, everything=True, detector=QrsDetector(EAGER))
    near = np.abs(found.at - odd) <= 4
    assert found.tentative[near].tolist() == [True]


def test_of_two_close_tentative_peaks_the_better_stays() -> None:
    held = HeldPeaks(refractory=50, max_latency=80)
    held.hold(100, -2.0)
    held.hold(140, -3.0)
    held.hold(145, -1.0)
    assert held.release() == [(145, 145 + 129, True)]


def test_a_firm_peak_ends_the_tentative_ones_around_it() -> None:
    held = HeldPeaks(refractory=50, max_latency=80)
    held.hold(100, -1.0)
    held.hold(160, -1.0)
    held.drop_near(209)
    assert held.release(now=229) == []
    assert held.release(now=230) == [(100, 229, True)]
    assert held.release() == []


@pytest.mark.parametrize("level_mv", [0.0, 5.0])
def test_a_flat_line_has_no_beats(level_mv: float) -> None:
    assert len(detect(np.full(60 * RATE_HZ, level_mv))) == 0


@pytest.mark.parametrize("rms_mv", [0.005, 0.015])
def test_after_beats_a_noisy_flat_line_stays_silent(rms_mv: float) -> None:
    n = 90 * RATE_HZ
    r_at = regular(75, 30)
    x = beat_train(r_at, n) + noise_mv(n, rms_mv)
    found = detect(x).at
    assert (found > r_at[-1] + 25).sum() == 0


def test_p_waves_alone_are_no_beats() -> None:
    """Ventricular standstill: P waves go on after the last QRS and must not hide it."""
    n = 40 * RATE_HZ
    r_at = regular(75, 20)
    x = beat_train(r_at, n) + noise_mv(n, 0.005)
    t = np.arange(n) / RATE_HZ
    for p_s in np.arange(20.0, 39.0, 0.8):
        x += 0.12 * np.exp(-0.5 * ((t - p_s) / 0.025) ** 2)
    assert (detect(x).at > r_at[-1] + 25).sum() == 0


@pytest.mark.parametrize("gain", [0.5, 0.25])
def test_beats_are_found_again_after_the_gain_drops(gain: float) -> None:
    n = 60 * RATE_HZ
    r_at = regular(75, 60)
    x = beat_train(r_at, n)
    x[30 * RATE_HZ :] *= gain
    found = detect(x).at
    late = int(r_at[r_at > 38 * RATE_HZ][0]) - 25
    assert missed_and_extra(found[found > late], r_at[r_at > late], tolerance=4) == (0, 0)


def test_a_step_is_no_beat_twice() -> None:
    """A lead that jumps by 5 mV costs at most one extra beat, and none later."""
    n = 40 * RATE_HZ
    r_at = regular(75, 40)
    x = beat_train(r_at, n)
    jump = int(r_at[20]) + 100
    x[jump:] += 5.0 * np.exp(-np.arange(n - jump) / (0.3 * RATE_HZ))  # after a 0.5 Hz high-pass
    missed, extra = missed_and_extra(detect(x).at, r_at, tolerance=4)
    assert extra <= 1
    assert missed <= 1


def test_no_peak_and_no_interval_span_a_gap() -> None:
    detector = QrsDetector()
    first = detector.process(SIGNAL[:4000]).firm()
    detector.skip(1000)
    assert detector.horizon == 5000
    second = detector.process(SIGNAL[4000:8000]).firm()
    assert first.at.max() < 4000
    assert second.at.min() >= 5000
    truth = SIGNAL_R[(SIGNAL_R >= 4030) & (SIGNAL_R < 7900)] + 1000
    missed, extra = missed_and_extra(second.at[second.at < 8900], truth, tolerance=4)
    assert (missed, extra) == (0, 0)


def test_the_last_beat_is_found_when_the_signal_ends() -> None:
    r_at = regular(75, 30)
    x = beat_train(r_at, 30 * RATE_HZ)[: int(r_at[-1]) + 12]
    detector = QrsDetector()
    found = detector.process(x).firm().at
    rest = detector.finish().firm()
    assert found[-1] < r_at[-1] - 25
    assert abs(int(rest.at[-1]) - int(r_at[-1])) <= 4
    assert rest.at[-1] < len(x)
    assert detector.horizon == len(x)
    assert len(detector.finish()) == 0


def test_what_was_learnt_survives_a_gap() -> None:
    """The first beat after a gap is found at once, though P and T stand beside it."""
    r_at = regular(75, 30)
    x = beat_train(r_at, 30 * RATE_HZ)
    detector = QrsDetector()
    detector.process(x[:5000])
    detector.skip(12)
    cut = int(r_at[(r_at > 5000)][0]) - 40
    found = detector.process(x[cut : cut + 1000]).firm().at - 5012 + cut
    truth = r_at[(r_at >= cut) & (r_at < cut + 900)]
    assert missed_and_extra(found[found < cut + 900], truth, tolerance=4) == (0, 0)


def test_no_shape_is_refused_for_good() -> None:
    """Whatever the score thinks of a lead, its largest places become beats after a silence."""
    shipped = shipped_constants()
    sceptic = QrsConstants(np.zeros_like(shipped.hidden), np.full_like(shipped.output, -3.0))
    r_at = regular(75, 60)
    found = detect(beat_train(r_at, 60 * RATE_HZ), detector=QrsDetector(sceptic)).at
    assert np.diff(found).max() <= 7 * RATE_HZ
    assert np.diff(found).min() >= 4 * RATE_HZ  # an asystole alarm is never prevented
    assert missed_and_extra(found, r_at, tolerance=4)[1] == 0


def test_constants_survive_a_round_trip() -> None:
    constants = shipped_constants()
    again = QrsConstants.from_toml(constants.to_toml())
    assert np.array_equal(again.hidden, constants.hidden)
    assert np.array_equal(again.output, constants.output)
    assert again.to_toml() == constants.to_toml()


def test_constants_for_other_features_are_refused() -> None:
    text = shipped_constants().to_toml().replace('"size"', '"girth"', 1)
    with pytest.raises(PathError, match="other features"):
        QrsConstants.from_toml(text)


def test_a_tentative_peak_never_scores_more_than_a_firm_one() -> None:
    with pytest.raises(PathError, match="tentative_threshold"):
        replace(shipped_constants(), tentative_threshold=0.5)


@pytest.mark.parametrize("shape", [(10, 2), ()])
def test_one_lead_only(shape: tuple[int, ...]) -> None:
    with pytest.raises(PathError, match="one lead"):
        QrsDetector().process(np.zeros(shape))


def test_a_gap_has_a_length() -> None:
    with pytest.raises(PathError, match="gap"):
        QrsDetector().skip(-1)
