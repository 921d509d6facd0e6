"""The stages `student`, the float student of the recipe, and `student-in-set`, the same beside the
rhythm model, as a bundle set labels beats."""

from model_build.commands.pretrain import load_prior
from model_build.crossval import score_fold
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


def _scored(trial: Trial, fibrillates: Fibrillates | None) -> FoldScores:
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
    )
