"""Bradycardia and tachycardia, extreme and not, by the rate over several beats.

Source: PhysioNet/CinC Challenge 2015: below 40/min over 5 consecutive beats (4 RR intervals),
above 140/min over 17 (16 intervals). The rate is 60 / the mean RR of these intervals; the limit
itself is not an alarm. Intervals across gaps or unreadable stretches empty the window. The low
forms (below 50, above 120/min, as bedside monitors' default limits) go by nine beats, the eight
intervals of the displayed rate.

Bradycardia does not wait for its fifth beat: once the time since the first of the last four says
that the rate is below the limit whenever the fifth comes, it is told, at most 6 s after that
beat. At least two of the four intervals must each be slower than the limit, so that one pause in
a normal rhythm is a pause.

Tachycardia does not count beats twice: when a condition that takes precedence over it ends (VT),
its window begins anew behind that episode, and if it was found only within the episode it ends
with it. What goes on faster than the limit is found again 17 beats later (within 8 s by
default); a tachycardia that was found before the episode began stays.
"""

from bisect import insort
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import msgspec

from edge_runtime.events import Priority, Rhythm
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.rules.facts import Beat, Episode, Hole, LeadsOff, SignalClock
from edge_runtime.rules.precedence import rank
from edge_runtime.rules.rule import NEVER, NOTHING, Begin, Condition, End, Findings, Rule

EXTREME_BRADYCARDIA = Condition(
    name="extreme_bradycardia",
    priority=Priority.HIGH,
    source="CinC Challenge 2015: heart rate below 40/min for 5 beats",
    rhythm=Rhythm.BRADYCARDIA,
    rank=rank("extreme_bradycardia"),
)
EXTREME_TACHYCARDIA = Condition(
    name="extreme_tachycardia",
    priority=Priority.HIGH,
    source="CinC Challenge 2015: heart rate above 140/min for 17 beats",
    rhythm=Rhythm.TACHYCARDIA,
    rank=rank("extreme_tachycardia"),
)


@dataclass(frozen=True, slots=True)
class BradycardiaSettings:
    """`hysteresis_bpm`: the rate that ends the alarm is so much above the limit."""

    enabled: bool = True
    below_bpm: float = bounded(40.0, 20.0, 60.0)
    beats: int = bounded(5, 3, 16)
    hysteresis_bpm: float = bounded(5.0, 0.0, 20.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class TachycardiaSettings:
    """`above_bpm` None: as the profile says (`catalogue.py`): bed 140, active 180.
    `hysteresis_bpm`: the rate that ends the alarm is so much below the limit."""

    enabled: bool = True
    above_bpm: float | None = bounded(None, 100.0, 250.0)
    beats: int = bounded(17, 5, 32)
    hysteresis_bpm: float = bounded(10.0, 0.0, 40.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class SlowRateSettings:
    """The low limit of the rate. `hysteresis_bpm`: it ends so much above the limit."""

    enabled: bool = True
    below_bpm: float = bounded(50.0, 30.0, 80.0)
    beats: int = bounded(9, 5, 32)
    hysteresis_bpm: float = bounded(3.0, 0.0, 20.0)
    refractory_s: float = bounded(60.0, 0.0, 300.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class FastRateSettings:
    """The high limit of the rate; `above_bpm` None: as the profile says (bed 120, active 160).
    `hysteresis_bpm`: it ends so much below the limit."""

    enabled: bool = True
    above_bpm: float | None = bounded(None, 80.0, 220.0)
    beats: int = bounded(9, 5, 32)
    hysteresis_bpm: float = bounded(5.0, 0.0, 40.0)
    refractory_s: float = bounded(60.0, 0.0, 300.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _State(msgspec.Struct):
    peaks: list[int] = []
    active: bool = False


class _RateRule(Rule):
    """Keeps the last `beats` R peaks that follow one another without a break."""

    State = _State
    state: _State

    def __init__(self, condition: Condition, beats: int, clock: SignalClock) -> None:
        super().__init__()
        self.condition = condition
        self._text = condition.name.replace("_", " ").capitalize()
        self._clock = clock
        self._beats = beats

    def _push(self, beat: Beat) -> list[int]:
        peaks = self.state.peaks
        if peaks and beat.at < peaks[-1]:
            if beat.at > peaks[0]:
                insort(peaks, beat.at)
        else:
            if beat.rr is None:
                peaks.clear()
            peaks.append(beat.at)
        del peaks[: -self._beats]
        return peaks

    def retuned(self) -> None:
        del self.state.peaks[: -self._beats]

    def on_hole(self, hole: Hole) -> Findings:
        return self._forget()

    def on_leads(self, leads: LeadsOff) -> Findings:
        if not leads.blind:
            return NOTHING
        self._forget()
        return self._end(leads.at, leads.decided, "the electrode is reported off")

    def _forget(self) -> Findings:
        self.state.peaks.clear()
        self.deadline = NEVER
        return NOTHING

    def _bpm(self, intervals: int, samples: int) -> float:
        return 60.0 * intervals / self._clock.seconds(samples)

    def _end(self, at: int, decided: int, reason: str) -> Findings:
        if not self.state.active:
            return NOTHING
        self.state.active = False
        return (End(self.condition, at=at, decided=decided, reason=reason),)

    def _begin(self, at: int, decided: int, sentence: str, bpm: float) -> Findings:
        self.state.active = True
        values = {"rate_bpm": round(bpm, 1), "beats": float(self._beats)}
        return (Begin(self.condition, at, decided, self._text, sentence, values),)


class _SlowRate(_RateRule):
    """Fewer than `below_bpm` over `beats` beats."""

    def __init__(
        self,
        condition: Condition,
        settings: BradycardiaSettings | SlowRateSettings,
        clock: SignalClock,
    ) -> None:
        super().__init__(condition, settings.beats, clock)
        self._below_bpm = settings.below_bpm
        self._release_bpm = settings.below_bpm + settings.hysteresis_bpm
        self._slow_rr = clock.samples(60.0 / settings.below_bpm)
        self._slow_span = clock.samples(60.0 * (settings.beats - 1) / settings.below_bpm)

    def on_beat(self, beat: Beat) -> Findings:
        peaks = self._push(beat)
        found = NOTHING
        if len(peaks) == self._beats:
            found = self._judge(peaks, beat)
        self._arm(peaks)
        return found

    def _judge(self, peaks: list[int], beat: Beat) -> Findings:
        span = peaks[-1] - peaks[0]
        if self.state.active:
            bpm = self._bpm(len(peaks) - 1, span)
            if bpm >= self._release_bpm:
                return self._end(beat.at, beat.decided, f"the rate is back at {bpm:.0f}/min")
        elif span > self._slow_span and self._slow_intervals(peaks) >= 2:
            return self._found(peaks[0], beat.decided, span)
        return NOTHING

    def retuned(self) -> None:
        super().retuned()
        self._arm(self.state.peaks)

    def _slow_intervals(self, peaks: list[int]) -> int:
        slow_rr = self._slow_rr
        return sum([b - a > slow_rr for a, b in pairwise(peaks)])

    def _arm(self, peaks: list[int]) -> None:
        """Set the sample at which the rate is too low whenever the next beat comes."""
        self.deadline = NEVER
        open_from = len(peaks) - self._beats + 1  # first peak of the window the next beat closes
        if self.state.active or open_from < 0:
            return
        window = peaks[open_from:]
        closed_slow = self._slow_intervals(window)
        if closed_slow == 0:
            return
        too_long = window[0] + self._slow_span
        if closed_slow == 1:  # then the open interval must be slow as well
            too_long = max(too_long, window[-1] + self._slow_rr)
        self.deadline = too_long + self._clock.label_latency

    def on_time(self, now: int) -> Findings:
        self.deadline = NEVER
        first = self.state.peaks[len(self.state.peaks) - self._beats + 1]
        return self._found(first, now, now - self._clock.label_latency - first)

    def _found(self, first: int, decided: int, span: int) -> Findings:
        bpm = self._bpm(self._beats - 1, span)
        sentence = (
            f"{self._beats} beats at {bpm:.0f}/min or slower; the limit is {self._below_bpm:g}/min."
        )
        return self._begin(first, decided, sentence, bpm)


class ExtremeBradycardia(_SlowRate):
    """The high-priority form."""

    name: ClassVar[str] = "extreme_bradycardia"

    def __init__(self, settings: BradycardiaSettings, clock: SignalClock) -> None:
        super().__init__(EXTREME_BRADYCARDIA, settings, clock)


class Bradycardia(_SlowRate):
    """The low-priority form."""

    name: ClassVar[str] = "bradycardia"

    def __init__(self, settings: SlowRateSettings, clock: SignalClock) -> None:
        condition = Condition(
            "bradycardia",
            Priority.LOW,
            f"bedside monitors' manuals: heart rate below {settings.below_bpm:g}/min",
            refractory_s=settings.refractory_s,
        )
        super().__init__(condition, settings, clock)


class _TachycardiaState(_State):
    found_at: int = 0  # the R peak that made the rate too high


class _FastRate(_RateRule):
    """More than `above_bpm` over `beats` beats."""

    State = _TachycardiaState
    state: _TachycardiaState

    def __init__(
        self,
        condition: Condition,
        settings: TachycardiaSettings | FastRateSettings,
        clock: SignalClock,
        above_bpm: float,
    ) -> None:
        super().__init__(condition, settings.beats, clock)
        self._above_bpm = above_bpm
        self._release_bpm = above_bpm - settings.hysteresis_bpm

    def on_beat(self, beat: Beat) -> Findings:
        peaks = self._push(beat)
        if len(peaks) < self._beats:
            return NOTHING
        bpm = self._bpm(len(peaks) - 1, peaks[-1] - peaks[0])
        if self.state.active:
            if bpm > self._release_bpm:
                return NOTHING
            return self._end(beat.at, beat.decided, f"the rate is back at {bpm:.0f}/min")
        if bpm <= self._above_bpm:
            return NOTHING
        self.state.found_at = beat.at
        sentence = f"{self._beats} beats at {bpm:.0f}/min; the limit is {self._above_bpm:g}/min."
        return self._begin(peaks[0], beat.decided, sentence, bpm)

    def on_episode(self, episode: Episode) -> Findings:
        state, own = self.state, rank(EXTREME_TACHYCARDIA.name)
        if episode.rank >= own or (state.active and state.found_at < episode.at):
            return NOTHING
        state.peaks = [at for at in state.peaks if at > episode.end]
        reason = f"its beats were those of: {episode.text}"
        return self._end(episode.end, episode.decided, reason)


class ExtremeTachycardia(_FastRate):
    """The high-priority form."""

    name: ClassVar[str] = "extreme_tachycardia"

    def __init__(self, settings: TachycardiaSettings, clock: SignalClock, above_bpm: float) -> None:
        super().__init__(EXTREME_TACHYCARDIA, settings, clock, above_bpm)


class Tachycardia(_FastRate):
    """The low-priority form."""

    name: ClassVar[str] = "tachycardia"

    def __init__(self, settings: FastRateSettings, clock: SignalClock, above_bpm: float) -> None:
        condition = Condition(
            "tachycardia",
            Priority.LOW,
            f"bedside monitors' manuals: heart rate above {above_bpm:g}/min",
            refractory_s=settings.refractory_s,
        )
        super().__init__(condition, settings, clock, above_bpm)
