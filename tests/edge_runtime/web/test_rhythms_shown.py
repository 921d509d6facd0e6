"""The episodes of rhythms that the page draws over hours."""

from edge_runtime.events import Phase, Rhythm, RhythmClassified, RhythmEpisode
from edge_runtime.publication import Published
from edge_runtime.web.trend import TrendKeeper


def told(
    keeper: TrendKeeper, second: int, rhythm: Rhythm, phase: Phase, session: str = "a"
) -> None:
    event = RhythmEpisode(at=second, decided=second, rhythm=rhythm, phase=phase)
    time = f"2026-11-23T10:00:{second:02}.000Z"
    keeper.see(Published(id="", source="", session=session, number=second, time=time, event=event))


def spans(keeper: TrendKeeper) -> list[tuple[str, str, str | None]]:
    def second(time: str | None) -> str | None:
        return time and time[17:19]

    return [(s.rhythm.value, s.began[17:19], second(s.ended)) for s in keeper.rhythms()]


def test_an_episode_lasts_from_its_onset_to_its_own_end() -> None:
    keeper = TrendKeeper()
    told(keeper, 1, Rhythm.VENTRICULAR_TACHYCARDIA, Phase.ONSET)
    told(keeper, 2, Rhythm.TACHYCARDIA, Phase.ONSET)
    told(keeper, 5, Rhythm.VENTRICULAR_TACHYCARDIA, Phase.END)
    assert spans(keeper) == [("VT", "01", "05"), ("TACHY", "02", None)]


def test_a_new_session_ends_what_nothing_else_can() -> None:
    keeper = TrendKeeper()
    told(keeper, 1, Rhythm.PAUSE, Phase.ONSET)
    told(keeper, 9, Rhythm.BRADYCARDIA, Phase.ONSET, session="b")
    assert spans(keeper) == [("PAUSE", "01", "09"), ("BRADY", "09", None)]


def test_what_the_model_sees_lasts_until_it_sees_another_beside_the_rules() -> None:
    keeper = TrendKeeper()
    told(keeper, 1, Rhythm.ATRIAL_FIBRILLATION, Phase.ONSET)
    for second, rhythm in ((2, Rhythm.ATRIAL_FIBRILLATION), (7, Rhythm.SINUS)):
        seen = RhythmClassified(at=second, decided=second, rhythm=rhythm, scores={})
        time = f"2026-11-23T10:00:{second:02}.000Z"
        keeper.see(Published(id="", source="", session="a", number=0, time=time, event=seen))
    assert spans(keeper) == [("AFIB", "01", None), ("AFIB", "02", "07"), ("N", "07", None)]
    assert [one.modelled for one in keeper.rhythms()] == [False, True, True]


def test_the_oldest_go_first() -> None:
    keeper = TrendKeeper()
    for _ in range(600):
        told(keeper, 1, Rhythm.PAUSE, Phase.ONSET)
        told(keeper, 2, Rhythm.PAUSE, Phase.END)
    assert len(keeper.rhythms()) == 500
