"""By how much the signal path shifts ST: against the raw signal, at the annotators' own marks."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.landmarks import LANDMARKS, Landmarks
from edge_runtime.signal.windows import R_AT, STEP_S
from edge_runtime.wave_measures import measure
from firmware_bridge.records import read_header, read_physical
from model_build.datasets.leads import Lead
from model_build.delineation.corpus import leads_of, places_of, tapped_lead, waves_of_lead
from model_build.prepare import whole

LEADS: Final = ("ii", "v2", "v5")
_BASE_S: Final = (-0.024, 0.0)
_ST_S: Final = (0.048, 0.072)


@dataclass(frozen=True, slots=True)
class StShift:
    """ST as the path shows it minus ST of the raw signal, in mV, over the beats of one lead name.

    `of_height` is the mean shift as a share of the QRS height.
    """

    lead: str
    beats: int
    mean_mv: float
    sd_mv: float
    p95_mv: float
    of_height: float


def st_shift(directory: Path) -> list[StShift]:
    """Of the leads `LEADS` of ludb."""
    leads = leads_of(directory, "ludb")
    return [_of_lead(name, [one for one in leads if one.waves == name]) for name in LEADS]


def _of_lead(name: str, leads: Iterable[Lead]) -> StShift:
    parts = [_shifts(lead) for lead in leads]
    shift, height = (np.concatenate(column) for column in zip(*parts, strict=True))
    return StShift(
        lead=name,
        beats=len(shift),
        mean_mv=float(shift.mean()),
        sd_mv=float(shift.std(ddof=1)),
        p95_mv=float(np.quantile(np.abs(shift), 0.95)),
        of_height=float(np.mean(shift / height)),
    )


def _shifts(lead: Lead) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shift and QRS height in mV of each marked beat of a lead."""
    fs = Fraction(read_header(lead.path).fs_fraction)
    raw = whole(read_physical(lead.path, channels=[lead.channel])[:, 0])
    waves = waves_of_lead(lead)
    block, at = tapped_lead(raw, waves, fs, lead.mains_hz)
    places, _ = places_of(waves, at, fs, consecutive=lead.consecutive)
    bounds = [LANDMARKS.index(name) for name in ("qrs_onset", "qrs_end")]
    marked = np.isfinite(places[:, bounds]).all(axis=1)
    seconds = (places[marked].astype(np.float64) - R_AT) * STEP_S
    found = Landmarks(seconds, np.ones((len(seconds), 2)))
    shown = measure(found, block.window[marked], block.unit_mv[marked]).st_mv
    onset, end = ((at[marked] / float(fs) + seconds[:, k]) for k in bounds)
    level = _mean(raw, onset, _BASE_S, float(fs))
    true = _mean(raw, end, _ST_S, float(fs)) - level
    known = np.isfinite(shown) & np.isfinite(true)
    return (shown - true)[known], block.unit_mv[marked][known].astype(np.float64)


def _mean(
    raw: NDArray[np.float32], at_s: NDArray[np.float64], around_s: tuple[float, float], fs: float
) -> NDArray[np.float64]:
    """Mean of the samples around each time, NaN where the record has none."""
    out = np.full(len(at_s), np.nan)
    for row, second in enumerate(at_s.tolist()):
        first, last = (round((second + bound) * fs) for bound in around_s)
        if first >= 0 and last < len(raw):
            out[row] = float(raw[first : last + 1].astype(np.float64).mean())
    return out
