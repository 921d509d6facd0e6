"""Stage: one teacher of a student that is distilled or cleaned, trained without one fold."""

from pathlib import Path
from typing import Any

from model_build.jobs.job import Tell
from model_build.pipeline.context import Context
from model_build.prepare import prepare, training_recordings
from model_build.recipe import read_recipe
from model_build.recipe_files import recipe_path
from model_build.teacher.beats import whole_beats
from model_build.teacher.members import Membership, folder_of, roll_of_beats
from model_build.teacher.training import train_member
from model_build.training.loop import one_thread

MEMBER = "member.txt"


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Train it into WORK/teachers, where it is named by its content; `member.txt` says where.

    The arguments `teacher`, `fold` and `seed` say which: the recipe's name, the fold it never
    sees, and the seed.
    """
    context = Context.of(folder, arguments, tell)
    one_thread()
    recipe = read_recipe(recipe_path(context.arguments["teacher"]))
    recordings = training_recordings(context.data, recipe)
    items = list(map(whole_beats, prepare(recordings, recipe.view, recipe.seed, context.work)))
    fold, seed = int(context.arguments["fold"]), int(context.arguments["seed"])
    which = Membership(recipe, frozenset({fold}), seed)
    train_member(which, items, context.work, context.report(recipe.optimizer.epochs))
    roll = roll_of_beats(item.beats for item in items)
    (folder / MEMBER).write_text(f"{folder_of(which, roll, context.work).name}\n")
