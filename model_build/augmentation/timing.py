"""Time altered: the whole signal faster or slower, or only the pauses between its beats."""

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np

from model_build.augmentation.lead import Floats, Lead, chosen

BEFORE_R_S: Final = 0.24
"""P waves begin at most this long before R in most people (PR 0.12 to 0.20 s)."""
AFTER_R_S: Final = 0.40
"""T waves have ended by then at 60 beats a minute; they shorten with the root of the interval."""
_BREATHS_HZ: Final = (0.15, 0.40)
"""Respiratory (high-frequency) band of heart rate variability, Task Force of the ESC 1996."""
_LEAST_STRETCH: Final = 0.25
"""How much of a pause remains at least."""


def time_scaled(lead: Lead, span: tuple[float, ...], random: np.random.Generator) -> Lead:
    """The lead played slower by a factor drawn from `span`: widths and intervals scale alike.

    No sample changes, only the rate (whole Hz, within the 100 to 1000 Hz that the path takes).
    """
    factor = float(np.exp(random.uniform(*np.log(span))))
    rate = Fraction(round(min(max(float(lead.fs) / factor, 100.0), 1000.0)))
    return replace(lead, fs=rate)


def rr_warped(lead: Lead, strength: float, random: np.random.Generator) -> Lead:
    """The lead with the pauses between T and P stretched or shortened smoothly.

    RR intervals change by a slow wander, ramps and breathing, together by a factor of
    exp(-strength) to exp(strength) as far as the pauses allow; P to T of every beat stays as it
    is. The record becomes longer or shorter.
    """
    beats = lead.beats
    if lead.annotations is None or len(beats) < 3:
        return lead
    fs = float(lead.fs)
    source = _knots(beats / fs, len(lead.x) / fs)
    stretched = _stretched(beats / fs, source, strength, random)
    n = int(stretched[-1] * fs)
    at_source = np.interp(np.arange(n) / fs, stretched, source)
    x = np.interp(at_source * fs, np.arange(len(lead.x)), lead.x)
    marks = lead.annotations.sample
    moved = np.round(np.interp(marks / fs, source, stretched) * fs).astype(np.int64)
    return Lead(x, lead.fs, chosen(lead.annotations, moved < n, moved))


def _knots(beats_s: Floats, end_s: float) -> Floats:
    """Times 0, end of T, begin of the next P, ..., end of the record: (2 k,), never falling."""
    rr = np.diff(beats_s)
    ends = beats_s[:-1] + np.minimum(AFTER_R_S * np.sqrt(np.minimum(rr, 1.0)), 0.6 * rr)
    begins = beats_s[1:] - np.minimum(BEFORE_R_S, 0.35 * rr)
    inner = np.ravel(np.column_stack((ends, begins)))
    return np.concatenate(([0.0], inner, [end_s]))


def _stretched(
    beats_s: Floats, knots: Floats, strength: float, random: np.random.Generator
) -> Floats:
    """Where the knots lie afterwards: only every second span, the pauses, changes."""
    rr = np.diff(beats_s)
    wish = rr * (np.exp(_wander(beats_s[1:], strength, random)) - 1.0)
    spans = np.diff(knots)
    pauses = spans[1::2]
    spans[1::2] = np.maximum(pauses + wish, _LEAST_STRETCH * pauses)
    return np.concatenate(([0.0], np.cumsum(spans)))


def _wander(at_s: Floats, strength: float, random: np.random.Generator) -> Floats:
    """Smooth log factors within +-strength: piecewise ramps over minutes, and breathing."""
    nodes = np.arange(0.0, at_s[-1] + 120.0, random.uniform(30.0, 90.0))
    ramps = np.interp(at_s, nodes, random.uniform(-1.0, 1.0, len(nodes)))
    breath = np.sin(2 * np.pi * random.uniform(*_BREATHS_HZ) * at_s + random.uniform(0, 2 * np.pi))
    share = random.uniform(0.05, 0.3)
    return strength * ((1 - share) * ramps + share * breath)
