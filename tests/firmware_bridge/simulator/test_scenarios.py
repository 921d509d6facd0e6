"""Edits of a recording: each does what its label says, and is labelled."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator import play_on_pty
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.simulator.recording import DEMO_TITLE, Recording
from firmware_bridge.simulator.scenarios import SCENARIOS, Play
from tests.synthetic import ecg, steady

RATE = 360


def patient(title: str = "somebody") -> Recording:
    beats = ecg(steady(70, 0.5, 119), 120, RATE, lead_gains=(1.0, 0.6))
    return Recording(title, Fraction(RATE), ("I", "II"), beats, notes=("a recording",))


def seconds(play: Play, start: float, end: float, lead: int = 0) -> np.ndarray:
    return play.recording.millivolts[round(start * RATE) : round(end * RATE), lead]


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "vt"])
def test_an_edit_is_labelled_synthetic_and_leaves_the_original(name: str) -> None:
    original = patient()
    before = original.millivolts.copy()
    play = SCENARIOS[name](original)
    np.testing.assert_array_equal(original.millivolts, before)
    edits = [note for note in play.recording.notes if note.startswith("synthetic: ")]
    assert len(edits) == {"tour": 2, "unplug": 0}.get(name, 1)
    assert play.recording.notes[0] == "a recording"


def test_asystole_is_twelve_seconds_of_nothing_but_noise() -> None:
    play = SCENARIOS["asystole"](patient())
    flat = seconds(play, 20.1, 31.9)
    assert np.ptp(flat) < 0.1
    assert np.std(flat) > 0.004
    assert np.ptp(seconds(play, 18, 20)) > 0.8
    assert np.ptp(seconds(play, 32, 34)) > 0.8
    assert np.abs(np.diff(seconds(play, 19.9, 20.1))).max() < 0.3  # no step that looks like a beat


def test_lead_off_drifts_to_the_rail_and_is_reported_for_that_lead() -> None:
    play = SCENARIOS["leadoff"](patient())
    assert play.recording.leads_off == ((20 * RATE, 35 * RATE, 0),)
    assert seconds(play, 22, 34.9).min() > 4.9
    np.testing.assert_array_equal(
        seconds(play, 20, 35, lead=1), patient().millivolts[7200:12600, 1]
    )


def test_unplug_changes_the_link_not_the_signal() -> None:
    play = SCENARIOS["unplug"](patient())
    assert play.faults == Faults(unplugs=((20.0, 12.0),))
    np.testing.assert_array_equal(play.recording.millivolts, patient().millivolts)


def test_the_tour_brings_a_lead_off_and_an_asystole_within_two_minutes() -> None:
    play = SCENARIOS["tour"](patient())
    ((first, end, _),) = play.recording.leads_off
    assert (first / RATE, end / RATE) == (35, 45)
    assert np.ptp(seconds(play, 75.1, 86.9)) < 0.1


def test_a_recording_that_is_too_short_is_refused() -> None:
    short = replace(patient(), millivolts=patient().millivolts[: 25 * RATE])
    with pytest.raises(UsageError, match="too short for this scenario"):
        SCENARIOS["asystole"](short)


def test_vt_is_made_of_known_beats_only() -> None:
    with pytest.raises(UsageError, match="demonstration recording only"):
        SCENARIOS["vt"](patient())


def test_vt_is_thirty_equal_beats_at_150(demo: Recording) -> None:
    play = SCENARIOS["vt"](demo)
    assert play.recording.title == DEMO_TITLE
    assert play.recording.notes[-1] == "synthetic: ventricular tachycardia at 150/min"
    run = seconds(play, 20.4, 31.6)
    period = round(0.4 * RATE)
    np.testing.assert_array_equal(run[:-period], run[period:])
    assert np.ptp(run) > 1.0
    assert np.abs(np.diff(run)).max() < 0.35


@pytest.mark.usefixtures("demo")
def test_scenario_and_options_add_up() -> None:
    chosen = play_on_pty.choose(
        None, "unplug", Fraction(500), 1, Faults(drop=0.1, unplugs=((1.0, 2.0),))
    )
    assert chosen.faults == Faults(drop=0.1, unplugs=((1.0, 2.0), (20.0, 12.0)))
    assert chosen.recording.rate_hz == 500


@pytest.mark.usefixtures("demo")
def test_an_unknown_scenario_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="tour, asystole, vt, leadoff, unplug and none"):
        play_on_pty.choose(None, "fibrillation", Fraction(500), 1, Faults())
