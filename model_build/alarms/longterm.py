"""False high-priority alarms on long recordings, and fibrillation found of fibrillation present.

A high-priority alarm counts as false where no annotation speaks for it within ten seconds: no
fibrillation or flutter (`[`..`]`, `!`, `(VFL`) for VF, no three V in a row for the ventricular
forms, no such rate over the annotated beats for the rate forms, no interval of three seconds for
asystole. Only training records are read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.bundle import BundleSet
from firmware_bridge.records import read_annotations, read_header
from model_build.alarms.running import Raised, run_record
from model_build.datasets.splits import TRAINING_MITDB

AROUND_S: Final = 10.0
_BEATS: Final = frozenset("NLRBAaJSVrFejnE/fQ?!")
_VENTRICULAR: Final = frozenset("VE!F")


@dataclass(frozen=True, slots=True)
class Truth:
    """What the annotations of a record say, in seconds."""

    beats_s: NDArray[np.float64]
    symbols: tuple[str, ...]
    fibrillation_s: tuple[tuple[float, float], ...]

    def excuses(self, alarm: Raised) -> bool:
        """Whether something annotated is a reason for this alarm."""
        begin, end = alarm.at_s - AROUND_S, alarm.decided_s + AROUND_S
        if any(start < end and stop > begin for start, stop in self.fibrillation_s):
            return True
        inside = (self.beats_s >= begin) & (self.beats_s <= end)
        beats = self.beats_s[inside]
        if alarm.rule == "asystole":
            return bool(len(beats) < 2 or np.diff(beats).max() >= 3.0)
        if alarm.rule.startswith("extreme"):
            return self._has_rate(beats, alarm.rule)
        symbols = [self.symbols[k] for k in np.flatnonzero(inside)]
        return _longest_run(symbols) >= 3

    @staticmethod
    def _has_rate(beats: NDArray[np.float64], rule: str) -> bool:
        if rule == "extreme_bradycardia":
            spans = beats[4:] - beats[:-4]
            return bool(len(spans) and 240.0 / spans.max() < 42.0)
        spans = beats[16:] - beats[:-16]
        return bool(len(spans) and 960.0 / spans.min() > 138.0)


@dataclass(frozen=True, slots=True)
class LongRun:
    """False high-priority alarms of one database."""

    hours: float
    false: dict[str, int]
    true: dict[str, int]

    @property
    def false_per_day(self) -> float:
        """False high-priority alarms in 24 h."""
        return 24.0 * sum(self.false.values()) / self.hours


def truth_of(record: Path, annotator: str = "atr") -> Truth:
    """Beats and spans of fibrillation of a record."""
    hz = float(read_header(record).fs_fraction)
    marks = read_annotations(record.with_name(f"{record.name}.{annotator}"))
    beats, symbols, spans = [], [], []
    start: float | None = None
    for at, symbol in zip(marks.sample.tolist(), marks.symbol, strict=True):
        if symbol == "[":
            start = at / hz
        elif symbol == "]" and start is not None:
            spans.append((start, at / hz))
            start = None
        elif symbol in _BEATS:
            beats.append(at / hz)
            symbols.append(symbol)
    if start is not None:
        spans.append((start, marks.sample.tolist()[-1] / hz))
    return Truth(np.array(beats), tuple(symbols), tuple(spans))


def training_records(data: Path) -> dict[str, list[Path]]:
    """Alarm-free or not, the annotated training records by database."""
    svdb = (data / "svdb" / "RECORDS").read_text(encoding="ascii").split()
    return {
        "mitdb DS1": [data / "mitdb" / str(record) for record in TRAINING_MITDB],
        "svdb": [data / "svdb" / record for record in svdb],
    }


def measure(bundles: BundleSet, records: Iterable[Path]) -> LongRun:
    """Run the engine over records and count its high-priority alarms."""
    seconds, false, true = 0.0, dict[str, int](), dict[str, int]()
    for record in records:
        truth = truth_of(record)
        found, lasted_s = run_record(bundles, record)
        seconds += lasted_s
        for alarm in found:
            if alarm.priority == "high":
                counts = true if truth.excuses(alarm) else false
                counts[alarm.rule] = counts.get(alarm.rule, 0) + 1
    return LongRun(seconds / 3600.0, false, true)


def wilson(found: int, present: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    if present == 0:
        return 0.0, 1.0
    z, share = 1.959964, found / present
    middle = share + z * z / (2 * present)
    half = z * sqrt(share * (1 - share) / present + z * z / (4 * present * present))
    whole = 1 + z * z / present
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _longest_run(symbols: Iterable[str]) -> int:
    longest = run = 0
    for symbol in symbols:
        run = run + 1 if symbol in _VENTRICULAR else 0
        longest = max(longest, run)
    return longest
