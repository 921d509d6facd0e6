"""State of a training run on disk: one file, replaced after every epoch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands. Random numbers are drawn from (seed, epoch), so epochs suffice.

    `run` names recipe, data and code; a checkpoint of another run is not resumed.
    """

    run: str
    epoch: int
    losses: tuple[float, ...]


Arrays = list[NDArray[Any]]


def _variables(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> list[Any]:
    # `variables` holds the dropout generators' states too, `weights` does not.
    return [*model.variables, *optimizer.variables]


def save(
    path: Path,
    progress: Progress,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    average: Arrays,
) -> None:
    """Write everything that the next epoch depends on."""
    stored = {f"v{k}": v.numpy() for k, v in enumerate(_variables(model, optimizer))}
    stored |= {f"a{k}": a for k, a in enumerate(average)}
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez(part, progress=np.array(json.dumps(asdict(progress))), **stored)
    part.replace(path)


def restore(
    path: Path, run: str, model: keras.Model, optimizer: keras.optimizers.Optimizer
) -> tuple[Progress, Arrays] | None:
    """Load what `save` wrote into model and optimizer; None if absent or of another run."""
    if not path.is_file():
        return None
    with np.load(path) as stored:
        entries = json.loads(str(stored["progress"]))
        progress = Progress(entries["run"], entries["epoch"], tuple(entries["losses"]))
        if progress.run != run:
            return None
        for k, variable in enumerate(_variables(model, optimizer)):
            variable.assign(stored[f"v{k}"])
        n_average = sum(name.startswith("a") for name in stored.files)
        return progress, [stored[f"a{k}"] for k in range(n_average)]
