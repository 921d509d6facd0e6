"""What the engine needs of its stages, and what every engine says first."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import SourceOpened
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.observations import CompanionBeats, Observation
from edge_runtime.signal.reference import reference_of
from firmware_bridge.stream import StreamItem, StreamOpened


class Path(Protocol):
    """What the engine needs of `signal.path.SignalPath`. Indices count the source's samples."""

    @property
    def lead(self) -> int:
        """Number of the lead that peaks are taken from."""

    @property
    def latency(self) -> int:
        """A firm peak at p is told at the latest with sample p + latency."""

    @property
    def label_latency(self) -> int:
        """A beat at p is ready at the latest with sample p + label_latency."""

    @property
    def settle(self) -> int:
        """For so many samples around a gap a peak may be overlooked."""

    def feed(self, item: StreamItem) -> Sequence[Observation]:
        """What became certain; short chunks may be kept for the next call."""

    def flush(self) -> Sequence[Observation]:
        """What was kept."""

    def finish(self) -> Sequence[Observation]:
        """The stream has ended: what was kept, and the beats that stay incomplete."""

    def snapshot(self) -> Any:
        """Everything `restore` needs."""

    def restore(self, state: Any) -> None:
        """The inverse of `snapshot`."""


class Classifier(Protocol):
    """What the engine needs of `inference.beats.BeatClassifier` and `inference.pairs`."""

    def classify(self, block: BeatBlock, companion: CompanionBeats | None) -> NDArray[np.float64]:
        """Scores (k, K) of the beats in order; NaN in the row of a beat that was masked."""

    def snapshot(self) -> Any:
        """Everything `restore` needs."""

    def restore(self, state: Any) -> None:
        """The inverse of `snapshot`."""


def source_opened(opened: StreamOpened, decided: int) -> SourceOpened:
    """The event that a stream begins with."""
    signal = reference_of(opened)
    return SourceOpened(
        at=0,
        decided=decided,
        source=opened.source,
        family=opened.family,
        model=opened.model,
        firmware=opened.firmware,
        rate_hz=float(signal.rate_hz),
        leads=list(signal.leads),
    )
