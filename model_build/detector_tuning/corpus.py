"""The training records as the detector meets them: conditioned, clean and disturbed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.spec import CONTRACT_RATE_HZ, read_spec
from firmware_bridge.records import Annotations, read_annotations, read_header, read_physical
from model_build.datasets.catalogue import database
from model_build.datasets.splits import TRAINING_MITDB, require_separate
from model_build.datasets.subjects import subject
from model_build.detector_tuning.noise import NoisePool, add_noise

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

STRESS_TEST_RECORDS: Final = ("118", "119")
"""Patients of nstdb's test records: they teach nothing here."""
BEAT_SYMBOLS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")
NOISY_BEAT_WEIGHTS: Final = ((-9.0, 2.0), (-3.0, 1.6), (3.0, 1.3), (9.0, 1.1))
"""Weight of a beat up to an SNR in dB. Where Se and +P count alike, one more detection
pays if its chance exceeds half of the +P reached: some 75 % at -6 dB, 85 % at 0, 92 % at 6."""
SLOWER: Final = (Fraction(11, 20), Fraction(13, 20), Fraction(3, 4))
"""Some records are also played more slowly: wider QRS than training people have, paced ones say."""
VENTRICULAR: Final = frozenset("VE")


@dataclass(frozen=True, slots=True)
class Recording:
    """First channel of a record as published: `raw` (n,) mV, marks at its own rate."""

    key: str
    who: str
    fs: Fraction
    raw: Floats
    annotations: Annotations

    @property
    def beats(self) -> Indices:
        """Source indices of the reference beats."""
        at: Indices = self.annotations.sample[self._is_beat()]
        return at

    @property
    def symbols(self) -> NDArray[np.str_]:
        """Their symbols."""
        return np.array(self.annotations.symbol)[self._is_beat()]

    def _is_beat(self) -> NDArray[np.bool_]:
        return np.array([s in BEAT_SYMBOLS for s in self.annotations.symbol], dtype=bool)


@dataclass(frozen=True, slots=True)
class Case:
    """A signal and its truth, all in contract samples (delay of the filters included).

    `x` (n,) conditioned mV; `beats` (k,) with `ventricular` (k,); no truth inside `unknown`
    (spans of fibrillation); `weight` of its examples, `beat_weight` (k,) times that of its beats.
    """

    key: str
    who: str
    x: Floats
    beats: Indices
    ventricular: NDArray[np.bool_]
    unknown: tuple[tuple[float, float], ...]
    weight: float
    beat_weight: Floats


def load(folder: Path, name: str, record: str, annotator: str = "atr") -> Recording:
    """Read the first channel of a record and its marks; missing samples hold the last value."""
    header = read_header(folder / record)
    raw = np.asarray(read_physical(folder / record, channels=(0,)), dtype=np.float64)[:, 0]
    valid = np.isfinite(raw)
    held = np.maximum.accumulate(np.where(valid, np.arange(len(raw)), 0))
    marks = read_annotations(folder / f"{record}.{annotator}")
    raw = np.nan_to_num(raw[held])
    return Recording(f"{name}/{record}", subject(name, record), header.fs_fraction, raw, marks)


def fibrillation(marks: Annotations) -> tuple[tuple[int, int], ...]:
    """Spans from `[` to `]`, in source samples."""
    spans: list[tuple[int, int]] = []
    start: int | None = None
    for at, symbol in zip(marks.sample.tolist(), marks.symbol, strict=True):
        if symbol == "[":
            start = at
        elif symbol == "]" and start is not None:
            spans.append((start, at))
            start = None
    return tuple(spans)


def condition(raw: Floats, fs: Fraction, mains_hz: int | None) -> tuple[Floats, Fraction]:
    """The contract signal of one lead through the shipped path, and the filters' delay."""
    conditioner = Conditioner(read_spec(), fs, 1, mains_hz)
    return conditioner.process(raw[:, None])[:, 0], conditioner.timeline.delay


def noisy_beat_weight(snr_db: Floats) -> Floats:
    """`NOISY_BEAT_WEIGHTS` of each (k,)."""
    weight = np.ones(len(snr_db))
    for limit_db, value in reversed(NOISY_BEAT_WEIGHTS):
        weight[snr_db < limit_db] = value
    return weight


def make_case(
    recording: Recording,
    raw: Floats,
    *,
    variant: str,
    weight: float,
    snr_db: Floats | None = None,
    mains_hz: int | None = None,
    silent: tuple[tuple[int, int], ...] = (),
) -> Case:
    """Condition `raw`, a version of the recording, and bring the truth onto its clock.

    `snr_db` (k,) is the noise that `raw` has around each beat of the recording.
    Beats inside `silent` (source spans where nothing was left of them) are no truth.
    """
    x, delay = condition(raw, recording.fs, mains_hz)
    scale = float(CONTRACT_RATE_HZ / recording.fs)
    at = recording.beats
    kept = np.ones(len(at), dtype=bool)
    for first, last in silent:
        kept &= (at < first) | (at >= last)
    return Case(
        key=f"{recording.key}:{variant}",
        who=recording.who,
        x=x,
        beats=np.round(at[kept] * scale + float(delay)).astype(np.int64),
        ventricular=np.isin(recording.symbols[kept], list(VENTRICULAR)),
        unknown=tuple((a * scale, b * scale) for a, b in fibrillation(recording.annotations)),
        weight=weight,
        beat_weight=noisy_beat_weight(snr_db[kept]) if snr_db is not None else np.ones(kept.sum()),
    )


def change_gain(raw: Floats, fs: float, rng: np.random.Generator) -> Floats:
    """A copy whose gain jumps (0.2 to 3) every 40 to 200 s, as electrodes dry or move."""
    level = float(np.median(raw))
    out = raw - level
    at = int(rng.uniform(30, 120) * fs)
    while at < len(raw):
        stop = at + int(rng.uniform(40, 200) * fs)
        out[at:stop] *= np.exp(rng.uniform(np.log(0.2), np.log(3.0)))
        at = stop
    return out


def stand_still(
    recording: Recording, raw: Floats, rng: np.random.Generator
) -> tuple[Floats, tuple[tuple[int, int], ...]]:
    """A copy with asystoles of 5 to 20 s every minute or so, some with P waves alone.

    What remains is noise of at most a fiftieth of the QRS height, and P waves of at most an
    eighth of it.
    """
    fs = float(recording.fs)
    out = raw.copy()
    spans: list[tuple[int, int]] = []
    beats = recording.beats
    half = int(0.05 * fs)
    inside = beats[(beats > half) & (beats < len(raw) - half)]
    height = float(np.median(np.ptp(raw[inside[:, None] + np.arange(-half, half)], axis=1)))
    at = int(rng.uniform(20, 60) * fs)
    while at < len(raw) - int(25 * fs):
        before = beats[beats < at]
        first = int(before[-1] + 0.45 * fs) if len(before) else at
        length = int(rng.uniform(5, 20) * fs)
        after = beats[beats >= first + length]
        if not len(after):
            break
        last = max(int(after[0] - 0.25 * fs), first + 1)  # no half of a QRS remains
        rest = np.linspace(raw[first], raw[last - 1], last - first)
        rest += rng.normal(0, height * rng.uniform(0, 0.02), last - first)
        if rng.random() < 0.5:
            rest += _p_waves(last - first, fs, height * rng.uniform(0.04, 0.12), rng)
        out[first:last] = rest
        spans.append((first, last))
        at = last + int(rng.uniform(30, 90) * fs)
    return out, tuple(spans)


def _p_waves(n: int, fs: float, height: float, rng: np.random.Generator) -> Floats:
    t = np.arange(n) / fs
    wave = np.zeros(n)
    for centre in np.arange(rng.uniform(0.2, 0.9), n / fs, rng.uniform(0.5, 1.0)):
        wave += height * np.exp(-0.5 * ((t - centre) / 0.025) ** 2)
    return wave


def recordings(data: Path) -> Iterator[Recording]:
    """Every record that may choose constants."""
    for record in TRAINING_MITDB:
        if record not in STRESS_TEST_RECORDS:
            yield load(data / "mitdb", "mitdb", record)
    for name in ("svdb", "cpsc2021"):
        for record in database(name).records:
            yield load(data / name, name, record)


def cases(data: Path, seed: int) -> Iterator[Case]:
    """Training cases in a fixed order; the same seed gives the same signals."""
    pool = NoisePool(data / "nstdb")
    for number, recording in enumerate(recordings(data)):
        require_separate([recording.who])
        rng = np.random.default_rng((seed, number))
        fs = float(recording.fs)
        raw = recording.raw
        first_class = recording.key.startswith("mitdb/")
        # svdb's marks are less careful, so they weigh less.
        weight = 1.0 if first_class else 0.5
        yield make_case(recording, raw, variant="clean", weight=weight)
        # Records of a few minutes, or a third of svdb each, in one disturbed version.
        if first_class or number % 3 == 0:
            noisy, snr_db = add_noise(raw, recording.beats, fs, pool, rng)
            yield make_case(recording, noisy, variant="noise", weight=weight, snr_db=snr_db)
        if first_class:
            yield make_case(recording, raw, variant="notch", weight=weight, mains_hz=60)
            noisy, snr_db = add_noise(raw, recording.beats, fs, pool, rng)
            yield make_case(
                recording, noisy, variant="noise2", weight=weight, snr_db=snr_db, mains_hz=60
            )
        if first_class:
            slow = SLOWER[rng.integers(len(SLOWER))]
            slowed = replace(recording, fs=recording.fs * slow)
            yield make_case(slowed, raw, variant="slow", weight=0.5 * weight)
        if first_class or number % 3 == 1:
            loud = change_gain(raw, fs, rng)
            yield make_case(recording, loud, variant="gain", weight=0.5 * weight)
        if first_class or number % 3 == 2:
            still, spans = stand_still(recording, raw, rng)
            yield make_case(recording, still, variant="standstill", weight=weight, silent=spans)
