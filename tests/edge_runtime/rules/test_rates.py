"""Extreme rates, and how heart rate is averaged."""

from fractions import Fraction

import pytest

from edge_runtime.events import AlarmCleared, AlarmRaised, Event
from edge_runtime.rules.facts import Beat, Hole, SignalClock
from edge_runtime.rules.heart_rate import HeartRate
from edge_runtime.rules.rate import TachycardiaSettings
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings

RATE, LATENCY, LABEL_LATENCY = (
    420,
    150,
    300,
)  # 420 Hz: RR at 140/min is 180 samples exactly, at 40/min 630
CLOCK = SignalClock(Fraction(RATE), LATENCY, LABEL_LATENCY)
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


def cleared(events: list[Event], rule: str) -> list[AlarmCleared]:
    return [e for e in events if isinstance(e, AlarmCleared) and e.rule == rule]


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
    assert not cleared(hovering, "extreme_tachycardia")
    slowed = told([*fast, *train(fast[-1] + 210, 210, 40)])  # 120/min
    assert len(cleared(slowed, "extreme_tachycardia")) == 1


@pytest.mark.parametrize(
    ("rr", "beats", "alarms"), [(AT_40 + 1, 5, 1), (AT_40, 30, 0), (AT_40 - 1, 30, 0)]
)
def test_bradycardia_is_less_than_40_over_5_beats(rr: int, beats: int, alarms: int) -> None:
    events = told(train(100, rr, beats))
    assert len(raised(events, "extreme_bradycardia")) == alarms


def test_bradycardia_does_not_wait_for_a_late_fifth_beat() -> None:
    events = told(train(100, 800, 4), until=100 + 6 * RATE + LABEL_LATENCY + 1)
    (alarm,) = raised(events, "extreme_bradycardia")
    assert (alarm.at, alarm.decided) == (100, 100 + 6 * RATE + LABEL_LATENCY)
    assert not raised(told(train(100, 630, 4), until=100 + 6 * RATE), "extreme_bradycardia")


def test_one_pause_in_a_normal_rhythm_is_no_bradycardia() -> None:
    normal = train(100, RATE, 10)
    later = train(normal[-1] + round(3.5 * RATE), RATE, 10)
    assert not raised(told([*normal, *later]), "extreme_bradycardia")


def test_bradycardia_ends_five_beats_a_minute_above() -> None:
    slow = train(100, 700, 6)
    hovering = told([*slow, *train(slow[-1] + 600, 600, 20)])  # 42/min
    assert not cleared(hovering, "extreme_bradycardia")
    back = told([*slow, *train(slow[-1] + 550, 550, 20)])  # 45.8/min
    assert len(cleared(back, "extreme_bradycardia")) == 1


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


@pytest.mark.parametrize(("rr", "alarms"), [(505, 1), (504, 0), (503, 0)])
def test_bradycardia_is_less_than_50_over_nine_beats(rr: int, alarms: int) -> None:
    events = told(train(100, rr, 9))  # 420 Hz: 504 samples are 50/min
    assert len(raised(events, "bradycardia")) == alarms
    assert not raised(told(train(100, 505, 8)), "bradycardia")
    assert all(alarm.priority == "low" for alarm in raised(events, "bradycardia"))


@pytest.mark.parametrize(("rr", "alarms"), [(209, 1), (210, 0), (211, 0)])
def test_tachycardia_is_more_than_120_over_nine_beats(rr: int, alarms: int) -> None:
    assert len(raised(told(train(100, rr, 9)), "tachycardia")) == alarms
    assert not raised(told(train(100, 209, 8)), "tachycardia")


def test_the_active_profile_calls_160_fast() -> None:
    active = RuleSettings(profile="active")
    assert not raised(told(train(100, 158, 20), active), "tachycardia")  # 159.5/min
    assert raised(told(train(100, 157, 20), active), "tachycardia")


def test_an_extreme_rate_takes_the_word_from_the_lesser_one() -> None:
    events = told(train(100, 170, 40))
    (low,) = cleared(events, "tachycardia")
    assert low.decided == raised(events, "extreme_tachycardia")[0].decided


class Beating:
    """A heart whose beats come `rr` samples apart; `lost`: that interval is not known."""

    def __init__(self) -> None:
        self.average = HeartRate(Fraction(500))
        self.at = 1000
        self.bpm = self.average.update(self.at, None)

    def beat(self, *intervals: int, lost: bool = False) -> float | None:
        for rr in intervals:
            self.at += rr
            self.bpm = self.average.update(self.at, None if lost else rr)
        return self.bpm


def test_heart_rate_is_sixty_over_the_mean_of_the_last_eight_rr() -> None:
    heart = Beating()
    assert heart.bpm is None
    assert heart.beat(500) == 60.0
    assert heart.beat(250) == pytest.approx(80.0)
    assert heart.beat(*[400] * 7) == pytest.approx(60 * 500 * 8 / (250 + 7 * 400))
    assert heart.beat(400) == pytest.approx(75.0)


def test_an_invalid_rr_is_left_out_of_the_average() -> None:
    heart = Beating()
    heart.beat(*[500] * 7)
    assert heart.beat(777, lost=True) == 60.0
    assert heart.beat(250) == pytest.approx(60 * 500 * 7 / (6 * 500 + 250))


def test_there_is_no_rate_unless_four_of_the_last_eight_rr_are_valid() -> None:
    heart = Beating()
    heart.beat(*[300] * 8)
    assert heart.beat(*[300] * 4, lost=True) == 100.0
    assert heart.beat(300, lost=True) is None
    assert heart.beat(150) is None  # the ninth-last leaves: three of before and this one
    assert heart.beat(300, 300, 300) is not None


def test_a_single_rr_that_survived_makes_no_rate() -> None:
    heart = Beating()
    for _ in range(10):
        heart.beat(300, 300, lost=True)
        assert heart.beat(150) is None


def test_beside_an_invalid_rr_only_the_last_ten_seconds_count() -> None:
    slow, heart = [1250] * 8, Beating()
    assert heart.beat(*slow) == 24.0
    assert heart.beat(1250, lost=True) == 24.0  # those that ended 2.5, 5, 7.5 and 10 s ago
    heart = Beating()
    heart.beat(*slow)
    assert heart.beat(1251, lost=True) is None


def test_an_invalid_interval_of_more_than_three_seconds_begins_anew() -> None:
    heart = Beating()
    heart.beat(*[300] * 8)
    assert heart.beat(1501, lost=True) is None
    assert heart.beat(300, 300, 300) is None
    assert heart.beat(300) == 100.0


def test_an_rr_of_more_than_three_seconds_is_not_averaged() -> None:
    heart = Beating()
    heart.beat(*[300] * 8)
    assert heart.beat(1500) == pytest.approx(60 * 500 * 8 / (7 * 300 + 1500))
    assert heart.beat(1501) is None
    assert heart.beat(300) == 100.0


def test_a_rhythm_below_twenty_has_a_rate_all_the_same() -> None:
    heart = Beating()
    assert heart.beat(2000) is None
    assert heart.beat(2000) == 15.0
    assert heart.beat(2500) == pytest.approx(60 * 500 * 2 / 4500)


def test_a_snapshot_of_the_average_goes_on_alike() -> None:
    intervals = [None, 300, 300, 2000, 2000, 300, None, 400, 400, 400, 400, 1501, 1600, None, 300]
    beats = [(1400 * k, rr) for k, rr in enumerate(intervals)]
    for cut in range(len(beats)):
        whole, first, second = (HeartRate(Fraction(500)) for _ in range(3))
        expected = [whole.update(*beat) for beat in beats]
        said = [first.update(*beat) for beat in beats[:cut]]
        second.restore(first.snapshot())
        assert said + [second.update(*beat) for beat in beats[cut:]] == expected
