"""The path as a whole: nothing depends on chunks, nothing spans an interruption."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spoilt_signal import flat, spoilt

from edge_runtime.errors import PathError
from edge_runtime.events import QualityLevel
from edge_runtime.signal.observations import (
    BeatsReady,
    GapFound,
    Horizon,
    LeadChanged,
    Observation,
    PeakFound,
    QualityChanged,
)
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.spec import read_spec
from firmware_bridge.stream import (
    Gap,
    GapReason,
    LeadStatus,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
)
from tests import synthetic

SPEC = read_spec()
RATE = 500


def path(rate: Fraction | int = RATE, leads: int = 1, **config: object) -> SignalPath:
    names = ("I", "II", "V1")[:leads]
    return SignalPath(synthetic.opened(rate, names), SPEC, PathConfig(**config))


def run(running: SignalPath, items: Iterable[StreamItem]) -> list[Observation]:
    return [seen for item in items for seen in running.feed(item)] + running.finish()


def peaks(seen: Iterable[Observation]) -> list[int]:
    return [one.at for one in seen if isinstance(one, PeakFound)]


def of_kind(seen: Iterable[Observation], kind: type) -> list:
    return [one for one in seen if isinstance(one, kind)]


@pytest.mark.parametrize("rate", [128, 250, 257, 360, 500, 1000])
def test_finds_every_beat_where_it_is(rate: int) -> None:
    truth = synthetic.steady(75, 0.7, 29)
    x = synthetic.ecg(truth, 30, rate)
    running = path(rate)
    seen = run(running, synthetic.chunks(x, rate * 10))

    found = of_kind(seen, PeakFound)
    assert len(found) == len(truth)
    for peak, r_s in zip(found, truth, strict=True):
        assert abs(peak.at / rate - r_s) < 0.012
        assert 0 < peak.decided - peak.at <= running.latency
    assert running.latency / rate <= 0.4
    beats = of_kind(seen, BeatsReady)
    assert [at for b in beats for at in b.at.tolist()] == [p.at for p in found]
    late = max(int((b.decided - b.at).max()) for b in beats)
    assert late <= running.label_latency <= 0.65 * rate
    assert all(b.block.valid[-1] for b in beats)


@settings(max_examples=15, deadline=None)
@given(
    rate=st.sampled_from([Fraction(128), Fraction(257), Fraction(360), Fraction(500)]),
    seed=st.integers(0, 10**6),
    leads=st.sampled_from([2, 3]),
    companion=st.booleans(),
)
def test_no_chunking_and_no_restart_changes_anything(
    rate: Fraction, seed: int, leads: int, companion: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = spoilt(float(rate), 60, seed, leads)
    n = len(x)
    cut = int(rng.integers(1, n))
    missing = int(rng.integers(1, 4000))
    status_at = int(rng.integers(1, cut + 1))
    between: dict[int, list[StreamItem]] = {
        status_at: [LeadStatus("ecg", SampleIndex(status_at - 1), (False, True, False)[:leads])],
    }
    between.setdefault(cut, []).append(synthetic.gap(cut, missing))

    def items(sizes: Iterable[int]) -> Iterable[StreamItem]:
        at, size = 0, iter(sizes)
        while at < n:
            end = min([at + next(size), n, *(place for place in between if place > at)])
            first = at if at < cut else at + missing
            yield SampleChunk("ecg", SampleIndex(first), x[at:end].copy())
            yield from between.get(end, ())
            at = end

    def sizes() -> Iterable[int]:
        while True:
            yield int(rng.choice([1, 3, 10, 49, 50, 51, 499, 5000]))

    def fresh(batch_s: float = 0.1) -> SignalPath:
        return path(rate, leads, batch_s=batch_s, companion=companion)

    expected = flat(run(fresh(), items(iter(lambda: 10 * RATE, 0))))

    running, seen = fresh(float(rng.choice([0.0, 0.1]))), []
    for item in items(sizes()):
        seen += running.feed(item)
        if rng.random() < 0.02:
            state = running.snapshot()
            running.finish()  # must not reach into the snapshot
            running = fresh()
            running.restore(state)
    seen += running.finish()

    assert flat(seen) == expected
    assert {row[2] for row in expected} & {"beat"}


@pytest.mark.parametrize("sizes", [7, 50, 5000])
def test_observations_come_in_order_of_what_decided_them(sizes: int) -> None:
    seen = run(path(RATE, 2), synthetic.chunks(spoilt(RATE, 60, 3), sizes))
    first, last = 0, -1
    for one in seen:
        decided = one.decided if not isinstance(one, BeatsReady) else int(one.decided[0])
        assert decided >= first if isinstance(one, Horizon) else decided > last or decided >= first
        if isinstance(one, Horizon):
            assert decided > last
            last = first = decided
    horizons = of_kind(seen, Horizon)
    assert all(a.at <= b.at for a, b in pairwise(horizons))


def test_every_peak_before_the_horizon_has_been_told() -> None:
    running = path()
    horizon = 0
    for item in synthetic.chunks(synthetic.ecg(synthetic.steady(100, 0.3, 60), 60, RATE), 37):
        for one in running.feed(item):
            if isinstance(one, PeakFound):
                assert one.at >= horizon
            if isinstance(one, Horizon):
                horizon = one.at
                assert one.decided - one.at <= running.latency


def test_nothing_spans_a_gap() -> None:
    truth = synthetic.steady(75, 0.5, 60)
    x = synthetic.ecg(truth, 60, RATE)
    # Between a beat at 20.5 s and the next: cuts its window off.
    first, n = int(20.7 * RATE), int(3.3 * RATE)
    items = [
        *synthetic.chunks(x[:first], 1000),
        synthetic.gap(first, n),
        *synthetic.chunks(x[first + n :], 1000, first=first + n),
    ]
    running = path()
    seen = run(running, items)

    (gap,) = of_kind(seen, GapFound)
    assert (gap.at, gap.n_missing, gap.decided) == (first, n, first + n - 1)
    found = peaks(seen)
    assert not [p for p in found if first <= p < first + n]
    assert len([p for p in found if p < first - 0.4 * RATE]) == len([t for t in truth if t < 20.3])
    ready = of_kind(seen, BeatsReady)
    valid = {int(a): bool(v) for b in ready for a, v in zip(b.at, b.block.valid, strict=True)}
    assert sorted(valid) == found
    for at, is_valid in valid.items():
        whole = at + running.label_latency < first or at - 0.72 * RATE > first + n
        if at > 2 * RATE and at < 58 * RATE and not is_valid:
            assert not whole
    assert not any(v for a, v in valid.items() if first - 0.5 * RATE < a < first + n + 0.6 * RATE)
    assert np.isnan(running.ring.read(first, first + n)).all()
    assert np.array_equal(running.ring.read(0, first), x[:first])


def test_samples_that_are_no_numbers_are_a_gap_told_while_it_lasts() -> None:
    x = synthetic.ecg(synthetic.steady(75, 0.5, 60), 60, RATE)
    a, b = int(20.7 * RATE), int(24.3 * RATE)
    x[a:b] = [[np.nan], [np.inf]] * ((b - a) // 2)
    seen = run(path(), synthetic.chunks(x, 100))
    told = of_kind(seen, GapFound)
    assert [(g.at, g.at + g.n_missing) for g in told] == [
        (a, 10_500), (10_500, 11_000), (11_000, 11_500), (11_500, 12_000), (12_000, b)
    ]  # fmt: skip
    assert [g.decided for g in told] == [10_499, 10_999, 11_499, 11_999, b]
    assert {g.reason for g in told} == {GapReason.INVALID}
    assert not [p for p in peaks(seen) if a <= p < b]
    assert len(peaks(seen)) > 65


def test_a_flood_of_single_bad_samples_is_told_in_few_words() -> None:
    x = synthetic.ecg(synthetic.steady(75, 0.5, 20), 20, RATE)
    x[10 * RATE : 12 * RATE : 2] = np.nan
    whole = run(path(), synthetic.chunks(x, 20 * RATE))
    assert [(g.at, g.n_missing, g.decided) for g in of_kind(whole, GapFound)] == [
        (5000, 1, 5001), (5002, 249, 5499), (5500, 1, 5501), (5502, 249, 5999)
    ]  # fmt: skip
    for size in (1, 33, 501):
        assert flat(run(path(), synthetic.chunks(x, size))) == flat(whole)


def test_numbers_missing_in_another_lead_do_not_matter() -> None:
    x = synthetic.ecg(synthetic.steady(75, 0.5, 30), 30, RATE, lead_gains=(1, 1))
    without = run(path(leads=2, lead="I"), synthetic.chunks(x))
    x[:, 1] = np.nan
    seen = run(path(leads=2, lead="I"), synthetic.chunks(x))
    assert peaks(seen) == peaks(without)
    assert not of_kind(seen, GapFound)


def test_takes_the_better_lead_after_half_a_minute() -> None:
    truth = synthetic.steady(75, 0.5, 119)
    x = synthetic.ecg(truth, 120, RATE, lead_gains=(1, 1))
    noise = np.random.default_rng(1).normal(0, 1.0, size=(100 * RATE, 1)).astype(np.float32)
    x[20 * RATE :, 1:] += noise
    running = path(leads=2)
    assert running.lead == 1  # named II
    seen = run(running, synthetic.chunks(x, 5000))

    (switch,) = of_kind(seen, LeadChanged)
    assert (switch.lead, running.lead) == (0, 0)
    assert switch.reason == "I has been better than II for 30 s"
    assert 50 * RATE <= switch.at <= 53 * RATE
    assert switch.decided == switch.at - 1
    late = [p / RATE for p in peaks(seen) if p > switch.at + 3 * RATE]
    assert len(late) == len([t for t in truth if t * RATE > switch.at + 3 * RATE])


def test_a_configured_lead_stays() -> None:
    x = synthetic.ecg(synthetic.steady(75, 0.5, 60), 60, RATE, lead_gains=(1, 1))
    x[:, 1] = 0
    for wanted in ("ii", "1", 1):
        running = path(leads=2, lead=wanted)
        assert running.lead == 1
        assert not of_kind(run(running, synthetic.chunks(x)), LeadChanged)
    assert path(leads=2, lead=0).lead == 0
    with pytest.raises(PathError, match=r"no lead 'V9'; this source has 0 \(I\), 1 \(II\)"):
        path(leads=2, lead="V9")


def test_a_flat_line_is_told_and_brings_no_beats() -> None:
    x = synthetic.ecg(synthetic.steady(75, 0.5, 20), 60, RATE)
    x[20 * RATE :] = 0.125
    seen = run(path(), synthetic.chunks(x))
    last = of_kind(seen, QualityChanged)[-1]
    assert (last.level, last.reason) == (QualityLevel.UNUSABLE, "flat line")
    assert last.decided == 22 * RATE - 1
    assert max(peaks(seen)) < 20 * RATE


def off_status(at: int, off: tuple[bool, ...]) -> LeadStatus:
    return LeadStatus("ecg", SampleIndex(at), off)


def test_the_best_other_lead_is_taken_at_once_when_the_device_reports_this_one_off() -> None:
    beats = synthetic.steady(75, 0.5, 19.5)
    x = synthetic.ecg(beats, 20, RATE, lead_gains=(1.0, 1.0, 0.8))
    items: list[StreamItem] = [*synthetic.chunks(x[: 10 * RATE])]
    # I and II come off: V1 is left.  I comes back: no better than V1.  V1 comes off: I again.
    steps = [(10, (True, True, False)), (14, (False, True, False)), (16, (False, True, True))]
    for (at_s, off), until_s in zip(steps, (14, 16, 20), strict=True):
        items.append(off_status(at_s * RATE, off))
        items += synthetic.chunks(x[at_s * RATE : until_s * RATE], first=at_s * RATE)
    seen = run(path(leads=3), items)
    assert [(c.at, c.lead, c.reason) for c in of_kind(seen, LeadChanged)] == [
        (10 * RATE, 2, "II is reported off by the device"),
        (16 * RATE, 0, "V1 is reported off by the device"),
    ]
    # Beside a switch a peak may be overlooked, or a T wave be taken for one.
    found = [p / RATE for p in peaks(seen) if not 9.5 < p / RATE < 11 and not 15.5 < p / RATE < 17]
    clear = [beat for beat in beats if not 9.5 < beat < 11 and not 15.5 < beat < 17]
    assert found == pytest.approx(clear, abs=0.01)


@pytest.mark.parametrize(
    ("config", "off"),
    [({}, (True,)), ({}, (True, True)), ({"lead": "II"}, (False, True)), ({}, (True, False))],
)
def test_the_lead_stays_where_none_is_left_or_it_was_chosen_or_another_is_off(
    config: dict[str, object], off: tuple[bool, ...]
) -> None:
    seen = path(leads=len(off), **config).feed(off_status(0, off))
    assert not of_kind(seen, LeadChanged)


def test_electrodes_off_are_told_at_once() -> None:
    running = path(leads=2)
    for chunk in synthetic.chunks(np.zeros((30, 2), np.float32), 30):
        running.feed(chunk)
    told = running.feed(LeadStatus("ecg", SampleIndex(12), (True, False)))
    assert of_kind(told, QualityChanged) == [
        QualityChanged(12, 30, 0, QualityLevel.LEAD_OFF, "reported off by the device")
    ]


def test_microvolts_and_millivolts_give_the_same() -> None:
    x = synthetic.ecg(synthetic.steady(75, 0.5, 20), 20, RATE)

    def seen_in(unit: str, scale: float) -> list[int]:
        info = SignalInfo(
            "ecg", SignalKind.ECG, unit, Fraction(RATE), ("I",), (1000.0 / scale,), (0,)
        )
        opened = StreamOpened("s", "f", "m", "1", synthetic.opened().loss, (info,))
        chunks = synthetic.chunks((x * scale).astype(np.float32))
        return peaks(run(SignalPath(opened, SPEC), chunks))

    assert seen_in("uV", 1000) == seen_in("mV", 1)
    with pytest.raises(PathError, match="ECG in 'mmHg'"):
        seen_in("mmHg", 1)


def test_refuses_what_is_out_of_sequence_or_of_another_shape() -> None:
    running = path()
    running.feed(SampleChunk("ecg", SampleIndex(700), np.zeros((10, 1), np.float32)))
    with pytest.raises(PathError, match="stands at 710"):
        running.feed(SampleChunk("ecg", SampleIndex(711), np.zeros((10, 1), np.float32)))
    with pytest.raises(PathError, match="stands at 710"):
        running.feed(synthetic.gap(700, 10))
    with pytest.raises(PathError, match="announced were 1 leads"):
        running.feed(SampleChunk("ecg", SampleIndex(710), np.zeros((10, 2), np.float32)))


def test_other_signals_and_items_say_nothing() -> None:
    running = path()
    assert running.feed(Tick(SampleIndex(500))) == []
    assert running.feed(Gap("ppg", SampleIndex(0), 5, True, GapReason.RECONNECT)) == []
    assert running.finish() == []


@pytest.mark.parametrize("sizes", [10 * RATE, 180 * RATE])
def test_an_inverted_lead_is_told_once(sizes: int) -> None:
    x = synthetic.ecg(synthetic.steady(75, 0.5, 180), 180, RATE)
    told = of_kind(run(path(lead="I"), synthetic.chunks(-x, sizes)), QualityChanged)
    assert [(c.level, c.reason) for c in told] == [
        (QualityLevel.GOOD, ""),
        (QualityLevel.GOOD, "P, QRS and T point down; electrodes may be swapped"),
    ]
    # After 96 beats with whole windows; the first one or two have none.
    assert 76 * RATE < told[1].at < 80 * RATE
    assert 0 < told[1].decided - told[1].at <= path().label_latency
    upright = of_kind(run(path(lead="I"), synthetic.chunks(x, sizes)), QualityChanged)
    assert [c.reason for c in upright] == [""]


def test_inversion_survives_restarts_and_is_not_looked_for_where_it_is_normal() -> None:
    x = -synthetic.ecg(synthetic.steady(75, 0.5, 120), 120, RATE, lead_gains=(1, 1, 1))
    expected = flat(run(path(leads=3, lead="I"), synthetic.chunks(x, 60 * RATE)))
    running, seen = path(leads=3, lead="I"), []
    for chunk in synthetic.chunks(x, 3 * RATE + 1):
        seen += running.feed(chunk)
        state = running.snapshot()
        running = path(leads=3, lead="I")
        running.restore(state)
    seen += running.finish()
    assert flat(seen) == expected
    told = of_kind(run(path(leads=3, lead="V1"), synthetic.chunks(x)), QualityChanged)
    assert {c.reason for c in told} == {""}
