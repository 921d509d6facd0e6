"""Edits of a recording that bring a condition, each labelled synthetic on the screen."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.simulator.recording import DEMO_TITLE, Recording

_DEMO_START: Final = 24_500
"""Play from 68 s: ventricular beats come from the third second on (208.atr)."""
_DEMO_V_BEAT: Final = 26_030
"""A V beat of the excerpt with a quiet baseline on both sides (208.atr)."""
_LEAD_COLLAPSES: Final = (
    "not synthetic: about 2:20 the recording's own lead collapses, and asystole is alarmed"
)
"""From 140.5 to 146.5 s of play 208.atr marks the signal (`~`) and still labels beats: the heart
goes on, this one lead slides for more than four seconds without a QRS complex."""
_VT_RATE_BPM: Final = 150
_VT_BEATS: Final = 30
_V_BEFORE_S: Final = 0.18
_BLEND_S: Final = 0.06
_RESIDUAL_MV: Final = 0.008
"""Noise left on a flat line: amplifier noise of a wearable front end."""


@dataclass(frozen=True, slots=True)
class Play:
    """What the sensor plays, and what happens to its link meanwhile."""

    recording: Recording
    faults: Faults = field(default_factory=Faults)


def tour(recording: Recording) -> Play:
    """One lead-off and one asystole alarm within the first two minutes."""
    played = _from_first_ectopy(recording)
    played = _with_lead_off(played, 35.0, 10.0)
    played = _with_flat_line(played, 75.0, 12.0)
    if recording.title == DEMO_TITLE:
        played = replace(played, notes=(*played.notes, _LEAD_COLLAPSES))
    return Play(played)


def asystole(recording: Recording) -> Play:
    """The heart stops for twelve seconds, twenty seconds in."""
    return Play(_with_flat_line(_from_first_ectopy(recording), 20.0, 12.0))


def leadoff(recording: Recording) -> Play:
    """An electrode comes off for fifteen seconds, twenty seconds in."""
    return Play(_with_lead_off(_from_first_ectopy(recording), 20.0, 15.0))


def unplug(recording: Recording) -> Play:
    """The cable is pulled for twelve seconds, twenty seconds in."""
    return Play(_from_first_ectopy(recording), Faults(unplugs=((20.0, 12.0),)))


def ventricular_tachycardia(recording: Recording) -> Play:
    """Thirty of the patient's own ventricular beats at 150/min, twenty seconds in."""
    if recording.title != DEMO_TITLE:
        raise UsageError("scenario vt is made of known beats of the demonstration recording only")
    beat_s = 60 / _VT_RATE_BPM
    played = _from_first_ectopy(recording)
    rate = float(recording.rate_hz)
    period, before = round(beat_s * rate), round(_V_BEFORE_S * rate)
    beat = _tapered(recording.millivolts[_DEMO_V_BEAT - before :][:period])
    signal = played.millivolts.copy()
    start = round(20.0 * rate)
    chain = np.tile(beat, (_VT_BEATS, 1))
    _blend_in(signal, start, chain, round(_BLEND_S * rate))
    return Play(_synthetic(played, signal, "ventricular tachycardia at 150/min"))


SCENARIOS: Final[dict[str, Callable[[Recording], Play]]] = {
    "tour": tour,
    "asystole": asystole,
    "vt": ventricular_tachycardia,
    "leadoff": leadoff,
    "unplug": unplug,
}


def _from_first_ectopy(recording: Recording) -> Recording:
    if recording.title != DEMO_TITLE:
        return recording
    return replace(recording, millivolts=np.roll(recording.millivolts, -_DEMO_START, axis=0))


def _with_flat_line(recording: Recording, at_s: float, length_s: float) -> Recording:
    rate = float(recording.rate_hz)
    first, length = round(at_s * rate), round(length_s * rate)
    signal = recording.millivolts.copy()
    noise = np.random.default_rng(0).normal(0, _RESIDUAL_MV, (length, signal.shape[1]))
    baseline = np.median(signal[max(0, first - round(rate)) : first], axis=0)
    _blend_in(signal, first, (baseline + noise).astype(np.float32), round(_BLEND_S * rate))
    return _synthetic(recording, signal, f"asystole of {length_s:.0f} s")


def _with_lead_off(recording: Recording, at_s: float, length_s: float) -> Recording:
    """The electrode's input floats: it drifts to the rail, and the sensor's own detector says so
    for the first lead; other leads play on."""
    rate = float(recording.rate_hz)
    first, length = round(at_s * rate), round(length_s * rate)
    signal = recording.millivolts.copy()
    drift = 5.0 * (1 - np.exp(-np.arange(length) / (0.3 * rate)))
    signal[first : first + length, 0] = drift.astype(np.float32)
    edited = _synthetic(recording, signal, f"lead off for {length_s:.0f} s")
    return replace(edited, leads_off=(*recording.leads_off, (first, first + length, 0)))


def _synthetic(recording: Recording, signal: NDArray[np.float32], what: str) -> Recording:
    return replace(recording, millivolts=signal, notes=(*recording.notes, f"synthetic: {what}"))


def _tapered(beat: NDArray[np.float32]) -> NDArray[np.float32]:
    """The beat with its ends brought to one level, so that copies join without a step."""
    ramp = np.linspace(0, 1, len(beat), dtype=np.float32)[:, np.newaxis]
    return beat - (beat[:1] + ramp * (beat[-1:] - beat[:1]))


def _blend_in(
    signal: NDArray[np.float32], first: int, piece: NDArray[np.float32], fade: int
) -> None:
    """Write `piece` into `signal` at `first`, cross-faded over `fade` samples at both ends."""
    last = first + len(piece)
    if last > len(signal):
        raise UsageError(f"the recording is too short for this scenario ({len(signal)} samples)")
    weight = np.ones((len(piece), 1), dtype=np.float32)
    weight[:fade, 0] = np.linspace(0, 1, fade)
    weight[-fade:, 0] = np.linspace(1, 0, fade)
    signal[first:last] = weight * piece + (1 - weight) * signal[first:last]
