"""What a recording's annotations hold: the loads that the folds spread evenly."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations, read_annotations
from model_build.datasets.recording import Recording
from model_build.evaluate.ec57.classes import ESCAPES_AS_N, S, V

COLUMNS: Final = ("beats", "S", "V", "beats in AF or flutter")


def loads(recordings: Sequence[Recording]) -> dict[str, list[float]]:
    """`COLUMNS` for every subject with annotated beats."""
    table: dict[str, list[float]] = {}
    for recording in recordings:
        if recording.annotator is None:
            continue
        reference = read_annotations(f"{recording.path}.{recording.annotator}")
        codes = np.array([ESCAPES_AS_N.codes.get(symbol, -1) for symbol in reference.symbol])
        beats = codes >= 0
        fibrillates = within(reference, reference.sample[beats], ("(AFIB", "(AFL"))
        counts = (beats.sum(), (codes == S).sum(), (codes == V).sum(), fibrillates.sum())
        row = table.setdefault(recording.subject, [0.0] * len(COLUMNS))
        table[recording.subject] = [a + float(b) for a, b in zip(row, counts, strict=True)]
    return table


def within(
    reference: Annotations, at: NDArray[np.int64], rhythms: tuple[str, ...]
) -> NDArray[np.bool_]:
    """Whether each sample of `at` lies in an annotated rhythm whose name begins so."""
    pairs = zip(reference.sample.tolist(), reference.aux, strict=True)
    changes = [(sample, aux) for sample, aux in pairs if aux.startswith("(")]
    starts = np.array([sample for sample, _ in changes], dtype=np.int64)
    inside = np.array([False, *(aux.startswith(rhythms) for _, aux in changes)])
    found: NDArray[np.bool_] = inside[np.searchsorted(starts, at, side="right")]
    return found
