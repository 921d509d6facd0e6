"""What the rhythm model says while beats are classified, by one that has not seen the patient."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.rhythm_manifest import Smoothing
from edge_runtime.inference.smoothing import FixedLagSmoother
from firmware_bridge.records import read_header
from model_build.datasets.recording import Recording
from model_build.errors import RecipeError
from model_build.evaluate.fold_scores import Fibrillates
from model_build.recipe_arguments import recipe_arguments
from model_build.recipe_changes import NO_CHANGE
from model_build.recipe_files import recipe_path
from model_build.rhythm.export import smoothing_of
from model_build.rhythm.learn import SCORES, given
from model_build.rhythm.recordings import CLASSES, training
from model_build.rhythm.stages import out_of_fold, rhythm_jobs
from model_build.training.beats import PreparedBeats

RECIPE: Final = "rhythm"
_AF: Final = CLASSES.index("AFIB")
_WAY: Final = "student"


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One recording's hops: where each ends (k,) in seconds, and the chance of AF then (k,)."""

    end_s: NDArray[np.float64]
    chance: NDArray[np.float64]

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chance by the last hop that had ended, 0 before the first."""
        last = np.searchsorted(self.end_s, seconds, side="right") - 1
        found: NDArray[np.float64] = np.where(last >= 0, self.chance[np.maximum(last, 0)], 0.0)
        return found


def chances(scores: NDArray[np.float64], smoothing: Smoothing) -> NDArray[np.float64]:
    """The chance of AF at each hop (k,) by what came until then, from scores (k, K)."""
    smoother = FixedLagSmoother(smoothing)
    return np.array([smoother.take(row).now[_AF] for row in scores.tolist()])


def rhythm_beside(data: Path, work: Path) -> Fibrillates:
    """Whether AF is believed at each beat, by out-of-fold scores of the float network of the
    recipe `rhythm`.

    Raises `RecipeError` where `model-build all --recipe rhythm` has not made them in `work`.
    """
    file = recipe_path(RECIPE)
    inputs = {job.name: str(job.folder) for job in rhythm_jobs(file, data, work, None, "")}
    folds = [Path(folder) for name, folder in inputs.items() if name.startswith("rhythm-fold-")]
    if not all((folder / SCORES).is_file() for folder in folds):
        raise RecipeError(f"{work}: no rhythms yet; first model-build all --recipe {RECIPE}")
    arguments = {**recipe_arguments(file, NO_CHANGE), "inputs": inputs}
    recipe, pool = given(arguments)
    scores, smoothing = out_of_fold(arguments, _WAY, pool), smoothing_of(recipe)
    keys = [one.key for one in training(data)]  # synthetic recordings come behind these
    heard: dict[str, Heard] = {}
    bounds = np.flatnonzero(np.diff(pool.recording)) + 1
    for hops in np.split(np.arange(len(pool)), bounds):
        number = int(pool.recording[hops[0]])
        if number < len(keys) and not np.isnan(scores[hops[0], 0]):
            heard[keys[number]] = Heard(pool.end_s[hops], chances(scores[hops], smoothing))

    def fibrillates(recording: Recording, beats: PreparedBeats) -> NDArray[np.bool_]:
        fs = float(read_header(recording.path).fs_fraction)
        found: NDArray[np.bool_] = heard[f"{recording.key}:0"].at(beats.at / fs) >= (
            smoothing.suppress
        )
        return found

    return fibrillates
