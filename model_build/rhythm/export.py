"""A rhythm bundle joins the set: graph, manifest, golden vectors, hashes, model card."""

import io
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import cattrs
import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.bundle import BundleSet, load_bundle_set, sha256
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden import check_bundle_set, require_golden
from edge_runtime.inference.golden_rhythm import record_rhythms, replay_rhythm_graph
from edge_runtime.inference.interpreter import find_runtime
from edge_runtime.inference.manifest import (
    RUNTIME,
    SCHEMA,
    FeatureScaling,
    Golden,
    Training,
)
from edge_runtime.inference.rhythm_manifest import RHYTHM, RhythmManifest, Smoothing
from edge_runtime.signal.features import FEATURE_SET_VERSION
from edge_runtime.signal.rhythm import RHYTHM_FEATURE_SET_VERSION, RHYTHM_FEATURES
from firmware_bridge.records import read_counts, read_header
from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.errors import ExportError
from model_build.etpu import edge_tpu_problems
from model_build.evaluate.beats import run_engine
from model_build.export import MAX_GRAPH_BYTES, SCORE_TOLERANCE, graph_manifest, to_toml
from model_build.graph_export import name_in_set
from model_build.rhythm.recipe import RhythmRecipe
from model_build.rhythm.recordings import CLASSES, RhythmRecording
from model_build.rhythm.student import RhythmScaling

GRAPH: Final = "rhythm.tflite"
CARD: Final = "CARD.md"
GOLDEN_HOPS: Final = 64

_RECORD: Final = "cpsc2021/data_101_6"
"""Two minutes of a training person whose atrial fibrillation comes and goes."""
_MAINS_HZ: Final = 50


def export_rhythm(
    out: Path,
    graph: bytes,
    scaling: RhythmScaling,
    recipe: RhythmRecipe,
    hops: NDArray[np.float32],
    trained_on: list[RhythmRecording],
    scores: Mapping[str, float],
    data: Path,
    version: str,
) -> BundleSet:
    """Write the bundle into the set `out`, which is there, in place of the one it holds.

    `hops` (k, F): features of training hops; the first `GOLDEN_HOPS` make tier (b). The same inputs
    give the same bytes. Raises ExportError where a promise is not kept, BundleError where the set
    does not load or does not reproduce its own vectors.
    """
    if len(graph) > MAX_GRAPH_BYTES:
        raise ExportError(f"the graph has {len(graph)} bytes, allowed are {MAX_GRAPH_BYTES}")
    problems = edge_tpu_problems(graph)
    if problems:
        raise ExportError(f"{GRAPH} would not run whole on an Edge TPU: {problems[0]}")
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as name:
        folder = Path(name) / "set"
        shutil.copytree(out, folder)
        where = folder / RHYTHM
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        (where / GRAPH).write_bytes(graph)
        manifest = _manifest(folder, recipe, scaling, trained_on, scores, version)
        loaded = _write(folder, manifest, {})
        assert loaded.rhythm is not None
        interpreter = loaded.rhythm.open()
        steps = interpreter.quantization["features"].to_int8(scaling(hops[:GOLDEN_HOPS]))
        excerpt = golden_rhythm_excerpt(data)
        vectors: dict[str, NDArray[Any]] = {
            "features": steps,
            "logits": replay_rhythm_graph(interpreter, steps),
            **excerpt.to_arrays(),
            **record_rhythms(run_engine(loaded, excerpt.items(), excerpt.mains_hz)),
        }
        _write(folder, manifest, vectors)
        (where / CARD).write_text(_card(manifest, len(graph)), encoding="utf-8")
        require_golden(check_bundle_set(folder, run_engine))
        for file in folder.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        out.rename(Path(name) / "old")
        folder.rename(out)
    return load_bundle_set(out)


def golden_rhythm_excerpt(data: Path) -> Excerpt:
    """The signal of tier (c), first lead."""
    archive, _, record = _RECORD.partition("/")
    path = ensure(data, archive, [record]) / record
    header = read_header(path)
    signal = header.signals[0]
    return Excerpt(
        counts=read_counts(path, 0, header.n_samples, channels=[0]).astype(np.int16),
        rate_hz=Fraction(header.fs_fraction),
        counts_per_unit=(signal.adc_gain,),
        baseline=(signal.baseline,),
        leads=(signal.name,),
        gaps=np.zeros((0, 2), np.int64),
        mains_hz=_MAINS_HZ,
    )


def smoothing_of(recipe: RhythmRecipe) -> Smoothing:
    """The recipe's smoothing, a bias for each class."""
    rule = recipe.smoothing
    bias = tuple(rule.bias.get(name, 1.0) for name in CLASSES)
    return Smoothing(rule.lag, rule.stay, rule.sharpness, bias, rule.suppress)


def _manifest(
    folder: Path,
    recipe: RhythmRecipe,
    scaling: RhythmScaling,
    trained_on: list[RhythmRecording],
    scores: Mapping[str, float],
    version: str,
) -> RhythmManifest:
    features = tuple(
        FeatureScaling(name, "1", float(centre), float(scale), scaling.clip)
        for name, centre, scale in zip(RHYTHM_FEATURES, scaling.centre, scaling.scale, strict=True)
    )
    names = sorted({recording.database for recording in trained_on})
    data = tuple(
        f"{database(name).title} ({database(name).licence}): "
        f"{len({r.record for r in trained_on if r.database == name})} records"
        for name in names
    )
    calibration = sha256(np.concatenate([scaling.centre, scaling.scale]).tobytes())
    return RhythmManifest(
        schema=SCHEMA,
        name=RHYTHM,
        version=version,
        minimum_runtime=RUNTIME,
        feature_set=RHYTHM_FEATURE_SET_VERSION,
        beat_feature_set=FEATURE_SET_VERSION,
        conditioning=sha256((folder / "conditioning.toml").read_bytes()),
        classes=CLASSES,
        temperature=1.0,
        log_bias=(0.0,) * len(CLASSES),
        graph=graph_manifest(folder / RHYTHM / GRAPH),
        features=features,
        smoothing=smoothing_of(recipe),
        training=Training(
            data, "by subject; DS2 of de Chazal 2004 is never read", recipe.digest, calibration
        ),
        scores={name: round(value, 6) for name, value in scores.items()},
        golden=Golden("golden.npz", find_runtime().kernels, SCORE_TOLERANCE),
        files={},
    )


def _write(folder: Path, manifest: RhythmManifest, vectors: dict[str, Any]) -> BundleSet:
    where = folder / RHYTHM
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vectors)
    (where / manifest.golden.file).write_bytes(buffer.getvalue())
    names = (manifest.graph.file, manifest.golden.file)
    hashed = replace(manifest, files={n: sha256((where / n).read_bytes()) for n in names})
    (where / "manifest.toml").write_text(to_toml(cattrs.unstructure(hashed)))
    name_in_set(folder, RHYTHM, manifest.version)
    return load_bundle_set(folder)


def _card(manifest: RhythmManifest, n_bytes: int) -> str:
    layers = [name for name, _ in manifest.scores.items()]
    rows = "\n".join(f"| {name.replace('_', ' ')} | {manifest.scores[name]:g} |" for name in layers)
    data = "\n".join(f"- {line}" for line in manifest.training.data)
    return f"""# Rhythm bundle {manifest.version}

Tells sinus rhythm, atrial fibrillation, flutter, other rhythms and what is too noisy, of one lead
of any wearable, once a second, of the rhythm 15 s before; a smoother tells changes 30 s late, dated
to where they were. INT8, {n_bytes} bytes, by recipe `{manifest.training.recipe[:12]}`. How it was
chosen and what it reaches on the test half: `docs/rhythm.md`.

## For and not for

It informs; it does not diagnose, and it replaces neither a monitor nor a cardiologist. Flutter is
known from very few recordings and is often called fibrillation or other. Fibrillation with
regular intervals (paced, complete block) is not claimed.

## Out-of-fold scores

| what | |
|---|---|
{rows}

## Trained on

{data}

Split: {manifest.training.split}.
"""
