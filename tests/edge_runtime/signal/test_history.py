"""BeatHistory: the same bits in any blocks, and features that mean what they say."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import CLIP, BeatBlock, BeatHistory
from edge_runtime.signal.windows import LENGTH, WINDOW
from tests.edge_runtime.signal.plain_beats import COLUMN, beat, column, feed, rhythm

PARTS = ("at", "window", "template", "features", "valid", "tentative")


def premature_ventricular():
    return beat(qrs=-1.6, p=0.0, t=0.5, width=16.0)


def assert_same(one, other):
    for part in PARTS:
        assert getattr(one, part).tobytes() == getattr(other, part).tobytes(), part


@st.composite
def recordings(draw):
    """Beats of two morphologies with noise, unreadable windows and odd intervals, and breaks."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k = draw(st.integers(1, 90))
    kinds = np.stack([beat(), premature_ventricular(), beat(qrs=0.1, p=0, t=0)])
    windows = kinds[rng.choice(3, size=k, p=[0.8, 0.15, 0.05])]
    windows = windows + rng.normal(size=windows.shape) * draw(st.sampled_from([0.0, 0.03, 1.0]))
    windows[rng.random(k) < 0.05] = np.nan
    windows[rng.random(k) < 0.02] = 0.0
    at = 200 + np.cumsum(rng.integers(40, 500, k))
    breaks = np.sort(at[rng.random(k) < 0.05] - rng.integers(0, 30))
    tentative = rng.random(k) < draw(st.sampled_from([0.0, 0.1, 0.7]))
    return windows, at, [int(b) for b in breaks], tentative


def play(history, recording, cuts, restart_after=()):
    """Feed a recording cut before the beats `cuts`; breaks are told as late as allowed."""
    windows, at, breaks, tentative = recording
    pending, blocks = list(breaks), []
    starts = {0, *(c for c in cuts if c < len(at))}
    starts |= {int(np.searchsorted(at, b)) for b in breaks if b <= at[-1]}
    bounds = [*sorted(starts), len(at)]
    for start, stop in pairwise(bounds):
        while pending and pending[0] <= at[start]:
            history.break_at(pending.pop(0))
        part = slice(start, stop)
        blocks.append(history.observe_block(windows[part], at[part], tentative[part]))
        if start in restart_after:
            state = history.snapshot()
            history = BeatHistory()
            history.restore(state)
    return BeatBlock.join(blocks)


@settings(max_examples=40, deadline=None)
@given(recordings(), st.data())
def test_blocks_and_restarts_do_not_matter(recording, data):
    k = len(recording[1])
    whole = play(BeatHistory(), recording, ())
    single = play(BeatHistory(), recording, range(k))
    cuts = data.draw(st.lists(st.integers(0, k - 1), max_size=8))
    torn = play(BeatHistory(), recording, cuts, restart_after=cuts)
    assert_same(whole, single)
    assert_same(whole, torn)
    assert np.isfinite(whole.features).all()
    assert np.abs(whole.window).max() <= CLIP


@settings(max_examples=10, deadline=None)
@given(recordings())
def test_breaks_may_be_told_ahead(recording):
    windows, at, breaks, tentative = recording
    ahead = BeatHistory()
    for index in breaks:
        ahead.break_at(index)
    whole = feed(ahead, windows, at, tentative=np.flatnonzero(tentative))
    assert_same(whole, play(BeatHistory(), recording, range(len(at))))


def observed(intervals, windows=None):
    return feed(BeatHistory(), *rhythm(intervals, windows))


def test_first_beat_knows_only_itself():
    block = observed([])
    known = {spec.name: column(block, spec.name)[0] for spec in FEATURES if spec.unit == "known"}
    assert known.pop("shape_known") == 1
    assert set(known.values()) == {0}
    assert not block.template.any()
    assert np.ptp(block.window[0]) == pytest.approx(1, abs=0.1)
    neutral = {"width", "slope", "shape_known"}
    for spec in FEATURES:
        if spec.name not in neutral:
            assert column(block, spec.name)[0] == np.float32(spec.neutral), spec.name


def test_steady_rhythm_is_all_alike():
    block = observed([200] * 100)
    settled = block.features[60:]
    for name in ("rr_to_prev", "rr_to_mean_10", "rr_to_q90_300", "change_1", "spread_60"):
        assert np.abs(settled[:, COLUMN[name]]).max() < 1e-6, name
    assert settled[:, COLUMN["rr"]] == pytest.approx(0.0, abs=1e-4)  # 200 samples are 0.8 s
    for name in ("beat_like_template", "qrs_like_prev", "p_coherence"):
        assert settled[:, COLUMN[name]].min() > 0.9, name
    assert settled[:, COLUMN["p_in_beat"]] == pytest.approx(1, abs=0.3)
    assert settled[:, COLUMN["dominant"]].all()
    assert np.abs(block.template[99] - block.window[99]).max() < 0.06


def test_rate_does_not_change_ratios():
    slow, fast = (observed(np.array([20, 21, 19, 20, 14, 26] * 12) * n) for n in (8, 16))
    names = [s.name for s in FEATURES if s.name.startswith("rr_to_")]
    for name in names:
        assert column(slow, name) == pytest.approx(column(fast, name), abs=1e-3), name


def test_ventricular_bigeminy_keeps_the_beat_on_time_as_template():
    kinds = np.stack([beat(), premature_ventricular()])
    windows = kinds[np.arange(121) % 2]
    block = observed([130, 270] * 60, windows)
    normal, ectopic = block.features[60::2], block.features[61::2]
    assert normal[:, COLUMN["dominant"]].all()
    assert not ectopic[:, COLUMN["dominant"]].any()
    assert ectopic[:, COLUMN["early_unlike"]].min() > 5 * normal[:, COLUMN["early_unlike"]].max()
    # Strict alternation: large from beat to beat, none to the next but one.
    assert block.features[80:, COLUMN["change_1"]].min() > 0.5
    assert block.features[80:, COLUMN["change_2"]].max() < 1e-6
    assert (block.features[80:, COLUMN["turning_points"]] == 1).all()


def test_bigeminy_from_the_first_beat_on():
    kinds = np.stack([premature_ventricular(), beat()])
    block = observed([270, 130] * 60, kinds[np.arange(121) % 2])
    assert block.features[61::2, COLUMN["dominant"]].all()


def test_fibrillation_is_irregular_and_has_no_p():
    rng = np.random.default_rng(5)
    windows = np.repeat(beat(p=0)[None], 121, axis=0)
    time = np.arange(WINDOW) / 250
    waves = rng.uniform(0, 2 * np.pi, (121, 1)) + 2 * np.pi * 6 * time
    fibrillating = observed(rng.integers(110, 260, 120), windows + 0.06 * np.sin(waves))
    sinus = observed(rng.integers(195, 206, 120))
    for name, factor in (("change_1", 5), ("change_2", 5), ("change_3", 5), ("spread_60", 5)):
        assert column(fibrillating, name)[60:].min() > factor * column(sinus, name)[60:].max(), name
    assert column(fibrillating, "p_coherence")[60:].mean() < 0.3
    assert column(sinus, "p_coherence")[60:].min() > 0.9


def test_pause_is_late_and_forgotten_by_quantiles():
    block = observed([200] * 40 + [600] + [200] * 40)
    late = column(block, "rr_to_q50_60")
    assert late[41] == pytest.approx(np.log(3), abs=1e-3)
    assert np.abs(np.delete(late, 41)).max() < 1e-6


def test_gap_hides_only_the_interval_across_it():
    windows, at = rhythm([200] * 40)
    at = at + np.where(np.arange(41) >= 30, 50_000, 0)
    history = BeatHistory()
    history.break_at(int(at[30]) - 100)
    block = feed(history, windows, at)
    known = column(block, "rr_known")
    assert known[30] == 0
    assert known[[29, 31]].all()
    assert column(block, "prev_shape_known")[30] == 0
    assert list(column(block, "rr_prev_known")[29:33]) == [1, 0, 0, 1]
    assert np.abs(column(block, "rr_to_mean_300")).max() < 1e-6
    # The template survived and says how old it is.
    assert column(block, "dominant")[30] == 1
    assert column(block, "template_age")[30] > 0.7
    assert column(block, "template_age")[31] < 0.05


def test_new_morphology_takes_over_within_a_minute_of_a_gap():
    windows, at = rhythm([200] * 700)
    windows[600:] = premature_ventricular()
    at = at + np.where(np.arange(701) >= 600, 50_000, 0)
    history = BeatHistory()
    history.break_at(int(at[600]) - 100)
    dominant = column(feed(history, windows, at), "dominant")
    assert not dominant[602]
    assert dominant[660:].all()


def test_a_run_does_not_take_the_template():
    kinds = np.stack([beat(), premature_ventricular()])
    which = np.zeros(121, dtype=int)
    which[90:110] = 1
    intervals = np.full(120, 200)
    intervals[89:109] = 90
    dominant = column(observed(intervals, kinds[which]), "dominant")
    assert not dominant[90:110].any()
    assert dominant[110:].all()


def test_artefacts_do_not_split_the_sure_intervals():
    windows, at = rhythm([200] * 60)
    extra = 0.15 * np.sin(np.arange(WINDOW) * 0.9)  # low and unlike, between beats 40 and 41
    windows = np.insert(windows, 41, extra, axis=0)
    at = np.insert(at, 41, at[40] + 110)
    block = feed(BeatHistory(), windows, at)
    assert column(block, "prev_doubtful")[42] == 1
    assert column(block, "rr_to_q50_60")[42] < -0.5
    assert column(block, "sure_rr_to_q50_60")[42] == pytest.approx(0, abs=1e-6)
    assert column(block, "sure_rr_to_rr")[42] > 0.5


def test_unreadable_beat_keeps_its_interval_and_hides_its_shape():
    windows, at = rhythm([200] * 30)
    windows[20] = np.nan
    windows[25] = 0.0
    block = feed(BeatHistory(), windows, at)
    assert list(np.flatnonzero(~block.valid)) == [20, 25]
    assert not block.window[[20, 25]].any()
    assert column(block, "rr_known")[20:22].all()
    assert column(block, "prev_shape_known")[21] == 0
    assert np.isfinite(block.features).all()


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-3, 1e3, 1e12, 1e300, np.inf, np.nan])
@pytest.mark.parametrize("count", [1, 40])
def test_extreme_amplitudes_stay_finite(scale, count):
    windows, at = rhythm([200] * (count - 1))
    with np.errstate(invalid="ignore"):
        windows = windows * scale
    block = feed(BeatHistory(), windows, at)
    for part in ("window", "template", "features"):
        assert np.isfinite(getattr(block, part)).all()


def test_constant_and_sudden_jumps_of_amplitude_stay_finite():
    windows, at = rhythm([200] * 60)
    windows[::3] *= 1e6
    windows[1::7] = 5.0
    block = feed(BeatHistory(), windows, at)
    assert np.isfinite(block.features).all()
    assert np.abs(block.window).max() <= CLIP


def test_amplitude_of_the_lead_does_not_matter():
    windows, at = rhythm([200] * 60)
    one, other = (feed(BeatHistory(), windows * gain, at) for gain in (1.0, 0.25))
    np.testing.assert_allclose(one.features, other.features, atol=1e-5)
    np.testing.assert_allclose(one.window, other.window, atol=1e-6)


def test_switching_leads_forgets_shapes_and_keeps_intervals():
    windows, at = rhythm([200] * 40)
    history = BeatHistory()
    feed(history, windows[:30], at[:30])
    history.forget_shapes()
    block = feed(history, -windows[30:], at[30:])
    assert not block.template[0].any()
    assert column(block, "rr_known").all()
    assert column(block, "rr_count")[0] > 0.4
    assert column(block, "prev_shape_known")[0] == 0


def test_snapshot_is_arrays_that_survive_a_file():
    windows, at = rhythm([200, 190, 210] * 20)
    history, restored = BeatHistory(), BeatHistory()
    feed(history, windows[:40], at[:40])
    history.break_at(int(at[50]) - 5)
    file = io.BytesIO()
    np.savez(file, **history.snapshot())
    file.seek(0)
    with np.load(file) as state:
        restored.restore(dict(state))
    assert_same(feed(history, windows[40:], at[40:]), feed(restored, windows[40:], at[40:]))


def test_snapshot_does_not_change_with_what_follows():
    windows, at = rhythm([200, 190, 210] * 20)
    history = BeatHistory()
    feed(history, windows[:40], at[:40])
    state = history.snapshot()
    before = {name: array.copy() for name, array in state.items()}
    feed(history, windows[40:], at[40:])
    for name, array in state.items():
        assert np.array_equal(array, before[name]), name


def test_nothing_follows_from_no_beats():
    history = BeatHistory()
    block = history.observe_block(np.zeros((0, WINDOW)), np.zeros(0, np.int64), np.zeros(0, bool))
    assert len(block) == 0
    assert block.window.shape == block.template.shape == (0, LENGTH)
    assert block.features.shape == (0, len(FEATURES))


def test_results_are_read_only_and_input_is_left_alone():
    windows, at = rhythm([200] * 5)
    before = windows.copy()
    block = feed(BeatHistory(), windows, at)
    assert np.array_equal(windows, before)
    assert windows.flags.writeable
    assert at.flags.writeable
    for part in PARTS:
        assert not getattr(block, part).flags.writeable


@pytest.mark.parametrize("at", [[500, 500], [600, 500], [-5, 100]])
def test_beats_out_of_order_are_refused(at):
    with pytest.raises(ValueError, match="in order"):
        feed(BeatHistory(), np.zeros((2, WINDOW)), at)


def test_wrong_shapes_and_late_breaks_are_refused():
    history = BeatHistory()
    with pytest.raises(ValueError, match="320"):
        feed(history, np.zeros((2, 160)), [500, 700])
    windows, at = rhythm([200] * 3)
    feed(history, windows, at)
    with pytest.raises(ValueError, match="break at"):
        history.break_at(int(at[-1]))


def test_feature_names_are_unique_and_documented():
    assert len(COLUMN) == len(FEATURES)
    assert all(spec.doc and spec.unit for spec in FEATURES)


def test_long_blocks_agree_with_odd_ones():
    rng = np.random.default_rng(3)
    windows, at = rhythm(rng.integers(60, 400, 899), seed=4)
    windows[rng.random(900) < 0.2] = premature_ventricular()
    whole = feed(BeatHistory(), windows, at)
    assert_same(whole, feed(BeatHistory(), windows, at, [1, 255, 256, 257, 3]))
    assert_same(whole, feed(BeatHistory(), windows, at, [7] * 120))
