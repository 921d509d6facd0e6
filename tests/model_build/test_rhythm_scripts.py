"""Scripts of rhythms: when beats and P waves come, and of which kind."""

import numpy as np
import pytest

from model_build.augmentation import atrial, conduction, ectopy
from model_build.augmentation.script import Scene


def scene(seed: int, *, has_v: bool = True) -> Scene:
    return Scene(10.0, 130.0, 0.8, has_v, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
def test_fibrillation_is_irregular_within_what_a_node_conducts(seed):
    played = atrial.fibrillation(scene(seed))
    at = np.array([event.at_s for event in played.events])
    rr = np.diff(at)
    assert rr.min() >= 0.27
    assert 0.10 < rr.std() / rr.mean() < 0.5
    change = rr - rr.mean()
    assert abs(np.corrcoef(change[1:], change[:-1])[0, 1]) < 0.6
    assert 4 <= played.atrial_hz <= 9
    assert {event.kind for event in atrial.fibrillation(scene(seed, has_v=False)).events} == {
        "sinus"
    }


@pytest.mark.parametrize("seed", range(8))
def test_flutter_conducts_whole_cycles(seed):
    played = atrial.flutter(scene(seed))
    cycles = np.diff([event.at_s for event in played.events]) * played.atrial_hz
    assert np.abs(cycles - np.round(cycles)).max() < 0.2
    assert 4 <= played.atrial_hz <= 6
    assert cycles.min() > 1.5


SCRIPTS = [
    atrial.fibrillation, atrial.flutter, ectopy.atrial_premature, ectopy.atrial_runs,
    ectopy.atrial_tachycardia, ectopy.atrial_bigeminy, ectopy.sick_sinus,
    ectopy.ventricular_runs, ectopy.ventricular_bigeminy, conduction.sinus_arrhythmia,
    conduction.sinus_tachycardia, conduction.slow_sinus, conduction.blocked_premature,
    conduction.av_block,
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("seed", range(4))
def test_every_script_is_in_order_and_possible(script, seed):
    events = script(scene(seed)).events
    at = np.array([event.at_s for event in events if event.kind != "blocked"])
    assert at[0] > 10.25
    assert 125 < at[-1] < 150
    assert np.diff(at).min() > 0.24
    assert np.diff(at).max() < 4.5
    assert events[-1].kind != "blocked"


@pytest.mark.parametrize("seed", range(6))
def test_premature_beats_come_early_and_a_pause_follows(seed):
    events = ectopy.atrial_premature(scene(seed)).events
    rr = np.diff([event.at_s for event in events])
    normal = np.median(rr)
    early = [k for k in range(1, len(events)) if events[k].kind == "atrial"]
    assert early
    for k in early:
        assert rr[k - 1] < 0.95 * normal
        if k < len(rr) and events[k + 1].kind == "sinus":
            assert rr[k] > 0.85 * normal


@pytest.mark.parametrize("seed", range(6))
def test_a_tachycardia_lasts_until_it_is_the_usual_rhythm(seed):
    events = ectopy.atrial_tachycardia(scene(seed)).events
    atrial = np.array([event.kind == "atrial" for event in events])
    first = int(np.argmax(atrial))
    assert 3 <= first < 15
    assert atrial[first:-1].all()
    assert not atrial[-1]
    rr = np.diff([event.at_s for event in events])
    assert np.median(rr[first:-1]) < 0.85 * np.median(rr[: first - 1])
    assert rr[first + 12 : -1].std() < 0.05 * rr[first + 12 : -1].mean()


@pytest.mark.parametrize("seed", range(6))
def test_a_sinus_quickens_by_degrees(seed):
    events = conduction.sinus_tachycardia(scene(seed)).events
    assert {(event.kind, event.p_gain) for event in events} == {("sinus", 1.0)}
    rr = np.diff([event.at_s for event in events])
    assert np.median(rr) < 0.92 * 0.8
    assert np.abs(np.diff(np.log(rr))).max() < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_in_bigeminy_a_beat_in_four_at_least_is_early_by_the_same(seed):
    events = ectopy.atrial_bigeminy(scene(seed)).events
    atrial = np.array([event.kind == "atrial" for event in events])
    assert 0.2 < atrial.mean() < 0.7
    coupling = np.diff([event.at_s for event in events])[atrial[1:]]
    assert np.ptp(coupling) <= 0.061 * np.median(coupling)


def test_a_blocked_p_lies_within_the_pause_it_causes():
    events = conduction.blocked_premature(scene(5)).events
    blocked = [k for k, event in enumerate(events) if event.kind == "blocked"]
    assert blocked
    for k in blocked[1:]:
        pause = events[k + 1].at_s - events[k - 1].at_s
        assert 1.2 < pause / 0.9 < 2.3
        assert events[k].p_gain != 0


def test_two_to_one_block_halves_the_rate_and_wenckebach_groups_it():
    found = set()
    for seed in range(12):
        events = conduction.av_block(scene(seed)).events
        kinds = "".join("p" if event.kind == "blocked" else "b" for event in events)
        if "bb" not in kinds:
            found.add("2:1")
            assert kinds.startswith("bpbpbp")
        else:
            found.add("Wenckebach")
            grown = [event.p_early_s for event in events if event.kind == "sinus"]
            assert max(grown) > 0.04
            assert max(grown) < 0.2
    assert found == {"2:1", "Wenckebach"}
