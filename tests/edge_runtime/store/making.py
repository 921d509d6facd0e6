"""Streams, events and a clock for the tests of the store."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import (
    AlarmCleared,
    AlarmKind,
    AlarmRaised,
    AlarmStateChanged,
    AnalysisLeadChanged,
    BeatClass,
    BeatClassified,
    BeatDetected,
    DeviceReported,
    Event,
    Explanation,
    GapRecorded,
    IntervalsMeasured,
    LinkStateChanged,
    Notice,
    Phase,
    Priority,
    QualityLevel,
    Rhythm,
    RhythmClassified,
    RhythmEpisode,
    SignalQuality,
    SourceOpened,
    UserMarked,
)
from edge_runtime.publication import Session
from edge_runtime.store.database import Provenance
from edge_runtime.store.store import Store
from firmware_bridge.stream import (
    Gap,
    GapReason,
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamOpened,
)

RATE = 100
PROVENANCE = Provenance(bundle_set="b" * 8, configuration="c" * 8, rules="r" * 8)
START_NS = 1_790_000_000_123_000_000
ECG = SignalInfo(
    id="ecg",
    kind=SignalKind.ECG,
    unit="mV",
    rate_hz=Fraction(RATE),
    leads=("I", "II"),
    counts_per_unit=(200.0, 1000.0),
    baseline=(0, 1024),
)


def opened(*signals: SignalInfo) -> StreamOpened:
    return StreamOpened("chest", "fake", "model", "1", NoLossDetection(), signals or (ECG,))


def session(*signals: SignalInfo) -> Session:
    return Session(opened(*signals), START_NS, host_ns=5_000_000_000)


@dataclass
class Hand:
    """A monotonic clock that is set by hand."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Recording:
    """One session on a store, with everything that was handed to it."""

    directory: Path
    clock: Hand = field(default_factory=Hand)
    session: Session = field(default_factory=session)
    store: Store = field(default=None)  # type: ignore[assignment] # made, unless one is given
    begun: bool = True
    end: int = 0
    counts: dict[int, NDArray[np.int32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.store is None:
            self.store = Store(self.directory, PROVENANCE, {"chest": "wearer 7"}, now_s=self.clock)
        if self.begun:
            self.store.begin(self.session)

    @property
    def record(self) -> Path:
        return self.directory / "raw" / self.session.id / "ecg"

    def samples(self, counts: NDArray[np.int32]) -> None:
        self.store.record(self.session.id, chunk(self.end, counts))
        self.counts[self.end] = counts
        self.end += len(counts)

    def gap(self, n_missing: int) -> None:
        gap = Gap("ecg", SampleIndex(self.end), n_missing, True, GapReason.LOST_PACKET)
        self.store.record(self.session.id, gap)
        self.end += n_missing

    def events(self, *events: Event) -> None:
        self.store.record_events([self.session.publish(event) for event in events])


def chunk(first: int, counts: NDArray[np.int32], signal: SignalInfo = ECG) -> SampleChunk:
    physical = (counts - np.array(signal.baseline)) / np.array(signal.counts_per_unit)
    return SampleChunk(signal.id, SampleIndex(first), physical.astype(np.float32))


def noise(seed: int, n: int, largest: int = 2000) -> NDArray[np.int32]:
    made = np.random.default_rng(seed).integers(-largest, largest + 1, (n, len(ECG.leads)))
    return made.astype(np.int32)


def beat(at: int) -> tuple[BeatDetected, BeatClassified]:
    scores = {"N": 0.1 + 0.2, "S": 1 / 3, "V": 1e-9, "F": 0.0}
    return (
        BeatDetected(at=at, decided=at + 20, lead="II", rr_s=0.8125, heart_rate_bpm=73.8),
        BeatClassified(at=at, decided=at + 60, label=BeatClass.NORMAL, scores=scores),
    )


def alarm(at: int, number: int = 1) -> AlarmRaised:
    return AlarmRaised(
        at=at,
        decided=at + 400,
        alarm=number,
        rule="asystole",
        kind=AlarmKind.PHYSIOLOGICAL,
        priority=Priority.HIGH,
        text="ASYSTOLE",
        latched=True,
        explanation=Explanation(
            rule="asystole", source="AHA", sentence="no beat for 4.0 s", values={"pause_s": 4.0}
        ),
    )


def every_event() -> list[Event]:
    """One of each type, and twice where a field may be absent."""
    first, first_class = beat(300)
    return [
        SourceOpened(
            at=0,
            decided=0,
            source="chest",
            family="fake",
            model="model",
            firmware="1",
            rate_hz=100.0,
            leads=["I", "II"],
        ),
        BeatDetected(at=200, decided=220, lead="I", rr_s=None, heart_rate_bpm=None),
        first,
        first_class,
        BeatClassified(at=200, decided=260, label=BeatClass.UNKNOWN, scores={}, reason="noise"),
        RhythmEpisode(at=300, decided=700, rhythm=Rhythm.ASYSTOLE, phase=Phase.ONSET),
        alarm(300),
        AlarmStateChanged(at=750, decided=750, alarm=1, state="acknowledged", by="nürse"),
        RhythmEpisode(at=800, decided=810, rhythm=Rhythm.ASYSTOLE, phase=Phase.END),
        RhythmClassified(
            at=800, decided=3800, rhythm=Rhythm.ATRIAL_FIBRILLATION, scores={"N": 0.1, "AFIB": 0.9}
        ),
        IntervalsMeasured(
            at=300,
            until=800,
            decided=860,
            lead="II",
            beats=5,
            rr_s=0.8,
            pr_s=0.16,
            qrs_s=0.09,
            qt_s=0.38,
            qtc_bazett_s=0.425,
            qtc_fridericia_s=0.409,
            p_wave_share=None,
            st_mv=-0.02,
            st_slope_mv_per_s=None,
            r_on_t=0,
        ),
        AlarmCleared(at=800, decided=810, alarm=1, rule="asystole", reason="beats again"),
        SignalQuality(at=810, decided=900, lead="I", level=QualityLevel.LEAD_OFF, reason="flat"),
        AnalysisLeadChanged(at=900, decided=900, lead="II", reason="better"),
        GapRecorded(at=901, decided=1000, n_missing=99, exact=True, reason="lost packet"),
        LinkStateChanged(at=1001, decided=1001, up=False, reason="cable"),
        DeviceReported(at=1002, decided=1002, battery_percent=None, contact=True),
        UserMarked(at=1003, decided=1003, text="dizzy"),
        Notice(at=1004, decided=1004, code="swapped", message="check the electrodes"),
    ]
