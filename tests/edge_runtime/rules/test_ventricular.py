"""Runs of V: names by length and rate, hysteresis, refused beats, precedence."""

from dataclasses import replace

import cattrs
import pytest

from edge_runtime.events import AlarmCleared, AlarmRaised, Phase, Rhythm, RhythmEpisode
from edge_runtime.rules.facts import Hole
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.rules.ventricular import VentricularSettings
from tests.edge_runtime.rules.ward import LABEL, Ward

AT_100, AT_40 = 300, 750
SILENT = ("extreme_bradycardia", "tachycardia", "couplet", "pvcs_per_minute")
OFF = {name: {"enabled": False} for name in SILENT}
RUNS = cattrs.structure(OFF, RuleSettings)  # what speaks of the same beats as well is silent


def ward() -> Ward:
    return Ward(RUNS)


@pytest.mark.parametrize(
    ("labels", "rr", "expected"),
    [
        ("VV", 200, []),
        ("VVV", AT_100 - 1, ["nonsustained_vt"]),
        ("VVV", AT_100, ["ventricular_run"]),
        ("VVVV", AT_100 - 1, ["nonsustained_vt"]),
        ("VVVV", AT_100 + 1, ["ventricular_run"]),
        ("VVVVV", AT_100 - 1, ["nonsustained_vt", "ventricular_tachycardia"]),
        ("VVVVV", AT_100, ["ventricular_run", "ventricular_rhythm"]),
        ("VVVVV", AT_40, ["ventricular_run", "ventricular_rhythm"]),
        ("VVVVV", AT_40 + 1, ["ventricular_run", "ventricular_bradycardia"]),
        ("VVNVV", 200, []),
        ("VVFVV", 200, []),
    ],
)
def test_a_run_is_named_by_length_and_rate(labels: str, rr: int, expected: list[str]) -> None:
    assert ward().see("NNN", 400).see(labels, rr).raised == expected


def test_vt_is_back_dated_to_its_first_beat_and_decided_with_its_fifth() -> None:
    told = ward().see("NN", 400).see("VVVVV", 200)
    alarm = next(e for e in told.events if isinstance(e, AlarmRaised) and e.latched)
    assert (alarm.at, alarm.decided) == (1000, 1800 + LABEL)
    assert (alarm.priority, alarm.text) == ("high", "Ventricular tachycardia")
    assert alarm.explanation.values == {"beats": 5.0, "rate_bpm": 150.0}


def test_one_other_beat_does_not_end_vt_two_do() -> None:
    told = ward().see("VVVVVV", 200).see("N", 300).see("VV", 200)
    assert told.active == ["ventricular_tachycardia"]
    told.see("NN", 400)
    assert told.active == []
    end = next(e for e in told.events if isinstance(e, AlarmCleared) and "follow" in e.reason)
    assert end.at == 6 * 200 + 300 + 2 * 200


def test_a_short_run_ends_with_the_first_other_beat() -> None:
    assert ward().see("VVV", 200).see("N", 400).active == []


def test_a_slow_run_that_accelerates_becomes_vt_and_back_only_below_90() -> None:
    told = ward().see("VVVVVV", 400).see("VVVVVV", 200)
    assert told.active == ["ventricular_tachycardia"]
    assert told.see("VVVVVV", 320).active == ["ventricular_tachycardia"]  # 94/min
    assert told.see("VVVVVV", 350).active == []  # 86/min, but in its refractory time
    episodes = [e for e in told.events if isinstance(e, RhythmEpisode)]
    assert episodes[-1].rhythm is Rhythm.IDIOVENTRICULAR


def test_without_beats_vt_ends_before_asystole_begins() -> None:
    told = ward().see("VVVVVV", 200)
    told.events += told.book.advance(20_000)
    assert told.active == ["asystole"]
    rhythm_ends = [
        e.rhythm for e in told.events if isinstance(e, RhythmEpisode) and e.phase is Phase.END
    ]
    assert Rhythm.VENTRICULAR_TACHYCARDIA in rhythm_ends


def test_refused_beats_make_vt_but_no_run() -> None:
    assert ward().see("vvvv", 200).raised == []
    told = ward().see("vvVVv", 200)
    assert told.raised == ["ventricular_tachycardia"]
    alarm = next(e for e in told.events if isinstance(e, AlarmRaised))
    assert alarm.text == "Ventricular tachycardia or poor signal"


def test_a_beat_without_a_score_neither_counts_nor_breaks() -> None:
    assert ward().see("VV?VV", 200).raised == []
    assert ward().see("VV?VVV", 200).raised == ["ventricular_tachycardia"]


def test_a_gap_starts_the_count_anew_but_ends_no_vt() -> None:
    told = ward().see("VVVV", 200)
    told.events += told.book.tell(Hole(900, 950, 950))
    assert told.see("VV", 200).raised == ["nonsustained_vt"]
    going = ward().see("VVVVV", 200)
    going.events += going.book.tell(Hole(1400, 1500, 1500))
    assert going.see("VV", 300).active == ["ventricular_tachycardia"]


def test_a_second_run_within_the_refractory_time_is_recorded_only() -> None:
    settings = replace(RUNS, ventricular=VentricularSettings(refractory_s=10.0))
    told = Ward(settings).see("VVV", 200).see("NN", 400).see("VVV", 200).see("N", 400)
    assert told.raised == ["nonsustained_vt"]
    onsets = [e for e in told.events if isinstance(e, RhythmEpisode) and e.phase is Phase.ONSET]
    assert len(onsets) == 2
    assert told.see("N" * 20, 400).see("VVV", 200).raised == ["nonsustained_vt"] * 2


def test_beats_that_alarmed_as_vt_make_no_tachycardia_afterwards() -> None:
    told = ward().see("NNN", 300).see("V" * 30, 200).see("N" * 30, 300)
    assert told.raised == ["nonsustained_vt", "ventricular_tachycardia"]
    rhythms = [(e.rhythm, e.phase) for e in told.events if isinstance(e, RhythmEpisode)]
    # It is recorded all the same, and over with the VT.
    assert rhythms.count((Rhythm.TACHYCARDIA, Phase.ONSET)) == 1
    assert rhythms.count((Rhythm.TACHYCARDIA, Phase.END)) == 1


def test_a_short_vt_followed_by_a_slower_rhythm_makes_no_tachycardia() -> None:
    # 12 V at 200/min and 5 N at 125/min: 17 beats above 140/min, but not one rhythm.
    assert "extreme_tachycardia" not in ward().see("V" * 12, 150).see("N" * 20, 240).raised


def test_a_tachycardia_that_goes_on_after_vt_alarms_within_seventeen_beats() -> None:
    told = ward().see("NNN", 300).see("V" * 30, 200).see("N" * 16, 200)
    assert told.active == []
    assert told.see("N", 200).active == ["extreme_tachycardia"]


def test_a_tachycardia_that_was_there_before_vt_alarms_again_at_once() -> None:
    told = ward().see("N" * 20, 200).see("V" * 10, 200)
    assert told.active == ["ventricular_tachycardia"]
    assert told.see("NN", 200).active == ["extreme_tachycardia"]
    assert told.see("N" * 30, 300).active == []


def test_a_run_that_ranks_below_tachycardia_does_not_end_it() -> None:
    told = ward().see("N" * 20, 200).see("VVV", 200).see("NN", 200)
    assert told.active == ["extreme_tachycardia"]
    assert told.raised == ["extreme_tachycardia"]


def test_alarm_numbers_only_grow() -> None:
    told = ward()
    for _ in range(5):
        told.see("VVVVV", 200).see("NNNNN", 400)
    numbers = [e.alarm for e in told.events if isinstance(e, AlarmRaised)]
    assert numbers == sorted(set(numbers))


def test_the_rule_can_be_switched_off() -> None:
    off = replace(RUNS, ventricular=VentricularSettings(enabled=False))
    assert Ward(off).see("VVVVVV", 200).raised == []
