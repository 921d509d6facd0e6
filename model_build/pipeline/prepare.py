"""Stage: every training recording through every view, into the cache."""

import json
from pathlib import Path
from typing import Any

from model_build.jobs.job import Tell
from model_build.pipeline.context import Context
from model_build.prepare import cache_path, prepare, training_recordings, views_of
from model_build.stopping import check_stop


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Fill the cache; `tensors.json` names its files, which are named by their content."""
    context = Context.of(folder, arguments, tell)
    recipe, work = context.recipe, context.work
    recordings = training_recordings(context.data, recipe)
    for number, recording in enumerate(recordings):
        tell(recording.key, number / len(recordings))
        for _ in prepare([recording], recipe.view, recipe.seed, work):
            check_stop()
    names = [
        cache_path(work, recording, view, recipe.seed).name
        for recording in recordings
        for view in views_of(recording, recipe.view)
    ]
    (folder / "tensors.json").write_text(json.dumps(names))
