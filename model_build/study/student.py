"""The stage `student`: the float student of the recipe."""

from model_build.commands.pretrain import load_prior
from model_build.crossval import score_fold
from model_build.evaluate.out_of_fold import FoldScores
from model_build.study.trial import Trial


def run(trial: Trial) -> FoldScores:
    """Train it and score the fold; the trunk it begins with is that of the recipe, of one seed."""
    return score_fold(
        trial.recordings,
        trial.prepared,
        trial.own,
        trial.fold,
        trial.checkpoint,
        trial.report,
        load_prior(trial.recipe, trial.data, trial.work),
    )
