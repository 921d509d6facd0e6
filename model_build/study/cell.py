"""The task of a cell's job: prepare (from the cache), train, score, write `result.json`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from model_build.jobs.job import Job, Tell
from model_build.pipeline.stage import jobs_of
from model_build.pipeline.stages import tensors_and_trunk
from model_build.prepare import prepare, training_recordings
from model_build.recipe import Recipe
from model_build.recipe_arguments import recipe_arguments, recipe_from
from model_build.recipe_files import recipe_path
from model_build.study import stages
from model_build.study.plan import Cell
from model_build.study.results import CellResult
from model_build.study.trial import Trial

_TASK: Final = "model_build.study.cell:run"


def jobs_of_cells(cells: Sequence[Cell], data: Path, work: Path) -> list[Job]:
    """The jobs of cells, in WORK/study, each after that which prepares its recipe's tensors."""
    preparing: dict[Path, Job] = {}
    jobs = []
    for cell in cells:
        path = recipe_path(cell.base).resolve()
        stages_before = tensors_and_trunk(cell.recipe)
        before = jobs_of(stages_before, path, data, work, cell.change)
        before = [replace(job, name=job.folder.name) for job in before]
        preparing |= {job.folder: job for job in before}
        arguments = {
            **recipe_arguments(path, cell.change),
            "stage": cell.stage,
            "seed": cell.seed,
            "fold": cell.fold,
            "training": cell.training,
            "data": str(data),
            "work": str(work),
        }
        folder = work / "study" / cell.identity[:16]
        jobs.append(Job(cell.name, folder, _TASK, arguments, tuple(job.name for job in before)))
    return [*preparing.values(), *jobs]


def result_of(cell: Cell, job: Job) -> CellResult:
    """What the job has left."""
    scores = json.loads((job.folder / "result.json").read_text())
    return CellResult.of_json(
        {
            "cell": cell.identity,
            "study": cell.study,
            "switch": cell.switch,
            "stage": cell.stage,
            "base": cell.base_digest,
            "recipe": cell.recipe.digest,
            "code": cell.code,
            "seed": cell.seed,
            "fold": cell.fold,
            "wall_s": round(job.spent_s(), 1),
            "scores": scores,
        }
    )


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Train and score; the checkpoint and the log for TensorBoard lie in WORK/runs."""
    from model_build.training.loop import one_thread  # noqa: PLC0415 - loads TensorFlow

    one_thread()
    recipe = recipe_from(arguments)
    work = Path(arguments["work"])
    tell("preparing", 0.0)
    recordings = training_recordings(Path(arguments["data"]), recipe)
    # Views are drawn by the recipe's own seed: the cell's is for weights and order alone.
    prepared = list(prepare(recordings, recipe.view, recipe.seed, work))
    own = replace(recipe, seed=arguments["seed"], digest=arguments["training"])
    module, _, name = stages.STAGES[arguments["stage"]].partition(":")
    score = getattr(import_module(module), name)
    checkpoint = work / "runs" / f"{recipe.name}-{arguments['training'][:16]}.npz"
    report, data = reporter(recipe, tell), Path(arguments["data"])
    place = (arguments["fold"], checkpoint, report, data, work)
    scores = score(Trial(recordings, prepared, recipe, own, *place))
    part = folder / "result.part.json"
    part.write_text(json.dumps(scores.as_json()))
    part.replace(folder / "result.json")


def reporter(recipe: Recipe, tell: Tell) -> Callable[[int, int, float, float], None]:
    """A training loop's report as a job's progress."""
    epochs = recipe.optimizer.epochs

    def report(epoch: int, done: int, total: float, loss: float) -> None:
        share = (epoch + done / max(1, total)) / epochs
        tell(f"epoch {epoch + 1}/{epochs} loss {loss:.4f}", share)

    return report
