"""The beats that a model was surest about and wrong, with the signal around them.

Out-of-fold beats of training records only: nobody looks at the test half beat by beat.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from firmware_bridge.records import Record, read_annotations
from model_build.datasets.splits import require_separate
from model_build.datasets.subjects import subject
from model_build.evaluate.ec57.classes import ESCAPES_AS_N, LABELS
from model_build.evaluate.out_of_fold import WrongBeat
from model_build.evaluate.plots import Strip

AROUND_S: Final = 3.5


def strips_of(directory: Path, beats: Sequence[WrongBeat]) -> list[Strip]:
    """First channel around each beat, baseline taken off; `directory` holds the archives.

    Only the wrong beat's said class is known; its neighbours show the reference alone. Raises
    `RecipeError` if a beat is of a tested person.
    """
    require_separate(subject(*beat.key.split("/")) for beat in beats)
    return [_strip(directory / beat.key, beat) for beat in beats]


def _strip(path: Path, beat: WrongBeat) -> Strip:
    record = Record(path)
    fs = float(record.header.fs_fraction)
    first = max(0, round(beat.at - AROUND_S * fs))
    last = min(record.n_samples, round(beat.at + AROUND_S * fs))
    mv = record.physical(first, last, channels=[0])[:, 0].astype(np.float64)
    reference = read_annotations(f"{path}.atr")
    marks: list[tuple[float, str, str]] = []
    near = (reference.sample >= first) & (reference.sample < last)
    for k in np.flatnonzero(near):
        code = ESCAPES_AS_N.codes.get(reference.symbol[k])
        if code is not None:
            marks.append(((int(reference.sample[k]) - beat.at) / fs, LABELS[code], ""))
    marks.append((0.0, "", beat.said))
    minutes, seconds = divmod(beat.at / fs, 60)
    title = (
        f"{beat.key} at {int(minutes)}:{seconds:04.1f}: {beat.truth}, "
        f"called {beat.said} with {beat.score:.2f}"
    )
    middle = np.median(mv[np.isfinite(mv)]) if np.isfinite(mv).any() else 0.0
    return Strip(title, (np.arange(first, last) - beat.at) / fs, mv - middle, tuple(marks))
