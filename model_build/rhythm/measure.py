"""Out-of-fold scores to the figures that choose a recipe."""

from typing import Any

import numpy as np

from model_build.rhythm.export import smoothing_of
from model_build.rhythm.recipe import RhythmRecipe
from model_build.rhythm.scores import (
    Duration,
    Scores,
    duration,
    judge_records,
    record_scores,
    smoothed_af,
    total,
    truth_of,
)
from model_build.rhythm.tensors import RhythmPool


def measure(pool: RhythmPool, scores: Scores, recipe: RhythmRecipe) -> dict[str, Any]:
    """`scores` (n, K) of every hop, NaN where nobody left it out.

    `scores` of the answer: the figures by name; `records`: seconds of each long recording.
    """
    rows, truth = [], []
    long: dict[str, Duration] = {}
    by_archive: dict[str, list[Duration]] = {}
    smoothing = smoothing_of(recipe)
    bounds = np.flatnonzero(np.diff(pool.recording)) + 1
    for hops in np.split(np.arange(len(pool)), bounds):
        if np.isnan(scores[hops[0], 0]):
            continue
        archive = str(pool.archive[hops[0]])
        if archive == "cinc2017":
            rows.append(record_scores(scores[hops], pool.end_s[hops]))
            truth.append(truth_of(int(pool.target[hops[0]])))
            continue
        found = duration(smoothed_af(scores[hops], smoothing), pool.target[hops])
        long[f"{archive}:{pool.recording[hops[0]]}"] = found
        by_archive.setdefault(archive, []).append(found)
    judged = judge_records(np.array(rows), np.array(truth))
    sums = {archive: total(parts) for archive, parts in by_archive.items()}
    free = sums["mitdb"] + sums["svdb"]
    return {
        "scores": {
            "cinc2017_af_f1": judged.af_f1,
            "cinc2017_mean_nao_f1": judged.mean_nao,
            "false_af_minutes_per_24_h": free.false_minutes_a_day,
            "af_seconds_found": (sums["mitdb"] + sums["cpsc2021"]).sensitivity,
        },
        "f1": dict(zip("NAO~", judged.plain, strict=True)),
        "f1_at_prevalence": dict(zip("NAO~", judged.weighted, strict=True)),
        "recordings": len(truth),
        "archives": {
            archive: {
                "af_s": one.af_s,
                "found_s": one.both_s,
                "free_s": one.free_s,
                "false_s": one.false_s,
            }
            for archive, one in sums.items()
        },
    }
