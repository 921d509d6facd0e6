"""Seconds of training records, clean and in noise: does an R peak go wrong near them?"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.observations import Observation, PeakFound
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.spec import read_spec
from firmware_bridge.records import read_annotations, read_header, read_physical
from model_build.datasets.splits import TRAINING_MITDB
from model_build.detector_tuning.noise import NoisePool
from model_build.evaluate.ec57.classes import ESCAPES_AS_N
from model_build.evaluate.noise_levels import KINDS, Noise, noisy
from model_build.prepare import whole
from model_build.tap import chunks, stream_of

RECORDS: Final = tuple(record for record in TRAINING_MITDB if record != "207")
"""207 holds ventricular flutter, where no QRS is marked."""
MAINS_HZ: Final = 60
LEVELS_DB: Final = (12, 6, 0, -6)
TRAINING_KINDS: Final = ("ma", "bw", "em")
TRAINING_LEVELS_DB: Final = (15, 9, 3, -3)
NEAR_S: Final = 5.0
_MATCH_S: Final = 0.150
_SEED: Final = 5

Samples = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A first channel in mV (n,) at `fs`; `wrong_s` (k,): where a firm R peak is missed or made up;
    `noise`: what is mixed in from 5:00 on, empty for nothing."""

    record: str
    noise: str
    samples: Samples
    fs: Fraction
    wrong_s: NDArray[np.float64]

    @property
    def bad(self) -> Bools:
        """Of each whole second (n,): an R peak goes wrong within `NEAR_S` of its middle."""
        middle = np.arange(int(len(self.samples) / self.fs)) + 0.5
        after = np.searchsorted(self.wrong_s, middle + NEAR_S)
        return np.asarray(after > np.searchsorted(self.wrong_s, middle - NEAR_S), np.bool_)


def training_noise(nstdb: Path) -> dict[str, Noise]:
    """What of each kind may train, end to end without steps."""
    pool = NoisePool(nstdb)
    return {kind: Noise(pool.joined(kind), pool.power[kind]) for kind in TRAINING_KINDS}


def training_cases(mitdb: Path, noises: dict[str, Noise], record: str) -> Iterator[Case]:
    """The record as it is, then with each kind and level of noise, beginning anywhere in it."""
    raw, fs, beats = _read(mitdb, record)
    yield _case(record, "", raw, fs, beats)
    random = np.random.default_rng([_SEED, int(record)])
    for kind, noise in noises.items():
        for level in TRAINING_LEVELS_DB:
            skip = int(random.integers(len(noise.samples)))
            mixed = noisy(raw, fs, beats, noise, level, skip)
            yield _case(record, f"{kind} {level} dB", mixed, fs, beats)


def waves(fs: Fraction, seconds: int) -> Case:
    """Wide waves as ventricular flutter draws them, of changing rate and height: nothing that
    quality may speak of."""
    random = np.random.default_rng(_SEED)
    n = int(seconds * fs)

    def drifting(low: float, high: float) -> NDArray[np.float64]:
        knots = random.uniform(low, high, seconds // 8 + 2)
        return np.interp(np.arange(n) / float(8 * fs), np.arange(len(knots)), knots)

    phase = 2 * np.pi * np.cumsum(drifting(2.5, 7.0)) / float(fs)
    x = np.exp(drifting(np.log(0.1), np.log(2.0))) * (np.sin(phase) + 0.2 * np.sin(2 * phase + 1.0))
    x += random.normal(size=n) * 0.005
    return Case("waves", "", x.astype(np.float32), fs, np.zeros(0))


def test_cases(mitdb: Path, held_out: dict[str, Noise], record: str) -> Iterator[Case]:
    """The record with each kind of noise that has trained nothing, from 5:00 on."""
    raw, fs, beats = _read(mitdb, record)
    for kind in KINDS:
        for level in LEVELS_DB:
            mixed = noisy(raw, fs, beats, held_out[kind], level)
            yield _case(record, f"{kind} {level} dB", mixed, fs, beats)


def _read(mitdb: Path, record: str) -> tuple[Samples, Fraction, NDArray[np.int64]]:
    fs = Fraction(read_header(mitdb / record).fs_fraction)
    raw = whole(read_physical(mitdb / record, channels=[0])[:, 0])
    marks = read_annotations(mitdb / f"{record}.atr")
    is_beat = np.array([symbol in ESCAPES_AS_N.codes for symbol in marks.symbol])
    return raw, fs, np.asarray(marks.sample, np.int64)[is_beat]


def _case(
    record: str, noise: str, samples: Samples, fs: Fraction, beats: NDArray[np.int64]
) -> Case:
    path = SignalPath(stream_of(fs), read_spec(), PathConfig(mains_hz=MAINS_HZ, lead=0))
    seen: list[Observation] = []
    for chunk in chunks(samples, fs):
        seen += path.feed(chunk)
    seen += path.finish()
    peaks = np.array([one.at for one in seen if isinstance(one, PeakFound)], np.int64)
    wrong = mistakes(peaks, beats, round(_MATCH_S * fs))
    return Case(record, noise, samples, fs, wrong / float(fs))


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
