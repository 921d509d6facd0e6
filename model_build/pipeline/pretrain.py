"""Stage: the trunk that students begin with."""

from pathlib import Path
from typing import Any

from model_build.commands.pretrain import load_prior
from model_build.jobs.job import Tell
from model_build.pipeline.context import Context


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Train it into WORK/pretrained, where it is named by its content, if it is not there."""
    context = Context.of(folder, arguments, tell)
    tell("pretraining", 0.0)
    load_prior(context.recipe, context.data, context.work)
