"""Asystole and pause: each bound hit, missed by a sample, and met; gaps, leads and quality."""

from fractions import Fraction

import pytest

from edge_runtime.events import AlarmCleared, AlarmRaised, Event, QualityLevel
from edge_runtime.rules.asystole import AsystoleSettings
from edge_runtime.rules.facts import Beat, Hole, LeadsOff, Readability, SignalClock
from edge_runtime.rules.pause import PauseSettings
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings

RATE, LATENCY, LABEL_LATENCY = 500, 180, 330
CLOCK = SignalClock(Fraction(RATE), LATENCY, LABEL_LATENCY, settle=20)


class Told:
    """A rule book with a hand on its clock."""

    def __init__(self, settings: RuleSettings | None = None) -> None:
        self.book = RuleBook(settings or RuleSettings(), CLOCK)
        self.book.begin(0)
        self.events: list[Event] = []
        self._last: int | None = None

    def beats(self, *at: int) -> "Told":
        for peak in at:
            rr = None if self._last is None else peak - self._last
            self.events += self.book.tell(Beat(peak, peak + LATENCY, rr))
            self._last = peak
        return self

    def hole(self, at: int, end: int) -> "Told":
        self.events += self.book.advance(at)
        self.events += self.book.tell(Hole(at, end, end))
        return self

    def leads(self, at: int, *, blind: bool) -> "Told":
        off = frozenset({"I"} if blind else ())
        self.events += self.book.tell(LeadsOff(at, at, off, blind))
        return self

    def quality(self, at: int, level: QualityLevel, *, flat: bool = False) -> "Told":
        reason = "flat line" if flat else "noise"
        self.events += self.book.tell(Readability(at, at, level, flat, reason))
        return self

    def until(self, end: int) -> "Told":
        self.events += self.book.advance(end)
        return self

    def raised(self, rule: str) -> list[AlarmRaised]:
        return [e for e in self.events if isinstance(e, AlarmRaised) and e.rule == rule]

    def cleared(self, rule: str) -> list[AlarmCleared]:
        return [e for e in self.events if isinstance(e, AlarmCleared) and e.rule == rule]


def test_no_qrs_for_four_seconds_is_asystole() -> None:
    told = Told().beats(500, 1000).until(20_000)
    (alarm,) = told.raised("asystole")
    assert (alarm.at, alarm.decided) == (1000, 1000 + 4 * RATE + LABEL_LATENCY)
    assert (alarm.priority, alarm.latched, alarm.text) == ("high", True, "Asystole")
    assert alarm.explanation.values["without_qrs_s"] == 4.0


def test_asystole_is_decided_with_the_very_sample_that_suffices() -> None:
    due = 1000 + 4 * RATE + LABEL_LATENCY
    assert not Told().beats(1000).until(due).raised("asystole")
    assert Told().beats(1000).until(due + 1).raised("asystole")


@pytest.mark.parametrize(("rr", "alarms"), [(1999, 0), (2000, 0), (2001, 1)])
def test_a_qrs_exactly_four_seconds_later_is_in_time(rr: int, alarms: int) -> None:
    told = Told().beats(500, 1000, 1000 + rr).until(3000 + LABEL_LATENCY + 1)
    assert len(told.raised("asystole")) == alarms


def test_asystole_ends_with_the_first_of_two_beats() -> None:
    told = Told().beats(1000, 6000)
    assert not told.cleared("asystole")
    (end,) = told.beats(6400).cleared("asystole")
    assert (end.at, end.decided) == (6000, 6400 + LATENCY)


def test_single_beats_five_seconds_apart_are_one_asystole() -> None:
    told = Told().beats(1000, 3501, 6002, 8503)
    assert len(told.raised("asystole")) == 1
    assert not told.cleared("asystole")


def test_time_inside_a_short_gap_does_not_count() -> None:
    told = Told().beats(1000).hole(2000, 2500).until(20_000)
    (alarm,) = told.raised("asystole")
    assert alarm.decided == 1000 + 4 * RATE + LABEL_LATENCY + 500 + CLOCK.settle
    assert alarm.at == 1000


def test_a_long_gap_starts_the_count_anew() -> None:
    told = Told().beats(1000).hole(1500, 5000)
    assert not told.until(5000 + 4 * RATE).raised("asystole")
    (alarm,) = told.until(20_000).raised("asystole")
    assert alarm.at == 5000


def test_lead_off_is_not_asystole() -> None:
    told = Told().beats(1000).leads(2000, blind=True).until(50_000)
    assert not told.raised("asystole")
    assert told.raised("lead_off")[0].text == "Lead off: I"


def test_lead_off_ends_an_asystole_and_the_count_begins_when_it_is_on() -> None:
    told = Told().beats(1000).until(4000).leads(5000, blind=True)
    assert told.cleared("asystole")[0].reason == "the electrode is reported off"
    told.leads(9000, blind=False).until(20_000)
    assert told.raised("asystole")[1].at == 9000


def test_a_flat_line_without_a_sensor_says_electrode_off() -> None:
    told = Told().beats(1000).quality(2500, QualityLevel.UNUSABLE, flat=True).until(9000)
    (alarm,) = told.raised("asystole")
    assert (alarm.text, alarm.priority) == ("Asystole or electrode off", "high")


def test_with_a_sensor_that_reports_all_on_a_flat_line_is_poor_signal_at_most() -> None:
    told = Told().leads(0, blind=False).beats(1000)
    told.quality(2500, QualityLevel.UNUSABLE, flat=True).until(9000)
    assert told.raised("asystole")[0].text == "Asystole or poor signal"


@pytest.mark.parametrize("level", [QualityLevel.USABLE, QualityLevel.UNUSABLE])
def test_poor_signal_does_not_silence_asystole(level: QualityLevel) -> None:
    told = Told().beats(1000).quality(1500, level).until(9000)
    (alarm,) = told.raised("asystole")
    assert (alarm.text, alarm.priority) == ("Asystole or poor signal", "high")


def test_good_signal_again_takes_the_doubt_from_asystole() -> None:
    told = Told().beats(1000).quality(1500, QualityLevel.USABLE)
    told.quality(2500, QualityLevel.GOOD).until(9000)
    assert told.raised("asystole")[0].text == "Asystole"


def test_before_the_first_beat_asystole_waits_eight_seconds() -> None:
    told = Told().until(8 * RATE + LABEL_LATENCY)
    assert not told.raised("asystole")
    (alarm,) = told.until(20_000).raised("asystole")
    assert (alarm.at, alarm.decided) == (0, 8 * RATE + LABEL_LATENCY)


@pytest.mark.parametrize("after_s", [2.9, 10.1, float("nan")])
def test_asystole_bounds_are_three_to_ten_seconds(after_s: float) -> None:
    with pytest.raises(ValueError, match="after_s"):
        AsystoleSettings(after_s=after_s)


@pytest.mark.parametrize(("rr", "alarms"), [(999, 0), (1000, 0), (1001, 1)])
def test_a_pause_is_longer_than_two_seconds(rr: int, alarms: int) -> None:
    told = Told().beats(500, 1000, 1000 + rr).until(2000 + LABEL_LATENCY + 1)
    assert len(told.raised("pause")) == alarms


def test_a_pause_is_told_while_it_lasts_and_ends_with_the_next_beat() -> None:
    told = Told().beats(1000, 2400)
    (alarm,) = told.raised("pause")
    assert (alarm.at, alarm.decided) == (1000, 1000 + 2 * RATE + LABEL_LATENCY)
    assert (alarm.priority, alarm.latched) == ("medium", False)
    assert [(e.at, e.decided) for e in told.cleared("pause")] == [(2400, 2400 + LATENCY)]


def test_a_pause_that_grows_becomes_an_asystole() -> None:
    told = Told().beats(1000).until(9000)
    (end,) = told.cleared("pause")
    assert "Asystole takes precedence" in end.reason
    assert len(told.raised("asystole")) == 1
    # Once asystole is over the pause is over too, and does not alarm again.
    told.beats(9500, 9900)
    assert len(told.raised("pause")) == 1


def test_an_rr_across_a_gap_is_no_pause() -> None:
    assert not Told().beats(1000).hole(1200, 1300).beats(2500).raised("pause")


def test_unreadable_signal_silences_pause_but_a_flat_line_does_not() -> None:
    assert not Told().beats(1000).quality(1100, QualityLevel.UNUSABLE).until(2500).raised("pause")
    flat = Told().beats(1000).quality(1900, QualityLevel.UNUSABLE, flat=True).until(2500)
    assert flat.raised("pause")


def test_pauses_in_quick_succession_alarm_once() -> None:
    told = Told(RuleSettings(pause=PauseSettings(refractory_s=10.0)))
    told.beats(1000, 2400, 2800, 4200, 4600).until(4700)
    assert len(told.raised("pause")) == 1
    told.beats(*range(5000, 8001, 400), 9400)
    assert len(told.raised("pause")) == 2


def test_a_beat_told_late_takes_an_interval_apart() -> None:
    """What looked like 2.2 s and 4.2 s was two intervals: the beat between was tentative."""
    for rule, gap in (("pause", 1100), ("asystole", 2100)):
        told = Told(RuleSettings()).beats(500, 1000, 1000 + gap)
        middle = 1000 + gap - 120
        told.events += told.book.tell(Beat(middle, middle + LABEL_LATENCY, None))
        assert not told.until(1000 + gap + 900).raised(rule)


def test_a_beat_told_late_does_not_move_the_last_one_back() -> None:
    told = Told().beats(500, 1000, 1400)
    told.events += told.book.tell(Beat(1280, 1280 + LABEL_LATENCY, None))
    (alarm,) = told.until(20_000).raised("asystole")
    assert alarm.at == 1400


def test_a_pause_that_is_over_when_it_is_certain_has_its_end() -> None:
    told = Told().beats(500, 1000, 2100).until(2000 + LABEL_LATENCY + 1)
    (alarm,), (end,) = told.raised("pause"), told.cleared("pause")
    assert (alarm.at, alarm.decided) == (1000, 2000 + LABEL_LATENCY)
    assert (end.at, end.decided) == (2100, 2000 + LABEL_LATENCY)
