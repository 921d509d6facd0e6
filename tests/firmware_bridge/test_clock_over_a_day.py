"""The clock fit over a simulated day of a strap with a poor clock, a drift and a jittery link."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from firmware_bridge.clock import ClockFit, ClockFitter, SteadyClock
from firmware_bridge.stream import ClockAnchor, SampleIndex

RATE_HZ = 130
NS = 1_000_000_000
DELAY_NS = 30_000_000
JITTER_NS = 45_000_000
DRIFT = 50e-6
REFIT_EVERY = 10
"""As `edge_runtime.publication` does it."""


def errors_ns(hours: float, rate_error: float, seed: int) -> Iterator[tuple[float, float]]:
    """For each second: error of the stamp, and its distance from that of the sample before.

    An anchor a second, each up to three times `JITTER_NS` late (the positive half of a normal
    distribution); the rate wanders by `DRIFT` either way within a day.
    """
    rng = np.random.default_rng(seed)
    seconds = np.arange(int(hours * 3600))
    pace = 1 + rate_error + DRIFT * np.sin(2 * np.pi * seconds / 86_400)
    true_ns = np.concatenate(([0.0], np.cumsum(pace[:-1]))) * NS
    arrived_ns = true_ns + DELAY_NS + np.abs(rng.normal(0, JITTER_NS, len(seconds)))
    fitter = ClockFitter(Fraction(RATE_HZ))
    clock = SteadyClock(ClockFit(float(DELAY_NS), float(RATE_HZ), 0.0, 0.0))
    for second in seconds.tolist():
        index = second * RATE_HZ
        fitter.add(ClockAnchor(SampleIndex(index), None, int(arrived_ns[second])))
        last_ns = clock.host_ns(SampleIndex(index - 1))
        if second < REFIT_EVERY or second % REFIT_EVERY == 0:
            fit = fitter.fit()
            assert fit is not None
            clock.follow(fit, SampleIndex(index))
        stamp_ns = clock.host_ns(SampleIndex(index))
        yield stamp_ns - true_ns[second], stamp_ns - last_ns


@pytest.mark.parametrize("rate_error", [0.01, -0.01])
@pytest.mark.parametrize(
    "hours", [1.5, pytest.param(24, marks=pytest.mark.slow)], ids=["90 min", "24 h"]
)
def test_stamps_stay_within_four_milliseconds_and_never_go_back(
    hours: float, rate_error: float
) -> None:
    error_ns, step_ns = np.array(list(errors_ns(hours, rate_error, seed=1))).T
    settled = error_ns[60:] - np.median(error_ns[60:])
    assert np.percentile(np.abs(settled), 95) <= 4e6
    assert (step_ns > 0).all()
