"""One cell of the study: train without a fold, quantize, score the fold with the INT8 graph."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from model_build.code_digest import digest_of
from model_build.delineation.corpus import MarkedBeats, prepare
from model_build.delineation.crossval import Summary, leads_by_key, of_fold, score
from model_build.delineation.graph import GRAPH, open_graph, write_graph
from model_build.delineation.recipe import DelineationRecipe, read_delineation_recipe
from model_build.delineation.scoring import entries_of
from model_build.delineation.training import train
from model_build.jobs.job import Job, Tell
from model_build.recipe_arguments import change_from, recipe_arguments
from model_build.recipe_changes import Change
from model_build.training.loop import one_thread

RESULT: Final = "result.json"


def job_of(switch: str, recipe: Path, change: Change, fold: int, data: Path, work: Path) -> Job:
    """The job of a cell: the recipe with the change of `switch`."""
    read = read_delineation_recipe(recipe, change)
    parts = (read.trained_by, sorted(read.thresholds.items()), read.calibration_beats, fold)
    identity = hashlib.sha256(json.dumps([*parts, code()]).encode()).hexdigest()
    folder = work / "delineation" / "study" / identity[:16]
    given = {**recipe_arguments(recipe, change), "data": str(data), "work": str(work)}
    return Job(f"{switch} fold {fold}", folder, f"{__name__}:run", {**given, "fold": fold})


def code() -> str:
    """Digest of the code that a cell's result depends on."""
    return digest_of([__name__])


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Write `result.json`; the checkpoint lies in WORK/runs."""
    one_thread()
    data, work, fold = Path(arguments["data"]), Path(arguments["work"]), arguments["fold"]
    recipe = read_delineation_recipe(Path(arguments["recipe"]), change_from(arguments))
    beats = corpus(data, work, recipe, tell)
    left_out = of_fold(beats, fold)
    rest, judged = beats[~left_out], beats[left_out]
    checkpoint = work / "runs" / f"delineation-{recipe.trained_by}-{fold}.npz"

    def report(epoch: int, done: int, total: int, loss: float) -> None:
        share = (epoch + done / total) / recipe.training.epochs
        tell(f"epoch {epoch + 1}/{recipe.training.epochs} loss {loss:.3f}", share)

    model = train(rest, recipe, checkpoint, report)
    write_graph(model, rest[rest.teaches], recipe, folder / GRAPH)
    said = open_graph(folder / GRAPH, recipe)(judged.window.astype("float32"))
    tables = Summary.of(score(judged, said.seconds, leads_by_key(data))).tables
    part = folder / "result.part.json"
    part.write_text(json.dumps(entries_of(tables)))
    part.replace(folder / RESULT)


def corpus(data: Path, work: Path, recipe: DelineationRecipe, tell: Tell) -> MarkedBeats:
    """Beats of the recipe's archives, from the cache."""
    return MarkedBeats.join([prepare(data, name, work, tell) for name in recipe.sources])
