"""A script played with a donor's beats: waves laid on the record's own baseline and noise.

An episode replaces the record between two P waves. Each beat is the patient's own P and QRS-T off
the baseline, faded in and out, and waves that meet add up, as P on T does. T ends earlier at
faster rates: its part of the beat is squeezed by the cube root of the interval (Fridericia 1920).
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_build.augmentation.donor import Donor
from model_build.augmentation.lead import Floats
from model_build.augmentation.script import Event, Played

_FADE_S: Final = 0.04
_JOIN_S: Final = 0.02
"""From P to QRS, within the PR segment, where the baseline runs through the signal."""
_QRS_END_S: Final = {"sinus": 0.08, "ventricular": 0.14}
"""From R on, what keeps its width at any rate."""
_SQUEEZE: Final = (0.65, 1.25)
_V_BEGIN_S: Final = 0.16
_V_END_S: Final = 0.52
_NEW_FOCUS: Final = 0.02
_FOCUS: Final = 12
"""Beats of one focus that are drawn from."""
_SAWTOOTH_SPAN: Final = 3.6
"""Peak to peak of the sum of sines over k, for three or four of them."""
_BLANK_S: Final = 0.15
"""How long atrial waves take to appear and to go."""


@dataclass(slots=True)
class Canvas:
    """Samples from `first` on: waves (n,) and how much of each sample they cover (n,)."""

    first: int
    waves: Floats
    covered: Floats

    def lay(self, wave: Floats, weight: Floats, at: int) -> None:
        """Add `wave` times `weight` (m,) from sample `at`; what lies outside is lost."""
        low, high = max(at - self.first, 0), min(at - self.first + len(wave), len(self.waves))
        if low >= high:
            return
        part = slice(low - (at - self.first), high - (at - self.first))
        self.waves[low:high] += wave[part] * weight[part]
        self.covered[low:high] += weight[part] ** 2


def play(
    donor: Donor, played: Played, first: int, last: int, random: np.random.Generator
) -> tuple[int, Floats, Floats]:
    """The episode between samples `first` and `last`, and what of its waves lies beyond them.

    Gives where the samples begin, the waves to add there to whatever lies below, and what lies
    below within [first, last) (baseline and noise).
    """
    margin = int(0.6 * donor.fs)
    canvas = Canvas(first - margin, *np.zeros((2, last - first + 2 * margin)))
    _lay_beats(canvas, donor, played.events, random)
    inside = slice(margin, margin + last - first)
    open_share = np.sqrt(np.clip(1 - canvas.covered[inside], 0, 1))
    ground = donor.baseline[first:last] + open_share * noise(donor, first, last, random)
    if played.atrial_hz:
        ground = ground + atrial_wave(played, donor, first, last, random)
    return canvas.first, canvas.waves, ground


def _lay_beats(
    canvas: Canvas, donor: Donor, events: list[Event], random: np.random.Generator
) -> None:
    usual_s = previous_s = None
    used = -1
    ventricular = _Ventricular(donor, random)
    for event in events:
        at = round(event.at_s * donor.fs)
        if event.kind != "blocked":
            rr_s = event.at_s - previous_s if previous_s is not None else None
            if rr_s is not None:
                usual_s = rr_s if usual_s is None else 0.85 * usual_s + 0.15 * rr_s
            previous_s = event.at_s
        if event.kind == "ventricular":
            _lay_ventricular(canvas, donor, ventricular.draw(at), at, usual_s)
            continue
        used = _own_beat(donor, at, used, random)
        if event.p_gain:
            _lay_p(canvas, donor, used, at, event)
        if event.kind != "blocked":
            _lay_qrst(canvas, donor, used, at, usual_s)


def _own_beat(donor: Donor, at: int, used: int, random: np.random.Generator) -> int:
    """A sinus beat of about the same time as sample `at`, not the one used before."""
    near = donor.nearest(at) + int(random.integers(-2, 3))
    if near == used:
        near += 1
    return int(np.clip(near, 0, len(donor.sinus) - 1))


class _Ventricular:
    """Draws ventricular beats that look alike, as those of one focus do, but for one in fifty."""

    def __init__(self, donor: Donor, random: np.random.Generator) -> None:
        self._donor, self._random = donor, random
        self._like: NDArray[np.int64] | None = None

    def draw(self, at: int) -> int:
        """A position in the donor's `ventricular`, for a beat at sample `at`."""
        if self._like is None or self._random.random() < _NEW_FOCUS:
            near = int(np.searchsorted(self._donor.ventricular, at))
            near += int(self._random.integers(-5, 5))
            seed = min(max(near, 0), len(self._donor.ventricular) - 1)
            self._like = self._donor.alike[seed, :_FOCUS]
        return int(self._like[self._random.integers(len(self._like))])


@cache
def _rise(n: int) -> Floats:
    return 0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / n)


@cache
def _window(n: int, rise: int, fall: int) -> Floats:
    weight = np.ones(n)
    weight[:rise] = _rise(rise)
    weight[n - fall :] *= _rise(fall)[::-1]
    return weight


def _off_baseline(donor: Donor, first: int, last: int) -> Floats:
    return donor.x[first:last] - donor.baseline[first:last]


def _lay_p(canvas: Canvas, donor: Donor, source: int, at: int, event: Event) -> None:
    join, fade = round(_JOIN_S * donor.fs), round(_FADE_S * donor.fs)
    r = int(donor.sinus[source])
    wave = _off_baseline(donor, r - donor.p_begin, r - donor.qrs_begin)
    begin = at - donor.p_begin - round(event.p_early_s * donor.fs)
    canvas.lay(event.p_gain * wave, _window(len(wave), fade, join), begin)


def _lay_qrst(canvas: Canvas, donor: Donor, source: int, at: int, rr_s: float | None) -> None:
    join, fade = round(_JOIN_S * donor.fs), round(_FADE_S * donor.fs)
    r, own_rr_s = int(donor.sinus[source]), float(donor.sinus_rr_s[source])
    before, after = donor.qrs_begin + join, donor.t_end(own_rr_s)
    wave = _off_baseline(donor, r - before, r + after)
    ratio = (rr_s or own_rr_s) / own_rr_s
    wave = _squeezed(wave, before + round(_QRS_END_S["sinus"] * donor.fs), ratio)
    canvas.lay(wave, _window(len(wave), join, fade), at - before)


def _squeezed(wave: Floats, fixed: int, ratio: float) -> Floats:
    """`wave` with all behind sample `fixed` squeezed to the cube root of `ratio`."""
    scale = float(np.clip(ratio ** (1 / 3), *_SQUEEZE))
    n = fixed + round((len(wave) - fixed) * scale)
    k = np.arange(n)
    at = np.where(k <= fixed, k, fixed + (k - fixed) / scale)
    return np.interp(at, np.arange(len(wave)), wave)


def _lay_ventricular(
    canvas: Canvas, donor: Donor, source: int, at: int, rr_s: float | None
) -> None:
    fade = round(_FADE_S * donor.fs)
    r, own_rr_s = int(donor.ventricular[source]), float(donor.ventricular_rr_s[source])
    before = round(_V_BEGIN_S * donor.fs)
    after = int(min(_V_END_S, own_rr_s - donor.p_begin / donor.fs + 0.05) * donor.fs)
    wave = donor.x[r - before : r + after]
    # It has no PR segment to be measured from: the line from end to end is its zero.
    wave = wave - np.linspace(wave[:3].mean(), wave[-3:].mean(), len(wave))
    ratio = (rr_s or 0.8) / 0.8
    wave = _squeezed(wave, before + round(_QRS_END_S["ventricular"] * donor.fs), ratio)
    canvas.lay(wave, _window(len(wave), fade, fade), at - before)


def noise(donor: Donor, first: int, last: int, random: np.random.Generator) -> Floats:
    """The lead's own noise (last - first,): pieces between T and P from about the same time."""
    out = np.zeros(last - first)
    pieces = donor.pauses
    if not pieces:
        return out
    place = int(first / len(donor.x) * len(pieces))
    most = len(out) // min(map(len, pieces)) * 2 + 2
    near = np.clip(place + random.integers(-20, 21, most), 0, len(pieces) - 1).tolist()
    signs = random.choice((-1.0, 1.0), most).tolist()
    at = 0
    for number, sign in zip(near, signs, strict=True):
        piece = sign * pieces[number]
        fade = max(len(piece) // 4, 1)
        end = min(at + len(piece), len(out))
        out[at:end] += (piece * _root_window(len(piece), fade))[: end - at]
        at += len(piece) - fade
        if at >= len(out):
            break
    return out


@cache
def _root_window(n: int, fade: int) -> Floats:
    """Fades that keep the power of noise where two of its pieces overlap."""
    return np.asarray(np.sqrt(_window(n, fade, fade)))


def atrial_wave(
    played: Played, donor: Donor, first: int, last: int, random: np.random.Generator
) -> Floats:
    """f-waves or flutter waves (last - first,) mV: Stridh and Sörnmo's sawtooth model (2001).

    A fundamental with harmonics falling as 1/k; frequency and size of f-waves wander, flutter is
    steady.
    """
    n = last - first
    t = np.arange(first, last) / donor.fs
    if played.atrial_regular:
        cycles = played.atrial_hz * (t - played.phase_s)
        size = np.ones(n)
        harmonics = 4
    else:
        wander = _smooth(n, donor.fs, 0.5, random)
        cycles = np.cumsum(played.atrial_hz * (1 + 0.12 * wander)) / donor.fs + random.random()
        size = np.clip(1 + 0.5 * _smooth(n, donor.fs, 0.4, random), 0.2, 2.0)
        harmonics = 3
    wave = sum(np.sin(2 * np.pi * k * cycles) / k for k in range(1, harmonics + 1))
    blank = round(_BLANK_S * donor.fs)
    height = played.atrial_height * donor.height_mv / _SAWTOOTH_SPAN
    return np.asarray(height * size * wave * _window(n, blank, blank))


def _smooth(n: int, fs: float, every_s: float, random: np.random.Generator) -> Floats:
    """A smooth random course (n,) of about unit deviation with nodes each `every_s`."""
    nodes = np.arange(0, n + 2 * every_s * fs, every_s * fs)
    return np.interp(np.arange(n), nodes, random.standard_normal(len(nodes)))
