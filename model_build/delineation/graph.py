"""A trained network as an INT8 graph, opened as a device opens it."""

import hashlib
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.bundle import GraphBundle, sha256
from edge_runtime.inference.delineation import Delineator
from edge_runtime.inference.interpreter import find_runtime
from edge_runtime.inference.manifest import (
    RUNTIME,
    SCHEMA,
    Golden,
    GraphBundleManifest,
    Training,
)
from model_build.delineation.corpus import MarkedBeats
from model_build.delineation.network import NetworkConfig, build_network
from model_build.delineation.recipe import ROLE, DelineationRecipe
from model_build.export import graph_manifest
from model_build.quantize_graph import quantize_graph

GRAPH: Final = "graph.tflite"
_UNTRAINED: Final = Training((), "", "", "")


def write_graph(
    model: keras.Model, beats: MarkedBeats, recipe: DelineationRecipe, out: Path
) -> str:
    """Quantize `model` into `out`; ranges come from some of the `beats`, drawn by the seed.

    Returns the hash of the beats drawn: of their leads and places.
    """
    rows = calibration_rows(beats, recipe)
    single = build_network(NetworkConfig(**recipe.network), batch=1)
    single.set_weights(model.get_weights())
    samples = beats.window[rows].astype(np.float32)[:, None, :, None]
    quantize_graph(single, samples, out)
    listed = "\n".join(
        f"{beats.keys[lead]} {at}"
        for lead, at in zip(beats.lead[rows].tolist(), beats.at[rows].tolist(), strict=True)
    )
    return hashlib.sha256(listed.encode()).hexdigest()


def calibration_rows(beats: MarkedBeats, recipe: DelineationRecipe) -> NDArray[np.int64]:
    """Which beats set the INT8 ranges."""
    random = np.random.default_rng(recipe.seed)
    n = min(recipe.calibration_beats, len(beats))
    return np.sort(random.choice(len(beats), n, replace=False))


def manifest_of(
    graph: Path,
    recipe: DelineationRecipe,
    *,
    version: str = "",
    conditioning: str = "",
    training: Training = _UNTRAINED,
    scores: dict[str, float] | None = None,
) -> GraphBundleManifest:
    """What is known of a graph before it has golden vectors; hashes of files are still to come."""
    return GraphBundleManifest(
        schema=SCHEMA,
        name=ROLE,
        version=version,
        minimum_runtime=RUNTIME,
        conditioning=conditioning,
        graph=graph_manifest(graph),
        thresholds=dict(recipe.thresholds),
        training=training,
        scores=scores or {},
        golden=Golden("golden.npz", find_runtime().kernels, 0.0),
        files={},
    )


def open_graph(graph: Path, recipe: DelineationRecipe) -> Delineator:
    """The graph as the engine runs it."""
    model = graph.read_bytes()
    bundle = GraphBundle(manifest_of(graph, recipe), sha256(model), model, b"", graph.parent)
    return Delineator(bundle)
