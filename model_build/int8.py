"""From a float student to INT8 graphs: converted, corrected, trained on, as the recipe says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from model_build.bias_correction import correct_biases
from model_build.crossval import Fitted
from model_build.finetune import finetune, shortened
from model_build.head import HeadFit, folded_into_head
from model_build.models.student import StudentModels, assemble
from model_build.quantize import QuantizedStudent, quantize_student
from model_build.recipe import Recipe
from model_build.simulate import Simulated, simulate, write_graphs
from model_build.teacher.predict import Advice
from model_build.training.beats import PreparedBeats
from model_build.training.loop import Report

Items = Iterable[dict[str, NDArray[np.float32]]]
"""Calibration beats, as `quantize_student` takes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Int8Student:
    """Two INT8 graphs, and a Keras student that gives their outputs step by step.

    `student` runs batches through `Predictor` where the graphs take one beat at a time; its
    logits are those of the device.
    """

    graphs: QuantizedStudent
    student: StudentModels


def post_training(
    student: StudentModels,
    items: Items,
    folder: Path,
    head: HeadFit | None = None,
    bias_correction: bool = False,
) -> Int8Student:
    """Post-training quantization of a float student into `folder`, `head` folded in."""
    simulated = _converted(student, items, folder, head, bias_correction)
    return Int8Student(write_graphs(simulated, folder), simulated.student)


def trained_on(
    fitted: Fitted,
    prepared: Sequence[PreparedBeats],
    items: Items,
    recipe: Recipe,
    folder: Path,
    report: Report,
    head: HeadFit | None = None,
    advice: Advice = MappingProxyType({}),
) -> Int8Student:
    """Quantization-aware training from a fitted float student; the graphs lie in `folder`.

    It begins where `post_training` ends, with that one's ranges. The loss sees the logits as
    they were before `head` was folded in, and what the recipe's teachers say (`advice`). The
    checkpoint is `qat.npz` in `folder`.
    """
    corrected = recipe.quantize.bias_correction
    simulated = _converted(fitted.student, items, folder, head, corrected)
    trainee = simulated.student if head is None else _before_head(simulated.student, head)
    short = shortened(recipe, recipe.qat.epochs, recipe.qat.learning_rate)
    finetune(trainee, prepared, fitted.scaling, short, folder / "qat.npz", report, advice)
    return Int8Student(write_graphs(simulated, folder), simulated.student)


def _converted(
    student: StudentModels, items: Items, folder: Path, head: HeadFit | None, corrected: bool
) -> Simulated:
    listed = list(items)
    base = student if head is None else folded_into_head(student, head)
    graphs = quantize_student(base.encoder, base.context, listed, folder)
    simulated = simulate(base, graphs)
    if corrected:
        correct_biases(simulated.student, base, listed)
    return simulated


def _before_head(student: StudentModels, head: HeadFit) -> StudentModels:
    """The same layers, with the temperature and biases taken out of the logits again."""
    offset = [-head.temperature * bias for bias in head.log_bias]
    undo = layers.Rescaling(head.temperature, offset, name="before_head_fit")
    sequence = student.sequence
    bare = keras.Model(sequence.inputs, undo(sequence.output), name=sequence.name)
    return assemble(student.config, student.beat, bare)


def int8_student(
    fitted: Fitted,
    prepared: Sequence[PreparedBeats],
    items: Items,
    recipe: Recipe,
    folder: Path,
    report: Report,
    head: HeadFit | None = None,
    advice: Advice = MappingProxyType({}),
) -> Int8Student:
    """The INT8 student of the recipe's own `[quantize]` method."""
    if recipe.quantize.method == "qat":
        return trained_on(fitted, prepared, items, recipe, folder, report, head, advice)
    return post_training(fitted.student, items, folder, head, recipe.quantize.bias_correction)
