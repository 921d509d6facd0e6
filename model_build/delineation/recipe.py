"""The delineation bundle's recipe: what trains it, how, and from which score a wave is there."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import cattrs

from model_build.errors import RecipeError
from model_build.recipe import sizes
from model_build.recipe_changes import Change
from model_build.recipe_files import recipe_entries, structured

ROLE: Final = "delineation"


@dataclass(frozen=True, slots=True)
class Alteration:
    """What is done to windows in training: gain (log), shift in samples, stretch (log) about R,
    noise of drawn loudness up to `noise_sd`, a slope over the window up to `slope`, the share that
    is turned upside down. Sizes are in QRS heights."""

    gain_sd: float = 0.2
    shift_samples: float = 2.0
    stretch_sd: float = 0.08
    noise_sd: float = 0.05
    slope: float = 0.1
    inverted_share: float = 0.15


@dataclass(frozen=True, slots=True)
class Training:
    """AdamW, cosine decay after a warm-up. `width_samples` is the deviation of a target around the
    marked place; `present_loss` weighs "is there a wave" against the places."""

    epochs: int = 16
    batch: int = 128
    learning_rate: float = 3e-3
    warmup_share: float = 0.05
    weight_decay: float = 1e-4
    width_samples: float = 1.0
    present_loss: float = 0.5


@dataclass(frozen=True, slots=True)
class DelineationRecipe:
    """One recipe file. `thresholds` are the least scores at which P and T are there."""

    name: str
    seed: int
    sources: tuple[str, ...] = ("ludb", "qtdb", "mitdb-pwave")
    thresholds: dict[str, float] = field(default_factory=lambda: {"p": 0.5, "t": 0.5})
    network: dict[str, Any] = field(default_factory=dict)
    alteration: Alteration = Alteration()
    training: Training = Training()
    calibration_beats: int = 500
    digest: str = ""

    @property
    def trained_by(self) -> str:
        """Short name of everything that a training depends on besides data and code."""
        entries = {k: v for k, v in asdict(self).items() if k not in _NOT_TRAINED}
        text = json.dumps(entries, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


_NOT_TRAINED: Final = frozenset({"name", "thresholds", "calibration_beats", "digest"})

_converter: Final = cattrs.Converter(forbid_extra_keys=True)


def read_delineation_recipe(path: Path, change: Change | None = None) -> DelineationRecipe:
    """Read it, changed if that is wished; a changed recipe has a digest of its own.

    Raises `RecipeError` listing every unknown key and wrong value.
    """
    entries = recipe_entries(path, change)
    if entries.pop("kind", None) != ROLE:
        raise RecipeError(f"{path} is no recipe of kind {ROLE!r}")
    recipe = structured(_converter, path, entries, DelineationRecipe)
    return replace(recipe, network=sizes(recipe.network))
