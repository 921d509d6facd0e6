"""Design of the shipped conditioning: run by a person, its numbers are committed.

    python -m model_build.conditioning edge_runtime/bundles/default/conditioning.toml

High-pass: 2nd-order Butterworth at 0.5 Hz, the monitoring bandwidth of IEC 60601-2-27: breathing
at 0.3 Hz falls by 9 dB, and what it does to ST (up to 0.4 mV per 1 mV * 100 ms of QRS) is the
same in a beat and in the patient's template it is compared with.
Notch: 5 Hz wide at 50 or 60 Hz, so that a grid off by 0.2 Hz is still down by 20 dB and the ringing
after a QRS is gone within 0.1 s.
Low-pass: 4th-order Butterworth at 40 Hz: 2.4 samples of delay, 42 dB at 85 Hz, the first
frequency that folds into the band when windows are decimated to 125 Hz.
Kernel: sinc under a Kaiser window (beta 4), four zero crossings to each side.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from edge_runtime.signal.spec import CONTRACT_RATE_HZ, SPEC_VERSION

HIGH_PASS_HZ = 0.5
LOW_PASS_HZ = 40.0
NOTCH_WIDTH_HZ = 5.0
KERNEL_REACH = 4
KERNEL_STEP = 128
KAISER_BETA = 4.0
QRS_SIGMA_S = 0.012

Array = NDArray[np.float64]


def design_kernel() -> Array:
    """Right half of the windowed sinc, centre first, (KERNEL_REACH * KERNEL_STEP + 1,)."""
    position = np.arange(KERNEL_REACH * KERNEL_STEP + 1) / KERNEL_STEP
    window = np.i0(KAISER_BETA * np.sqrt(1 - (position / KERNEL_REACH) ** 2)) / np.i0(KAISER_BETA)
    kernel: Array = np.sinc(position) * window
    kernel[-1] = 0.0  # the runtime counts the open interval as the kernel's support
    return kernel


def design_cascade(mains_hz: int | None) -> tuple[Array, Array, float]:
    """Sections, their settled state for a constant input of one, and QRS delay in samples."""
    rate = CONTRACT_RATE_HZ
    sections = [signal.butter(2, HIGH_PASS_HZ, "highpass", fs=rate, output="sos")]
    if mains_hz is not None:
        notch = signal.iirnotch(mains_hz, mains_hz / NOTCH_WIDTH_HZ, fs=rate)
        sections.append(signal.tf2sos(*notch))
    sections.append(signal.butter(4, LOW_PASS_HZ, "lowpass", fs=rate, output="sos"))
    sos: Array = np.concatenate(sections)
    return sos, signal.sosfilt_zi(sos), round(_peak_shift(sos) * 16) / 16


def _peak_shift(sos: Array) -> float:
    """By how many samples an R wave (a Gaussian) peaks later behind the filters."""
    rate, centre = CONTRACT_RATE_HZ, 500
    wave = np.exp(-0.5 * ((np.arange(2 * centre) - centre) / (QRS_SIGMA_S * rate)) ** 2)
    y = signal.sosfilt(sos, wave)
    top = int(y.argmax())
    before, at, after = y[top - 1 : top + 2]
    return float(top - centre + (before - after) / (2 * (before - 2 * at + after)))


def _row(values: Array) -> str:
    # repr gives the shortest text that reads back as the same double.
    return "[" + ", ".join(repr(float(v)) for v in values) + "]"


def write_spec(path: Path) -> None:
    """Design everything and write it as TOML."""
    kernel = design_kernel()
    lines = [
        "# Coefficients of the signal path, written by model_build.conditioning. Numbers only:",
        "# the device designs no filter, so that every platform computes the same bits.",
        f"version = {SPEC_VERSION}",
        f"contract_rate_hz = {CONTRACT_RATE_HZ}",
        "",
        "[kernel]",
        f"per_crossing = {KERNEL_STEP}",
        "half = [",
        *(f"  {_row(part)[1:-1]}," for part in np.array_split(kernel, len(kernel) // 4)),
        "]",
    ]
    for mains_hz in (None, 50, 60):
        sos, zi, delay = design_cascade(mains_hz)
        lines += ["", "[[cascade]]"]
        if mains_hz is not None:
            lines.append(f"mains_hz = {mains_hz}")
        lines += [f"delay_samples = {delay}", "sos = ["]
        lines += [f"  {_row(section)}," for section in sos]
        lines += ["]", "zi = ["] + [f"  {_row(state)}," for state in zi] + ["]"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_spec(Path(sys.argv[1]))
