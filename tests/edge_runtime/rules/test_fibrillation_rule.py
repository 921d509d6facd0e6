"""VF: windows in a row, gaps, quality, precedence."""

import pytest

from edge_runtime.events import AlarmCleared, Phase, QualityLevel, RhythmEpisode
from edge_runtime.rules.facts import Beat, Hole, LeadsOff, Readability, Waveform
from edge_runtime.rules.fibrillation import FibrillationSettings
from edge_runtime.rules.settings import RuleSettings
from tests.edge_runtime.rules.ward import LATENCY, RATE, Ward


def judged(ward: Ward, pattern: str, second: int = 10) -> Ward:
    """Windows of 4 s that end at whole seconds from `second` on; . is an organized one.

    A peak a second keeps asystole away.
    """
    before = max(0, ward.at // RATE)
    for at in range(before * RATE + 350, second * RATE, RATE):
        ward.events += ward.book.tell(Beat(at, at + LATENCY, RATE))
    for k, letter in enumerate(pattern):
        end = (second + k) * RATE
        ward.events += ward.book.tell(Beat(end - 150, end + 30, RATE))
        is_like = letter == "f"
        ward.events += ward.book.tell(
            Waveform(
                end - 4 * RATE, end + 40, end - 2, is_like, {"leakage": 0.3} if is_like else {}
            )
        )
    return ward


@pytest.mark.parametrize(("pattern", "n"), [("f.f.f", 0), (".f.", 0), ("ff", 1), ("fffff", 1)])
def test_two_windows_in_a_row_are_fibrillation(pattern: str, n: int) -> None:
    assert judged(Ward(), pattern).raised.count("ventricular_fibrillation") == n


def test_it_is_dated_to_the_start_of_the_first_window() -> None:
    alarm = judged(Ward(), ".ff").alarm("ventricular_fibrillation")
    assert (alarm.at, alarm.decided) == (7 * RATE, 12 * RATE + 40)
    assert (alarm.priority, alarm.latched) == ("high", True)
    assert (alarm.decided - alarm.at) / RATE <= 10
    assert alarm.explanation.values == {"seconds": 5.0, "leakage": 0.3}


@pytest.mark.parametrize(("after_s", "n_windows"), [(4.0, 1), (5.0, 2), (8.0, 5)])
def test_how_long_can_be_chosen(after_s: float, n_windows: int) -> None:
    settings = RuleSettings(ventricular_fibrillation=FibrillationSettings(after_s=after_s))
    assert "ventricular_fibrillation" in judged(Ward(settings), "f" * n_windows).raised
    assert "ventricular_fibrillation" not in judged(Ward(settings), "f" * (n_windows - 1)).raised


def test_it_ends_five_seconds_after_the_last_such_window() -> None:
    ward = judged(Ward(), "fff......")
    (end,) = [e for e in ward.events if isinstance(e, AlarmCleared)]
    assert (end.rule, end.at) == ("ventricular_fibrillation", 12 * RATE - 2)
    assert end.decided == 17 * RATE + 40
    going = judged(Ward(), "fff....ff")
    assert "ventricular_fibrillation" in going.active


def test_a_gap_does_not_end_it() -> None:
    ward = judged(Ward(), "fff")
    ward.events += ward.book.tell(Hole(12 * RATE, 20 * RATE, 20 * RATE))
    assert "ventricular_fibrillation" in ward.active


def test_the_electrode_off_ends_it() -> None:
    ward = judged(Ward(), "fff")
    ward.events += ward.book.tell(LeadsOff(6500, 6500, frozenset({"I"}), blind=True))
    assert "ventricular_fibrillation" not in ward.active
    assert "lead_off" in ward.active
    judged(ward, "ff", second=15)
    assert "ventricular_fibrillation" not in ward.active
    ward.events += ward.book.tell(LeadsOff(8200, 8200, frozenset(), blind=False))
    assert "ventricular_fibrillation" in judged(ward, "ff", second=22).active


@pytest.mark.parametrize("level", [QualityLevel.USABLE, QualityLevel.UNUSABLE])
def test_poor_signal_is_a_word_and_no_veto(level: QualityLevel) -> None:
    ward = Ward()
    ward.events += ward.book.tell(Readability(3000, 3000, level, False, "noise"))
    alarm = judged(ward, "ff").alarm("ventricular_fibrillation")
    assert (alarm.text, alarm.priority) == ("Ventricular fibrillation or poor signal", "high")


def test_asystole_ranks_before_it_and_it_before_vt() -> None:
    ward = Ward().see("N" * 3, 400).see("V" * 8, 200)
    assert "ventricular_tachycardia" in ward.active
    judged(ward, "ff", second=8)
    assert ward.active[-1] == "ventricular_fibrillation"
    assert "ventricular_tachycardia" not in ward.active
    ward.events += ward.book.advance(20 * RATE)
    assert "asystole" in ward.active
    assert "ventricular_fibrillation" not in ward.active


def test_one_beat_told_within_it_changes_nothing() -> None:
    ward = judged(Ward(), "ff")
    ward.events += ward.book.tell(Beat(5600, 5600 + LATENCY, None))
    onsets = [e for e in ward.events if isinstance(e, RhythmEpisode) and e.phase is Phase.ONSET]
    assert "VFIB" in {e.rhythm for e in onsets}
