"""Leads that change places or turn over while worn are noticed; all else is not."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.engine import Engine
from edge_runtime.events import Notice
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.signal.exchange import Exchange, ExchangeWatch
from firmware_bridge.stream import SampleChunk, SampleIndex
from tests.synthetic import opened, steady

RATE = 250
SECONDS = 240
Leads = NDArray[np.float64]


def three_leads(seed: int = 1) -> tuple[Leads, NDArray[np.int64]]:
    """Beats that look different on each of three leads (n, 3), and where they are."""
    random = np.random.default_rng(seed)
    peaks = np.rint(np.array(steady(75, 0.5, SECONDS)) * RATE).astype(np.int64)
    at_s = np.arange(-0.25, 0.4, 1 / RATE)

    def wave(centre_s: float, width_s: float) -> NDArray[np.float64]:
        return np.exp(-0.5 * ((at_s - centre_s) / width_s) ** 2)

    shapes = np.stack(
        [
            wave(0, 0.01) + 0.15 * wave(-0.16, 0.02) + 0.3 * wave(0.25, 0.04),
            0.4 * wave(-0.02, 0.01) - 0.9 * wave(0.02, 0.012) + 0.4 * wave(0.22, 0.05),
            0.5 * wave(0.01, 0.03) - 0.3 * wave(-0.16, 0.02) - 0.5 * wave(0.25, 0.04),
        ],
        axis=1,
    )
    signal = 0.02 * random.normal(size=(SECONDS * RATE, 3))
    for peak in peaks.tolist():
        first = peak - round(0.25 * RATE)
        if first >= 0 and first + len(shapes) <= len(signal):
            signal[first : first + len(shapes)] += shapes * random.normal(1, 0.05)
    return signal, peaks


def watched(signal: Leads, peaks: NDArray[np.int64], chunk: int) -> list[Exchange]:
    watch = ExchangeWatch(Fraction(RATE), signal.shape[1])
    told: list[Exchange] = []
    done = 0
    for first in range(0, len(signal), chunk):
        part = signal[first : first + chunk]
        watch.feed(first, part)
        ready = int(np.searchsorted(peaks, first + len(part) - round(0.7 * RATE)))
        told += watch.observe(peaks[done:ready], np.ones(ready - done, bool))
        done = max(done, ready)
    return told


def pairs(told: list[Exchange]) -> list[tuple[int, int | None]]:
    return [(one.lead, one.other) for one in told]


HALF = SECONDS * RATE // 2


def exchanged(signal: Leads, order: list[int]) -> Leads:
    return np.concatenate([signal[:HALF], signal[HALF:, order]])


@pytest.mark.parametrize("chunk", [25, 250, SECONDS * RATE])
def test_two_leads_that_change_places_are_named_however_samples_come(chunk: int) -> None:
    signal, peaks = three_leads()
    assert pairs(watched(exchanged(signal, [1, 0, 2]), peaks, chunk)) == [(0, 1)]


def test_a_lead_that_is_turned_over_is_named() -> None:
    signal, peaks = three_leads()
    signal[HALF:, 2] *= -1
    assert pairs(watched(signal, peaks, 250)) == [(2, None)]


def test_arm_electrodes_that_change_places_turn_one_lead_and_exchange_two() -> None:
    # I becomes -I, II becomes III, III becomes II.
    signal, peaks = three_leads()
    signal = exchanged(signal, [0, 2, 1])
    signal[HALF:, 0] *= -1
    assert sorted(pairs(watched(signal, peaks, 250)), key=str) == [(0, None), (1, 2)]


def with_noise(signal: Leads) -> Leads:
    signal[HALF:] += np.random.default_rng(2).normal(size=(len(signal) - HALF, 3))
    return signal


def without_numbers(signal: Leads) -> Leads:
    signal[HALF : HALF + 20 * RATE, 1] = np.nan
    return signal


def weaker(signal: Leads) -> Leads:
    signal[HALF:] *= [0.3, 0.5, 2.0]
    return signal


@pytest.mark.parametrize("change", [lambda x: x, with_noise, without_numbers, weaker])
def test_nothing_is_said_of_what_is_no_exchange(change: Callable[[Leads], Leads]) -> None:
    signal, peaks = three_leads()
    assert watched(change(signal), peaks, 250) == []


def test_leads_that_look_alike_cannot_be_told_apart() -> None:
    signal, peaks = three_leads()
    signal[:, 1] = 0.8 * signal[:, 0]
    assert watched(exchanged(signal, [1, 0, 2]), peaks, 250) == []


def test_a_hole_begins_anew_and_the_shapes_before_it_are_remembered() -> None:
    signal, peaks = three_leads()
    watch = ExchangeWatch(Fraction(RATE), 3)
    watch.feed(0, signal[:HALF])
    first = peaks[(peaks > RATE) & (peaks < HALF - RATE)]
    assert list(watch.observe(first, np.ones(len(first), bool))) == []
    hole = 60 * RATE
    watch.feed(HALF + hole, signal[HALF:, [1, 0, 2]])
    later = peaks[(peaks > HALF + RATE) & (peaks < len(signal) - RATE)] + hole
    assert pairs(list(watch.observe(later, np.ones(len(later), bool)))) == [(0, 1)]


def test_a_person_is_told_which_cables_to_look_at() -> None:
    signal, _ = three_leads()
    signal = exchanged(signal, [1, 0, 2])
    stream = opened(Fraction(RATE), leads=("I", "II", "V2"))
    engine = Engine.of_bundles(stream, load_bundle_set())
    told = []
    for first in range(0, len(signal), RATE):
        chunk = SampleChunk("ecg", SampleIndex(first), signal[first : first + RATE].astype("f4"))
        told += [e for e in engine.feed(chunk) if isinstance(e, Notice)]
        if first == HALF + 10 * RATE:  # a restart forgets nothing
            fresh = Engine.of_bundles(stream, load_bundle_set())
            fresh.restore(engine.snapshot())
            engine = fresh
    (notice,) = [one for one in told if one.code == "exchanged_leads"]
    assert "lead I looks as lead II did" in notice.message
    assert notice.at > HALF
