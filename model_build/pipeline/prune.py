"""Stage: the student with fewer channels."""

from pathlib import Path
from typing import Any

from model_build.crossval import Fitted
from model_build.errors import RecipeError
from model_build.jobs.job import Tell
from model_build.pipeline.context import Context
from model_build.prune import prune
from model_build.student_files import load_student, save_student
from model_build.teacher.crossfit import advice, advisers
from model_build.training.loop import one_thread


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Prune as the recipe says; `student.npz` is what `student_files` reads."""
    context = Context.of(folder, arguments, tell)
    rule = context.recipe.prune
    if rule is None:
        raise RecipeError("the recipe has no [prune]; nothing is pruned")
    one_thread()
    trained = load_student(context.inputs["student"], context.recipe)
    _, prepared = context.training()
    fitted = Fitted(trained.student, trained.scaling, ())
    report = context.report(rule.steps * rule.epochs)
    steps = context.checkpoint.with_suffix("")
    heard = advice(advisers(context.recipe, context.data, context.work), prepared, None)
    pruned, _ = prune(fitted, prepared, context.recipe, rule, steps, report, heard)
    save_student(folder, pruned.student, pruned.scaling, trained.trained_on)
