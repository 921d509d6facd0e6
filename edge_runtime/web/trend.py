"""Rate and ectopy by the minute, and episodes of rhythms, for the trend over hours."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from edge_runtime.events import (
    BeatClass,
    BeatClassified,
    BeatDetected,
    Phase,
    Rhythm,
    RhythmClassified,
    RhythmEpisode,
)
from edge_runtime.publication import Published
from edge_runtime.web.shapes import RhythmSpan, TrendPoint

_MINUTES: Final = 24 * 60
_SPANS: Final = 500
_MINUTE_TEXT: Final = len("2026-11-23T18:15")


@dataclass(slots=True)
class _Minute:
    """Sums over the beats of one minute of wall time."""

    text: str
    sum_bpm: float = 0.0
    rated: int = 0
    lowest_bpm: float | None = None
    highest_bpm: float | None = None
    beats: int = 0
    supraventricular: int = 0
    ventricular: int = 0

    def point(self) -> TrendPoint:
        return TrendPoint(
            time=f"{self.text}:00Z",
            mean_bpm=self.sum_bpm / self.rated if self.rated else None,
            lowest_bpm=self.lowest_bpm,
            highest_bpm=self.highest_bpm,
            beats=self.beats,
            supraventricular=self.supraventricular,
            ventricular=self.ventricular,
        )


class TrendKeeper:
    """The last 24 hours that had beats. A class is counted in the minute of its beat where that
    is among the last two, as it always is live."""

    def __init__(self) -> None:
        self._minutes: deque[_Minute] = deque(maxlen=_MINUTES)
        self._spans: deque[RhythmSpan] = deque(maxlen=_SPANS)
        self._session = ""

    def see(self, published: Published) -> None:
        """Count one event. Nothing of a session before can end any more: it ends here."""
        if published.session != self._session:
            self._session = published.session
            self._end_all(published.time, modelled=True)
            self._end_all(published.time, modelled=False)
        match event := published.event:
            case BeatDetected():
                minute = self._minute(published.time)
                minute.beats += 1
                if event.heart_rate_bpm is not None:
                    _rate(minute, event.heart_rate_bpm)
            case BeatClassified():
                minute = self._minute(published.time)
                minute.supraventricular += event.label is BeatClass.SUPRAVENTRICULAR
                minute.ventricular += event.label is BeatClass.VENTRICULAR
            case RhythmClassified():
                self._end_all(published.time, modelled=True)
                self._begin(event.rhythm, published.time, modelled=True)
            case RhythmEpisode(phase=Phase.ONSET):
                self._begin(event.rhythm, published.time, modelled=False)
            case RhythmEpisode():
                self._end_all(published.time, modelled=False, rhythm=event.rhythm)
            case _:
                pass

    def points(self) -> list[TrendPoint]:
        """Oldest first."""
        return [minute.point() for minute in self._minutes]

    def rhythms(self) -> list[RhythmSpan]:
        """The last episodes, oldest first."""
        return list(self._spans)

    def _begin(self, rhythm: Rhythm, time: str, *, modelled: bool) -> None:
        self._spans.append(RhythmSpan(rhythm=rhythm, modelled=modelled, began=time, ended=None))

    def _end_all(self, time: str, *, modelled: bool, rhythm: Rhythm | None = None) -> None:
        for n, span in enumerate(self._spans):
            if span.ended is None and span.modelled is modelled and rhythm in {None, span.rhythm}:
                self._spans[n] = replace(span, ended=time)

    def _minute(self, time: str) -> _Minute:
        text = time[:_MINUTE_TEXT]
        for minute in list(self._minutes)[-2:]:
            if minute.text == text:
                return minute
        self._minutes.append(_Minute(text))
        return self._minutes[-1]


def _rate(minute: _Minute, bpm: float) -> None:
    minute.sum_bpm += bpm
    minute.rated += 1
    minute.lowest_bpm = bpm if minute.lowest_bpm is None else min(minute.lowest_bpm, bpm)
    minute.highest_bpm = bpm if minute.highest_bpm is None else max(minute.highest_bpm, bpm)
