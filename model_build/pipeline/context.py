"""What a stage is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_build.jobs.job import Tell
from model_build.recipe import Recipe
from model_build.recipe_arguments import recipe_from

if TYPE_CHECKING:
    from model_build.datasets.recording import Recording
    from model_build.training.beats import PreparedBeats


@dataclass(frozen=True, slots=True)
class Context:
    """A stage writes into `folder`, named by everything that its outputs depend on.

    `inputs` are the folders of the stages it needs, by name; `arguments` its own. `data` holds the
    archives; `work` the cache of tensors and `runs/`.
    """

    folder: Path
    recipe: Recipe
    recipe_path: Path
    data: Path
    work: Path
    inputs: Mapping[str, Path]
    arguments: Mapping[str, Any]
    tell: Tell

    @classmethod
    def of(cls, folder: Path, arguments: Mapping[str, Any], tell: Tell) -> "Context":
        """The context that a job's arguments mean."""
        return cls(
            folder,
            recipe_from(arguments),
            Path(arguments["recipe"]),
            Path(arguments["data"]),
            Path(arguments["work"]),
            {name: Path(path) for name, path in arguments.get("inputs", {}).items()},
            arguments.get("stage", {}),
            tell,
        )

    @property
    def own(self) -> Recipe:
        """The recipe with the stage's digest, so that keys it does not use void no checkpoint."""
        return replace(self.recipe, digest=self.folder.name)

    @property
    def final_student(self) -> Path:
        """The folder of the float student that is quantized: pruned, if the recipe prunes."""
        return self.inputs["student" if self.recipe.prune is None else "prune"]

    @property
    def checkpoint(self) -> Path:
        """Where a training keeps what it can go on from; TensorBoard reads beside it."""
        return self.work / "runs" / f"{self.folder.name}.npz"

    def report(self, epochs: int) -> Any:
        """A training loop's report as progress of the stage."""

        def report(epoch: int, done: int, total: int, loss: float) -> None:
            share = (epoch + done / max(1, total)) / epochs
            self.tell(f"epoch {epoch + 1}/{epochs} loss {loss:.4f}", share)

        return report

    def training(self) -> "tuple[Sequence[Recording], list[PreparedBeats]]":
        """Training recordings and their tensors through every view, from the cache."""
        from model_build.prepare import prepare, training_recordings  # noqa: PLC0415 - quick help

        recordings = training_recordings(self.data, self.recipe)
        return recordings, list(prepare(recordings, self.recipe.view, self.recipe.seed, self.work))
