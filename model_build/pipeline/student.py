"""Stage: the student, trained on every training recording."""

from pathlib import Path
from typing import Any

from model_build.commands.pretrain import load_prior
from model_build.crossval import fit
from model_build.jobs.job import Tell
from model_build.pipeline.context import Context
from model_build.prepare import code_digest
from model_build.pretraining.prior import records_of
from model_build.student_files import TrainedOn, save_student
from model_build.teacher.crossfit import advice, advisers
from model_build.training.loop import one_thread


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Train; `student.npz` is what `student_files` reads."""
    context = Context.of(folder, arguments, tell)
    one_thread()
    recordings, prepared = context.training()
    report = context.report(context.recipe.optimizer.epochs)
    prior = load_prior(context.recipe, context.data, context.work)
    heard = advice(advisers(context.recipe, context.data, context.work), prepared, None)
    fitted = fit(prepared, context.own, context.checkpoint, report, prior, heard)
    keys = tuple(dict.fromkeys((*(r.key for r in recordings), *records_of(context.recipe))))
    trained_on = TrainedOn(keys, code_digest(), sum(len(item) for item in prepared))
    save_student(folder, fitted.student, fitted.scaling, trained_on)
