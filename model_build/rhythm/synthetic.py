"""Rhythms that few of the annotated people have, played with their own beats.

Long recordings of atrial fibrillation are rare: of DS1 and svdb, one. What is learnt from half
minutes of a hand-held device alone misses it on a worn one. So every annotated recording comes once
more, as a view plays fibrillation, flutter and what is taken for them into it; the noise of its
electrodes, its rate and its filters stay those of a worn recorder.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from firmware_bridge.records import read_annotations, read_header, read_physical
from model_build.augmentation.apply import augmented
from model_build.augmentation.lead import Lead
from model_build.prepare import whole
from model_build.recipe import View
from model_build.rhythm.recordings import BEATING, RhythmRecording, changes_of

_ANNOTATED: Final = ("mitdb", "svdb")
_ANNOTATOR: Final = "atr"


def with_synthetic(
    recordings: Iterable[RhythmRecording], view: View | None, seed: int, data: Path
) -> list[RhythmRecording]:
    """The recordings, and behind them those with annotated beats as `view` alters them."""
    own = list(recordings)
    if view is None:
        return own
    return [*own, *_altered(own, view, seed, data)]


def _altered(
    recordings: Iterable[RhythmRecording], view: View, seed: int, data: Path
) -> Iterator[RhythmRecording]:
    for recording in recordings:
        if recording.database not in _ANNOTATED:
            continue
        lead = altered_lead(replace(recording, view=view), seed, data)
        assert lead.annotations is not None
        changes = changes_of(lead.annotations, float(lead.fs))
        if not changes or changes[0][0] > 0:
            changes = ((0.0, BEATING), *changes)
        yield replace(recording, view=view, changes=changes)


def altered_lead(recording: RhythmRecording, seed: int, data: Path) -> Lead:
    """The recording's lead and its annotations as its view alters them."""
    assert recording.view is not None
    fs = Fraction(read_header(recording.path).fs_fraction)
    x = whole(read_physical(recording.path, channels=[recording.channel])[:, 0])
    marks = read_annotations(f"{recording.path}.{_ANNOTATOR}")
    lead = Lead(x.astype(np.float64), fs, marks)
    (altered,) = augmented([lead], recording.view, recording.key, seed, data)
    return altered
