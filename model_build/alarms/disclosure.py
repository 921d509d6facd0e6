"""What IEC 60601-2-27 asks a monitor to disclose, and how long alarms take, on made signals."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_runtime.inference.bundle import BundleSet
from model_build.alarms.running import Raised, run_made
from model_build.alarms.synthesis import (
    RATE_HZ,
    beats,
    standard_rhythms,
    tachycardia,
    train,
)

Rate = list[tuple[float, float | None]]
_STEP_S: Final = 30.0
TALL_T_MV: Final = (0.2, 0.4, 0.6, 0.8, 1.0, 1.1, 1.2, 1.3, 1.4)
GAINS: Final = {"half": 0.5, "normal": 1.0, "double": 2.0}


@dataclass(frozen=True, slots=True)
class Response:
    """A step of the rate: seconds until the shown rate has gone 63 % of it, and all but 2/min."""

    after_63_percent_s: float | None
    after_all_s: float | None


def rate_of_rhythms(bundles: BundleSet) -> dict[str, tuple[float, float, float]]:
    """True rate, and the lowest and highest shown in the last 30 s, of the standard's rhythms."""
    rows = {}
    for name, (signal, bpm) in standard_rhythms().items():
        _, rate = run_made(bundles, signal, RATE_HZ)
        shown = [value for at, value in rate if value is not None and at > 30.0]
        rows[name] = (bpm, min(shown), max(shown)) if shown else (bpm, 0.0, 0.0)
    return rows


def response(bundles: BundleSet, before_bpm: float, after_bpm: float) -> Response:
    """How the shown rate follows a step."""
    r_s = train(60.0 / before_bpm, 0.5, _STEP_S)
    step_s = r_s[-1]
    r_s += train(60.0 / after_bpm, step_s + 60.0 / after_bpm, 60.0)
    _, rate = run_made(bundles, beats(r_s, "N" * len(r_s), 61.0), RATE_HZ)
    most = before_bpm + 0.63 * (after_bpm - before_bpm)
    sign = 1 if after_bpm > before_bpm else -1

    def first(limit: float) -> float | None:
        for at, bpm in rate:
            if at > step_s and bpm is not None and sign * bpm >= sign * limit:
                return at - step_s
        return None

    return Response(first(most), first(after_bpm - 2 * sign))


def alarm_times(bundles: BundleSet) -> dict[str, dict[str, tuple[str, float] | None]]:
    """Per tachycardia and gain: the first high-priority alarm and seconds from onset to it."""
    rows: dict[str, dict[str, tuple[str, float] | None]] = {}
    for name, bpm, height_mv in (("B1, 206/min, 1 mV", 206, 1.0), ("B2, 195/min, 2 mV", 195, 2.0)):
        rows[name] = {}
        for gain, factor in GAINS.items():
            signal = tachycardia(bpm, height_mv, _STEP_S, 60.0) * np.float32(factor)
            found, _ = run_made(bundles, signal, RATE_HZ)
            rows[name][gain] = first_high(found, _STEP_S)
    return rows


def tall_t(bundles: BundleSet) -> dict[float, float]:
    """Height of the T wave in mV to the largest error of the shown rate; QRS 1 mV at 80/min."""
    errors = {}
    r_s = train(0.75, 0.5, 60.0)
    for height_mv in TALL_T_MV:
        signal = beats(r_s, "N" * len(r_s), 61.0, t_mv=height_mv)
        _, rate = run_made(bundles, signal, RATE_HZ)
        shown = [bpm for at, bpm in rate if bpm is not None and at > 15.0]
        errors[height_mv] = max((abs(bpm - 80.0) for bpm in shown), default=80.0)
    return errors


def onset_to_alarm(bundles: BundleSet) -> dict[str, tuple[str, float] | None]:
    """Made onsets: asystole of two kinds, and steps of the rate."""
    calm = train(0.8, 0.5, _STEP_S)
    flat = beats(calm, "N" * len(calm), 60.0)
    waves = beats(calm, "N" * len(calm), 60.0, p_after_s=calm[-1] + 0.64)
    rows = {}
    for name, signal in (("asystole, flat", flat), ("asystole, P waves go on", waves)):
        found, _ = run_made(bundles, signal, RATE_HZ)
        rows[name] = first_high(found, calm[-1], ("asystole",))
    for bpm, rule in ((170.0, "extreme_tachycardia"), (30.0, "extreme_bradycardia")):
        r_s = [*calm, *train(60.0 / bpm, calm[-1] + 60.0 / bpm, 75.0)]
        found, _ = run_made(bundles, beats(r_s, "N" * len(r_s), 76.0), RATE_HZ)
        rows[f"rate 75 to {bpm:.0f}/min"] = first_high(found, calm[-1], (rule,))
    return rows


def first_high(
    found: list[Raised], onset_s: float, rules: tuple[str, ...] = ()
) -> tuple[str, float] | None:
    """The first high-priority alarm (of `rules`) decided after the onset, and how long after."""
    for alarm in found:
        is_one = alarm.priority == "high" and (not rules or alarm.rule in rules)
        if is_one and alarm.decided_s >= onset_s:
            return alarm.rule, alarm.decided_s - onset_s
    return None
