"""The recipe of a rhythm bundle: one TOML file, read strictly."""

from dataclasses import dataclass, field
from pathlib import Path

import cattrs

from model_build.errors import RecipeError
from model_build.recipe import View
from model_build.recipe_changes import Change
from model_build.recipe_files import recipe_entries, structured


@dataclass(frozen=True, slots=True)
class Boosting:
    """Sizes of the gradient-boosted trees (scikit-learn's names); `cinc2017_copies`: how many more
    hops of each short recording train beside its last."""

    max_iter: int = 80
    learning_rate: float = 0.1
    max_leaf_nodes: int = 8
    min_samples_leaf: int = 20
    l2: float = 5.0
    max_features: float = 0.3
    cinc2017_copies: int = 2


@dataclass(frozen=True, slots=True)
class Student:
    """The network that learns from the trees, on `hops` times as many hops as they do: they label
    each themselves. `copies` of each are altered, by noise of `noise_sd` and by going up to `blend`
    of the way to another hop, and labelled by the trees."""

    widths: tuple[int, ...] = (64, 32)
    hops: float = 1.0
    copies: int = 6
    noise_sd: float = 0.1
    blend: float = 0.3
    clip: float = 5.0
    epochs: int = 25
    batch: int = 1024
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4


@dataclass(frozen=True, slots=True)
class Smooth:
    """See `edge_runtime.inference.rhythm_manifest.Smoothing`; `bias` by class name, 1 elsewhere."""

    lag: int = 15
    stay: float = 0.998
    sharpness: float = 0.15
    suppress: float = 0.9
    bias: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RhythmRecipe:
    """What a rhythm bundle is made by. `per_recording`: hops drawn of each recording, by archive;
    "synthetic" are those in which the view `synthetic` plays rhythms, none where there is no view.

    `digest` is that of the file's bytes and of what is changed, filled in by `read_rhythm_recipe`.
    """

    kind: str
    name: str
    seed: int = 1
    per_recording: dict[str, float] = field(default_factory=dict)
    synthetic: View | None = None
    boosting: Boosting = field(default_factory=Boosting)
    student: Student = field(default_factory=Student)
    smoothing: Smooth = field(default_factory=Smooth)
    digest: str = ""


KIND = "rhythm"
"""What the recipe's `kind` says; recipes of beats have none."""


def read_rhythm_recipe(path: Path, change: Change | None = None) -> RhythmRecipe:
    """Read it, changed if that is wished. Raises `RecipeError` listing every unknown key and wrong
    value."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    recipe = structured(converter, path, recipe_entries(path, change), RhythmRecipe)
    if recipe.kind != KIND:
        raise RecipeError(f"{path}: its kind is {recipe.kind!r}, not {KIND!r}")
    return recipe
