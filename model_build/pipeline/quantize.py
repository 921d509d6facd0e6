"""Stage: the student as two INT8 graphs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model_build.calibrate import calibration_items, choose_beats, rates_of
from model_build.calibration import read_calibration_list, write_calibration_list
from model_build.crossval import Fitted
from model_build.datasets.recording import Recording
from model_build.head import HeadFit, head_of
from model_build.int8 import int8_student
from model_build.jobs.job import Tell
from model_build.pipeline.context import Context
from model_build.quantize import QuantizedStudent
from model_build.recipe import Recipe
from model_build.recipe_files import calibration_path
from model_build.student_files import StudentFile, load_student, student_folder
from model_build.teacher.crossfit import Ensembles, advice, advisers
from model_build.training.beats import PreparedBeats
from model_build.training.loop import Report, one_thread

CALIBRATION: Final = "calibration.txt"
"""Name of the list that was used, beside the graphs."""


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Quantize; the list used is the one beside the recipe, or drawn where there is none."""
    context = Context.of(folder, arguments, tell)
    one_thread()
    trained = load_student(context.final_student, context.recipe)
    recordings, prepared = context.training()
    listed = calibration_path(str(context.recipe_path))
    used = folder / CALIBRATION
    if listed.is_file():
        used.write_bytes(listed.read_bytes())
    else:
        draw_calibration(used, prepared, context.recipe, trained.student.config.history)
    report = context.report(context.recipe.qat.epochs)
    head = head_of(student_folder(context.work, context.recipe), context.recipe)
    teachers = advisers(context.recipe, context.data, context.work)
    quantize_by(used, trained, recordings, prepared, context.recipe, folder, report, head, teachers)


def draw_calibration(
    path: Path, prepared: Sequence[PreparedBeats], recipe: Recipe, history: int
) -> None:
    """Draw the recipe's number of beats and write the list."""
    untouched = [item for item in prepared if item.view == recipe.view[0].name]
    drawn = choose_beats(untouched, recipe.quantize.calibration_beats, history, recipe.seed)
    write_calibration_list(path, drawn, _COMMENT)


_COMMENT: Final = """\
Beats that INT8 ranges are measured on: training subjects, first channel, first view.
Half are S, V or F; a tenth have less than a full history before them.
Drawn by `model-build quantize --draw-calibration`; the sample is the detected peak's."""


def quantize_by(
    calibration: Path,
    trained: StudentFile,
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    folder: Path,
    report: Report,
    head: HeadFit | None,
    teachers: Mapping[str, Ensembles],
) -> QuantizedStudent:
    """Write both graphs into `folder`, with ranges of the listed beats, by the recipe's method.

    `teachers` are asked where that method trains the student on.
    """
    untouched = [item for item in prepared if item.view == recipe.view[0].name]
    listed = read_calibration_list(calibration)
    config, rates = trained.student.config, rates_of(recordings)
    items = list(
        calibration_items(untouched, listed, trained.scaling, config.history, rates, config.leads)
    )
    fitted = Fitted(trained.student, trained.scaling, ())
    heard = advice(teachers if recipe.quantize.method == "qat" else {}, prepared, None)
    return int8_student(fitted, prepared, items, recipe, folder, report, head, heard).graphs
