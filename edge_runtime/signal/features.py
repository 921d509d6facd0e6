"""The context features of a beat: what they are, in order, and how they are computed.

They compare a beat's RR and shape with this patient's own past. No label, score or decision
enters, and nothing after the beat's window (0.576 s from R): the next R is never used. What is not
known (cold start, gap, unreadable shape) reads `neutral`; the columns of unit `known` tell so.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.anatomy import (
    Anatomy,
    Floats,
    contrast,
    correlation,
    norm,
    projection,
)
from edge_runtime.signal.intervals import LOG_STEPS, Intervals
from edge_runtime.signal.spec import CONTRACT_RATE_HZ
from edge_runtime.signal.template import Followed
from edge_runtime.signal.windows import BEFORE, QRS, T_WAVE

FEATURE_SET_VERSION: Final = 2
"""Changes with any change of meaning, order or number below; bundles name the one they take."""

Bools = NDArray[np.bool_]
Column = tuple[NDArray[Any], Bools]

COHERENCE_BEATS: Final = 12
_ENOUGH: Final = 3
"""Known intervals from which on the past of a beat means something."""
_ENOUGH_CHANGES: Final = 8
_QUANTILES: Final = ((300, (10, 50, 90)), (60, (10, 25, 50, 75, 90)), (10, (50,)))
_MEANS: Final = (300, 60, 10)
_PAST: Final = (
    *(f"rr_to_mean_{n}" for n in _MEANS),
    *(f"rr_to_q{q}_{n}" for n, percents in _QUANTILES for q in percents),
)
"""The features that hold RR against its past, in the order they are computed."""
_TYPICAL_RR: Final = round(LOG_STEPS * -0.2231435513142097)  # ln(0.8 s): 75 beats a minute
_TENTH: Final = LOG_STEPS // 10


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One column: its name, its unit, what it is, and what it reads where it is not known."""

    name: str
    unit: str
    doc: str
    neutral: float = 0.0


def _rhythm_specs() -> tuple[FeatureSpec, ...]:
    past = []
    for n, percents in reversed(_QUANTILES):
        past.append(FeatureSpec(f"rr_to_mean_{n}", "ln", f"RR over the mean of the past {n}"))
        past += [
            FeatureSpec(f"rr_to_q{q}_{n}", "ln", f"RR over the {q} % quantile of the past {n}")
            for q in percents
        ]
    return (
        FeatureSpec("rr", "ln", "RR over 0.8 s"),
        FeatureSpec("rr_prev", "ln", "RR of the beat before over 0.8 s"),
        FeatureSpec("rr_to_prev", "ln", "RR over the one before"),
        FeatureSpec("prev_to_prev2", "ln", "RR of the beat before over the one before that"),
        *past,
        FeatureSpec("prev_to_q50_60", "ln", "RR of the beat before over the median of the past 60"),
        FeatureSpec("prev2_to_q50_60", "ln", "RR two beats before over the same median"),
        FeatureSpec("spread_60", "ln", "75 % over 25 % quantile of the past 60 RR"),
        FeatureSpec("spread_300", "ln", "90 % over 10 % quantile of the past 300 RR"),
        FeatureSpec("change_1", "ln", "median |change| from RR to RR over 30 beats"),
        FeatureSpec("change_2", "ln", "the same from every RR to the next but one: 0 in bigeminy"),
        FeatureSpec("change_3", "ln", "the same to the third: 0 in trigeminy, large in AF"),
        FeatureSpec("large_changes", "share", "successive changes above a tenth over 30 beats"),
        FeatureSpec("turning_points", "share", "turning points of RR over 30 beats", 0.5),
        FeatureSpec("sure_rr_to_q50_60", "ln", "RR to q50_60, both without doubtful peaks"),
        FeatureSpec("sure_rr_to_mean_10", "ln", "RR to mean_10, both without doubtful peaks"),
        FeatureSpec("sure_rr_to_rr", "ln", "RR from the last peak not doubtful over RR"),
        FeatureSpec("prev_doubtful", "flag", "the peak before is low and unlike the template"),
        FeatureSpec("any_rr_to_q50_60", "ln", "RR to q50_60, both with tentative peaks"),
        FeatureSpec("any_rr_to_mean_10", "ln", "RR to mean_10, both with tentative peaks"),
        FeatureSpec("any_rr_to_rr", "ln", "RR from the last peak of any kind over RR"),
        FeatureSpec("tentative", "flag", "the detector is not sure that this is a beat"),
    )


FEATURES: Final[tuple[FeatureSpec, ...]] = (
    *_rhythm_specs(),
    FeatureSpec("beat_like_template", "corr", "P to T, with the template", 0.9),
    FeatureSpec("qrs_like_template", "corr", "QRS, with the template", 0.95),
    FeatureSpec("p_like_template", "corr", "P region off its line, with the template", 0.5),
    FeatureSpec("t_like_template", "corr", "T region, with the template", 0.9),
    FeatureSpec("height_to_template", "contrast", "QRS peak to peak against the template's"),
    FeatureSpec("area_to_template", "contrast", "area of |QRS| against the template's"),
    FeatureSpec("slope_to_template", "contrast", "steepest QRS slope against the template's"),
    FeatureSpec("width_to_template", "s", "QRS width less the template's"),
    FeatureSpec("polarity_to_template", "1", "QRS polarity less the template's"),
    FeatureSpec("qrs_off_template", "height", "rms of QRS less the template's"),
    FeatureSpec("t_off_template", "height", "rms of T region less the template's"),
    FeatureSpec("before_off_template", "height", "rms before the P region less the template's"),
    FeatureSpec("width", "s", "QRS area over height", 0.03),
    FeatureSpec("slope", "1", "steepest QRS step over height", 0.3),
    FeatureSpec("template_width", "s", "the template's QRS area over height", 0.03),
    FeatureSpec("beat_like_prev", "corr", "P to T, with the beat before", 0.9),
    FeatureSpec("qrs_like_prev", "corr", "QRS, with the beat before", 0.95),
    FeatureSpec("p_like_prev", "corr", "P region off its line, with the beat before", 0.5),
    FeatureSpec("height_to_prev", "contrast", "QRS peak to peak against the beat before"),
    FeatureSpec("p_in_beat", "1", "how much of the template's P is in the beat", 1.0),
    FeatureSpec("p_size", "height", "norm of the P region over the template's QRS height"),
    FeatureSpec("template_p_size", "height", "the same of the template's own P region"),
    FeatureSpec("p_coherence", "corr", "among the P regions of the last 12 beats on time", 0.5),
    FeatureSpec("share", "share", "weight of this morphology among the patient's recent beats"),
    FeatureSpec("dominant", "flag", "the beat joins the template's morphology"),
    FeatureSpec("early_alike", "ln", "how early (to q50_60), times likeness of QRS"),
    FeatureSpec("early_unlike", "ln", "how early, times unlikeness of QRS"),
    FeatureSpec("late_unlike", "ln", "how late, times unlikeness of QRS"),
    FeatureSpec("template_beats", "known", "n / (n + 16) of the n beats in the template"),
    FeatureSpec("template_age", "known", "t / (t + 60 s) since a beat joined the template"),
    FeatureSpec("rr_count", "known", "n / (n + 30) of the n known past RR"),
    FeatureSpec("rr_known", "known", "no gap since the beat before"),
    FeatureSpec("rr_prev_known", "known", "nor before that one"),
    FeatureSpec("prev_shape_known", "known", "the beat before is readable, no gap since"),
    FeatureSpec("shape_known", "known", "this beat's window is readable"),
)
NEUTRAL: Final = np.array([spec.neutral for spec in FEATURES])


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All that the features of k beats are made of. `prev_*` speak of the firm beat before."""

    shapes: Floats
    readable: Bools
    followed: Followed
    beat: Anatomy
    prev: Anatomy
    template: Anatomy
    p_coherence: Floats
    intervals: Intervals
    sure: Intervals
    any: Intervals
    tentative: Bools
    prev_rr: NDArray[np.int32]
    prev_rr_ok: Bools
    prev2_rr: NDArray[np.int32]
    prev2_rr_ok: Bools
    prev_shape_ok: Bools
    prev_doubtful: Bools


def compute(evidence: Evidence) -> NDArray[np.float32]:
    """The features (k, len(FEATURES)) in their order; finite whatever the input."""
    rhythm = _rhythm(evidence)
    columns = rhythm | _shape(evidence, rhythm["rr_to_q50_60"]) | _known(evidence)
    ordered = [columns[spec.name] for spec in FEATURES]
    values = np.array([value for value, _ in ordered], dtype=np.float64)
    known = np.array([ok for _, ok in ordered])
    table = np.where(known, values, NEUTRAL[:, None])
    return np.ascontiguousarray(table.T, dtype=np.float32)


def _rhythm(e: Evidence) -> dict[str, Column]:
    now, sure = e.intervals, e.sure
    past_ok = now.ok & (now.known >= _ENOUGH)
    sure_ok = sure.ok & (sure.known >= _ENOUGH)
    any_ok = e.any.ok & (e.any.known >= _ENOUGH)
    rr = now.rr
    quantiles = now.quantiles(_QUANTILES)
    low_300, _, high_300, _, low_60, median_60, high_60, _, _ = quantiles.T
    stats: Floats = np.concatenate((now.means(_MEANS), quantiles), axis=1)
    ratios = ((rr[:, None] - stats) / LOG_STEPS).T
    columns = {name: (ratio, past_ok) for name, ratio in zip(_PAST, ratios, strict=True)}
    for lag, change, count in zip((1, 2, 3), *now.changes(30), strict=True):
        columns[f"change_{lag}"] = (change / LOG_STEPS, count >= _ENOUGH_CHANGES)
    prev_ok, prev2_ok = e.prev_rr_ok, e.prev2_rr_ok
    enough, settled = now.known >= _ENOUGH, now.known >= _ENOUGH_CHANGES
    sure_median, any_median = (of.quantiles(((60, (50,)),))[:, 0] for of in (sure, e.any))
    return columns | {
        "rr": ((rr - _TYPICAL_RR) / LOG_STEPS, now.ok),
        "rr_prev": ((e.prev_rr - _TYPICAL_RR) / LOG_STEPS, prev_ok),
        "rr_to_prev": ((rr - e.prev_rr) / LOG_STEPS, prev_ok),
        "prev_to_prev2": ((e.prev_rr - e.prev2_rr) / LOG_STEPS, prev2_ok),
        "prev_to_q50_60": ((e.prev_rr - median_60) / LOG_STEPS, prev_ok & enough),
        "prev2_to_q50_60": ((e.prev2_rr - median_60) / LOG_STEPS, prev2_ok & enough),
        "spread_60": ((high_60 - low_60) / LOG_STEPS, settled),
        "spread_300": ((high_300 - low_300) / LOG_STEPS, settled),
        "large_changes": (now.share_of_changes(30, _TENTH), settled),
        "turning_points": (now.turning_points(30), settled),
        "sure_rr_to_q50_60": ((sure.rr - sure_median) / LOG_STEPS, sure_ok),
        "sure_rr_to_mean_10": ((sure.rr - sure.means((10,))[:, 0]) / LOG_STEPS, sure_ok),
        "sure_rr_to_rr": ((sure.rr - rr) / LOG_STEPS, sure.ok & now.ok),
        "prev_doubtful": (e.prev_doubtful, prev_ok),
        "any_rr_to_q50_60": ((e.any.rr - any_median) / LOG_STEPS, any_ok),
        "any_rr_to_mean_10": ((e.any.rr - e.any.means((10,))[:, 0]) / LOG_STEPS, any_ok),
        "any_rr_to_rr": ((e.any.rr - rr) / LOG_STEPS, e.any.ok & now.ok),
        "tentative": (e.tentative, np.ones(len(rr), dtype=np.bool_)),
    }


def _shape(e: Evidence, lateness: Column) -> dict[str, Column]:
    beat, prev, top = e.beat, e.prev, e.template
    known = e.readable & (e.followed.count > 0)
    off = (e.shapes - e.followed.template) / top.height[:, None]
    like_qrs = correlation(beat.qrs, beat.qrs_norm, top.qrs, top.qrs_norm)
    like_beat = correlation(beat.beat, beat.beat_norm, top.beat, top.beat_norm)
    like_p = correlation(beat.p, beat.p_norm, top.p, top.p_norm)
    like_t = correlation(beat.t, beat.t_norm, top.t, top.t_norm)
    paired = e.prev_shape_ok
    columns: dict[str, Column] = {
        "beat_like_template": (like_beat, known),
        "qrs_like_template": (like_qrs, known),
        "p_like_template": (like_p, known),
        "t_like_template": (like_t, known),
        "height_to_template": (contrast(beat.height, top.height), known),
        "area_to_template": (contrast(beat.area, top.area), known),
        "slope_to_template": (
            contrast(beat.slope * beat.height, top.slope * top.height),
            known,
        ),
        "width_to_template": (beat.width - top.width, known),
        "polarity_to_template": (beat.polarity - top.polarity, known),
        "qrs_off_template": (_rms(off[:, QRS]), known),
        "t_off_template": (_rms(off[:, T_WAVE]), known),
        "before_off_template": (_rms(off[:, BEFORE]), known),
        "width": (beat.width, e.readable),
        "slope": (beat.slope, e.readable),
        "template_width": (top.width, e.followed.count > 0),
        "beat_like_prev": (
            correlation(beat.beat, beat.beat_norm, prev.beat, prev.beat_norm),
            paired,
        ),
        "qrs_like_prev": (correlation(beat.qrs, beat.qrs_norm, prev.qrs, prev.qrs_norm), paired),
        "p_like_prev": (correlation(beat.p, beat.p_norm, prev.p, prev.p_norm), paired),
        "height_to_prev": (contrast(beat.height, prev.height), paired),
        "p_in_beat": (projection(beat.p, top.p, top.p_norm), known),
        "p_size": (np.minimum(beat.p_norm / top.height, 3.0), known),
        "template_p_size": (np.minimum(top.p_norm / top.height, 3.0), known),
        "p_coherence": (e.p_coherence, known),
        "share": (e.followed.share, known),
        "dominant": (e.followed.dominant, known),
    }
    late, judged = lateness[0], known & lateness[1]
    alike = np.maximum(like_qrs, 0.0)
    return columns | {
        "early_alike": (np.maximum(-late, 0.0) * alike, judged),
        "early_unlike": (np.maximum(-late, 0.0) * (1.0 - like_qrs), judged),
        "late_unlike": (np.maximum(late, 0.0) * (1.0 - like_qrs), judged),
    }


def _known(e: Evidence) -> dict[str, Column]:
    always = np.ones(len(e.readable), dtype=np.bool_)
    age_s = e.followed.age / CONTRACT_RATE_HZ
    return {
        "template_beats": (e.followed.count / (e.followed.count + 16.0), always),
        "template_age": (age_s / (age_s + 60.0), always),
        "rr_count": (e.intervals.known / (e.intervals.known + 30.0), always),
        "rr_known": (e.intervals.ok, always),
        "rr_prev_known": (e.prev_rr_ok, always),
        "prev_shape_known": (e.prev_shape_ok, always),
        "shape_known": (e.readable, always),
    }


def _rms(rows: Floats) -> Floats:
    out: Floats = np.minimum(norm(np.ascontiguousarray(rows)) / sqrt(rows.shape[1]), 5.0)
    return out
