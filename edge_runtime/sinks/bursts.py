"""The three alarm sounds of IEC 60601-1-8 (tables 3 and 4) as samples.

High: ten pulses, three and two with a pause, twice. Medium: three. Low: two. A pulse is a tone with
four harmonics below 4 kHz, each within 15 dB of it, that rises and falls smoothly. The bursts tell
apart by rhythm, and for who cannot hear rhythms well by pitch.
"""

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import Priority

RATE_HZ: Final = 48_000
_HARMONICS: Final = (1.0, 0.7, 0.5, 0.4, 0.35)
_LOUD: Final = 0.8
_RISE: Final = 0.15
_TAIL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Burst:
    """`pulse_s` long pulses that begin at `starts_s`; then `pause_s` until the next burst."""

    tone_hz: float
    pulse_s: float
    starts_s: tuple[float, ...]
    pause_s: float

    @property
    def lasts_s(self) -> float:
        """From the first pulse to the end of the last."""
        return self.starts_s[-1] + self.pulse_s


def _high() -> tuple[float, ...]:
    """0.1 s from the end of a pulse to the next, 0.35 s after the third, 0.5 s between halves."""
    step = 0.15 + 0.1
    five = (0.0, step, 2 * step, 2 * step + 0.15 + 0.35, 3 * step + 0.15 + 0.35)
    again = five[-1] + 0.15 + 0.5
    return (*five, *(again + start for start in five))


BURSTS: Final = {
    Priority.HIGH: Burst(660.0, 0.15, _high(), 5.0),
    Priority.MEDIUM: Burst(550.0, 0.2, (0.0, 0.4, 0.8), 10.0),
    Priority.LOW: Burst(440.0, 0.2, (0.0, 0.4), 20.0),
}


def samples(priority: Priority) -> NDArray[np.int16]:
    """One burst (n,) at `RATE_HZ`, with a little silence behind it."""
    burst = BURSTS[priority]
    sound = np.zeros(round((burst.lasts_s + _TAIL_S) * RATE_HZ))
    pulse = _pulse(burst)
    for start in burst.starts_s:
        first = round(start * RATE_HZ)
        sound[first : first + len(pulse)] += pulse
    whole: NDArray[np.int16] = (32767 * sound).astype(np.int16)
    return whole


def write_wav(file: Path, sound: NDArray[np.int16]) -> None:
    """A mono WAV file. Raises OSError."""
    with file.open("wb") as raw, wave.open(raw, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(sound.astype("<i2").tobytes())


def _pulse(burst: Burst) -> NDArray[np.float64]:
    t = np.arange(round(burst.pulse_s * RATE_HZ)) / RATE_HZ
    tones = [
        level * np.sin(2 * np.pi * burst.tone_hz * (k + 1) * t)
        for k, level in enumerate(_HARMONICS)
    ]
    edge = round(_RISE * len(t))
    shape = np.ones(len(t))
    shape[:edge] = np.sin(0.5 * np.pi * np.arange(edge) / edge) ** 2
    shape[-edge:] = shape[:edge][::-1]
    tone = np.sum(tones, axis=0) * shape
    loud: NDArray[np.float64] = _LOUD * tone / np.abs(tone).max()
    return loud
