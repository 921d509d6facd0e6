"""Choosing the calibration list, and turning it into what the converter measures ranges on."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import read_header
from model_build.calibration import CalibrationBeat
from model_build.datasets.recording import Group, Recording, Target
from model_build.errors import QuantizeError
from model_build.recipe import Segments, Weight
from model_build.training.beats import PreparedBeats, pool
from model_build.training.lead_loss import BOTH, keep_leads
from model_build.training.scaling import Scaling
from model_build.training.segments import gather

_COLD_SHARE: Final = 0.1
"""Of the list: beats with fewer than a full history before them."""
_SUBSETS: Final = (BOTH, (True, False), (False, True))
_REACH_S: Final = 0.15
"""A listed beat is the detected peak nearest to its sample, at most this far off."""


def choose_beats(
    prepared: Sequence[PreparedBeats], n: int, history: int, seed: int
) -> list[CalibrationBeat]:
    """About `n` beats of untouched recordings: half ectopic, a tenth early in their recording."""
    random = np.random.default_rng(seed)
    items = [(p, k) for p in prepared if p.group == Group.BEATS for k in np.flatnonzero(p.valid)]
    ectopic = np.array([p.target[k] in (Target.S, Target.V, Target.F) for p, k in items])
    cold = np.array([k < history for _, k in items])
    n_cold = round(_COLD_SHARE * n)
    parts = (
        (cold, n_cold),
        (ectopic & ~cold, n // 2 - n_cold // 2),
        (~ectopic & ~cold, n - n // 2 - n_cold // 2),
    )
    chosen: list[CalibrationBeat] = []
    for mask, size in parts:
        candidates = np.flatnonzero(mask)
        for i in random.choice(candidates, min(size, len(candidates)), replace=False):
            beats, k = items[i]
            chosen.append(CalibrationBeat(beats.key, int(beats.at[k])))
    return chosen


def calibration_items(
    prepared: Sequence[PreparedBeats],
    listed: Sequence[CalibrationBeat],
    scaling: Scaling,
    history: int,
    rates_hz: dict[str, float],
    leads: int = 1,
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Each listed beat with its history, as `quantize_student` takes it.

    For two leads both are there, or the first alone, or the second alone, in turn.
    Raises `QuantizeError` where a listed beat is not among the prepared ones.
    """
    by_key = {p.key: pool([p], Weight()) for p in prepared}
    at = {p.key: p.at for p in prepared}
    rule = Segments(beats=1)
    for number, beat in enumerate(listed):
        if beat.record not in by_key:
            raise QuantizeError(f"{beat.record} is listed for calibration but was not prepared")
        k = int(np.argmin(np.abs(at[beat.record] - beat.sample)))
        if abs(int(at[beat.record][k]) - beat.sample) > _REACH_S * rates_hz[beat.record]:
            raise QuantizeError(f"no beat is detected at {beat.record} {beat.sample}")
        plan = np.array([[k, 0]], dtype=np.int64)
        batch = gather(by_key[beat.record], plan, rule, history - 1, scaling, leads)
        batch = keep_leads(batch, _SUBSETS[number % len(_SUBSETS)])
        names = ("window", "template", "features", "valid")
        yield {name: getattr(batch, name)[0] for name in names}


def rates_of(recordings: Sequence[Recording]) -> dict[str, float]:
    """Sampling rate in Hz of each recording."""
    return {r.key: float(read_header(r.path).fs_fraction) for r in recordings}
