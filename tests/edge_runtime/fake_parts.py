"""A signal path and a classifier that know the truth: they replay the beats they were given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engine import Engine, EngineSettings, Parts
from edge_runtime.events import Event
from edge_runtime.rules.beat_label import LabelPolicy
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.observations import (
    BeatsReady,
    GapFound,
    Horizon,
    LeadChanged,
    Observation,
    PeakFound,
    QualityChanged,
)
from edge_runtime.signal.windows import LENGTH
from firmware_bridge.stream import Gap, SampleChunk, StreamItem, StreamOpened
from tests import synthetic

RATE = 500
LATENCY = 180
LABEL_LATENCY = 330
CLASSES = ("N", "S", "V", "F", "X")
Noted = QualityChanged | LeadChanged


@dataclass
class FakePath:
    """Reports the given peaks, each `latency` after it, and whatever else was `noted`.

    Those that are `tentative` too come with their labels alone.
    """

    peaks: list[int]
    noted: list[Noted] = field(default_factory=list)
    lead: int = 0
    latency: int = LATENCY
    label_latency: int = LABEL_LATENCY
    settle: int = 0
    tentative: frozenset[int] = frozenset()

    def feed(self, item: StreamItem) -> list[Observation]:
        match item:
            case SampleChunk():
                found = self._within(item.first, item.end)
                return [*found[::-1], Horizon(item.end, item.end - 1)]  # any order is allowed
            case Gap():
                end = item.first + item.n_missing
                return [GapFound(item.first, end - 1, item.n_missing, item.exact, item.reason)]
            case _:
                return []

    def _within(self, start: int, end: int) -> list[Observation]:
        found: list[Observation] = [
            PeakFound(at, at + self.latency)
            for at in self.peaks
            if start <= at + self.latency < end and at not in self.tentative
        ]
        found += [note for note in self.noted if start <= note.decided < end]
        ready = [at for at in self.peaks if start <= at + self.label_latency < end]
        if ready:
            at = np.array(ready)
            flags = np.array([place in self.tentative for place in ready])
            found.append(BeatsReady(at, at + self.label_latency, blank_block(at, flags)))
        return found

    def flush(self) -> list[Observation]:
        return []

    def finish(self) -> list[Observation]:
        return []

    def snapshot(self) -> Any:
        return None

    def restore(self, state: Any) -> None:
        pass


@dataclass
class FakeClassifier:
    """Gives the beats at these peaks these labels: N, S, V, F, X; q is a masked beat."""

    labels: dict[int, str]
    score: float = 0.9
    classes: tuple[str, ...] = CLASSES

    def classify(self, block: BeatBlock, companion: object = None) -> NDArray[np.float64]:
        rest = (1 - self.score) / (len(self.classes) - 1)
        scores = np.full((len(block), len(self.classes)), rest)
        for row, at in zip(scores, block.at.tolist(), strict=True):
            label = self.labels.get(at, "N")
            if label == "q":
                row[:] = np.nan
            else:
                row[self.classes.index(label)] = self.score
        return scores

    def snapshot(self) -> Any:
        return None

    def restore(self, state: Any) -> None:
        pass


def blank_block(at: NDArray[np.int64], tentative: NDArray[np.bool_]) -> BeatBlock:
    """Beats without shape: enough for a classifier that knows the truth."""
    k = len(at)
    shapes = np.zeros((k, LENGTH), np.float32)
    return BeatBlock(
        at.copy(),
        shapes,
        shapes.copy(),
        np.zeros((k, len(FEATURES)), np.float32),
        np.ones(k, bool),
        tentative,
        np.ones(k, np.float32),
    )


def fake_engine(
    r_s: list[float],
    labels: str | None = None,
    *,
    noted: list[Noted] | None = None,
    rules: RuleSettings | None = None,
    opened: StreamOpened | None = None,
    score: float = 0.9,
    thresholds: dict[str, float] | None = None,
    tentative_s: Sequence[float] = (),
) -> Engine:
    """An engine that sees beats at `r_s` seconds, with these labels (all N if absent).

    Those also in `tentative_s` are tentative peaks.
    """
    peaks = [round(r * RATE) for r in r_s]
    doubted = frozenset(round(r * RATE) for r in tentative_s)
    truth = dict(zip(peaks, labels or "N" * len(peaks), strict=True))
    parts = Parts(
        FakePath(peaks, noted or [], tentative=doubted),
        FakeClassifier(truth, score),
        LabelPolicy(CLASSES, thresholds or {}),
    )
    return Engine(opened or synthetic.opened(RATE), parts, EngineSettings(rules or RuleSettings()))


def silence(duration_s: float, n_leads: int = 1) -> NDArray[np.float32]:
    """Samples whose content does not matter."""
    return np.zeros((round(duration_s * RATE), n_leads), np.float32)


def play(engine: Engine, *items: StreamItem) -> list[Event]:
    """Everything the engine says to `items`."""
    return [event for item in items for event in engine.feed(item)]
