"""Couplet, bigeminy, trigeminy, R-on-T, PVCs per minute: met, missed by one, and on the bound."""

import pytest

from edge_runtime.events import AlarmCleared, BeatClass, Phase, Rhythm, RhythmEpisode
from edge_runtime.rules.ectopy import PvcRateSettings
from edge_runtime.rules.facts import Beat, Label
from edge_runtime.rules.settings import RuleSettings
from tests.edge_runtime.rules.ward import LABEL, LATENCY, Ward


@pytest.mark.parametrize(
    ("labels", "n"), [("NNVVN", 1), ("NNVN", 0), ("NNVVVN", 0), ("NNVvN", 0), ("NNVVq", 0)]
)
def test_a_couplet_is_exactly_two(labels: str, n: int) -> None:
    assert Ward().see(labels, 400).raised.count("couplet") == n


def test_a_couplet_is_told_with_the_beat_after_it() -> None:
    alarm = Ward().see("NNVVN", 400).alarm("couplet")
    assert (alarm.at, alarm.decided) == (1200, 2000 + LABEL)
    assert (alarm.priority, alarm.latched) == ("low", False)


def test_couplets_in_quick_succession_are_one_alarm_that_ends_ten_seconds_after() -> None:
    ward = Ward().see("NVVNNNVVN", 400)
    assert ward.raised.count("couplet") == 1
    (end,) = [
        e
        for e in ward.see("N" * 13, 400).events
        if isinstance(e, AlarmCleared) and e.rule == "couplet"
    ]
    assert (end.at, end.decided) == (8 * 400, 9 * 400 + LABEL + 5000)


def test_a_gap_makes_no_couplet() -> None:
    assert "couplet" not in Ward().see("NNV", 400).hole().see("VN", 400).raised


@pytest.mark.parametrize(
    ("labels", "n"),
    [("NVNVNV", 1), ("NVNV", 0), ("NVNVNNV", 0), ("NNNVNVNV", 1), ("NVNVnV", 0), ("NVVNVNV", 0)],
)
def test_bigeminy_is_three_cycles(labels: str, n: int) -> None:
    assert Ward().see(labels, 400).raised.count("bigeminy") == n


@pytest.mark.parametrize(
    ("labels", "n"),
    [("NNVNNVNNV", 1), ("NNVNNV", 0), ("NNVNNVNV", 0), ("NNVNNVNNNV", 0), ("NNNNVNNVNNV", 1)],
)
def test_trigeminy_is_three_cycles(labels: str, n: int) -> None:
    assert Ward().see(labels, 400).raised.count("trigeminy") == n


def test_a_pattern_ends_when_it_breaks_and_is_an_episode() -> None:
    ward = Ward().see("NVNVNVNVNN", 400)
    episodes = [e for e in ward.events if isinstance(e, RhythmEpisode)]
    assert [(e.rhythm, e.phase, e.at) for e in episodes] == [
        (Rhythm.BIGEMINY, Phase.ONSET, 800),
        (Rhythm.BIGEMINY, Phase.END, 8 * 400),
    ]


def test_a_run_takes_the_word_from_the_pattern() -> None:
    ward = Ward().see("NVNVNVV", 400)
    assert ward.see("V", 400).active == ["ventricular_run"]


@pytest.mark.parametrize(
    ("rr", "after", "n"),
    [
        (166, 700, 1),  # a third of 500 is 166.7
        (167, 700, 0),
        (150, 625, 1),  # 1.25 times the mean, exactly
        (150, 624, 0),
    ],
)
def test_r_on_t_is_within_a_third_of_the_mean(rr: int, after: int, n: int) -> None:
    ward = Ward().see("N" * 9, 500).see("V", rr).see("N", after)
    assert ward.raised.count("r_on_t") == n


def test_r_on_t_is_only_told_below_100_a_minute() -> None:
    assert "r_on_t" in Ward().see("N" * 9, 301).see("V", 100).see("N", 400).raised
    assert "r_on_t" not in Ward().see("N" * 9, 300).see("V", 99).see("N", 400).raised


def test_an_early_s_is_no_r_on_t() -> None:
    assert "r_on_t" not in Ward().see("N" * 9, 500).see("S", 150).see("N", 700).raised


@pytest.mark.parametrize(("v", "n"), [(9, 0), (10, 0), (11, 1)])
def test_more_than_ten_pvcs_a_minute(v: int, n: int) -> None:
    assert Ward().see("NNNV" * v, 400).raised.count("pvcs_per_minute") == n


def test_pvcs_older_than_a_minute_do_not_count() -> None:
    few = RuleSettings(pvcs_per_minute=PvcRateSettings(per_minute=1))
    assert "pvcs_per_minute" in Ward(few).see("V" + "N" * 58 + "V", 500).raised
    assert "pvcs_per_minute" not in Ward(few).see("V" + "N" * 59 + "V", 500).raised
    ward = Ward(few).see("VNV", 500)
    assert "pvcs_per_minute" in ward.active
    assert "pvcs_per_minute" not in ward.see("N" * 60, 500).active


def test_an_alarm_carries_the_last_beats_the_quality_and_its_strip() -> None:
    ward = Ward().see("N" * 20, 400).see("VVN", 400)
    trace = ward.alarm("couplet").trace
    assert trace is not None
    assert "".join(beat.label for beat in trace.beats) == "NNNNNVVN"
    assert [beat.at for beat in trace.beats][-1] == 23 * 400
    assert (trace.quality, trace.quality_reason) == ("good", "")
    assert (trace.strip_first, trace.strip_end) == (21 * 400 - 7500, 21 * 400 + 7500)


def with_shapes(shapes: str, settings: RuleSettings | None = None) -> Ward:
    """Beats 400 apart: N, or a V of the shape that the digit names."""
    ward = Ward(settings)
    for letter in shapes:
        ward.at += 400
        is_v = letter.isdigit()
        label = BeatClass.VENTRICULAR if is_v else BeatClass.NORMAL
        shape = int(letter) if is_v else None
        at = ward.at
        ward.events += ward.book.tell(Beat(at, at + LATENCY, 400))
        ward.events += ward.book.tell(Label(at, at + LABEL, label, label, {}, shape))
    return ward


@pytest.mark.parametrize(
    ("shapes", "n"),
    [
        ("N1NN2N", 1),
        ("N1NN1N", 0),
        ("1" + "N" * 13 + "2", 1),  # the 15th beat
        ("1" + "N" * 14 + "2", 0),
        ("12", 1),
    ],
)
def test_multiform_is_two_shapes_within_fifteen_beats(shapes: str, n: int) -> None:
    assert with_shapes(shapes).raised.count("multiform_pvc") == n
