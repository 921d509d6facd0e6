"""Pacer not capturing, pacer not pacing: only where the device sends pace marks."""

import pytest

from edge_runtime.rules.facts import Pace
from tests.edge_runtime.rules.ward import LABEL, Ward


class Paced(Ward):
    """Pulses `before` samples ahead of each QRS."""

    def pace(self, at: int) -> "Paced":
        self.events += self.book.advance(at)
        self.events += self.book.tell(Pace(at, at))
        return self

    def paced_beats(self, n: int, rr: int = 400, before: int = 50) -> "Paced":
        for _ in range(n):
            self.pace(self.at + rr - before)
            self.see("N", rr)
        return self


@pytest.mark.parametrize(("delay", "n"), [(149, 0), (150, 0), (151, 1)])
def test_a_pulse_captures_within_300_ms(delay: int, n: int) -> None:
    ward = Paced().paced_beats(4)
    ward.pace(ward.at + 400)
    ward.see("N", 400 + delay).wait(2)
    assert ward.raised.count("pacer_not_capturing") == n


def test_not_capturing_is_decided_once_no_tentative_peak_can_come() -> None:
    ward = Paced().paced_beats(4)
    pulse = ward.at + 400
    alarm = ward.pace(pulse).wait(3).alarm("pacer_not_capturing")
    assert (alarm.at, alarm.decided, alarm.priority) == (pulse, pulse + 150 + LABEL, "medium")


def test_a_pulse_that_fuses_with_a_beat_is_no_failure() -> None:
    ward = Paced().paced_beats(4).paced_beats(1, before=-30)
    assert "pacer_not_capturing" not in ward.wait(1).raised


def test_not_capturing_is_over_after_ten_good_seconds() -> None:
    ward = Paced().paced_beats(4)
    ward.pace(ward.at + 200)
    ward.see("N", 500)
    assert "pacer_not_capturing" in ward.paced_beats(5).active
    assert "pacer_not_capturing" not in ward.paced_beats(15).active


@pytest.mark.parametrize(("rr", "n"), [(699, 0), (700, 0), (701, 1)])
def test_not_pacing_is_1_75_of_the_mean_without_pulse_or_qrs(rr: int, n: int) -> None:
    ward = Paced().paced_beats(9)
    last = ward.at
    ward.events += ward.book.advance(last + rr + LABEL)
    assert ward.raised.count("pacer_not_pacing") == n


def test_a_pulse_or_a_beat_ends_not_pacing() -> None:
    for ends_with_pulse in (True, False):
        ward = Paced().paced_beats(9).wait(1.5)
        assert ward.active == ["pacer_not_pacing"]
        if ends_with_pulse:
            ward.pace(ward.at + 1200)
        else:
            ward.see("N", 1200)
        assert "pacer_not_pacing" not in ward.active


def test_a_device_without_pace_marks_has_no_pacer_to_fail() -> None:
    ward = Ward().see("N" * 9, 400).wait(1.5)
    assert ward.raised == []


def test_a_gap_takes_what_was_waited_for() -> None:
    ward = Paced().paced_beats(9)
    ward.pace(ward.at + 300)
    ward.hole(200)
    assert ward.wait(1.5).raised == []
