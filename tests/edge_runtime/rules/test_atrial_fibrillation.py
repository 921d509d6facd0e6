"""AF: thirty seconds of it, thirty without, dates, irregular intervals, gaps."""

import pytest

from edge_runtime.events import AlarmCleared, Phase, Rhythm, RhythmEpisode
from edge_runtime.rules.atrial_fibrillation import AtrialFibrillationSettings
from edge_runtime.rules.facts import Hole, RhythmSeen
from edge_runtime.rules.settings import RuleSettings
from tests.edge_runtime.rules.ward import CLOCK, RATE, Ward

LAG = 30 * RATE
AF = "atrial_fibrillation"


def seen(ward: Ward, pattern: str, irregular: float = 0.8, first: int = 0) -> Ward:
    """One second each from second `first` on; a: AF, n: not."""
    for second, letter in enumerate(pattern, first):
        at = second * RATE
        fibrillates = letter == "a"
        fact = RhythmSeen(at, at + LAG, fibrillates, 0.9 if fibrillates else 0.1, irregular)
        ward.events += ward.book.tell(fact)
    return ward


def quiet(**af: float) -> RuleSettings:
    """No heart beats in these tests, and asystole would say so: it cannot be switched off."""
    return RuleSettings(atrial_fibrillation=AtrialFibrillationSettings(**af))


def af_alarms(ward: Ward) -> list[str]:
    return [rule for rule in ward.raised if rule.startswith(AF)]


@pytest.mark.parametrize(("seconds", "n"), [(30, 0), (31, 1), (45, 1)])
def test_thirty_seconds_make_an_episode(seconds: int, n: int) -> None:
    """31 moments a second apart span 30 s."""
    assert len(af_alarms(seen(Ward(quiet()), "n" * 5 + "a" * seconds))) == n


def test_it_is_dated_to_where_it_began() -> None:
    alarm = seen(Ward(quiet()), "n" * 5 + "a" * 40).alarm(AF)
    assert (alarm.at, alarm.decided) == (5 * RATE, 35 * RATE + LAG)
    assert (alarm.priority, alarm.latched) == ("medium", False)
    assert alarm.explanation.values == {"seconds": 30.0, "irregular": 0.8, "chance": 0.9}


def test_what_comes_and_goes_sooner_is_none() -> None:
    assert not af_alarms(seen(Ward(quiet()), ("a" * 29 + "n") * 5))


@pytest.mark.parametrize(("irregular", "n"), [(0.29, 0), (0.3, 1), (0.31, 1)])
def test_a_claim_needs_irregular_intervals(irregular: float, n: int) -> None:
    assert len(af_alarms(seen(Ward(quiet()), "a" * 40, irregular))) == n


@pytest.mark.parametrize(("after_s", "n_moments"), [(30.0, 31), (60.0, 61), (600.0, 601)])
def test_how_long_can_be_chosen(after_s: float, n_moments: int) -> None:
    settings = quiet(after_s=after_s)
    assert AF in seen(Ward(settings), "a" * n_moments).raised
    assert AF not in seen(Ward(settings), "a" * (n_moments - 1)).raised


def test_thirty_seconds_without_end_it_where_it_was_last() -> None:
    ward = seen(Ward(quiet()), "a" * 40 + "n" * 20 + "a" * 5 + "n" * 31)
    ends = [e for e in ward.events if isinstance(e, AlarmCleared) and e.rule == AF]
    assert [(e.at, e.decided) for e in ends] == [(64 * RATE, 95 * RATE + LAG)]
    over = ward.alarm("atrial_fibrillation_over")
    assert (over.at, over.priority) == (64 * RATE, "low")
    episodes = [e for e in ward.events if isinstance(e, RhythmEpisode)]
    found = [(e.phase, e.at) for e in episodes if e.rhythm is Rhythm.ATRIAL_FIBRILLATION]
    assert found == [(Phase.ONSET, 0), (Phase.END, 64 * RATE)]


def test_thirty_moments_without_do_not_end_it() -> None:
    ward = seen(Ward(quiet()), "a" * 40 + "n" * 30)
    assert AF in ward.active
    assert AF not in seen(ward, "n", first=70).active


def test_the_word_that_it_is_over_is_shown_for_a_while() -> None:
    ward = seen(Ward(quiet()), "a" * 40 + "n" * 31)
    told = "atrial_fibrillation_over"
    assert told in ward.active
    ward.events += ward.book.advance(70 * RATE + LAG + CLOCK.samples(30.0))
    assert told in ward.active
    ward.events += ward.book.advance(70 * RATE + LAG + CLOCK.samples(30.0) + 1)
    assert told not in ward.active


@pytest.mark.parametrize(("missing_s", "n"), [(30, 1), (31, 0)])
def test_a_long_gap_is_no_fibrillation(missing_s: int, n: int) -> None:
    ward = seen(Ward(quiet()), "a" * 20)
    first = 20 * RATE + LAG
    ward.events += ward.book.tell(Hole(first, first, first + missing_s * RATE))
    ward = seen(ward, "a" * 12, first=20 + missing_s)
    assert len(af_alarms(ward)) == n


def test_it_can_be_switched_off() -> None:
    off = RuleSettings(atrial_fibrillation=AtrialFibrillationSettings(enabled=False))
    assert not af_alarms(seen(Ward(off), "a" * 100))


def test_a_snapshot_goes_on_in_the_middle() -> None:
    ward = seen(Ward(quiet()), "a" * 20)
    other = Ward(quiet())
    other.book.restore(ward.book.snapshot())
    assert af_alarms(seen(other, "a" * 11, first=20)) == [AF]
