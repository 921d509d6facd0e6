"""`model-build prepare`: archives to tensors, through the shipped signal path."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    load_training,
    recipe_option,
    work_option,
)

if TYPE_CHECKING:
    from model_build.training.beats import PreparedBeats


@click.command("prepare")
@recipe_option
@data_option
@work_option
@json_option
def command(recipe_name: str, data: Path | None, work: Path, as_json: bool) -> None:
    """Turn the recipe's training recordings into tensors.

    Every record is checked against its pinned checksum (or downloaded from PhysioNet, only those
    in the catalogue), altered as the recipe's views say, and run through the signal path that
    ships. Beats are cut at detected peaks and take the class of the annotated beat within 150 ms.
    Results are cached in the work directory by code, data and parameters; `train` does this step
    by itself where it is missing.
    """
    recipe = load_recipe(recipe_name)
    _, prepared = load_training(recipe, data, work)
    table = summary(prepared)
    if as_json:
        click.echo(json.dumps({"recipe": recipe.name, "digest": recipe.digest, "beats": table}))
        return
    names = ("recordings", "N", "S", "V", "F", "not S", "no target")
    click.echo("".join(f"{word:>12}" for word in ("archive", "view", *names)))
    for row in table:
        click.echo("".join(f"{row[word]:>12}" for word in ("archive", "view", *names)))


def summary(prepared: "list[PreparedBeats]") -> list[dict[str, str | int]]:
    """Detected beats by archive, view and target."""
    import numpy as np  # noqa: PLC0415 - quick help

    from model_build.datasets.recording import Target  # noqa: PLC0415

    columns = {
        "N": Target.N, "S": Target.S, "V": Target.V, "F": Target.F, "not S": Target.NOT_S,
        "no target": Target.IGNORE,
    }  # fmt: skip
    rows: dict[tuple[str, str], dict[str, str | int]] = {}
    for item in prepared:
        archive = item.key.partition("/")[0]
        empty: dict[str, str | int] = {"archive": archive, "view": item.view, "recordings": 0}
        row = rows.setdefault((archive, item.view), empty | dict.fromkeys(columns, 0))
        row["recordings"] = int(row["recordings"]) + 1
        for name, target in columns.items():
            row[name] = int(row[name]) + int(np.sum(item.target == target))
    return list(rows.values())
