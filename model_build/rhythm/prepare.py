"""Recordings to rhythm tensors: through the shipped signal path, cached by content."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.observations import RhythmReady
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.rhythm import RHYTHM_FEATURES, RHYTHM_WINDOW_S
from edge_runtime.signal.spec import CONTRACT_RATE_HZ, read_spec
from firmware_bridge.records import read_header, read_physical
from model_build.datasets.catalogue import checksums
from model_build.prepare import code_digest, whole
from model_build.rhythm.recordings import RhythmRecording
from model_build.rhythm.synthetic import altered_lead
from model_build.tap import chunks, stream_of

_SHORT_S: Final = 2 * RHYTHM_WINDOW_S
_FRONT_S: Final = 2
"""Recordings of less than two windows are begun by so much of themselves, mirrored, so that the
filters have settled; whole seconds, so that a window of ten seconds ends where they do."""
_TAIL_S: Final = 0.2
"""And held at the end until the resampler shows their last sample."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedRhythm:
    """Hops of one recording, a second apart.

    `end_s` (k,) seconds of the recording that each stands before; `features` (k, F) float32.
    """

    end_s: NDArray[np.float64]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.end_s)

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        part = path.with_suffix(".part.npz")
        np.savez(part, **{field.name: getattr(self, field.name) for field in fields(self)})
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "PreparedRhythm":
        """The inverse of `save`."""
        with np.load(path) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})


def prepare_rhythm(recording: RhythmRecording, seed: int, data: Path) -> PreparedRhythm:
    """One recording through a path that knows nothing yet."""
    if recording.view is not None:
        lead = altered_lead(recording, seed, data)
        return tap_rhythm(lead.x.astype(np.float32), lead.fs, recording.mains_hz)
    header = read_header(recording.path)
    fs = Fraction(header.fs_fraction)
    samples = whole(read_physical(recording.path, channels=[recording.channel])[:, 0])
    front_s = 0
    if len(samples) < _SHORT_S * fs:
        front_s = _FRONT_S
        front = samples[1 : round(front_s * fs) + 1][::-1]
        samples = np.concatenate([front, samples, np.repeat(samples[-1:], round(_TAIL_S * fs))])
    return tap_rhythm(samples, fs, recording.mains_hz, front_s)


def tap_rhythm(
    samples: NDArray[np.float32], fs: Fraction, mains_hz: int, front_s: float = 0.0
) -> PreparedRhythm:
    """One lead (n,) in mV at `fs`; its first sample is `-front_s` of the recording."""
    config = PathConfig(mains_hz=mains_hz or None, lead=0, ring_minutes=2.0, rhythm=True)
    path = SignalPath(stream_of(fs), read_spec(), config)
    ready = [
        one for chunk in chunks(samples, fs) for one in path.feed(chunk)
        if isinstance(one, RhythmReady)
    ]  # fmt: skip
    blocks = [one.block for one in ready]
    features = np.zeros((0, len(RHYTHM_FEATURES)), np.float32)
    at = np.concatenate([np.zeros(0, np.int64), *(block.at for block in blocks)])
    return PreparedRhythm(
        end_s=at / CONTRACT_RATE_HZ - front_s,
        features=np.concatenate([features, *(block.features for block in blocks)]),
    )


def cache_path(work: Path, recording: RhythmRecording, seed: int) -> Path:
    """Where the tensors of a recording lie: named by code, data and parameters."""
    here = Path(__file__).read_bytes()
    view = () if recording.view is None else (repr(recording.view), str(seed))
    parts = (
        code_digest(), hashlib.sha256(here).hexdigest(),
        checksums()[f"{recording.database}/{recording.record}"],
        str(recording.channel), str(recording.mains_hz), *view,
    )  # fmt: skip
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    name = f"{recording.group}-{recording.record}-{recording.channel}-{digest}.npz"
    return work / "rhythm" / name


def prepare(
    recordings: Iterable[RhythmRecording], work: Path, seed: int, data: Path
) -> Iterator[PreparedRhythm]:
    """Tensors of every recording, from the cache where they are there; `data` is the folder of
    archives, whose noise a view may mix in, by random numbers of `seed`."""
    (work / "rhythm").mkdir(parents=True, exist_ok=True)
    for recording in recordings:
        path = cache_path(work, recording, seed)
        if not path.is_file():
            prepare_rhythm(recording, seed, data).save(path)
        yield PreparedRhythm.load(path)
