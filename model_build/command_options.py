"""Options that several commands of `model-build` share, and how they show progress."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_build.datasets.recording import Recording
    from model_build.recipe import Recipe
    from model_build.training.beats import PreparedBeats
    from model_build.training.loop import Report

Function = TypeVar("Function", bound=Callable[..., Any])


class Duration(click.ParamType[float]):
    """A span such as "2.5h", "40m" or "90s", in seconds."""

    name = "duration"
    _UNITS: ClassVar = {"s": 1.0, "m": 60.0, "h": 3600.0}

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds, finite and not negative."""
        if isinstance(value, float):
            return value
        try:
            seconds = float(value[:-1]) * self._UNITS[value[-1:]]
        except (KeyError, ValueError):
            seconds = -1.0
        if not 0.0 <= seconds < math.inf:
            self.fail(f"{value!r} is no span such as 2.5h, 40m or 90s", param, ctx)
        return seconds


recipe_option = click.option(
    "--recipe", "recipe_name", default="beats", show_default=True, metavar="NAME|FILE",
    help="A shipped recipe by name, or a .toml file.",
)  # fmt: skip
data_option = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), envvar="ECG_DATA_DIR",
    show_envvar=True, metavar="DIR",
    help="Folder that holds mitdb/, svdb/, ...; what is absent is downloaded into it. "
    "Without it: var/data.",
)  # fmt: skip
work_option = click.option(
    "--work", type=click.Path(path_type=Path, file_okay=False), default=Path("var/model_build"),
    show_default=True, metavar="DIR",
    help="Where tensors, checkpoints and students are kept.",
)  # fmt: skip
stop_after_option = click.option(
    "--stop-after", "stop_after_s", type=Duration(), metavar="SPAN",
    help="Stop cleanly after so long (2.5h, 40m, 90s), at the end of the present epoch; the same "
    "command goes on from there.",
)  # fmt: skip
jobs_option = click.option(
    "--jobs", type=click.IntRange(min=0), default=2, show_default=True, metavar="N",
    help="Processes at a time, one thread each; 0: in this process, one after the other.",
)  # fmt: skip


def _fold_numbers(_: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in value.split(","))
    except ValueError as error:
        raise click.BadParameter("a list like 0,1,2", param=parameter) from error


folds_option = click.option(
    "--folds", default="0,1,2,3,4", show_default=True, metavar="LIST", callback=_fold_numbers,
    help="Which subject folds are left out, in turn.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on standard error; nothing where that is no terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        yield shown


def reporter(shown: Progress, name: str, epochs: int) -> "Report":
    """What a training run of `epochs` reports to: a bar of its own that shows epoch and loss."""
    task = shown.add_task(name, total=None, note="")

    def report(epoch: int, done: int, total: float, loss: float) -> None:
        note = f"epoch {epoch + 1}/{epochs} loss {loss:.4f}"
        shown.update(task, completed=epoch * total + done, total=epochs * total, note=note)

    return report


def load_recipe(name: str) -> "Recipe":
    """The recipe of `--recipe`."""
    from model_build.recipe import read_recipe  # noqa: PLC0415 - quick help
    from model_build.recipe_files import recipe_path  # noqa: PLC0415 - quick help

    return read_recipe(recipe_path(name))


def load_training(
    recipe: "Recipe", data: Path | None, work: Path
) -> "tuple[Sequence[Recording], list[PreparedBeats]]":
    """Every training recording, verified, and its tensors through every view, with progress."""
    from model_build.datasets.locate import data_directory  # noqa: PLC0415 - quick help
    from model_build.prepare import prepare, training_recordings, views_of  # noqa: PLC0415

    recordings = training_recordings(data_directory(data), recipe)
    with progress() as shown:
        total = sum(len(views_of(recording, recipe.view)) for recording in recordings)
        task = shown.add_task("prepare", total=total, note="")
        prepared = []
        for item in prepare(recordings, recipe.view, recipe.seed, work):
            prepared.append(item)
            shown.update(task, advance=1, note=f"{item.key} {item.view}")
    return recordings, prepared
