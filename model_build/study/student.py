"""The stages `student`, the float student of the recipe; `student-in-set`, the same beside the
rhythm model, as a bundle set labels beats; `student-second-lead`, the same on other electrodes.
"""

from typing import Final

from model_build.commands.pretrain import load_prior
from model_build.crossval import score_fold
from model_build.errors import RecipeError
from model_build.evaluate.fold_scores import Fibrillates
from model_build.evaluate.out_of_fold import FoldScores
from model_build.rhythm.beside import rhythm_beside
from model_build.study.trial import Trial
from model_build.teacher.crossfit import advice, advisers


def run(trial: Trial) -> FoldScores:
    """Train it and score the fold; trunk and teachers are those of the recipe, of one seed."""
    return _scored(trial, None)


def run_in_set(trial: Trial) -> FoldScores:
    """The same, where no beat is S while the rhythm model says AF. That model has not seen the fold
    either: its out-of-fold scores come from the stages of the recipe `rhythm`.

    Raises `RecipeError` before those are done.
    """
    return _scored(trial, rhythm_beside(trial.data, trial.work))


SECOND: Final = "second"
"""The view that shows second leads as they are."""


def run_second_lead(trial: Trial) -> FoldScores:
    """The same on the second leads of those left out, where they have one.

    Raises `RecipeError` where the recipe has no such view.
    """
    if SECOND not in {view.name for view in trial.recipe.view}:
        raise RecipeError(f"{trial.recipe.name} has no view named {SECOND!r} to be scored on")
    return _scored(trial, None, SECOND)


def _scored(trial: Trial, fibrillates: Fibrillates | None, view: str | None = None) -> FoldScores:
    teachers = advisers(trial.recipe, trial.data, trial.work)
    return score_fold(
        trial.recordings,
        trial.prepared,
        trial.own,
        trial.fold,
        trial.checkpoint,
        trial.report,
        load_prior(trial.recipe, trial.data, trial.work),
        lambda inside, fold: advice(teachers, inside, fold),
        fibrillates=fibrillates,
        view=view,
    )
