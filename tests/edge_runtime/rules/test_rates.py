"""Extreme rates, and how heart rate is averaged."""

from fractions import Fraction

import pytest

from edge_runtime.events import AlarmCleared, AlarmRaised, Event
from edge_runtime.rules.facts import Beat, Hole, SignalClock
from edge_runtime.rules.heart_rate import HeartRate
from edge_runtime.rules.rate import TachycardiaSettings
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings

RATE, LATENCY = 420, 150  # 420 Hz: RR at 140/min is 180 samples exactly, at 40/min 630
CLOCK = SignalClock(Fraction(RATE), LATENCY, 300)
AT_140, AT_40 = 180, 630


def told(peaks: list[int], settings: RuleSettings | None = None, until: int = 0) -> list[Event]:
    book = RuleBook(settings or RuleSettings(), CLOCK)
    book.begin(0)
    events: list[Event] = []
    for before, at in zip([None, *peaks], peaks, strict=False):
        rr = None if before is None else at - before
        events += book.tell(Beat(at, at + LATENCY, rr))
    return events + book.advance(until)


def raised(events: list[Event], rule: str) -> list[AlarmRaised]:
    return [e for e in events if isinstance(e, AlarmRaised) and e.rule == rule]


def train(first: int, rr: int, beats: int) -> list[int]:
    return [first + k * rr for k in range(beats)]


@pytest.mark.parametrize(
    ("rr", "beats", "alarms"),
    [(AT_140 - 1, 17, 1), (AT_140 - 1, 16, 0), (AT_140, 40, 0), (AT_140 + 1, 40, 0)],
)
def test_tachycardia_is_more_than_140_over_17_beats(rr: int, beats: int, alarms: int) -> None:
    events = told(train(100, rr, beats))
    assert len(raised(events, "extreme_tachycardia")) == alarms


def test_tachycardia_onset_is_the_first_of_the_seventeen() -> None:
    (alarm,) = raised(told(train(100, 160, 30)), "extreme_tachycardia")
    assert (alarm.at, alarm.decided) == (100, 100 + 16 * 160 + LATENCY)
    assert alarm.explanation.values["rate_bpm"] == pytest.approx(157.5)
    assert (alarm.decided - alarm.at) / RATE < 10


def test_the_active_profile_allows_180() -> None:
    peaks = train(100, 150, 40)  # 168/min
    assert not raised(told(peaks, RuleSettings(profile="active")), "extreme_tachycardia")
    own = RuleSettings(profile="active", extreme_tachycardia=TachycardiaSettings(above_bpm=160))
    assert raised(told(peaks, own), "extreme_tachycardia")
    faster = train(100, 139, 40)  # 181/min
    assert raised(told(faster, RuleSettings(profile="active")), "extreme_tachycardia")


def test_tachycardia_ends_ten_beats_a_minute_below() -> None:
    fast = train(100, 170, 20)
    hovering = told([*fast, *train(fast[-1] + 185, 185, 40)])  # 136/min
    assert not any(isinstance(e, AlarmCleared) for e in hovering)
    slowed = told([*fast, *train(fast[-1] + 210, 210, 40)])  # 120/min
    assert sum(isinstance(e, AlarmCleared) for e in slowed) == 1


@pytest.mark.parametrize(
    ("rr", "beats", "alarms"), [(AT_40 + 1, 5, 1), (AT_40, 30, 0), (AT_40 - 1, 30, 0)]
)
def test_bradycardia_is_less_than_40_over_5_beats(rr: int, beats: int, alarms: int) -> None:
    events = told(train(100, rr, beats))
    assert len(raised(events, "extreme_bradycardia")) == alarms


def test_bradycardia_does_not_wait_for_a_late_fifth_beat() -> None:
    events = told(train(100, 800, 4), until=100 + 6 * RATE + LATENCY + 1)
    (alarm,) = raised(events, "extreme_bradycardia")
    assert (alarm.at, alarm.decided) == (100, 100 + 6 * RATE + LATENCY)
    assert not raised(told(train(100, 630, 4), until=100 + 6 * RATE), "extreme_bradycardia")


def test_one_pause_in_a_normal_rhythm_is_no_bradycardia() -> None:
    normal = train(100, RATE, 10)
    later = train(normal[-1] + round(3.5 * RATE), RATE, 10)
    assert not raised(told([*normal, *later]), "extreme_bradycardia")


def test_bradycardia_ends_five_beats_a_minute_above() -> None:
    slow = train(100, 700, 6)
    hovering = told([*slow, *train(slow[-1] + 600, 600, 20)])  # 42/min
    assert not any(isinstance(e, AlarmCleared) for e in hovering)
    back = told([*slow, *train(slow[-1] + 550, 550, 20)])  # 45.8/min
    assert sum(isinstance(e, AlarmCleared) for e in back) == 1


def test_a_gap_empties_the_window() -> None:
    book = RuleBook(RuleSettings(), CLOCK)
    book.begin(0)
    events = []
    for at in train(100, 700, 3):
        events += book.tell(Beat(at, at + LATENCY, 700))
    events += book.tell(Hole(1800, 2100, 2100))
    for at in train(2200, 700, 2):
        events += book.tell(Beat(at, at + LATENCY, None if at == 2200 else 700))
    assert not raised(events, "extreme_bradycardia")


def test_heart_rate_is_sixty_over_the_mean_of_the_last_eight_rr() -> None:
    average = HeartRate(Fraction(500))
    assert average.update(None) is None
    assert average.update(500) == 60.0
    assert average.update(250) == pytest.approx(80.0)
    for _ in range(7):
        last = average.update(400)
    assert last == pytest.approx(60 * 500 * 8 / (250 + 7 * 400))
    assert average.update(400) == pytest.approx(75.0)


def test_an_unknown_rr_empties_the_average() -> None:
    average = HeartRate(Fraction(500))
    for _ in range(5):
        average.update(500)
    assert average.update(None) is None
    assert average.update(250) == 120.0


def test_an_rr_of_more_than_three_seconds_is_not_averaged() -> None:
    average = HeartRate(Fraction(500))
    for _ in range(8):
        average.update(300)
    assert average.update(1500) == pytest.approx(60 * 500 * 8 / (7 * 300 + 1500))
    assert average.update(1501) is None
    assert average.update(300) == 100.0


def test_a_rhythm_below_twenty_has_a_rate_all_the_same() -> None:
    average = HeartRate(Fraction(500))
    assert average.update(2000) is None
    assert average.update(2000) == 15.0
    assert average.update(2500) == pytest.approx(60 * 500 * 2 / 4500)


def test_a_snapshot_of_the_average_goes_on_alike() -> None:
    intervals = [300, 300, 2000, 2000, 300, None, 400, 1501, 1600]
    for cut in range(len(intervals)):
        whole, first, second = (HeartRate(Fraction(500)) for _ in range(3))
        expected = [whole.update(rr) for rr in intervals]
        said = [first.update(rr) for rr in intervals[:cut]]
        second.restore(first.snapshot())
        assert said + [second.update(rr) for rr in intervals[cut:]] == expected
