"""What a cell's stage is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.datasets.recording import Recording
from model_build.recipe import Recipe
from model_build.training.beats import PreparedBeats


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A recipe to be trained without one fold, and scored on that.

    Attributes:
        recordings: All training recordings.
        prepared: Their tensors through every view.
        recipe: With the switch, as its file has it.
        own: The same with the cell's seed, and the training's digest for the names of checkpoints.
        fold: A fold's number, or an archive that is left out whole.
        checkpoint: Where the training keeps what it can go on from; others go beside it.
        report: Told of epoch, segments done and in all, and loss.
        data, work: Folders of archives, and of everything that is made.
    """

    recordings: Sequence[Recording]
    prepared: Sequence[PreparedBeats]
    recipe: Recipe
    own: Recipe
    fold: int | str
    checkpoint: Path
    report: Callable[[int, int, float, float], None]
    data: Path
    work: Path
