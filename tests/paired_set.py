"""A bundle set whose two-lead bundle is tiny and random, made once a session; needs TensorFlow."""

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import golden_engine
from edge_runtime.inference.bundle import BundleSet, default_set, load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden import read_golden
from edge_runtime.signal.features import FEATURES

SECONDS = 110
"""Of the shipped golden excerpt: before its gap."""


def two_leads(excerpt: Excerpt) -> Excerpt:
    """The excerpt's first lead beside a second made of it: inverted, lower, later smeared."""
    n = round(SECONDS * excerpt.rate_hz)
    first = excerpt.counts[:n]
    centred = first.astype(np.int64) - excerpt.baseline[0]
    smeared = (centred + np.roll(centred, 3, axis=0)) // -3 + excerpt.baseline[0]
    gap = 80 * excerpt.rate_hz
    return replace(
        excerpt,
        counts=np.concatenate([first, smeared.astype(np.int16)], axis=1),
        counts_per_unit=excerpt.counts_per_unit * 2,
        baseline=excerpt.baseline * 2,
        leads=("MLII", "V1"),
        gaps=np.array([[gap, 500]], np.int64),
    )


def make_paired_set(folder: Path) -> BundleSet:
    """The shipped set with a tiny random two-lead bundle in `folder`."""
    keras = pytest.importorskip("keras")
    from edge_runtime.inference.manifest import Training
    from edge_runtime.signal.spec import DEFAULT_SPEC_FILE, read_spec
    from model_build.export import (
        BundleDescription,
        GoldenSource,
        export_bundle_set,
        feature_scaling,
    )
    from model_build.golden_source import excerpt_beats
    from model_build.models.student import StudentConfig, build_student
    from model_build.quantize import quantize_student

    shipped = load_bundle_set()
    shutil.copytree(default_set(), folder)
    excerpt = two_leads(Excerpt.from_arrays(read_golden(shipped.beats)))
    blocks = excerpt_beats(excerpt, read_spec())
    keras.utils.set_random_seed(11)
    sizes = {"blocks": ((8, 2), (12, 2)), "stem": 4, "embedding": 8, "context_channels": 12}
    n_classes = len(shipped.beats.manifest.classes)
    config = StudentConfig(n_features=len(FEATURES), n_classes=n_classes, leads=2, **sizes)
    student = build_student(config)
    rng = np.random.default_rng(11)
    for weight in (*student.encoder.variables, *student.context.variables):
        if weight.name in {"beta", "bias"}:
            weight.assign(rng.normal(0.0, 0.3, weight.shape))
        if weight.name == "moving_variance":
            weight.assign(np.full(weight.shape, 0.1))
    scaling = shipped.beats.manifest.features
    centre, scale = (
        np.array([getattr(f, name) for f in scaling], np.float32) for name in ("centre", "scale")
    )

    def item(last: int) -> dict[str, np.ndarray]:
        rows = slice(last - 31, last)
        features = [np.clip((b.features[rows] - centre) / scale, -4, 4) for b in blocks]
        valid = np.stack([b.valid[rows] for b in blocks]).astype(np.float32)
        valid[last % 3 :: 3] = 0.0  # both leads, or one alone
        return {
            "window": np.stack([b.window[rows] for b in blocks]),
            "template": np.stack([b.template[rows] for b in blocks]),
            "features": np.stack(features).astype(np.float32),
            "valid": valid,
        }

    with warnings.catch_warnings():
        # Keras 3.15 saves variables in a way that numpy 2.4 calls deprecated.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        graphs = quantize_student(
            student.encoder,
            student.context,
            [item(last) for last in range(31, len(blocks[0]), 2)],
            folder.parent / "graphs",
        )
    description = BundleDescription(
        version=shipped.version,
        features=feature_scaling(centre, scale, 4.0),
        training=Training(("none",), "random weights", "0" * 64, "1" * 64),
    )
    source = GoldenSource(excerpt, blocks[0], golden_engine.run_engine, blocks[1])
    return export_bundle_set(folder, graphs, description, DEFAULT_SPEC_FILE, source)
