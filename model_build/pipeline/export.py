"""Stage: the bundle set, with its golden vectors and its model card."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge_runtime.inference.bundle import BundleSet
from edge_runtime.inference.manifest import Training
from edge_runtime.signal.spec import DEFAULT_SPEC_FILE, read_spec
from model_build.calibration import calibration_hash
from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.evaluate.beats import run_engine
from model_build.evaluate.out_of_fold import OutOfFold
from model_build.export import (
    BundleDescription,
    GoldenSource,
    export_bundle_set,
    feature_scaling,
)
from model_build.golden_source import NOISE, RECORD, excerpt_beats, golden_excerpt
from model_build.jobs.job import Tell
from model_build.pipeline.context import Context
from model_build.pipeline.measure import MODEL
from model_build.pipeline.quantize import CALIBRATION
from model_build.quantize import QuantizedStudent
from model_build.recipe import Recipe
from model_build.student_files import StudentFile, load_student
from model_build.study.results import own_results
from model_build.training.scaling import CLIP

SET: Final = "set"


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Write the set into `folder/set`, beside the other bundles of the one it will replace."""
    context = Context.of(folder, arguments, tell)
    graphs = context.inputs["quantize"]
    trained = load_student(context.final_student, context.recipe)
    shutil.rmtree(folder / SET, ignore_errors=True)
    joined = context.arguments["joined"]
    if joined is not None and Path(joined).is_dir():
        shutil.copytree(joined, folder / SET)
    export_student(
        folder / SET,
        QuantizedStudent(graphs / "encoder.tflite", graphs / "context.tflite"),
        trained,
        context.recipe,
        graphs / CALIBRATION,
        context.data,
        context.arguments["version"],
        own_results(context.recipe),
        json.loads((context.inputs["measure"] / MODEL).read_text()),
    )


def export_student(
    out: Path,
    graphs: QuantizedStudent,
    trained: StudentFile,
    recipe: Recipe,
    calibration: Path,
    data: Path,
    version: str,
    out_of_fold: OutOfFold | None,
    model: Mapping[str, Any] | None = None,
) -> BundleSet:
    """Write the set `out` with its model card; `model` is what the stage `measure` has found."""
    from model_build.card import write_card  # noqa: PLC0415 - reads the ledger of openings

    for name in (RECORD, NOISE):
        archive, _, record = name.partition("/")
        ensure(data, archive, [record])
    excerpt = golden_excerpt(data, recipe.n_leads)
    description = BundleDescription(
        version=version,
        features=feature_scaling(trained.scaling.centre, trained.scaling.scale, CLIP),
        training=_training(recipe, trained, calibration_hash(calibration)),
        scores=_scores(out_of_fold),
        thresholds=dict(recipe.thresholds),
    )
    beats = excerpt_beats(excerpt, read_spec())
    companion = beats[1] if len(beats) > 1 else None
    golden = GoldenSource(excerpt, beats[0], run_engine, companion)
    written = export_bundle_set(out, graphs, description, DEFAULT_SPEC_FILE, golden)
    write_card(written, recipe, out_of_fold, model)
    return written


def _training(recipe: Recipe, trained: StudentFile, calibration: str) -> Training:
    by_database: dict[str, list[str]] = {}
    for key in trained.trained_on.recordings:
        name, _, record = key.partition("/")
        by_database.setdefault(name, []).append(record)
    data = []
    for name, records in by_database.items():
        whole = len(records) == len(database(name).records)
        listed = f"all {len(records)} pinned records" if whole else " ".join(records)
        data.append(f"{database(name).title} ({database(name).licence}): {listed}")
    split = "inter-patient: DS1 of de Chazal 2004 without 201 trains, DS2 is never read"
    return Training(tuple(data), split, recipe.digest, calibration)


def _scores(found: OutOfFold | None) -> dict[str, float]:
    """Out-of-fold scores, means over seeds."""
    if found is None:
        return {}
    mean = {name: round(value, 6) for name, (value, _) in found.spread().items()}
    return {
        "cv_j": mean["j"],
        "cv_veb_f1": mean["veb_f1"],
        "cv_sveb_f1": mean["sveb_f1"],
        "cv_false_s_per_1000_in_af": mean["false_s_per_1000_in_af"],
    }
