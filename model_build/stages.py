"""What each stage of making a student small costs and keeps: trained, pruned, INT8.

A fold's stages are all made from the other folds' subjects and scored on its own, so a loss is
measured on patients that no stage has seen. Sizes, multiply-adds and latency are of the very
graphs that the fold made.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from model_build.calibrate import calibration_items
from model_build.calibration import CalibrationBeat
from model_build.crossval import Advise, Fitted, fit, unadvised
from model_build.datasets.recording import Recording
from model_build.datasets.splits import fold_of
from model_build.evaluate.ec57 import BeatMatrix, class_table
from model_build.evaluate.ec57.beats import LEARNING_S, WINDOW_S
from model_build.evaluate.fibrillation import AfErrors
from model_build.evaluate.fold_scores import score_logits
from model_build.evaluate.out_of_fold import CrossValidation, join
from model_build.int8 import post_training, trained_on
from model_build.models.student import StudentModels, multiply_adds
from model_build.pretraining.prior import NOTHING, Prior
from model_build.prune import prune
from model_build.quantize import QuantizedStudent, float_graphs
from model_build.recipe import Recipe
from model_build.training.beats import PreparedBeats, pool
from model_build.training.loop import Report
from model_build.training.predict import Predictor

_CALLS: Final = 1000
"""Invokes that the median latency is of, after as many to warm up."""


@dataclass(frozen=True, slots=True)
class StageOfFold:
    """One stage of one fold. `counts` are EC57 matrices (7, 7) by record, from 5:00, escapes as
    N; `bytes` of both graphs, `latency_us` of both on one thread."""

    stage: str
    form: str
    bytes: int
    macs: int
    latency_us: float
    counts: Mapping[str, list[list[int]]]
    af_beats: int
    af_false_s: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage over all folds: pooled scores, mean sizes."""

    stage: str
    form: str
    bytes: int
    macs: int
    latency_us: float
    macro_f1: float
    veb_f1: float
    sveb_f1: float
    false_s_per_1000: float
    j: float


@dataclass(frozen=True, slots=True)
class FoldInputs:
    """What the stages of one fold are made from."""

    recordings: Sequence[Recording]
    prepared: Sequence[PreparedBeats]
    listed: Sequence[CalibrationBeat]
    rates_hz: dict[str, float]
    prior: Prior = NOTHING
    advise: Advise = unadvised


def stages_of_fold(
    inputs: FoldInputs, recipe: Recipe, fold: int, work: Path, report: Callable[[str], Report]
) -> list[StageOfFold]:
    """Make and score every stage of one fold. What training has left in `work` is taken up.

    Calibration beats of the fold's own subjects are left out.
    """
    first = recipe.view[0].name
    inside = [p for p in inputs.prepared if fold_of(p.subject) != fold]
    outside = [p for p in inputs.prepared if fold_of(p.subject) == fold and p.view == first]
    folder = work / "stages" / f"{recipe.short}-fold{fold}"
    path = work / "runs" / f"{recipe.short}-fold{fold}.npz"
    heard = inputs.advise(inside, fold)
    fitted = fit(inside, recipe, path, report("train"), inputs.prior, heard)

    def scored(
        stage: str, form: str, graphs: QuantizedStudent, student: StudentModels
    ) -> StageOfFold:
        said = Predictor(student, fitted.scaling)(pool(outside, recipe.weight))
        result = join([score_logits(inputs.recordings, outside, said, recipe)])
        return StageOfFold(
            stage=stage,
            form=form,
            bytes=sum(p.stat().st_size for p in (graphs.encoder, graphs.context)),
            macs=multiply_adds(student.config),
            latency_us=latency_us(graphs),
            counts={key: m.counts.tolist() for key, m in result.matrices.items()},
            af_beats=result.af.beats,
            af_false_s=result.af.false_s,
        )

    def of_float(stage: str, one: Fitted) -> StageOfFold:
        student = one.student
        graphs = float_graphs(student.encoder, student.context, folder / stage)
        return scored(stage, "float32", graphs, student)

    found = [of_float("trained", fitted)]
    if recipe.prune is not None:
        fitted, _ = prune(fitted, inside, recipe, recipe.prune, folder, report("prune"), heard)
        found.append(of_float("pruned", fitted))
    items = list(_items(inputs, inside, first, fitted))
    for stage, corrected in (("PTQ", False), ("PTQ, biases corrected", True)):
        int8 = post_training(fitted.student, items, folder / stage, bias_correction=corrected)
        found.append(scored(stage, "int8", int8.graphs, int8.student))
    told = report("QAT")
    int8 = trained_on(fitted, inside, items, recipe, folder / "QAT", told, advice=heard)
    return [*found, scored("QAT", "int8", int8.graphs, int8.student)]


def _items(
    inputs: FoldInputs, inside: Sequence[PreparedBeats], view: str, fitted: Fitted
) -> Iterator[dict[str, Any]]:
    untouched = [p for p in inside if p.view == view]
    keys = {p.key for p in untouched}
    listed = [beat for beat in inputs.listed if beat.record in keys]
    config, rates = fitted.student.config, inputs.rates_hz
    return calibration_items(untouched, listed, fitted.scaling, config.history, rates, config.leads)


def latency_us(graphs: QuantizedStudent) -> float:
    """Median time of one beat through both graphs, in microseconds, one thread."""
    return sum(_latency_us(path) for path in (graphs.encoder, graphs.context))


def _latency_us(path: Path) -> float:
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    taken = []
    for _ in range(2 * _CALLS):
        before = time.perf_counter_ns()
        interpreter.invoke()
        taken.append(time.perf_counter_ns() - before)
    return statistics.median(taken[_CALLS:]) / 1000.0


def save_fold(path: Path, stages: Sequence[StageOfFold]) -> None:
    """Write a fold's stages, for `load_fold`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(stage) for stage in stages]))


def load_fold(path: Path) -> list[StageOfFold]:
    """What `save_fold` wrote."""
    return [StageOfFold(**entries) for entries in json.loads(path.read_text())]


def over_folds(folds: Sequence[Sequence[StageOfFold]]) -> list[Stage]:
    """Pool the folds, which all have the same stages in the same order."""
    return [_pooled(parts) for parts in zip(*folds, strict=True)]


def _pooled(parts: Sequence[StageOfFold]) -> Stage:
    matrices = {key: _matrix(counts) for part in parts for key, counts in part.counts.items()}
    af = AfErrors(sum(p.af_beats for p in parts), sum(p.af_false_s for p in parts))
    result = CrossValidation(matrices, af)
    total = result.total
    return Stage(
        stage=parts[0].stage,
        form=parts[0].form,
        bytes=round(statistics.mean(p.bytes for p in parts)),
        macs=round(statistics.mean(p.macs for p in parts)),
        latency_us=statistics.median(p.latency_us for p in parts),
        macro_f1=total.macro_f1 or 0.0,
        veb_f1=total.veb.f1 or 0.0,
        sveb_f1=total.sveb.f1 or 0.0,
        false_s_per_1000=af.per_thousand,
        j=result.j,
    )


def _matrix(counts: list[list[int]]) -> BeatMatrix:
    return BeatMatrix(
        counts=np.array(counts, np.int64),
        table=class_table("n"),
        rr_squares=0.0,
        rr_pairs=0,
        shutdown_s=0,
        learning_s=LEARNING_S,
        window_s=WINDOW_S,
    )
