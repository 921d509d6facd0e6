"""The engine of one source: stream items in, events out. Synchronous, clock-free, no module state.

It composes the signal path (samples to peaks, beats in context and quality), the beat classifier
and the rules. Time is the source's sample index alone. Events come out sorted by `decided`, and
neither they nor their order depend on how the samples were cut into chunks, nor on a snapshot and
restore between two items.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

import msgspec

from edge_runtime.engine_stages import Classifier, Path, source_opened
from edge_runtime.errors import PathError
from edge_runtime.events import (
    DeviceReported,
    Event,
    LinkStateChanged,
    Notice,
    UserMarked,
)
from edge_runtime.inference.accelerator import Accelerator
from edge_runtime.inference.beats import BeatClassifier
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.inference.delineation import Delineator
from edge_runtime.inference.interpreter import Runtime
from edge_runtime.inference.pairs import PairClassifier
from edge_runtime.inference.rhythm import RhythmReader
from edge_runtime.narrator import Narrator
from edge_runtime.rate_check import RateCheck
from edge_runtime.rhythm_teller import RhythmTeller
from edge_runtime.rules.beat_label import LabelPolicy
from edge_runtime.rules.facts import Battery, Pace, Return, SignalClock, Silence
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.rules.site import SiteSource
from edge_runtime.signal.observations import Observation
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.reference import reference_of
from edge_runtime.signal.rr_path import NoClassifier, RrPath
from edge_runtime.wave_trend import WaveTrend
from firmware_bridge.stream import (
    Alignment,
    BytesSkipped,
    ClockAnchor,
    DeviceStatus,
    Gap,
    GapReason,
    LeadStatus,
    LinkChanged,
    PaceMark,
    RrIntervals,
    SampleChunk,
    SampleIndex,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
    UserMark,
)

_SNAPSHOT_VERSION: Final = 7


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What a person can choose about the engine. `lead`: a name or number, None for the best by
    quality. `leads`: beats are classified on at most so many, 1 or 2. `mains_hz`: 50 or 60, None
    for no notch."""

    rules: RuleSettings = field(default_factory=RuleSettings)
    lead: str | int | None = None
    leads: int = 2
    mains_hz: int | None = 50
    ring_minutes: float = 10.0
    site: SiteSource | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The engine's stages. `waves` is there where the bundle set can delineate."""

    path: Path
    classifier: Classifier
    labels: LabelPolicy
    waves: WaveTrend | None = None
    rhythm: RhythmTeller | None = None
    accelerator: Accelerator | None = None


class Engine:
    """Everything that is known about one source's ECG.

    Args:
        opened: the stream's first item.
        parts: signal path and classifier (`of_bundles` makes them).
        settings: what a person chose.

    Raises:
        PathError: the stream has neither ECG nor RR; the message says what to do.
    """

    def __init__(
        self, opened: StreamOpened, parts: Parts, settings: EngineSettings | None = None
    ) -> None:
        settings = settings or EngineSettings()
        self._opened = opened
        self._signal = reference_of(opened)
        path = self._path = parts.path
        self._classifier = parts.classifier
        clock = SignalClock(self._signal.rate_hz, path.latency, path.label_latency, path.settle)
        self._book = RuleBook(settings.rules, clock, settings.site)
        self._narrator = Narrator(self._signal, path.lead, parts.labels, self._book, parts.rhythm)
        self._waves = parts.waves
        self._accelerator = parts.accelerator
        self._rate_check = RateCheck(self._signal.rate_hz)
        self._position: SampleIndex | None = None  # after the last sample or gap
        self._heard = 0  # index just after the last sample that came
        self._silent = False
        self._decided = 0  # of the last event

    @classmethod
    def of_bundles(
        cls,
        opened: StreamOpened,
        bundles: BundleSet,
        settings: EngineSettings | None = None,
        runtime: Runtime | None = None,
    ) -> "Engine":
        """An engine with the stages that a verified bundle set makes, run by `runtime` (None: the
        installed one, without an accelerator).

        Two leads are looked at where the source has them, the set has a bundle for them and the
        settings allow it.

        Raises:
            PathError: the stream has no ECG, or one whose rate, unit or lead cannot be taken.
            BundleError: a graph is not what its manifest says.
        """
        settings = settings or EngineSettings()
        reference = reference_of(opened)
        bundle = bundles.for_leads(min(settings.leads, len(reference.leads)))
        manifest = bundle.manifest
        labels = LabelPolicy(manifest.classes, manifest.thresholds)
        if reference.kind is SignalKind.RR:
            return cls(opened, Parts(RrPath(reference), NoClassifier(), labels), settings)
        paired = manifest.leads == 2
        config = PathConfig(
            mains_hz=settings.mains_hz,
            lead=settings.lead,
            ring_minutes=settings.ring_minutes,
            companion=paired,
            rhythm=bundles.rhythm is not None,
        )
        path = SignalPath(opened, bundles.conditioning, config)
        delineation = bundles.delineation
        parts = Parts(
            path,
            PairClassifier(bundle, runtime) if paired else BeatClassifier(bundle, runtime),
            labels,
            None
            if delineation is None
            else WaveTrend(reference, path.lead, Delineator(delineation, runtime)),
            None if bundles.rhythm is None else RhythmTeller(RhythmReader(bundles.rhythm, runtime)),
            None if runtime is None else runtime.accelerator,
        )
        return cls(opened, parts, settings)

    def feed(self, item: StreamItem) -> list[Event]:
        """The events that `item` completes, sorted by `decided`.

        Raises:
            PathError: samples of another shape than announced, or out of sequence.
        """
        events = self._take(item)
        if self._accelerator is not None and (words := self._accelerator.take_loss()):
            message = f"accelerator {words}; the processor goes on without it"
            events.append(
                self._notice(SampleIndex(self._position or 0), "accelerator_lost", message)
            )
        return self._in_order(events)

    def finish(self) -> list[Event]:
        """The stream has ended (a recording's last sample): what was still to be said."""
        events = self._tell(self._path.finish())
        if self._waves is not None and self._position is not None:
            events += self._waves.finish(self._position)
        return self._in_order(events)

    def change_rules(self, rules: RuleSettings, changes: Sequence[str]) -> list[Event]:
        """Other limits from the next sample on; `changes` say which, for those who read later."""
        self._start(SampleIndex(0))
        events = self._tell(self._path.flush()) + self._book.change(rules)
        at = SampleIndex(self._position or 0)
        return self._in_order([*events, self._notice(at, "rules_changed", "; ".join(changes))])

    def _in_order(self, events: list[Event]) -> list[Event]:
        for i, event in enumerate(events):
            if event.decided < self._decided:
                # After a silence samples may lie before what ticks have told; order wins.
                events[i] = msgspec.structs.replace(event, decided=self._decided)
            self._decided = events[i].decided
        return events

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs, taken between two items."""
        return {
            "version": _SNAPSHOT_VERSION,
            "position": self._position,
            "heard": self._heard,
            "silent": self._silent,
            "decided": self._decided,
            "path": self._path.snapshot(),
            "classifier": self._classifier.snapshot(),
            "narrator": self._narrator.snapshot(),
            "rules": self._book.snapshot(),
            "waves": self._waves and self._waves.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken, in an engine made alike.

        Raises:
            PathError: the snapshot is of another version of the engine.
        """
        if state["version"] != _SNAPSHOT_VERSION:
            raise PathError("the saved state is of another version; start without it")
        self._position = state["position"]
        self._heard, self._silent = state["heard"], state["silent"]
        self._decided = state["decided"]
        self._path.restore(state["path"])
        self._classifier.restore(state["classifier"])
        self._narrator.restore(state["narrator"])
        self._book.restore(state["rules"])
        if self._waves is not None and state["waves"] is not None:
            self._waves.restore(state["waves"])

    def _take(self, item: StreamItem) -> list[Event]:
        if isinstance(item, SampleChunk):
            return self._take_samples(item)
        # Whatever else comes has its place behind all samples before it.
        return self._tell(self._path.flush()) + self._take_other(item)

    def _take_other(self, item: StreamItem) -> list[Event]:  # noqa: PLR0911, PLR0912 - one for each kind
        match item:
            case Gap():
                return self._take_gap(item)
            case Tick():
                return self._take_tick(item)
            case LeadStatus():
                return self._take_leads(item)
            case StreamOpened():
                return self._take_opened(item)
            case DeviceStatus():
                return self._take_device(item)
            case LinkChanged():
                self._rate_check.restart()
                where = self._where(item.at)
                return [LinkStateChanged(**where, up=item.up, reason=item.reason)]
            case UserMark():
                return [UserMarked(**self._where(item.at), text=item.text)]
            case BytesSkipped():
                return [self._notice(item.at, "bytes_skipped", _skipped(item))]
            case ClockAnchor():
                return self._take_anchor(item)
            case PaceMark():
                return self._book.tell(Pace(**self._where(item.at)))
            case RrIntervals():
                return self._take_intervals(item)
            case SampleChunk() | Alignment():
                return []
            case _:
                assert_never(item)

    def _take_opened(self, opened: StreamOpened) -> list[Event]:
        if opened.signals != self._opened.signals:
            raise PathError(f"source {opened.source} changed its signals; open a new engine for it")
        return [source_opened(opened, self._decided)]

    def _take_samples(self, chunk: SampleChunk) -> list[Event]:
        if chunk.signal != self._signal.id or not len(chunk.samples):
            return []
        events: list[Event] = []
        if self._position is not None and chunk.first > self._position:
            events += self._tell(self._path.flush())
            missing = chunk.first - self._position
            events += self._take_gap(
                Gap(
                    chunk.signal, self._position, missing, exact=False, reason=GapReason.LOST_PACKET
                )
            )
        self._start(chunk.first)
        events += self._end_silence(chunk.first)
        events += self._tell(self._path.feed(chunk))
        self._position = self._heard = chunk.end
        return events

    def _take_intervals(self, intervals: RrIntervals) -> list[Event]:
        """Of a strap without ECG they are the signal; beside an ECG its own peaks count."""
        if self._signal.kind is not SignalKind.RR:
            return []
        self._start(SampleIndex(0))
        back = max(self._position or 0, self._heard)
        events = self._end_silence(SampleIndex(back))
        events += self._tell(self._path.feed(intervals))
        self._position = self._heard = intervals.at
        return events

    def _end_silence(self, at: SampleIndex) -> list[Event]:
        if not self._silent:
            return []
        self._silent = False
        return self._book.tell(Return(at, at))

    def _take_gap(self, gap: Gap) -> list[Event]:
        if gap.signal != self._signal.id or gap.n_missing <= 0:
            return []
        self._start(gap.first)
        end = SampleIndex(gap.first + gap.n_missing)
        self._silent = True
        events = self._book.tell(Silence(self._heard, end - 1))
        events += self._tell(self._path.feed(gap))
        if gap.reason is GapReason.INVALID:
            events += self._narrator.tell_no_numbers(gap.first, gap.n_missing)
        self._position = end
        return events

    def _take_tick(self, tick: Tick) -> list[Event]:
        self._start(SampleIndex(0))
        if tick.at <= self._heard:
            return []
        self._silent = True
        return self._book.tell(Silence(self._heard, tick.at))

    def _take_leads(self, status: LeadStatus) -> list[Event]:
        if status.signal != self._signal.id:
            return []
        if len(status.off) != len(self._signal.leads):
            raise PathError(
                f"lead status for {len(status.off)} leads, but signal {status.signal} has "
                f"{len(self._signal.leads)}; the driver's StreamOpened is wrong"
            )
        where = self._where(status.at)
        events = self._tell(self._path.feed(status))
        return events + self._narrator.tell_leads_off(where["at"], where["decided"], status.off)

    def _take_device(self, status: DeviceStatus) -> list[Event]:
        where = self._where(status.at)
        events: list[Event] = [
            DeviceReported(**where, battery_percent=status.battery_percent, contact=status.contact)
        ]
        if status.battery_percent is not None:
            events += self._book.tell(Battery(**where, percent=status.battery_percent))
        if status.contact is not None:
            events += self._narrator.tell_contact(
                where["at"], where["decided"], contact=status.contact
            )
        return events

    def _take_anchor(self, anchor: ClockAnchor) -> list[Event]:
        if self._signal.kind is SignalKind.RR:
            return []  # its index counts intervals as they are reported, up to seconds late
        rate_hz = self._rate_check.feed(anchor)
        if rate_hz is None:
            return []
        nominal = float(self._signal.rate_hz)
        message = (
            f"the device sends {rate_hz:.1f} samples a second but states {nominal:g}; rates and "
            f"intervals are off by as much: correct the rate in its firmware or configuration"
        )
        return [self._notice(anchor.index, "wrong_rate", message)]

    def _notice(self, at: SampleIndex, code: str, message: str) -> Notice:
        return Notice(**self._where(at), code=code, message=message)

    def _tell(self, observed: Sequence[Observation]) -> list[Event]:
        events = self._narrator.tell_all(observed, self._classifier)
        return events if self._waves is None else self._waves.tell(observed, events)

    def _where(self, at: SampleIndex) -> dict[str, int]:
        """`at` and `decided` of something that came between samples."""
        self._start(at)
        return {"at": at, "decided": max(at, self._position or 0)}

    def _start(self, at: SampleIndex) -> None:
        if self._position is None:
            self._position, self._heard = at, at
            self._book.begin(at)


def _skipped(skipped: BytesSkipped) -> str:
    return (
        f"{skipped.n_bytes} bytes in {skipped.n_frames} pieces made no sense and were skipped "
        f"({skipped.detail}); check cable, port and baud rate"
    )
