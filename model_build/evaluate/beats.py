"""What a model says about the beats of a recording, and how EC57 counts it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engine import Engine, EngineSettings
from edge_runtime.events import BeatClassified, BeatDetected, Event
from edge_runtime.inference.bundle import BundleSet
from firmware_bridge.records import (
    Annotations,
    iter_record,
    read_annotations,
    read_header,
)
from firmware_bridge.stream import StreamItem, StreamOpened
from model_build.datasets.recording import Recording
from model_build.evaluate.ec57 import BeatMatrix, compare_beats, pool
from model_build.tap import chunks, stream_of

CHANNEL: Final = 0
"""The protocol's: first channel, by position."""

Speak = Callable[[Recording], Annotations]
"""Beats of a recording with their classes, in the record's own samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Beats of a recording, k of them, and the score of every class, float64 (k, K).

    Columns are in the bundle's order of classes; a row is NaN where the beat was not looked at.
    """

    beats: Annotations
    scores: NDArray[np.float64]


Say = Callable[[Recording], Said]


def channels_of(n_leads: int) -> list[int]:
    """The protocol's channel, and for two leads the one beside it."""
    return [CHANNEL, 1 - CHANNEL][:n_leads]


def engine_says(bundles: BundleSet, mains_hz: int | None, n_leads: int = 1) -> Say:
    """The shipped engine over a bundle set, fed as a device would feed it.

    Beats are found on the protocol's channel, also where two leads are played.
    """
    classes = bundles.for_leads(n_leads).manifest.classes

    def say(recording: Recording) -> Said:
        items = iter_record(recording.path, channels=channels_of(n_leads))
        events = run_engine(bundles, items, mains_hz, lead=0 if n_leads > 1 else None)
        beats = beats_of(events)
        return Said(beats, scores_of(events, beats, classes))

    return say


def engine_speaks(bundles: BundleSet, mains_hz: int | None, n_leads: int = 1) -> Speak:
    """`engine_says` without the scores."""
    say = engine_says(bundles, mains_hz, n_leads)
    return lambda recording: say(recording).beats


def samples_speak(
    bundles: BundleSet, mains_hz: int | None
) -> Callable[[NDArray[np.float32], Fraction], Annotations]:
    """The same over the samples (n, leads) in mV and the rate of a signal that no file holds."""

    def speak(samples: NDArray[np.float32], rate_hz: Fraction) -> Annotations:
        n_leads = samples.shape[1]
        items: list[StreamItem] = [stream_of(rate_hz, n_leads), *chunks(samples, rate_hz)]
        return beats_of(run_engine(bundles, items, mains_hz, lead=0 if n_leads > 1 else None))

    return speak


def run_engine(
    bundles: BundleSet,
    items: Iterable[StreamItem],
    mains_hz: int | None,
    lead: int | None = None,
) -> list[Event]:
    """All events of a fresh engine; the first of `items` is the stream's `StreamOpened`.

    `lead`: the one that beats are found on, None for the best by quality.
    """
    stream = iter(items)
    opened = next(stream)
    assert isinstance(opened, StreamOpened)
    engine = Engine.of_bundles(opened, bundles, EngineSettings(mains_hz=mains_hz, lead=lead))
    events = engine.feed(opened)
    for item in stream:
        events += engine.feed(item)
    return events + engine.finish()


def beats_of(events: Sequence[Event]) -> Annotations:
    """Every detected beat with its class; Q where none was given (the record ends before)."""
    label = {event.at: event.label.value for event in events if isinstance(event, BeatClassified)}
    at = sorted({event.at for event in events if isinstance(event, BeatDetected)} | set(label))
    return Annotations.of(at, [label.get(sample, "Q") for sample in at])


def scores_of(
    events: Sequence[Event], beats: Annotations, classes: Sequence[str]
) -> NDArray[np.float64]:
    """Scores of `beats` (k,) by class, (k, K); NaN where the engine gave none."""
    given = {event.at: event.scores for event in events if isinstance(event, BeatClassified)}
    rows = [
        [given.get(at, {}).get(name, np.nan) for name in classes] for at in beats.sample.tolist()
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(classes))


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One recording (or several pooled) by each rule that a report states.

    `main`: escapes as N, from 5:00; `escapes_s`: the same with escapes as S; `whole`: escapes as
    N, from 0:00; `whole_escapes_s`: escapes as S, from 0:00.
    """

    main: BeatMatrix
    escapes_s: BeatMatrix
    whole: BeatMatrix
    whole_escapes_s: BeatMatrix

    def as_json(self) -> dict[str, object]:
        """Ready for `json`."""
        return {
            "main": self.main.as_json(),
            "escapes_s": self.escapes_s.as_json(),
            "whole": self.whole.as_json(),
            "whole_escapes_s": self.whole_escapes_s.as_json(),
        }


def score(recording: Recording, said: Annotations) -> Scores:
    """Compare with the recording's reference annotations."""
    header = read_header(recording.path)
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    fs, end = float(header.fs_fraction), header.n_samples
    return Scores(
        main=compare_beats(reference, said, fs, end),
        escapes_s=compare_beats(reference, said, fs, end, escapes="s"),
        whole=compare_beats(reference, said, fs, end, learning_s=0.0),
        whole_escapes_s=compare_beats(reference, said, fs, end, learning_s=0.0, escapes="s"),
    )


def pooled(scores: Mapping[str, Scores], without: Sequence[str] = ()) -> Scores:
    """All recordings but those in `without`, added up."""
    kept = [s for key, s in scores.items() if key not in without]
    return Scores(
        main=pool([s.main for s in kept]),
        escapes_s=pool([s.escapes_s for s in kept]),
        whole=pool([s.whole for s in kept]),
        whole_escapes_s=pool([s.whole_escapes_s for s in kept]),
    )
