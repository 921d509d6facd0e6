"""What the live view shows: the newest signal, beats and alarms; nothing over as if it held."""

import io

import numpy as np
import pytest
from rich.console import Console

from edge_runtime.events import (
    AlarmCleared,
    AlarmKind,
    AlarmRaised,
    AnalysisLeadChanged,
    BeatClass,
    BeatClassified,
    BeatDetected,
    DeviceReported,
    Event,
    Explanation,
    LinkStateChanged,
    Notice,
    Priority,
    QualityLevel,
    SignalQuality,
)
from edge_runtime.publication import Session
from edge_runtime.sinks.live import STRIP_S, LiveSource, Picture
from edge_runtime.sinks.terminal import draw
from edge_runtime.threads import Ended
from firmware_bridge.stream import SampleChunk, SampleIndex, StreamItem, Tick
from tests.synthetic import gap, opened

RATE = 500
STRIP = int(STRIP_S * RATE)


def numbered(first: int, n: int, leads: int = 1) -> SampleChunk:
    """Lead k carries the sample's number plus k * 100000."""
    numbers = np.arange(first, first + n)[:, None] + 100_000 * np.arange(leads)
    return SampleChunk("ecg", SampleIndex(first), numbers.astype(np.float32))


class Live(LiveSource):
    """With a session that publishes."""

    def __init__(self, leads: tuple[str, ...] = ("I",)) -> None:
        super().__init__()
        self.opened = opened(RATE, leads)
        self.session = Session(self.opened, 0, 0)
        self.show(self.opened)

    def show(self, item: StreamItem | Ended, *events: Event, now_s: float = 0.0) -> None:
        self.see(item, [self.session.publish(event) for event in events], now_s)

    def tell(self, *events: Event) -> None:
        self.show(Tick(SampleIndex(0)), *events)


def beat(at: int, bpm: float | None = 70) -> BeatDetected:
    return BeatDetected(at=at, decided=at + 100, lead="I", rr_s=0.8, heart_rate_bpm=bpm)


def alarm(number: int) -> AlarmRaised:
    why = Explanation(rule="asystole", source="", sentence="No beat for 4 s.", values={})
    return AlarmRaised(
        at=0,
        decided=0,
        alarm=number,
        rule="asystole",
        kind=AlarmKind.PHYSIOLOGICAL,
        priority=Priority.HIGH,
        text="Asystole",
        latched=False,
        explanation=why,
    )


def test_before_anything_came_it_shows_what_was_said() -> None:
    live = LiveSource()
    live.say("no such port")
    live.say("no such port")
    picture = live.picture()
    assert picture.opened is None
    assert picture.messages == ("no such port",)


@pytest.mark.parametrize("sizes", [[10] * 600, [1, 7, 4000, 4001, 3], [9000]])
def test_the_strip_ends_with_the_newest_sample(sizes: list[int]) -> None:
    live = Live()
    at = 0
    for n in sizes:
        live.show(numbered(at, n), now_s=at / RATE)
        at += n
    picture = live.picture()
    assert picture.strip_end == at
    np.testing.assert_array_equal(picture.strip[-min(at, STRIP) :], np.arange(at)[-STRIP:])
    assert picture.link_up


def test_a_hole_is_blank_on_the_strip() -> None:
    live = Live()
    live.show(numbered(0, 1000))
    live.show(gap(1000, 200))
    live.show(numbered(1200, 300))
    strip = live.picture().strip
    assert np.isnan(strip[-500:-300]).all()
    assert strip[-1] == 1499
    live.show(gap(1500, 10 * STRIP))
    assert np.isnan(live.picture().strip).all()
    assert live.picture().strip_end == 1500 + 10 * STRIP


def test_a_beat_gets_its_class_later() -> None:
    live = Live()
    scores = {"N": 0.1, "V": 0.9}
    live.tell(beat(400), beat(800))
    live.tell(
        BeatClassified(at=400, decided=700, label=BeatClass.VENTRICULAR, scores=scores),
        BeatClassified(at=800, decided=1100, label=BeatClass.UNKNOWN, scores={}, reason="noise"),
    )
    picture = live.picture()
    assert [(b.at, b.label, b.score) for b in picture.beats] == [(400, "V", 0.9), (800, "Q", None)]
    assert picture.heart_rate_bpm == 70
    assert picture.last_beat_at == 800


def drawn(picture: Picture) -> str:
    console = Console(width=140, height=40, file=io.StringIO())
    with console.capture() as capture:
        console.print(draw(picture, (), 0.0, console))
    return capture.get()


def test_the_first_beats_say_that_the_wearer_s_are_being_learnt() -> None:
    live = Live()
    why = "the beat's window cannot be read"
    unread = {"label": BeatClass.UNKNOWN, "scores": {}, "reason": why}
    live.tell(beat(400), BeatClassified(at=400, decided=700, **unread))
    shown = drawn(live.picture())
    assert "Q learning" in shown
    assert "classes" in shown
    scores = {"N": 0.9, "V": 0.1}
    live.tell(beat(800), BeatClassified(at=800, decided=1, label=BeatClass.NORMAL, scores=scores))
    live.tell(beat(1200), BeatClassified(at=1200, decided=2, **unread))
    assert [b.learning for b in live.picture().beats] == [True, False, False]
    shown = drawn(live.picture())
    assert "Q unclassified" in shown
    assert "learning" not in shown.replace("Q learning", "")
    assert "classes" not in shown
    live.show(live.opened)
    live.tell(
        SignalQuality(at=0, decided=0, lead="I", level=QualityLevel.UNUSABLE, reason="noise"),
        beat(400),
        BeatClassified(at=400, decided=700, **unread),
    )
    assert not live.picture().beats[0].learning


def test_no_rate_is_shown_while_nothing_beats() -> None:
    live = Live()
    live.show(numbered(0, 800), beat(400))
    live.show(numbered(800, 400 + round(3.4 * RATE) - 800))
    assert live.picture().heart_rate_bpm == 70
    live.show(numbered(400 + round(3.4 * RATE), 1))
    assert live.picture().heart_rate_bpm is None
    live.show(numbered(401 + round(3.4 * RATE), 1000), beat(3000, bpm=100))
    assert live.picture().heart_rate_bpm == 100


def test_alarms_show_whether_they_hold() -> None:
    live = Live()
    live.tell(alarm(1), alarm(2))
    live.tell(AlarmCleared(at=9, decided=9, alarm=1, rule="asystole", reason="a beat"))
    assert [(a.alarm.alarm, a.active) for a in live.picture().alarms] == [(1, False), (2, True)]


def test_an_alarm_of_the_stream_before_does_not_hold_for_ever() -> None:
    live = Live()
    live.tell(alarm(1))
    live.show(live.opened)
    assert [a.active for a in live.picture().alarms] == [False]


def test_state_of_link_lead_quality_and_device() -> None:
    live = Live(("I", "II"))
    live.tell(
        AnalysisLeadChanged(at=0, decided=0, lead="II", reason=""),
        SignalQuality(at=0, decided=0, lead="I", level=QualityLevel.UNUSABLE, reason="noise"),
        SignalQuality(at=0, decided=0, lead="II", level=QualityLevel.GOOD, reason=""),
        DeviceReported(at=0, decided=0, battery_percent=80, contact=True),
        Notice(at=0, decided=0, code="flat_line", message="check electrodes"),
    )
    live.show(numbered(0, 100, leads=2))
    live.tell(LinkStateChanged(at=100, decided=100, up=False, reason="unplugged"))
    picture = live.picture()
    assert picture.lead == "II"
    assert picture.strip[-1] == 100_099
    assert picture.quality == "good"
    assert picture.battery_percent == 80
    assert picture.messages == ("check electrodes",)
    assert (picture.link_up, picture.link_reason) == (False, "unplugged")


def test_the_end_of_a_stream_is_shown() -> None:
    live = Live()
    live.show(numbered(0, 10))
    live.show(Ended("samples of another shape"))
    picture = live.picture()
    assert (picture.link_up, picture.link_reason) == (False, "samples of another shape")


def test_a_picture_does_not_change_afterwards() -> None:
    live = Live()
    live.show(numbered(0, 100))
    picture = live.picture()
    live.show(numbered(100, 100))
    assert picture.strip[-1] == 99
