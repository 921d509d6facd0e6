"""Measures of the rhythm: what made-up rhythms read; chunks and snapshots change no bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.signal.features import FEATURES, NEUTRAL
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.rhythm import JUDGED_S, RHYTHM_FEATURES, RhythmMeter
from edge_runtime.signal.rhythm_evidence import EVIDENCE, RhythmEvidence
from edge_runtime.signal.windows import LENGTH, WINDOW_AFTER

RATE = 250
COLUMN = {spec.name: number for number, spec in enumerate(FEATURES)}


def beats(at: np.ndarray, *, tentative: np.ndarray | None = None, gap_at: int = -1) -> BeatBlock:
    """Beats of which only the times differ; the first and that at `gap_at` have no known RR."""
    features = np.tile(NEUTRAL, (len(at), 1)).astype(np.float32)
    features[:, COLUMN["rr_known"]] = 1.0
    features[:, COLUMN["shape_known"]] = 1.0
    features[[0, max(gap_at, 0)], COLUMN["rr_known"]] = 0.0
    shapes = np.zeros((len(at), LENGTH), np.float32)
    doubt = np.zeros(len(at), np.bool_) if tentative is None else tentative
    valid, unit_mv = np.ones(len(at), np.bool_), np.ones(len(at), np.float32)
    return BeatBlock(at, shapes, shapes.copy(), features, valid, doubt, unit_mv)


def told(rr_s: list[float], span: str = "minute") -> dict[str, float]:
    """Measures of a span, just behind the last beat of these intervals."""
    at = np.round(np.cumsum([10.0, *rr_s]) * RATE).astype(np.int64)
    evidence = RhythmEvidence()
    evidence.add(beats(at))
    hop = np.array([at[-1] + WINDOW_AFTER])
    row = evidence.at(hop)[0].tolist()
    return {n.partition("/")[0]: v for n, v in zip(EVIDENCE, row, strict=True) if n.endswith(span)}


def test_a_regular_heart_changes_nothing() -> None:
    found = told([0.8] * 80)
    assert found["beats"] == pytest.approx(75 / 60)
    assert found["change"] == found["rr_spread"] == found["turn"] == 0.0
    assert found["pairs_alike"] == found["second_alike"] == 1.0


def test_bigeminy_repeats_at_the_second_interval_and_turns_at_each() -> None:
    found = told([0.6, 1.0] * 40)
    assert found["change_above_0.25"] == found["turn"] == found["second_alike"] == 1.0
    assert found["third_alike"] == 0.0
    assert found["nearest_unlike"] == 0.0


def test_fibrillation_repeats_nothing() -> None:
    random = np.random.default_rng(1)
    found = told(random.uniform(0.45, 1.1, 90).tolist())
    assert found["change_above_0.06"] > 0.8
    assert found["pairs_alike"] < 0.3
    assert found["second_alike"] < 0.3


def test_a_span_holds_the_beats_within_it_alone() -> None:
    rr = [0.5] * 40 + [1.0] * 30
    assert told(rr, "now")["beats"] == pytest.approx(1.0)
    assert told(rr, "half")["rr"] == pytest.approx(np.log(1.0 / 0.8), abs=1e-3)
    assert told(rr, "middle")["change"] == 0.0
    assert told(rr, "minute")["change"] > 0.0


def test_no_interval_spans_a_gap() -> None:
    at = np.arange(20, dtype=np.int64) * 200 + 1000
    at[10:] += 5000
    evidence = RhythmEvidence()
    evidence.add(beats(at, gap_at=10))
    row = evidence.at(np.array([at[-1] + WINDOW_AFTER]))[0]
    found = dict(zip(EVIDENCE, row.tolist(), strict=True))
    assert found["change/minute"] == 0.0
    assert found["intervals/minute"] == pytest.approx(18 / 60)


def test_tentative_peaks_only_count_as_such() -> None:
    at = np.arange(0, 6000, 100, dtype=np.int64)
    evidence = RhythmEvidence()
    evidence.add(beats(at, tentative=np.arange(len(at)) % 2 == 1))
    row = evidence.at(np.array([at[-2] + WINDOW_AFTER]))[0]
    found = dict(zip(EVIDENCE, row.tolist(), strict=True))
    assert found["change/minute"] == 0.0
    assert found["tentative/minute"] == pytest.approx(29 / 30, abs=0.01)


def test_nothing_known_reads_zero() -> None:
    assert not RhythmEvidence().at(np.array([5000, 5250])).any()


def played(cuts: list[int], snapshots: bool) -> tuple[np.ndarray, np.ndarray]:
    """Hops of a signal with a beat every 0.7 to 0.9 s, taken in pieces of these lengths."""
    random = np.random.default_rng(5)
    n = 40 * RATE
    x = random.normal(0.0, 0.1, n)
    at = np.cumsum(random.integers(175, 225, 60)).astype(np.int64)
    meter = RhythmMeter()
    meter.start(0)
    ats, rows, begun, told, every = [], [], 0, 0, beats(at)
    for cut in [*np.cumsum(cuts).tolist(), n]:
        end = min(cut, n)
        ready = int(np.searchsorted(at + WINDOW_AFTER, end, side="right"))
        columns = (getattr(every, name)[told:ready] for name in BeatBlock.__slots__)
        block = meter.process(x[begun:end], BeatBlock(*columns) if ready > told else None)
        begun, told = end, ready
        if block is not None:
            ats.append(block.at)
            rows.append(block.features)
        if snapshots:
            state, meter = meter.snapshot(), RhythmMeter()
            meter.restore(state)
    return np.concatenate(ats), np.concatenate(rows)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 3000), max_size=12), st.booleans())
def test_chunks_and_snapshots_change_no_bit(cuts: list[int], snapshots: bool) -> None:
    whole, found = played([], snapshots=False), played(cuts, snapshots)
    assert np.array_equal(whole[0], found[0])
    assert np.array_equal(whole[1], found[1])


def test_hops_are_whole_seconds_from_ten_on() -> None:
    at, rows = played([], snapshots=False)
    assert at.tolist() == list(range(10 * RATE, 40 * RATE + 1, RATE))
    assert rows.shape == (31, len(RHYTHM_FEATURES))
    assert rows[:, -1].all()
    assert JUDGED_S == 15
