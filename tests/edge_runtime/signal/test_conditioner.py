"""Chunk invariance, timing, start-up, frequency response."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_runtime.errors import PathError
from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.spec import read_spec

SPEC = read_spec()
RATES = [100, 125, 128, 130, 250, 257, 360, 500, 512, 1000, Fraction(1000, 3), Fraction(25013, 100)]
rates = st.sampled_from([Fraction(rate) for rate in RATES])


def noise(n: int, leads: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(n).normal(2.0, 0.5, size=(n, leads)).astype(np.float32)


def conditioner(
    rate: Fraction | int, leads: int = 1, mains: int | None = 50, at: int = 0
) -> Conditioner:
    return Conditioner(SPEC, Fraction(rate), leads, mains, at)


@settings(max_examples=60, deadline=None)
@given(rate=rates, at=st.integers(0, 10**10), data=st.data())
def test_any_chunking_and_restart_gives_the_same_bits(rate, at, data) -> None:
    n = int(rate * 12)
    x = noise(n, leads=2)
    whole = conditioner(rate, 2, at=at).process(x)
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=12)))
    # A run of single samples somewhere among the larger pieces.
    single = data.draw(st.integers(0, n - 30))
    cuts = sorted({*cuts, *range(single + 1, single + 30)})
    restart = data.draw(st.sampled_from(cuts))

    parts, running = [], conditioner(rate, 2, at=at)
    for a, b in zip([0, *cuts], [*cuts, n], strict=True):
        if a == restart:
            state = running.snapshot()
            running.process(noise(50, 2))  # must not reach into the snapshot
            running = conditioner(rate, 2)
            running.restore(state)
        parts.append(running.process(x[a:b]))
        clock = running.timeline
        done = max(clock.contract_index(at), clock.contract_end(running.position))
        assert running.next_output == done

    assert np.array_equal(np.concatenate(parts), whole)
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("rate", RATES)
def test_an_r_wave_is_found_where_it_was(rate) -> None:
    for place in np.linspace(3.0, 3.5, 9):
        at = round(place * float(rate))
        time = (np.arange(int(rate * 6)) - at) / float(rate)
        wave = np.exp(-0.5 * (time / 0.012) ** 2).astype(np.float32)[:, None]
        running = conditioner(rate, at=1_000_003)

        y = running.process(wave)[:, 0]

        top = int(y.argmax()) + running.timeline.contract_index(1_000_003)
        error_s = (running.timeline.source_index(top) - at - 1_000_003) / float(rate)
        assert abs(error_s) <= 0.5 / 250 + 1 / float(rate)
        assert 0.75 < y.max() < 1.0


@pytest.mark.parametrize("rate", RATES)
def test_nothing_later_than_the_decided_index_is_read(rate) -> None:
    x = noise(int(rate * 2))
    running = conditioner(rate)
    timeline = running.timeline
    done = 0
    for index, sample in enumerate(x):
        for contract in range(done, done + len(running.process(sample[None]))):
            assert timeline.decided_index(contract) == index
            done = contract + 1
    assert timeline.delay_s < 0.06
    numbers = np.arange(5000)
    assert timeline.source_indices(numbers).tolist() == [
        timeline.source_index(int(n)) for n in numbers
    ]
    assert timeline.decided_indices(numbers).tolist() == [
        timeline.decided_index(int(n)) for n in numbers
    ]


@pytest.mark.parametrize("rate", RATES)
def test_an_offset_gives_no_transient(rate) -> None:
    y = conditioner(rate).process(np.full((int(rate * 3), 1), 312.5, np.float32))
    assert np.abs(y).max() < 1e-9


def gain(rate: Fraction | int, hz: float, mains: int | None = None) -> float:
    time = np.arange(int(rate * 20)) / float(rate)
    x = np.sin(2 * np.pi * hz * time).astype(np.float32)[:, None]
    y = conditioner(rate, mains=mains).process(x)[2500:, 0]
    return float(np.sqrt(2 * np.mean(y**2)))


@pytest.mark.parametrize("rate", RATES)
def test_pass_band(rate) -> None:
    for hz in (2, 5, 10, 20):
        assert gain(rate, hz) == pytest.approx(1.0, abs=0.04)
    assert gain(rate, 0.15) < 0.1
    assert gain(rate, 35) == pytest.approx(0.86, abs=0.06)


@pytest.mark.parametrize(("rate", "hz"), [(500, 240), (500, 215), (1000, 490), (1000, 251)])
def test_no_alias(rate, hz) -> None:
    assert gain(rate, hz) < 0.01


@pytest.mark.parametrize("mains", [50, 60])
def test_notch(mains) -> None:
    assert gain(500, mains, mains) < 0.01
    assert gain(500, mains + 0.2, mains) < 0.1
    assert gain(500, mains, None) > 0.1
    assert gain(500, 30, mains) == pytest.approx(gain(500, 30), abs=0.1)


def test_a_gap_starts_anew_on_the_same_clock() -> None:
    x = noise(2000)
    running = conditioner(360)
    running.process(x[:999])
    running.reset(at=5003)
    assert running.next_output == running.timeline.contract_index(5003)

    after = running.process(x[999:])

    fresh = conditioner(360, at=5003)
    assert np.array_equal(after, fresh.process(x[999:]))
    assert running.position == 5003 + 1001


@pytest.mark.parametrize("rate", [99, 1001, Fraction(360_001, 1000) / Fraction(7, 3)])
def test_refuses_unsupported_rates(rate) -> None:
    with pytest.raises(PathError, match="Hz"):
        conditioner(rate)


def test_refuses_unknown_mains_and_shapes() -> None:
    with pytest.raises(PathError, match="50, 60, or none"):
        conditioner(500, mains=55)
    with pytest.raises(PathError, match="shape"):
        conditioner(500).process(noise(10, leads=2))
