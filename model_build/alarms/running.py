"""The shipped engine over records, and what of its alarms is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engine import EngineSettings
from edge_runtime.events import AlarmCleared, AlarmRaised, BeatDetected, Event
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.replay import replay
from firmware_bridge.records import open_record
from firmware_bridge.stream import (
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
)

_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm, in seconds from the record's start; `cleared_s` is infinite where it held on."""

    rule: str
    priority: str
    at_s: float
    decided_s: float
    text: str
    cleared_s: float

    def held_within(self, begin_s: float, end_s: float) -> bool:
        """It was raised and not yet cleared at some moment of the span."""
        return self.decided_s <= end_s and self.cleared_s >= begin_s


def alarms(events: Iterable[Event], hz: float, offset_s: float = 0.0) -> list[Raised]:
    """The alarms among `events`, whose indices count `hz` samples a second from `offset_s`."""
    events = list(events)
    cleared = {
        event.alarm: offset_s + event.decided / hz
        for event in events
        if isinstance(event, AlarmCleared)
    }
    return [
        Raised(
            event.rule,
            event.priority.value,
            offset_s + event.at / hz,
            offset_s + event.decided / hz,
            event.text,
            cleared.get(event.alarm, inf),
        )
        for event in events
        if isinstance(event, AlarmRaised)
    ]


def run_record(
    bundles: BundleSet,
    path: Path,
    span_s: tuple[float, float] | None = None,
    mains_hz: int | None = 60,
) -> tuple[list[Raised], float]:
    """Alarms of a record or of a span of it, and how many seconds that lasts.

    Nothing outside the span is read.
    """
    played = open_record(path)
    hz = float(played.frames_hz)
    first, last = 0, played.n_frames
    if span_s is not None:
        first, last = round(span_s[0] * hz), min(round(span_s[1] * hz), played.n_frames)
    settings = EngineSettings(mains_hz=mains_hz)
    events = replay(bundles, played.items(_CHUNK, first, last), settings)
    found = alarms(events, float(played.signal.rate_hz), first / hz)
    return found, (last - first) / hz


def play(millivolts: NDArray[np.float32], rate_hz: int) -> list[StreamItem]:
    """A made signal (n,) of one lead as a stream."""
    info = SignalInfo(
        id="ecg",
        kind=SignalKind.ECG,
        unit="mV",
        rate_hz=Fraction(rate_hz),
        leads=("II",),
        counts_per_unit=(1000.0,),
        baseline=(0,),
    )
    items: list[StreamItem] = [
        StreamOpened(
            source="made",
            family="made",
            model="",
            firmware="",
            loss=NoLossDetection(),
            signals=(info,),
        )
    ]
    column = np.ascontiguousarray(millivolts[:, None], np.float32)
    starts = range(0, len(column), rate_hz)
    pieces = [(first, column[first : first + rate_hz].copy()) for first in starts]
    return items + [SampleChunk("ecg", SampleIndex(first), piece) for first, piece in pieces]


def run_made(
    bundles: BundleSet, millivolts: NDArray[np.float32], rate_hz: int
) -> tuple[list[Raised], list[tuple[float, float | None]]]:
    """Alarms of a made signal, and each beat's time with the rate shown at it."""
    settings = EngineSettings(mains_hz=None)
    events = list(replay(bundles, play(millivolts, rate_hz), settings))
    beats = [
        (event.at / rate_hz, event.heart_rate_bpm)
        for event in events
        if isinstance(event, BeatDetected)
    ]
    return alarms(events, rate_hz), beats
