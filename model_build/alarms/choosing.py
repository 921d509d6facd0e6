"""How the limits of `edge_runtime.signal.fibrillation` were chosen, on training sources alone.

    python -m model_build.alarms.choosing DATA

Present: the flutter of mitdb 207 and the five true VF alarms of cinc2015 (from 4:45 to 5:00).
Absent: DS1 without 201 (207 outside its flutter) and svdb. Two windows in a row count, as in
the rule. A grid of limits is tried; of those that find most and are never wrong the one was taken
that also alarmed least on the rest of cinc2015 (records of other alarms, true and false).
cu01 is not read.
"""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.fibrillation import HOP, WINDOW, WINDOW_S, Limits, band_pass, measure
from edge_runtime.signal.spec import CONTRACT_RATE_HZ
from firmware_bridge.records import read_header, read_physical
from model_build.alarms.challenge import ALARM_S, read_alarms
from model_build.alarms.longterm import training_records, truth_of
from model_build.detector_tuning.corpus import condition

Floats = NDArray[np.float64]

LEAKAGE: Final = (0.5, 0.6, 0.66, 0.7)
COUNT2: Final = (0.3, 0.34, 0.37)
DEVIATING: Final = (0.4, 0.45, 0.5, 0.55)
ABOVE_FIFTH: Final = (0.35, 0.42, 0.48, 0.55)
CONCENTRATION: Final = (0.0, 0.4, 0.6)
_SIGNS: Final = np.array([1, -1, -1, -1, -1, -1])
"""Leakage must be at most its limit, every other measure at least."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Measures of consecutive windows (n, 6) of one stretch, in the order of `Measures`."""

    name: str
    present: bool
    measures: Floats

    def found(self, limits: Limits) -> bool:
        """Two windows in a row meet all limits."""
        meets = np.all(self.measures * _SIGNS <= np.array(astuple(limits)) * _SIGNS, axis=1)
        return bool(np.any(meets[1:] & meets[:-1]))


def windows(x: Floats) -> Floats:
    """Measures (n, 6) of the windows of a conditioned signal, one a second."""
    band = band_pass(x)
    ends = range(WINDOW, len(x) + 1, HOP)
    rows = [astuple(measure(x[end - WINDOW : end], band[end - WINDOW : end])) for end in ends]
    return np.array(rows).reshape(-1, len(_SIGNS))


def conditioned(record: Path, begin_s: float = 0.0, end_s: float | None = None) -> Floats:
    """The first channel of a record, or of a span of it; missing samples hold the last value."""
    header = read_header(record)
    hz = float(header.fs_fraction)
    first = round(begin_s * hz)
    last = None if end_s is None else round(end_s * hz)
    raw = np.asarray(read_physical(record, first, last, channels=(0,)), np.float64)[:, 0]
    known = np.maximum.accumulate(np.where(np.isfinite(raw), np.arange(len(raw)), 0))
    return condition(np.nan_to_num(raw[known]), header.fs_fraction, 60)[0]


def stretches(data: Path) -> Iterator[Windows]:
    """All training stretches."""
    for alarm in read_alarms(data / "cinc2015"):
        if alarm.kind == "Ventricular_Flutter_Fib" and alarm.is_true:
            x = conditioned(data / "cinc2015" / alarm.record, 0.0, ALARM_S)
            yield Windows(alarm.record, True, windows(x)[-12:])
    for records in training_records(data).values():
        for record in records:
            rows = windows(conditioned(record))
            spans = truth_of(record).fibrillation_s
            ends_s = WINDOW_S + np.arange(len(rows))
            near = np.zeros(len(rows), np.bool_)
            for begin, end in spans:
                inside = (ends_s >= begin + 3.5) & (ends_s <= end + 1.5)
                yield Windows(f"{record.name} at {begin:.0f} s", True, rows[inside])
                near |= (ends_s > begin - 1) & (ends_s < end + WINDOW_S + 2)
            yield Windows(record.name, False, rows[~near])


def main(data: Path) -> None:
    """Print each set of limits that finds most without a false one, best first."""
    known = list(stretches(data))
    hours = sum(len(w.measures) for w in known if not w.present) * HOP / CONTRACT_RATE_HZ / 3600
    print(f"{sum(w.present for w in known)} present, {hours:.1f} h without")
    grid = itertools.product(LEAKAGE, COUNT2, DEVIATING, ABOVE_FIFTH, CONCENTRATION)
    results = []
    for values in grid:
        limits = replace(Limits(), **dict(zip(Limits.__slots__[:5], values, strict=True)))
        found = sum(w.found(limits) for w in known if w.present)
        wrong = sum(w.found(limits) for w in known if not w.present)
        results.append((found, -wrong, limits))
    results.sort(key=lambda result: result[:2], reverse=True)
    for found, wrong, limits in results[:10]:
        print(found, -wrong, limits)
    shipped = Limits()
    missed = [w.name for w in known if w.present and not w.found(shipped)]
    wrong_in = [w.name for w in known if not w.present and w.found(shipped)]
    print(f"shipped {shipped}: missed {missed}, wrong in {wrong_in}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
