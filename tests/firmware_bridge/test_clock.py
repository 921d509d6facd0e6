"""The clock fit against sensors whose true error is known."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from firmware_bridge.clock import ClockFit, ClockFitter, SteadyClock
from firmware_bridge.stream import ClockAnchor, SampleIndex

NS = 1_000_000_000
RATE = Fraction(500)


def fitter(minutes: float, ppm: float, jitter_ms: float, seed: int = 0) -> ClockFitter:
    """A sensor `ppm` slow whose packets arrive up to `jitter_ms` (exponential) late."""
    rng = np.random.default_rng(seed)
    fit = ClockFitter(RATE)
    for second in range(int(minutes * 60)):
        true_ns = second * NS * (1 + ppm / 1e6)
        late_ns = rng.exponential(jitter_ms * 1e6)
        fit.add(ClockAnchor(SampleIndex(second * 500), None, int(true_ns + late_ns)))
    return fit


@pytest.mark.parametrize("ppm", [-20_000, -200, 0, 35, 200, 20_000])
def test_the_rate_error_is_found_through_jitter(ppm: float) -> None:
    fit = fitter(20, ppm, jitter_ms=20).fit()
    assert fit is not None
    assert fit.rate_error_ppm == pytest.approx(ppm, abs=5)
    true_ns = 600 * NS * (1 + ppm / 1e6)
    assert abs(fit.host_ns(SampleIndex(300_000)) - true_ns) < 10e6


def test_jitter_is_measured() -> None:
    fit = fitter(20, 0, jitter_ms=20).fit()
    assert fit is not None
    assert 5e6 < fit.jitter_ns < 20e6


def test_a_short_stream_is_taken_at_its_nominal_rate() -> None:
    fit = fitter(0.3, 5000, jitter_ms=1).fit()
    assert fit is not None
    assert fit.rate_error == 0


def test_nothing_is_known_before_the_first_anchor() -> None:
    assert ClockFitter(RATE).fit() is None


def test_one_late_stretch_does_not_tilt_the_line() -> None:
    fit = fitter(20, 50, jitter_ms=5)
    for second in range(1200, 1260):  # a minute of half-second delays, as under load
        fit.add(ClockAnchor(SampleIndex(second * 500), None, int(second * NS * 1.00005 + NS / 2)))
    found = fit.fit()
    assert found is not None
    assert found.rate_error_ppm == pytest.approx(50, abs=10)


def test_restart_forgets() -> None:
    fit = fitter(5, 100, jitter_ms=1)
    fit.restart()
    assert fit.fit() is None


def test_a_clock_that_must_go_back_slows_down_instead() -> None:
    def fit(zero_ns: float) -> ClockFit:
        return ClockFit(zero_ns, float(RATE), 0.0, 0.0)

    clock = SteadyClock(fit(2e9))
    clock.follow(fit(-2e9), SampleIndex(5000))
    times = [clock.host_ns(SampleIndex(k)) for k in range(4000, 12_000, 10)]
    assert all(b > a for a, b in pairwise(times))
    assert clock.host_ns(SampleIndex(5000)) == 12 * NS
    assert clock.host_ns(SampleIndex(9000)) == 16 * NS  # 8 s of 4 to catch up in
    clock.follow(fit(8e9), SampleIndex(9000))
    assert clock.host_ns(SampleIndex(9000)) == 26 * NS
