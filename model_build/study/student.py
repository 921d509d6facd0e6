"""The stage `student`: the float student of the recipe."""

from model_build.commands.pretrain import load_prior
from model_build.crossval import score_fold
from model_build.evaluate.out_of_fold import FoldScores
from model_build.study.trial import Trial
from model_build.teacher.crossfit import advice, advisers


def run(trial: Trial) -> FoldScores:
    """Train it and score the fold; trunk and teachers are those of the recipe, of one seed."""
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
    )
