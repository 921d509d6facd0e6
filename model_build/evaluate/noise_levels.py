"""Scores in noise: muscle noise and baseline wander that trained nothing, and the stress test.

Noise lies on every scored beat (from 5:00; the first five minutes stay clean, for the detector to
learn), scaled as WFDB's `nst` does it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations, read_annotations, read_header, read_physical
from model_build.datasets.recording import Group, Recording
from model_build.datasets.subjects import subject
from model_build.detector_tuning.noise import NOISE_FS, noise_power, signal_power
from model_build.evaluate.beats import Speak, channels_of
from model_build.evaluate.ec57 import BeatMatrix, compare_beats, pool
from model_build.evaluate.ec57.beats import LEARNING_S
from model_build.evaluate.ec57.classes import ESCAPES_AS_N

KINDS: Final = ("ma", "bw")
LEVELS_DB: Final = (24, 18, 12, 6, 0, -6)
TEST_NOISE_S: Final = 900
"""The second quarter of an hour of `ma` and `bw`; the first may train."""
STRESS_PATIENTS: Final = ("118", "119")
STRESS_LEVELS: Final = ("24", "18", "12", "06", "00", "_6")

Samples = NDArray[np.float32]
SpeakSamples = Callable[[Samples, Fraction], Annotations]
"""Beats of a signal (n, leads) in mV at a rate in Hz; they are found on the first lead."""


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """All records pooled at one level of one kind of noise."""

    kind: str
    level_db: int
    matrix: BeatMatrix

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        rates = ("qrs", "veb", "sveb")
        found = {name: getattr(self.matrix, name).as_json() for name in rates}
        return {"kind": self.kind, "level_db": self.level_db, **found}


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of one kind at 360 Hz, float64 (n,) mV, and its power in mV²."""

    samples: NDArray[np.float64]
    power: float


def held_out_noise(nstdb: Path, kind: str) -> Noise:
    """The second halves of both channels of a noise record, end to end."""
    raw = np.asarray(read_physical(nstdb / kind), dtype=np.float64)[TEST_NOISE_S * NOISE_FS :]
    # Channels join without a step: it would be an artefact of its own.
    joined = np.concatenate([raw[:, 0], raw[:, 1] + (raw[-1, 0] - raw[0, 1])])
    return Noise(joined, noise_power(joined))


def noisy(
    raw: Samples,
    fs: Fraction,
    beats: NDArray[np.int64],
    noise: Noise,
    level_db: float,
    skip: int = 0,
) -> Samples:
    """A copy of `raw` (n,) mV with noise from 5:00 to the end, `level_db` below the QRS.

    `skip` samples of the noise are left out at its beginning and come at its end.
    """
    first = round(LEARNING_S * fs)
    at = np.arange(len(raw) - first) * (NOISE_FS / float(fs)) + skip
    added = np.interp(at % len(noise.samples), np.arange(len(noise.samples)), noise.samples)
    power = signal_power(raw.astype(np.float64), beats, float(fs))
    gain = np.sqrt(power / noise.power * 10 ** (-level_db / 10))
    mixed = raw.copy()
    mixed[first:] += (gain * (added - added[:1])).astype(np.float32)
    return mixed


def in_noise(
    recordings: Sequence[Recording],
    speak: SpeakSamples,
    nstdb: Path,
    report: Callable[[str, int, int], None] = lambda *_: None,
    n_leads: int = 1,
) -> list[NoiseLevel]:
    """Every recording at every level of `KINDS`, each lead in a stretch of noise of its own.

    `report` is told what runs: name, done, total.
    """
    total = len(KINDS) * len(LEVELS_DB) * len(recordings)
    found = []
    for kind in KINDS:
        noise = held_out_noise(nstdb, kind)
        for level in LEVELS_DB:
            matrices = []
            for recording in recordings:
                report(f"{kind} {level} dB {recording.key}", 0, total)
                matrices.append(_scored(recording, speak, noise, level, n_leads))
                report(f"{kind} {level} dB {recording.key}", 1, total)
            found.append(NoiseLevel(kind, level, pool(matrices)))
    return found


def _scored(
    recording: Recording, speak: SpeakSamples, noise: Noise, level_db: float, n_leads: int
) -> BeatMatrix:
    header = read_header(recording.path)
    fs = Fraction(header.fs_fraction)
    raw = read_physical(recording.path, channels=channels_of(n_leads))
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    is_beat = np.array([symbol in ESCAPES_AS_N.codes for symbol in reference.symbol])
    beats, apart = reference.sample[is_beat], len(noise.samples) // n_leads
    mixed = [noisy(raw[:, k], fs, beats, noise, level_db, skip=k * apart) for k in range(n_leads)]
    found = speak(np.stack(mixed, axis=1), fs)
    return compare_beats(reference, found, float(fs), header.n_samples)


def stress_recordings(folder: Path) -> dict[int, list[Recording]]:
    """nstdb's test records (118 and 119 with `em` at alternating minutes) by level in dB."""
    return {
        int(level.replace("_", "-")): [
            Recording(
                "nstdb", name, subject("nstdb", name), folder / name, Group.BEATS, "atr"
            )
            for name in (f"{patient}e{level}" for patient in STRESS_PATIENTS)
        ]
        for level in STRESS_LEVELS
    }  # fmt: skip


def stress_test(recordings: Mapping[int, Sequence[Recording]], speak: Speak) -> list[NoiseLevel]:
    """nstdb's own table: both patients pooled at each level."""
    found = []
    for level, group in recordings.items():
        matrices = []
        for recording in group:
            header = read_header(recording.path)
            reference = read_annotations(f"{recording.path}.{recording.annotator}")
            fs = float(header.fs_fraction)
            matrices.append(compare_beats(reference, speak(recording), fs, header.n_samples))
        found.append(NoiseLevel("em", level, pool(matrices)))
    return found
