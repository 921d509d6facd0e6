"""What a student's training is given besides beats and their labels: a trunk, and P waves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import read_annotations, read_header
from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.datasets.mitdb_pwave import p_wave_files
from model_build.datasets.recording import Target
from model_build.datasets.splits import require_separate
from model_build.datasets.subjects import subject
from model_build.errors import RecipeError
from model_build.models.student import StudentModels
from model_build.pretraining.network import TrunkWeights, start_from
from model_build.pretraining.targets import PWave, p_of_peaks
from model_build.recipe import Recipe
from model_build.training.beats import Pool, PreparedBeats

_ANNOTATED: Final = (Target.N, Target.S, Target.V, Target.F)


@dataclass(frozen=True, slots=True, eq=False)
class MarkedP:
    """Peaks of P waves in samples of a record at `fs` Hz, int64 (n,)."""

    peaks: NDArray[np.int64]
    fs: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """A pre-trained trunk, and P waves by "database/record"."""

    trunk: TrunkWeights | None = None
    p_waves: Mapping[str, MarkedP] = field(default_factory=dict)


NOTHING = Prior()


def read_p_waves(directory: Path) -> dict[str, MarkedP]:
    """The marks of mitdb's training records. Raises `RecipeError` if a tested person is there."""
    files = p_wave_files(directory)
    require_separate(subject("mitdb", record) for record in files)
    folder = ensure(directory, "mitdb", files)
    return {
        f"mitdb/{record}": MarkedP(
            read_annotations(file).sample, Fraction(read_header(folder / record).fs_fraction)
        )
        for record, file in files.items()
    }


def records_of(recipe: Recipe) -> tuple[str, ...]:
    """ "database/record" of whatever the recipe's prior is made from, for the list of its data."""
    rule = recipe.pretrain
    names = dict.fromkeys((*rule.delineated, *rule.masked)) if rule is not None else {}
    if recipe.p_wave.weight:
        names["mitdb-pwave"] = None
    return tuple(f"{name}/{record}" for name in names for record in database(name).records)


def begin(student: StudentModels, recipe: Recipe, prior: Prior) -> None:
    """Start the student from the trunk. Raises `RecipeError` if the recipe wants what lacks."""
    if recipe.pretrain is not None:
        if prior.trunk is None:
            raise RecipeError(f"{recipe.name} has a [pretrain] section: it needs a trained trunk")
        start_from(student, prior.trunk)


def with_p_waves(
    pool: Pool, prepared: Sequence[PreparedBeats], recipe: Recipe, prior: Prior
) -> Pool:
    """The pool of `prepared`, its beats told P present or absent where that is marked.

    Only of the views that the recipe names, and of peaks that are an annotated beat: what else the
    detector finds has no P wave, and may be one. Raises `RecipeError` if the recipe wants marks and
    there are none at all (that a fold leaves out every marked record of a view is no error).
    """
    if not recipe.p_wave.weight:
        return pool
    if not prior.p_waves:
        raise RecipeError(f"{recipe.name} has a weight for P waves: it needs their marks")
    parts = [np.full(len(item), PWave.UNKNOWN, np.uint8) for item in prepared]
    for part, item in zip(parts, prepared, strict=True):
        marked = prior.p_waves.get(item.key)
        if marked is not None and item.view in recipe.p_wave.views:
            beats = np.isin(item.target, _ANNOTATED)
            part[beats] = p_of_peaks(marked.peaks, item.at[beats], marked.fs)
    return replace(pool, p_wave=np.concatenate(parts))
