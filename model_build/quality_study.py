"""Do the quality levels tell where R peaks go wrong? Measured on noise that has trained nothing.

Training records of mitdb, first channel, with the second half of nstdb's `ma` and `bw` from 5:00
on. Each second has the level that the signal path gave it (what a person sees), and is bad if a
firm R peak is missed or made up within `NEAR_S` of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import QualityLevel
from edge_runtime.signal.observations import Observation, PeakFound, QualityChanged
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.quality import LEVELS
from edge_runtime.signal.spec import read_spec
from firmware_bridge.records import read_annotations, read_header, read_physical
from model_build.datasets.locate import ensure
from model_build.datasets.splits import TRAINING_MITDB
from model_build.evaluate.ec57.beats import LEARNING_S
from model_build.evaluate.ec57.classes import ESCAPES_AS_N
from model_build.evaluate.noise_levels import KINDS, held_out_noise, noisy
from model_build.prepare import whole
from model_build.tap import chunks, stream_of

RECORDS: Final = tuple(record for record in TRAINING_MITDB if record != "207")
"""207 holds ventricular flutter, where no QRS is marked."""
LEVELS_DB: Final = (12, 6, 0, -6)
NEAR_S: Final = 5.0
_MATCH_S: Final = 0.150
_MAINS_HZ: Final = 60

Ranks = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds of some signals: how many are `bad`, how many have each level (good, usable,
    unusable), and of how many of these R peaks go wrong; `auc` of the level for "bad"."""

    noise: str
    seconds: int
    bad: int
    levels: tuple[int, int, int]
    bad_by_level: tuple[int, int, int]
    auc: float | None

    @classmethod
    def of(cls, noise: str, ranks: Ranks, bad: Bools) -> "Row":
        """Count `ranks` (n,) 0 to 2 and `bad` (n,)."""
        counts = np.bincount(ranks, minlength=3)[:3]
        wrong = np.bincount(ranks[bad], minlength=3)[:3]
        three, of_them = tuple(counts.tolist()), tuple(wrong.tolist())
        return cls(noise, len(ranks), int(bad.sum()), three, of_them, auc(counts, wrong))

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        return asdict(self)


def auc(counts: NDArray[np.int64], bad: NDArray[np.int64]) -> float | None:
    """Probability that a bad second has a worse level than one that is not, ties as one half.

    Both (levels,), best level first. None where all or none are bad.
    """
    fine = counts - bad
    pairs = int(bad.sum()) * int(fine.sum())
    if not pairs:
        return None
    below = np.cumsum(fine) - fine
    return float((bad * (below + 0.5 * fine)).sum() / pairs)


def run(
    directory: Path, report: Callable[[str], None], records: Sequence[str] = RECORDS
) -> list[Row]:
    """A row for the records as they are, for each noise and level, and for all noise together."""
    mitdb, nstdb = ensure(directory, "mitdb", records), ensure(directory, "nstdb", KINDS)
    clean: list[tuple[Ranks, Bools]] = []
    mixed: dict[tuple[str, int], list[tuple[Ranks, Bools]]] = {}
    noises = {kind: held_out_noise(nstdb, kind) for kind in KINDS}
    for record in records:
        report(record)
        fs = Fraction(read_header(mitdb / record).fs_fraction)
        raw = whole(read_physical(mitdb / record, channels=[0])[:, 0])
        marks = read_annotations(mitdb / f"{record}.atr")
        is_beat = np.array([symbol in ESCAPES_AS_N.codes for symbol in marks.symbol])
        beats = np.asarray(marks.sample, np.int64)[is_beat]
        clean.append(judged(raw, fs, beats))
        for kind, noise in noises.items():
            for level in LEVELS_DB:
                found = judged(noisy(raw, fs, beats, noise, level), fs, beats)
                mixed.setdefault((kind, level), []).append(found)
    rows = [_row("as recorded", clean)]
    rows += [_row(f"{kind} {level} dB", parts) for (kind, level), parts in mixed.items()]
    every = [part for parts in mixed.values() for part in parts]
    return [*rows, _row("all noise", every)]


def _row(name: str, parts: Sequence[tuple[Ranks, Bools]]) -> Row:
    ranks, bad = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Row.of(name, ranks, bad)


def judged(
    samples: NDArray[np.float32], fs: Fraction, beats: NDArray[np.int64]
) -> tuple[Ranks, Bools]:
    """The rank of each second from 5:00 on, and whether it is bad."""
    path = SignalPath(stream_of(fs), read_spec(), PathConfig(mains_hz=_MAINS_HZ, lead=0))
    seen: list[Observation] = []
    for chunk in chunks(samples, fs):
        seen += path.feed(chunk)
    seen += path.finish()
    peaks = np.array([one.at for one in seen if isinstance(one, PeakFound)], np.int64)
    n = int(len(samples) / fs)
    ranks = np.zeros(n, np.int64)
    for one in seen:
        if isinstance(one, QualityChanged) and one.level is not QualityLevel.LEAD_OFF:
            ranks[int(one.decided / fs) :] = LEVELS.index(one.level)
    wrong_s = mistakes(peaks, beats, round(_MATCH_S * fs)) / float(fs)
    middle = np.arange(n) + 0.5
    near = np.searchsorted(wrong_s, middle + NEAR_S) > np.searchsorted(wrong_s, middle - NEAR_S)
    first = int(LEARNING_S)
    return ranks[first:], near[first:]


def mistakes(peaks: NDArray[np.int64], beats: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Where a beat has no peak within `reach`, or a peak no beat, in order; one to one."""
    wrong: list[int] = []
    i = j = 0
    while i < len(peaks) and j < len(beats):
        apart = int(peaks[i]) - int(beats[j])
        if abs(apart) <= reach:
            i, j = i + 1, j + 1
        elif apart < 0:
            wrong.append(int(peaks[i]))
            i += 1
        else:
            wrong.append(int(beats[j]))
            j += 1
    rest = [*peaks[i:].tolist(), *beats[j:].tolist()]
    return np.sort(np.array([*wrong, *rest], np.int64))
