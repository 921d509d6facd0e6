"""What a session held, counted from its events: shown at the end of `run` and `replay`."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from edge_runtime.events import (
    AlarmRaised,
    BeatClassified,
    BeatDetected,
    Event,
    GapRecorded,
    Notice,
    SourceOpened,
)
from firmware_bridge.stream import Gap, SampleChunk, StreamOpened

_BEATS = "NSVFQ"


@dataclass(slots=True)
class Summary:
    """Counts of one session; `see` each event once."""

    source: str = ""
    rate_hz: float = 0.0
    last_index: int = 0
    detected: int = 0
    beats: Counter[str] = field(default_factory=Counter)
    alarms: Counter[tuple[str, str]] = field(default_factory=Counter)
    notices: dict[str, None] = field(default_factory=dict)
    missing_samples: int = 0
    gaps: int = 0
    lowest_bpm: float | None = None
    highest_bpm: float | None = None
    _signal: str = ""
    _earlier_s: float = 0.0
    _bpm_sum: float = 0.0
    _bpm_n: int = 0

    def see(self, event: Event) -> None:
        """Count `event`."""
        match event:
            case SourceOpened():
                # The same source again begins a new count of samples.
                self._earlier_s = self.duration_s
                self.last_index = 0
                self.source, self.rate_hz = event.source, event.rate_hz
            case BeatDetected():
                self.detected += 1
                self._see_rate(event.heart_rate_bpm)
            case BeatClassified():
                self.beats[event.label.value] += 1
            case AlarmRaised():
                self.alarms[event.priority.value, event.rule] += 1
            case Notice():
                self.notices[event.message] = None
            case GapRecorded():
                self.gaps += 1
                self.missing_samples += event.n_missing
            case _:
                pass
        self.last_index = max(self.last_index, event.decided)

    def reach(self, item: object) -> None:
        """Count how far the stream has come, also where nothing is said about it."""
        match item:
            case StreamOpened():
                self._signal = item.reference.id
            case SampleChunk() if item.signal == self._signal:
                self.last_index = max(self.last_index, item.end)
            case Gap() if item.signal == self._signal:
                self.last_index = max(self.last_index, item.first + item.n_missing)
            case _:
                pass

    @property
    def duration_s(self) -> float:
        """From the first sample to the last, or to the last decision, of all its streams."""
        return self._earlier_s + (self.last_index / self.rate_hz if self.rate_hz else 0.0)

    @property
    def mean_bpm(self) -> float | None:
        """Mean of the displayed heart rate over beats."""
        return self._bpm_sum / self._bpm_n if self._bpm_n else None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: plain numbers, units in the names."""
        return {
            "source": self.source,
            "duration_s": round(self.duration_s, 3),
            "beats_detected": self.detected,
            "beats": {label: self.beats[label] for label in _BEATS if self.beats[label]},
            "heart_rate_bpm": {
                "mean": self.mean_bpm,
                "min": self.lowest_bpm,
                "max": self.highest_bpm,
            },
            "alarms": [
                {"priority": priority, "rule": rule, "count": n}
                for (priority, rule), n in sorted(self.alarms.items())
            ],
            "gaps": self.gaps,
            "missing_s": self.missing_samples / self.rate_hz if self.rate_hz else 0.0,
            "notices": list(self.notices),
        }

    def lines(self) -> list[str]:
        """For a person, a line each."""
        minutes, seconds = divmod(round(self.duration_s), 60)
        beats = ", ".join(f"{self.beats[k]} {k}" for k in _BEATS if self.beats[k]) or "none"
        lines = [
            f"{self.source}: {minutes} min {seconds:02d} s monitored",
            f"  beats   {self.detected} detected; classified: {beats}",
        ]
        if self.mean_bpm is not None:
            lines.append(
                f"  rate    {self.mean_bpm:.0f}/min (from {self.lowest_bpm:.0f} "
                f"to {self.highest_bpm:.0f})"
            )
        alarms = "; ".join(f"{n} x {rule} ({p})" for (p, rule), n in sorted(self.alarms.items()))
        lines.append(f"  alarms  {alarms or 'none'}")
        if self.gaps:
            missing_s = self.missing_samples / self.rate_hz
            lines.append(f"  gaps    {self.gaps}, {missing_s:.1f} s in all")
        return lines + [f"  note    {message}" for message in self.notices]

    def _see_rate(self, bpm: float | None) -> None:
        if bpm is None:
            return
        self._bpm_sum += bpm
        self._bpm_n += 1
        self.lowest_bpm = bpm if self.lowest_bpm is None else min(self.lowest_bpm, bpm)
        self.highest_bpm = bpm if self.highest_bpm is None else max(self.highest_bpm, bpm)
