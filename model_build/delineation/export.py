"""The delineation bundle in a set: manifest, golden vectors, model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.inference.graph_golden import record
from edge_runtime.inference.manifest import Training
from model_build.datasets.catalogue import database
from model_build.delineation import study
from model_build.delineation.card import write_card
from model_build.delineation.corpus import MarkedBeats
from model_build.delineation.graph import manifest_of, open_graph
from model_build.delineation.recipe import ROLE, DelineationRecipe
from model_build.delineation.scoring import Tallies
from model_build.graph_export import join_set
from model_build.recipe_study import BASE

SET: Final = "set"
GOLDEN_BEATS: Final = 64


def export(
    base: Path,
    out: Path,
    graph: Path,
    recipe: DelineationRecipe,
    beats: MarkedBeats,
    calibration: str,
    version: str,
) -> BundleSet:
    """Write into `out` the set `base` with this graph as its delineation bundle.

    Golden windows are of training `beats`, evenly over the leads. Raises what `join_set` raises.
    """
    found = study.pooled().get(BASE)
    manifest = manifest_of(
        graph,
        recipe,
        version=version,
        conditioning=load_bundle_set(base).conditioning.sha256,
        training=_training(recipe, calibration),
        scores={} if found is None else _scores(found),
    )
    rows = np.linspace(0, len(beats) - 1, GOLDEN_BEATS).round().astype(np.int64)
    windows = beats.window[rows].astype(np.float32)
    golden = record(open_graph(graph, recipe), windows)
    written = join_set(base, out, ROLE, graph, manifest, golden)
    write_card(written, recipe, found)
    return written


def _training(recipe: DelineationRecipe, calibration: str) -> Training:
    data = tuple(
        f"{database(name).title} ({database(name).licence}): all pinned records"
        for name in recipe.sources
    )
    split = "subjects of mitdb's test half (DS2) are never read; scores are of subjects left out"
    return Training(data, split, recipe.digest, calibration)


def _scores(tables: Mapping[str, Tallies]) -> dict[str, float]:
    """Out-of-fold F1 and deviation of the errors on ludb, by landmark."""
    scores = {}
    for name, tally in tables["ludb"].items():
        if tally.f1 is not None and tally.sd_ms is not None:
            scores[f"cv_{name}_f1"] = round(tally.f1, 4)
            scores[f"cv_{name}_sd_ms"] = round(tally.sd_ms, 2)
    return scores
