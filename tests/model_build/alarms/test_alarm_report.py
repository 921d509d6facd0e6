"""The report's counting: the challenge's formula, reasons, intervals, and the page."""

from math import inf
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.config import SHIPPED_BUNDLES
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.signal.fibrillation import Limits
from model_build.alarms.challenge import ChallengeAlarm, Tally, read_alarms, tally
from model_build.alarms.choosing import Windows, windows
from model_build.alarms.disclosure import Response, first_high, onset_to_alarm
from model_build.alarms.longterm import LongRun, Truth, wilson
from model_build.alarms.plots import write
from model_build.alarms.report import MARK, Measured, is_raised, markdown
from model_build.alarms.running import Raised
from model_build.alarms.synthesis import RATE_HZ, standard_rhythms
from model_build.errors import DataError


def raised(
    rule: str, at_s: float, decided_s: float, cleared_s: float = inf, priority: str = "high"
) -> Raised:
    return Raised(rule, priority, at_s, decided_s, rule, cleared_s)


def test_accepting_every_alarm_scores_what_the_challenge_says() -> None:
    everything = Tally(tp=45, fp=40)
    assert everything.score == pytest.approx(52.94, abs=0.01)
    assert Tally(tp=1, fn=1).score == pytest.approx(100 / 6)
    assert Tally().score == 0.0


def test_outcomes_are_counted_by_truth_and_by_ours() -> None:
    true, false = ChallengeAlarm("a", "Asystole", True), ChallengeAlarm("b", "Asystole", False)
    counted = tally([(true, True), (true, False), (false, True), (false, False), (false, False)])
    assert counted == Tally(tp=1, fn=1, fp=1, tn=2)


def test_the_list_of_alarms_is_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "ALARMS").write_text("a103l,Asystole,0\nf450s,Ventricular_Flutter_Fib,1\n")
    assert read_alarms(tmp_path)[1] == ChallengeAlarm("f450s", "Ventricular_Flutter_Fib", True)
    (tmp_path / "ALARMS").write_text("a103l;Asystole\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_alarms(tmp_path)


@pytest.mark.parametrize(
    ("alarm", "counts"),
    [
        (raised("asystole", 290, 296), True),
        (raised("asystole", 290, 301), False),
        (raised("asystole", 200, 205, 289), False),
        (raised("asystole", 200, 205, 291), True),
        (raised("pause", 290, 296), False),
    ],
)
def test_an_alarm_counts_if_it_holds_in_the_last_ten_seconds(alarm: Raised, counts: bool) -> None:
    assert is_raised(ChallengeAlarm("a", "Asystole", True), [alarm]) is counts


@pytest.mark.parametrize(
    ("found", "of", "low", "high"), [(7, 7, 0.6457, 1.0), (0, 10, 0.0, 0.2775), (0, 0, 0.0, 1.0)]
)
def test_wilsons_interval(found: int, of: int, low: float, high: float) -> None:
    assert wilson(found, of) == pytest.approx((low, high), abs=1e-3)


def test_annotations_give_reasons() -> None:
    beats = np.concatenate([np.arange(0, 60, 0.8), np.arange(64, 100, 0.4)])
    symbols = ["N"] * len(beats)
    symbols[40:44] = "VVVV"
    truth = Truth(beats, tuple(symbols), ((200.0, 210.0),))
    assert truth.excuses(raised("asystole", 60, 64))
    assert not truth.excuses(raised("asystole", 20, 24))
    assert truth.excuses(raised("ventricular_tachycardia", 33, 35))
    assert not truth.excuses(raised("ventricular_tachycardia", 5, 8))
    assert truth.excuses(raised("ventricular_fibrillation", 201, 206))
    assert truth.excuses(raised("extreme_tachycardia", 75, 82))
    assert not truth.excuses(raised("extreme_tachycardia", 20, 28))


def test_windows_are_found_by_two_in_a_row() -> None:
    t = np.arange(10 * 250) / 250
    good = windows(0.5 * np.sin(2 * np.pi * 4.5 * t) * (1 + 0.2 * np.sin(t)))
    assert len(good) == 7
    assert Windows("vf", True, good).found(Limits())
    assert not Windows("one", True, good[:1]).found(Limits())
    bad = good * 0
    assert not Windows("none", False, np.concatenate([good[:1], bad, good[:1]])).found(Limits())


def test_the_first_alarm_behind_the_onset_counts() -> None:
    found = [raised("asystole", 1, 2), raised("pause", 30, 32, priority="medium")]
    found.append(raised("asystole", 30, 35))
    assert first_high(found, 30.0) == ("asystole", 5.0)
    assert first_high(found, 30.0, ("extreme_bradycardia",)) is None


def test_made_rhythms_have_their_rates() -> None:
    for name, (signal, bpm) in standard_rhythms().items():
        assert bpm == pytest.approx(float(name.split(", ")[1].removesuffix("/min")), abs=1.0)
        assert len(signal) == 60 * RATE_HZ


def test_made_onsets_alarm_within_ten_seconds() -> None:
    for name, alarm in onset_to_alarm(load_bundle_set(SHIPPED_BUNDLES)).items():
        assert alarm is not None, name
        assert alarm[1] <= 10.0, name


def test_the_page_and_its_drawings(tmp_path: Path) -> None:
    measured = Measured(
        outcomes=((ChallengeAlarm("a1", "Asystole", True), False),),
        fibrillation={"cu01 at 1 s": 4.5, "207 at 2 s": None},
        long={"mitdb DS1": LongRun(12.0, {"asystole": 2}, {})},
        onset={"asystole, flat": ("asystole", 4.6), "none": None},
        rhythms={"A1": (80.0, 79.0, 81.0)},
        steps={"80 to 120/min": Response(3.0, None)},
        times={"B1": {"half": None, "normal": ("vt", 2.0), "double": ("vt", 2.0)}},
        tall_t={0.2: 0.0, 1.2: 9.0},
    )
    page = markdown(measured)
    assert page.startswith(MARK)
    assert "| mitdb DS1 | 12.0 | 4.0 | 2 asystole | - |" in page
    assert "1 of 2 episodes" in page
    assert "Missed: a1." in page
    assert "up to 0.2 mV" in page
    assert "| 80 to 120/min | 3.0 s | never |" in page
    write(measured, tmp_path)
    first = (tmp_path / "alarms-onset.svg").read_bytes()
    write(measured, tmp_path)
    assert (tmp_path / "alarms-onset.svg").read_bytes() == first
