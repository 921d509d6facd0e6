"""Raw recordings altered: annotations follow the signal, and physiology its rules."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from edge_runtime.signal.anatomy import measure
from edge_runtime.signal.features import FEATURES
from firmware_bridge.records import Annotations
from model_build.augmentation.apply import augmented
from model_build.augmentation.disturbance import dropping_out, noisy, stretches, wandering
from model_build.augmentation.donor import choose, donor
from model_build.augmentation.episodes import perform, plan, possible
from model_build.augmentation.lead import Lead
from model_build.augmentation.timing import rr_warped, time_scaled
from model_build.datasets import cinc2017, mitdb, svdb
from model_build.datasets.census import within
from model_build.detector_tuning.noise import signal_power
from model_build.errors import RecipeError
from model_build.evaluate.ec57 import compare_beats
from model_build.prepare import cache_path, prepare_recording, views_of
from model_build.recipe import Augmentation, Rhythm, Segments, View, read_recipe
from model_build.recipe_files import recipe_path
from model_build.tap import tap
from model_build.training.segments import Batch, augment
from tests.synthetic import ecg

RHYTHMS = get_args(Rhythm)
FS = Fraction(360)
NOWHERE = Path("nowhere")


def patient(seconds: float = 300.0, every_v: int = 9) -> Lead:
    """Sinus beats at about 75 a minute; every `every_v`th ventricular, early, with its pause."""
    random = np.random.default_rng(3)
    at, labels = [1.0], "N"
    while at[-1] < seconds - 2:
        rr = 0.8 * (1 + 0.03 * random.standard_normal())
        if len(at) % every_v == every_v - 1:
            at += [at[-1] + 0.6 * rr, at[-1] + 2 * rr]
            labels += "VN"
        else:
            at.append(at[-1] + rr)
            labels += "N"
    x = ecg(at, seconds, FS, labels=labels, noise_mv=0.01)[:, 0].astype(np.float64)
    return Lead(x, FS, Annotations.of(np.round(np.array(at) * float(FS)), tuple(labels)))


def with_rhythms(lead: Lead, rhythms: tuple[Rhythm, ...], share: float, seed: int) -> Lead:
    random = np.random.default_rng(seed)
    return perform(lead, plan(lead, rhythms, share, random), random)


def symbols(lead: Lead) -> np.ndarray:
    return np.array(lead.annotations.symbol)


def agreement(lead: Lead) -> tuple[float, float]:
    """Se and +P of the shipped detector against the lead's annotations."""
    at = tap(lead.x.astype(np.float32), lead.fs, None).at
    said = Annotations.of(at, ["N"] * len(at))
    qrs = compare_beats(lead.annotations, said, float(lead.fs), len(lead.x), learning_s=0.0).qrs
    return qrs.se, qrs.ppv


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_annotations_follow_the_signal_of_every_rhythm(rhythm):
    lead = patient()
    played = with_rhythms(lead, (rhythm,), 0.7, 1)
    again = with_rhythms(lead, (rhythm,), 0.7, 1)
    np.testing.assert_array_equal(played.x, again.x)
    assert played.annotations.symbol == again.annotations.symbol
    assert (np.diff(played.annotations.sample) >= 0).all()
    assert 0.3 < np.mean(np.abs(played.x - lead.x) > 1e-9) < 0.95
    se, ppv = agreement(played)
    assert se > 0.98
    assert ppv > 0.95
    # The whole is continuous: no join steeper than the steepest QRS.
    assert np.abs(np.diff(played.x)).max() < 1.15 * np.abs(np.diff(lead.x)).max()


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_only_ectopic_rhythms_make_ectopic_beats(rhythm):
    lead = patient(every_v=25)
    played = with_rhythms(lead, (rhythm,), 0.9, 2)
    count = {symbol: int((symbols(played) == symbol).sum()) for symbol in "AV"}
    atrial = {"pac", "s_runs", "s_tachycardia", "s_bigeminy", "sick_sinus"}
    assert (count["A"] > 0) == (rhythm in atrial)
    if rhythm in {"v_runs", "v_bigeminy"}:
        assert count["V"] > (symbols(lead) == "V").sum()
    elif rhythm != "af":
        assert count["V"] < (symbols(lead) == "V").sum()


def p_region(lead: Lead, beats: np.ndarray) -> np.ndarray:
    """The mean of the lead between 0.27 and 0.11 s before R of `beats`."""
    return np.mean([lead.x[b - 97 : b - 40] for b in beats], axis=0)


def test_fibrillation_has_no_p_waves_and_names_itself():
    lead = patient(every_v=40)
    shapes = []
    for seed in range(6):
        played = with_rhythms(lead, ("af",), 0.9, seed)
        marks = played.annotations
        changes = [(s, a) for s, a in zip(marks.sample, marks.aux, strict=True) if a]
        assert {a for _, a in changes} == {"(AFIB", "(N"}
        inside = within(marks, played.beats, ("(AFIB",))
        late = np.diff(played.beats, prepend=0) > 0.65 * 360
        found = played.beats[inside & late]
        if len(found) > 20:
            shapes.append(p_region(played, found))
    own = p_region(lead, donor(lead).sinus)
    assert np.ptp(own) > 0.12
    assert len(shapes) > 2
    assert np.ptp(np.mean(shapes, axis=0)) < 0.3 * np.ptp(own)


def test_donors_leave_out_what_stands_beside_ectopic_beats():
    lead = patient()
    choice = choose(lead.annotations, float(FS))
    beats, own = lead.beats, symbols(lead)
    for r in choice.sinus:
        k = int(np.searchsorted(beats, r))
        assert own[k - 1] == own[k] == own[k + 1] == "N"
    assert len(choice.ventricular) > 20


def test_no_episode_ends_in_silence():
    lead = patient()
    # Nobody marked the last minutes as sinus: an episode cannot end there.
    own = np.where(lead.beats > 150 * 360, "Q", symbols(lead))
    unclear = replace(lead, annotations=Annotations.of(lead.beats, tuple(own)))
    for seed in range(5):
        played = with_rhythms(unclear, ("pac", "af"), 0.9, seed)
        assert np.diff(played.beats).max() < 2.5 * 360


def test_a_lead_without_enough_beats_stays_as_it_is():
    lead = patient(60.0)
    assert not possible(lead.annotations, 360.0, ("af",))
    assert with_rhythms(lead, ("af",), 0.7, 1) is lead
    lead = patient(every_v=10_000)
    assert possible(lead.annotations, 360.0, ("af",))
    assert not possible(lead.annotations, 360.0, ("af", "v_runs"))


def test_fibrillation_lends_no_beats():
    lead = patient()
    marks = lead.annotations
    named = Annotations.of(
        [0, *marks.sample], ("+", *marks.symbol), ["(AFIB", *("" for _ in marks.symbol)]
    )
    assert not possible(named, 360.0, ("pac",))


def test_time_scales_by_the_rate_alone():
    lead = patient(60.0)
    slow = time_scaled(lead, (1.2, 1.2), np.random.default_rng(1))
    assert slow.fs == 300
    assert slow.x is lead.x
    assert agreement(slow)[0] > 0.98
    svdb_like = replace(lead, fs=Fraction(128))
    assert time_scaled(svdb_like, (1.6, 1.6), np.random.default_rng(1)).fs == 100


def test_warped_pauses_leave_beats_alone():
    lead = patient(120.0)
    warped = rr_warped(lead, 0.3, np.random.default_rng(1))
    assert warped.annotations.symbol == lead.annotations.symbol
    ratio = np.diff(warped.beats) / np.diff(lead.beats)
    assert ratio.std() > 0.03
    assert 0.7 < ratio.min() < ratio.max() < 1.4
    around = np.arange(-70, 70)
    for old, new in zip(lead.beats[1:-2], warped.beats[1:-2], strict=True):
        np.testing.assert_allclose(warped.x[new + around], lead.x[old + around], atol=0.12)
    assert agreement(warped)[0] > 0.98


def test_noise_has_the_ratio_asked_for():
    lead = patient(120.0)
    loud = noisy(lead, ("gaussian",), (6.0, 6.0), 1.0, None, np.random.default_rng(1))
    added = loud.x - lead.x
    wanted = signal_power(lead.x, lead.beats, 360.0) / 10**0.6
    assert np.mean(added[added != 0] ** 2) == pytest.approx(wanted, rel=0.05)
    unnamed = noisy(
        replace(lead, annotations=None), ("gaussian",), (6.0, 6.0), 1.0, None,
        np.random.default_rng(1),
    )  # fmt: skip
    assert np.std(unnamed.x - lead.x) == pytest.approx(np.std(added), rel=0.25)


def test_stretches_make_the_share():
    random = np.random.default_rng(1)
    spans = stretches(360 * 36_000, 360.0, 0.4, (20.0, 120.0), random)
    assert sum(b - a for a, b in spans) / (360 * 36_000) == pytest.approx(0.4, abs=0.05)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert stretches(1000, 360.0, 0.0, (1.0, 2.0), random) == []


def test_a_wandering_baseline_is_slow():
    lead = patient(120.0)
    added = wandering(lead, (2.0, 2.0), np.random.default_rng(1)).x - lead.x
    assert np.ptp(added) > np.ptp(lead.x)
    assert np.abs(np.diff(added)).max() * 360 < 2 * np.pi * 0.45 * np.ptp(added)


def test_beats_of_a_lost_lead_are_no_truth():
    lead = patient()
    lost = dropping_out(lead, 4.0, np.random.default_rng(1))
    assert len(lost.beats) < len(lead.beats)
    flat = np.abs(np.diff(lost.x)) < 1e-12
    assert 0.01 < flat.mean() < 0.5
    assert not flat[lost.beats].any()
    quiet = dropping_out(replace(lead, annotations=None), 4.0, np.random.default_rng(1))
    np.testing.assert_array_equal(quiet.x, lost.x)


def test_one_more_key_changes_no_other_draw():
    lead = patient(180.0)
    plain = View("v", rhythm=("af", "pac"), rr_warp=0.2)
    (one,) = augmented([lead], plain, "mitdb/101", 1, NOWHERE)
    (again,) = augmented([lead], plain, "mitdb/101", 1, NOWHERE)
    more = replace(plain, drift=0.1, noise_kind=("gaussian",), noise_snr_db=(6.0, 24.0))
    (louder,) = augmented([lead], more, "mitdb/101", 1, NOWHERE)
    (other,) = augmented([lead], plain, "mitdb/106", 1, NOWHERE)
    np.testing.assert_array_equal(one.x, again.x)
    np.testing.assert_array_equal(one.annotations.sample, louder.annotations.sample)
    assert len(other.x) != len(one.x) or np.abs(other.x - one.x).max() > 0.1
    assert augmented([lead], View("native"), "mitdb/101", 1, NOWHERE)[0] is lead


def test_leads_of_a_record_play_the_same_rhythm():
    first = patient(180.0)
    second = replace(first, x=0.6 * first.x[::1] + 0.01 * np.sin(np.arange(len(first.x)) / 40))
    view = View("v", rhythm=("af", "pac"), rr_warp=0.2, time_scale=(1.1, 1.2), drift=0.05)
    one, two = augmented([first, second], view, "mitdb/101", 1, NOWHERE)
    assert len(one.x) == len(two.x)
    np.testing.assert_array_equal(one.annotations.sample, two.annotations.sample)
    around = np.arange(-15, 15)
    beats = one.beats[2:-2]
    a, b = (lead.x[beats[:, None] + around] for lead in (one, two))
    assert np.mean([np.corrcoef(p, q)[0, 1] for p, q in zip(a, b, strict=True)]) > 0.95


def test_a_recipe_names_its_rhythms(tmp_path):
    text = recipe_path("beats-first").read_text()
    view = '[[view]]\nname = "ectopy"\nsources = ["svdb"]\nrhythm = ["pac", "af"]\n'
    path = tmp_path / "r.toml"
    path.write_text(text + view)
    assert read_recipe(path).view[-1].rhythm == ("pac", "af")
    path.write_text(text + view.replace("pac", "pca"))
    with pytest.raises(RecipeError, match="rhythm"):
        read_recipe(path)


def test_inverted_segments_are_those_of_an_inverted_lead():
    random = np.random.default_rng(1)
    shapes = random.normal(size=(8, 160))
    up, down = measure(shapes), measure(-shapes)
    np.testing.assert_allclose(down.polarity, -up.polarity)
    for name in ("height", "area", "width", "slope", "p_norm"):
        np.testing.assert_allclose(getattr(down, name), getattr(up, name))
    n = len(FEATURES)
    batch = Batch(
        window=np.ones((64, 3, 160), np.float32), template=np.ones((64, 3, 160), np.float32),
        features=np.ones((64, 3, n), np.float32), valid=np.ones((64, 3), np.float32),
        target=np.ones((64, 1), np.uint8), weight=np.ones((64, 1), np.float32),
    )  # fmt: skip
    turned = augment(batch, Augmentation(inverted_share=0.5), Segments(), random)
    down_segment = turned.window[:, 0, 0] < 0
    assert 10 < down_segment.sum() < 54
    signed = [spec.name == "polarity_to_template" for spec in FEATURES]
    np.testing.assert_array_equal(turned.window, turned.template)
    np.testing.assert_array_equal(turned.features[:, 0, signed][:, 0] < 0, down_segment)
    assert (turned.features[..., np.logical_not(signed)] == 1).all()


@pytest.mark.data
def test_views_are_of_the_recordings_that_can_play_them(data_dir):
    views = [View("n"), View("s", sources=("svdb",)), View("af", rhythm=("af",)),
             View("v", rhythm=("v_runs",))]  # fmt: skip
    by_record = {r.record: r for r in (*mitdb.training(data_dir), *svdb.training(data_dir))}

    def names(recording):
        return "".join(view.name[0] for view in views_of(recording, views))

    assert names(by_record["101"]) == "na"
    assert names(by_record["119"]) == "nav"
    assert names(by_record["203"]) == "n"
    assert names(by_record["841"]) == "nsav"
    assert names(cinc2017.training(data_dir)[0]) == "n"


@pytest.mark.data
@pytest.mark.parametrize(("record", "rhythms"), [("841", ("af", "s_runs")), ("119", ("v_runs",))])
def test_real_beats_are_found_where_they_were_put(data_dir, tmp_path, record, rhythms):
    recording = next(
        r for r in (*mitdb.training(data_dir), *svdb.training(data_dir)) if r.record == record
    )
    view = View("played", rhythm=rhythms, noise_snr_db=(12.0, 24.0), noise_share=0.2)
    beats = prepare_recording(recording, view, 1)
    native = prepare_recording(recording, View("native"), 1)
    assert (beats.subject, beats.view) == (recording.subject, "played")
    assert (beats.target > 0).mean() > 0.97
    ectopic = 2 if "s_runs" in rhythms else 4
    assert (beats.target == ectopic).sum() > (native.target == ectopic).sum()
    louder = replace(view, noise_kind=("gaussian",))
    assert cache_path(tmp_path, recording, view, 1) != cache_path(tmp_path, recording, louder, 1)
