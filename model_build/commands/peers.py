"""`model-build peers`: published methods, out-of-fold, in the harness of the student."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_build.command_options import (
    data_option,
    folds_option,
    json_option,
    load_recipe,
    load_training,
    progress,
    recipe_option,
    work_option,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_build.evaluate.out_of_fold import CrossValidation


@click.command("peers")
@recipe_option
@data_option
@work_option
@click.option(
    "--peers", "listed", default="all", show_default=True, metavar="LIST",
    help="article-cnn, article-lstm, chazal, mondejar, acharya, or all.",
)  # fmt: skip
@folds_option
@click.option("--seed", default=1, show_default=True, help="Of weights and of what is drawn.")
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    listed: str,
    folds: tuple[int, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Train and score published classifiers as the student is.

    Each peer is trained on the recipe's recordings, first view, at the shipped detector's peaks,
    with every beat whose label leaves one class, and scored on the subjects of the fold left out:
    VEB and SVEB by EC57, false S in atrial fibrillation, and J. A peer emits its best class; what
    differs from its paper stands in its module under model_build/peers/.

    A cell is one peer and one fold; its result lies in the work directory's peers/ under recipe,
    code and seed, so a call that was broken off goes on where it stood. The test half of mitdb is
    not read; `evaluate --peers` adds them to an opening.
    """
    from dataclasses import asdict, replace  # noqa: PLC0415 - quick help

    from model_build.peers.cells import (  # noqa: PLC0415 - loads TensorFlow
        cell_name,
        joined,
        read_cell,
        run_cell,
        write_cell,
    )
    from model_build.peers.peer import NAMES, new_peer  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    chosen = NAMES if listed == "all" else tuple(listed.split(","))
    if unknown := sorted(set(chosen) - set(NAMES)):
        raise click.BadParameter(f"no {', '.join(unknown)}", param_hint="--peers")
    one_thread()
    recipe = load_recipe(recipe_name)
    first_view = replace(recipe, view=recipe.view[:1])
    recordings, prepared = load_training(first_view, data, work)
    results = {}
    with progress() as shown:
        task = shown.add_task("peers", total=len(chosen) * len(folds), note="")
        for peer in chosen:
            cells = []
            for fold in folds:
                shown.update(task, note=f"{peer} fold {fold}")
                name = cell_name(peer, fold, seed, recipe)
                path = name.path(work)
                if not path.is_file():
                    write_cell(path, name, run_cell(peer, recordings, prepared, fold, seed))
                cells.append(read_cell(path))
                shown.advance(task)
            results[peer] = joined(cells)
    if as_json:
        said = {
            name: asdict(new_peer(name)[1]) | result.as_json() for name, result in results.items()
        }
        click.echo(json.dumps({"recipe": recipe.digest, "seed": seed, "peers": said}))
    else:
        click.echo(_table(results))


def _table(results: "Mapping[str, CrossValidation]") -> str:
    from model_build.peers.peer import new_peer  # noqa: PLC0415 - loads TensorFlow
    from model_build.peers.table import markdown_table  # noqa: PLC0415

    rows = [
        (new_peer(name)[1].title, r.total, (f"{r.af.per_thousand:.1f}", f"{r.j:.4f}"))
        for name, r in results.items()
    ]
    return markdown_table(rows, ("false S per 1,000 AF beats", "J"))
