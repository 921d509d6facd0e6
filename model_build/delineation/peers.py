"""Another delineator on the same leads by the same rules: NeuroKit2's, as its users call it.

It sees a whole lead at once and finds its own R peaks, and knows nothing of these archives' marks.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.landmarks import LANDMARKS
from firmware_bridge.records import read_header, read_physical
from model_build.datasets.leads import Lead
from model_build.delineation.corpus import waves_of_lead
from model_build.delineation.crossval import CONSECUTIVE
from model_build.delineation.scoring import Tallies, entries_of, score_lead, tables_of
from model_build.prepare import whole

RESULTS: Final = Path(__file__).with_name("peers.json")
"""The committed tables of each method."""
METHODS: Final = {
    "dwt": "wavelets (Martínez 2004)",
    "prominence": "peak prominence (Emrich 2024)",
}
"""NeuroKit2's delineators, and what they are."""
_AROUND_S: Final = 30.0
"""Seen of a long lead before its first mark and after its last."""
_LETTERS: Final = {"p": "P", "qrs": "R", "t": "T"}
_SIDES: Final = {"onset": "Onsets", "peak": "Peaks", "end": "Offsets"}


def score_peer(
    method: str, leads: Iterable[Lead], tell: Callable[[str], None]
) -> dict[str, Tallies]:
    """Tallies by lead. `tell` takes each lead's key when it is done.

    A lead on which it finds no beats, or raises, has none of its marks found.
    """
    found = {}
    for lead in leads:
        fs = Fraction(read_header(lead.path).fs_fraction)
        waves = waves_of_lead(lead)
        raw = whole(read_physical(lead.path, channels=[lead.channel])[:, 0])
        around = round(_AROUND_S * fs)
        first = max(0, int(waves.first.min()) - around)
        places = first + delineated(raw[first : int(waves.last.max()) + around], fs, method)
        consecutive = CONSECUTIVE[lead.database]
        found[lead.key] = score_lead(places, waves, fs, consecutive=consecutive)
        tell(lead.key)
    return found


def delineated(raw: NDArray[np.float32], fs: Fraction, method: str) -> NDArray[np.float64]:
    """Places (k, 9) in samples of the lead `raw` (n,) at `fs`, by landmark, NaN for none."""
    import neurokit2 as nk  # noqa: PLC0415 - slow to import

    rate = float(fs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clean = nk.ecg_clean(raw.astype(np.float64), sampling_rate=rate)
            _, peaks = nk.ecg_peaks(clean, sampling_rate=rate)
            at = np.asarray(peaks["ECG_R_Peaks"], np.float64)
            _, said = nk.ecg_delineate(
                clean, rpeaks=at.astype(np.int64), sampling_rate=rate, method=method
            )
        except Exception:  # whatever somebody else's code raises, it found nothing
            logging.getLogger(__name__).debug("NeuroKit2 failed", exc_info=True)
            return np.empty((0, len(LANDMARKS)))
    return _rows({**said, "ECG_R_Peaks": at})


def _rows(said: dict[str, Any]) -> NDArray[np.float64]:
    columns = []
    for name in LANDMARKS:
        wave, _, side = name.partition("_")
        columns.append(np.asarray(said[f"ECG_{_LETTERS[wave]}_{_SIDES[side]}"], np.float64))
    # It may leave out a beat's entry instead of saying NaN; a landmark is scored by itself.
    most = max(map(len, columns))
    ends = [np.full(most - len(column), np.nan) for column in columns]
    return np.column_stack([np.concatenate(both) for both in zip(columns, ends, strict=True)])


def write(tables: Mapping[str, Mapping[str, Tallies]], path: Path = RESULTS) -> None:
    """Tables by method, for `read`."""
    found = {method: entries_of(one) for method, one in tables.items()}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def read(path: Path = RESULTS) -> dict[str, dict[str, Tallies]]:
    """What `write` wrote."""
    found = json.loads(path.read_text("utf-8"))
    return {method: tables_of(entries) for method, entries in found.items()}
