"""Each method on each stretch at each level of noise: what it gains, and what it spoils."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.qrs_constants import QrsConstants
from edge_runtime.signal.spec import CONTRACT_RATE_HZ
from firmware_bridge.records import read_annotations, read_header, read_physical
from model_build.datasets.locate import ensure
from model_build.datasets.splits import require_separate
from model_build.datasets.subjects import subject
from model_build.denoising.methods import METHODS, Cleaned, Floats, resampled
from model_build.detector_tuning.corpus import BEAT_SYMBOLS, STRESS_TEST_RECORDS, Case
from model_build.detector_tuning.noise import EM_S, NOISE_FS, OTHER_S, noise_power, signal_power
from model_build.detector_tuning.study import Count, count, run
from model_build.errors import DataError

NOISES: Final = ("em", "ma", "bw")
SNRS_DB: Final = (24, 18, 12, 6, 0, -6)
CLEAN: Final = float("inf")

_START_S: Final = 300
_SETTLED: Final = 10 * CONTRACT_RATE_HZ
"""Samples from which on anything is measured."""
_AROUND_S: Final = (-0.25, 0.45)
"""P to T: where a beat's shape is compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Two leads (n, 2) in mV at `fs`, with the samples of the beats and which are ventricular."""

    record: str
    fs: Fraction
    raw: Floats
    beats: NDArray[np.int64]
    ventricular: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Row:
    """One method at one level of one noise, over all stretches.

    `gain_db`: by how much the SNR rises, mean; `missed` and `extra` beats of `beats` by the
    shipped detector, first lead; `distortion`: root mean square difference of a beat from the
    same beat as recorded, over the latter's deviation, median over beats and leads.
    """

    method: str
    noise: str
    snr_db: float
    gain_db: float | None
    beats: int
    missed: int
    extra: int
    distortion: float

    @property
    def qrs_error(self) -> float:
        """Missed and extra beats over all beats."""
        return (self.missed + self.extra) / max(1, self.beats)

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`; the SNR of clean signals is None."""
        entries = asdict(self) | {"qrs_error": self.qrs_error}
        return entries | {"snr_db": None if self.snr_db == CLEAN else self.snr_db}


def load_stretch(data: Path, record: str, seconds: float) -> Stretch:
    """`seconds` of a training record of mitdb from 5:00 on.

    Raises `DataError` for a patient of nstdb's records, `RecipeError` for one of the test half.
    """
    require_separate([subject("mitdb", record)])
    if record in STRESS_TEST_RECORDS:
        raise DataError(f"mitdb/{record} is a patient of nstdb's test; name another record")
    path = ensure(data, "mitdb", [record]) / record
    fs = Fraction(read_header(path).fs_fraction)
    first, last = round(_START_S * fs), round((_START_S + seconds) * fs)
    raw = np.asarray(read_physical(path, channels=(0, 1))[first:last], dtype=np.float64)
    marks = read_annotations(f"{path}.atr")
    symbols = np.array(marks.symbol)
    inside = np.isin(symbols, list(BEAT_SYMBOLS)) & (marks.sample >= first) & (marks.sample < last)
    return Stretch(
        record, fs, raw, marks.sample[inside] - first, np.isin(symbols[inside], ["V", "E"])
    )


def draw_noise(nstdb: Path, kind: str, n: int, random: np.random.Generator) -> Floats:
    """`n` samples at 360 Hz of both channels of `kind`, at once, from a part that may train.

    Raises `DataError` where no such part is as long.
    """
    raw: Floats = np.asarray(read_physical(nstdb / kind), dtype=np.float64)
    spans = [
        (a * NOISE_FS, b * NOISE_FS)
        for a, b in (EM_S if kind == "em" else OTHER_S)
        if (b - a) * NOISE_FS >= n
    ]
    if not spans:
        raise DataError(f"no part of {kind} that may train lasts {n / NOISE_FS:.0f} s")
    first, last = spans[random.integers(len(spans))]
    start = int(random.integers(first, last - n + 1))
    part = raw[start : start + n]
    level: Floats = part - part.mean(axis=0)
    return level


def scaled(noise: Floats, stretch: Stretch, snr_db: float) -> Floats:
    """The noise (n, 2) so loud that each lead has this SNR as WFDB's `nst` counts it."""
    if snr_db == CLEAN:
        return np.zeros_like(noise)
    fs = float(stretch.fs)
    squared = [
        float(signal_power(x, stretch.beats, fs) / noise_power(n)) * 10 ** (-snr_db / 10)
        for x, n in zip(stretch.raw.T, noise.T, strict=True)
    ]
    factors: Floats = np.sqrt(np.array(squared, np.float64)).astype(np.float64)
    return noise * factors


def places(stretch: Stretch, delay: float) -> Floats:
    """The beats on the contract clock of a method with this delay, (k,)."""
    at: Floats = stretch.beats.astype(np.float64) * float(CONTRACT_RATE_HZ / stretch.fs) + delay
    return at


def snr_of(stretch: Stretch, signal: Cleaned, noise: Floats) -> float:
    """SNR in dB of `signal` with `noise` (m, 2) in it, mean of the leads."""
    x, delay = signal
    beats = np.round(places(stretch, delay)).astype(np.int64)
    rate = float(CONTRACT_RATE_HZ)
    powers = [
        (signal_power(lead, beats, rate), float((rest[_SETTLED:] ** 2).mean()))
        for lead, rest in zip(x.T, noise.T, strict=True)
    ]
    return float(np.mean([10 * np.log10(s / max(n, 1e-12)) for s, n in powers]))


def shapes(stretch: Stretch, cleaned: Cleaned) -> Floats:
    """P to T of every settled beat of both leads around its mean, (2, k, samples)."""
    x, delay = cleaned
    at = places(stretch, delay)
    offsets = np.arange(*(round(s * CONTRACT_RATE_HZ) for s in _AROUND_S))
    settled = (places(stretch, 0.0) > _SETTLED) & (at + offsets[-1] < len(x) - 1)
    found = CubicSpline(np.arange(len(x)), x)(at[settled, None] + offsets)
    out: Floats = np.moveaxis(found - found.mean(axis=1, keepdims=True), -1, 0)
    return out


def distortion(beats: Floats, reference: Floats) -> float:
    """Median over beats and leads of the difference's RMS over the reference's."""
    off = np.sqrt(((beats - reference) ** 2).mean(axis=-1))
    return float(np.median(off / np.maximum(np.sqrt((reference**2).mean(axis=-1)), 1e-6)))


def detect(stretch: Stretch, cleaned: Cleaned, constants: QrsConstants) -> Count:
    """Errors of the shipped detector on the first lead."""
    x, delay = cleaned
    case = Case(
        key=stretch.record,
        who=subject("mitdb", stretch.record),
        x=np.ascontiguousarray(x[:, 0]),
        beats=np.round(places(stretch, delay)).astype(np.int64),
        ventricular=stretch.ventricular,
        unknown=(),
        weight=1.0,
        beat_weight=np.ones(len(stretch.beats)),
    )
    return count(case, run(QrsDetector(constants), case), learning=_SETTLED)


def measure(
    method: str,
    stretches: Sequence[Stretch],
    noises: Sequence[Floats],
    kind: str,
    snr_db: float,
    constants: QrsConstants,
) -> Row:
    """One method on all stretches; `noises` are theirs, before scaling."""
    clean_up = METHODS[method]
    gains, spoilt, errors = [], [], Count()
    for stretch, noise in zip(stretches, noises, strict=True):
        added = scaled(noise, stretch, snr_db)
        quiet = clean_up(stretch.raw, stretch.fs)
        found = clean_up(stretch.raw + added, stretch.fs)
        errors += detect(stretch, found, constants)
        recorded = resampled(stretch.raw, stretch.fs)
        beats = shapes(stretch, found)
        # A delay may push the last beat out of the stretch.
        spoilt.append(distortion(beats, shapes(stretch, recorded)[:, : beats.shape[1]]))
        if snr_db != CLEAN:
            before = snr_of(stretch, recorded, resampled(added, stretch.fs)[0])
            gains.append(snr_of(stretch, quiet, found[0] - quiet[0]) - before)
    return Row(
        method=method, noise=kind, snr_db=snr_db,
        gain_db=float(np.mean(gains)) if gains else None,
        beats=errors.found + errors.missed, missed=errors.missed, extra=errors.extra,
        distortion=float(np.median(spoilt)),
    )  # fmt: skip


def run_study(
    data: Path, records: Sequence[str], seconds: float, seed: int, constants: QrsConstants
) -> Iterator[Row]:
    """All rows, one by one: without noise, then every noise from quiet to loud."""
    stretches = [load_stretch(data, record, seconds) for record in records]
    nstdb = ensure(data, "nstdb", NOISES)
    silence = [np.zeros_like(stretch.raw) for stretch in stretches]
    for method in METHODS:
        yield measure(method, stretches, silence, "none", CLEAN, constants)
    for number, kind in enumerate(NOISES):
        random = np.random.default_rng((seed, number))
        noises = [draw_noise(nstdb, kind, len(s.raw), random) for s in stretches]
        for snr_db in SNRS_DB:
            for method in METHODS:
                yield measure(method, stretches, noises, kind, snr_db, constants)
