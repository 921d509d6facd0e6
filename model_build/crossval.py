"""Choosing without peeking: five folds by subject over the training recordings, scored by EC57."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.rules.beat_label import LabelPolicy
from firmware_bridge.records import read_annotations, read_header
from model_build.datasets.census import within
from model_build.datasets.recording import CLASSES, Group, Recording, Target
from model_build.datasets.splits import FOLDS, fold_of
from model_build.evaluate.ec57 import BeatMatrix, compare_beats
from model_build.evaluate.ec57 import pool as pooled
from model_build.evaluate.labels import device_labels, emitted
from model_build.models.student import StudentConfig, StudentModels, build_student
from model_build.pretraining.prior import NOTHING, Prior, begin, with_p_waves
from model_build.recipe import Recipe
from model_build.training.beats import PreparedBeats, pool
from model_build.training.loop import Report, train
from model_build.training.predict import Predictor
from model_build.training.scaling import Scaling, fit_scaling

AF_COST: Final = 0.002
"""What one false S per 1,000 beats in AF costs in J."""


@dataclass(frozen=True, slots=True)
class AfErrors:
    """Beats detected in atrial fibrillation, and those of them called S without being S."""

    beats: int
    false_s: int

    @property
    def per_thousand(self) -> float:
        """False S per 1,000 beats."""
        return 1000.0 * self.false_s / self.beats if self.beats else 0.0


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Out-of-fold scores: by record ("database/record"), and in AF."""

    matrices: Mapping[str, BeatMatrix]
    af: AfErrors

    @property
    def total(self) -> BeatMatrix:
        """All records pooled."""
        return pooled(list(self.matrices.values()))

    @property
    def without_richest(self) -> BeatMatrix:
        """Pooled without the record that holds the most S."""
        richest = max(self.matrices, key=lambda k: self.matrices[k].reference_total(1))
        return pooled([m for k, m in self.matrices.items() if k != richest])

    @property
    def j(self) -> float:
        """The selection score: mean of VEB and SVEB F1, less the cost of false S in AF."""
        veb, sveb = self.total.veb.f1 or 0.0, self.total.sveb.f1 or 0.0
        return (veb + sveb) / 2 - AF_COST * self.af.per_thousand

    def as_json(self) -> dict[str, object]:
        """Ready for `json`."""
        return {
            "j": self.j,
            "total": self.total.as_json(),
            "sveb_without_richest": self.without_richest.sveb.as_json(),
            "af": {"beats": self.af.beats, "false_s_per_1000": self.af.per_thousand},
            "records": {
                key: {"veb": m.veb.as_json(), "sveb": m.sveb.as_json()}
                for key, m in self.matrices.items()
            },
        }


def fresh_student(recipe: Recipe, n_features: int, seed: int) -> StudentModels:
    """The recipe's student with random weights drawn from `seed`."""
    keras.utils.set_random_seed(seed)
    return build_student(student_config(recipe, n_features))


def student_config(recipe: Recipe, n_features: int) -> StudentConfig:
    """Sizes of the recipe's student."""
    return StudentConfig(
        n_features=n_features,
        outputs=recipe.segments.beats,
        p_wave=recipe.p_wave.weight > 0,
        **_sizes(recipe.student),
    )


def _sizes(entries: dict[str, Any]) -> dict[str, Any]:
    def fixed(value: Any) -> Any:
        return tuple(map(fixed, value)) if isinstance(value, list) else value

    return {name: fixed(value) for name, value in entries.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A student with the feature scaling it was trained with, and the mean loss of each epoch."""

    student: StudentModels
    scaling: Scaling
    losses: tuple[float, ...]


def fit(
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    checkpoint: Path,
    report: Report,
    prior: Prior = NOTHING,
) -> Fitted:
    """Train a student on these recordings, resuming from `checkpoint` if it is of the same run.

    `prior` holds what the recipe's sections `pretrain` and `p_wave` ask for; of the P waves only
    those of these recordings are used.
    """
    beats = with_p_waves(pool(prepared, recipe.weight), prepared, recipe, prior)
    scaling = fit_scaling(beats.features[beats.weight > 0])
    student = fresh_student(recipe, beats.features.shape[1], recipe.seed)
    begin(student, recipe, prior)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    trained = train(student, beats, scaling, recipe, checkpoint, report)
    return Fitted(student, scaling, trained.losses)


def cross_validate(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    work: Path,
    report: Callable[[int], Report],
    folds: Sequence[int] = tuple(range(FOLDS)),
    prior: Prior = NOTHING,
) -> CrossValidation:
    """Train once for each fold on the others; score it on its own subjects, first view only."""
    scores = []
    for fold in folds:
        fitted = fit_fold(prepared, recipe, work, fold, report(fold), prior)
        outside = [
            p for p in prepared if fold_of(p.subject) == fold and p.view == recipe.view[0].name
        ]
        said = Predictor(fitted.student, fitted.scaling)(pool(outside, recipe.weight))
        scores.append(score_logits(recordings, outside, said, recipe))
    return join(scores)


def fit_fold(
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    work: Path,
    fold: int,
    report: Report,
    prior: Prior = NOTHING,
) -> Fitted:
    """A student that never saw the fold's subjects, from its checkpoint where that is done."""
    inside = [p for p in prepared if fold_of(p.subject) != fold]
    path = work / "runs" / f"{recipe.short}-fold{fold}.npz"
    return fit(inside, recipe, path, report, prior)


def join(scores: Sequence[CrossValidation]) -> CrossValidation:
    """The scores of all folds."""
    matrices = {key: matrix for one in scores for key, matrix in one.matrices.items()}
    af = AfErrors(sum(one.af.beats for one in scores), sum(one.af.false_s for one in scores))
    return CrossValidation(matrices, af)


def score_logits(
    recordings: Sequence[Recording],
    outside: Sequence[PreparedBeats],
    logits: NDArray[np.float32],
    recipe: Recipe,
) -> CrossValidation:
    """Score what a model said: `logits` (beats, K) of the recordings `outside`, end to end.

    Beats are labelled as the device labels them, by the recipe's thresholds.
    """
    policy = LabelPolicy(CLASSES, recipe.thresholds)
    by_key = {recording.key: recording for recording in recordings}
    matrices: dict[str, BeatMatrix] = {}
    af = AfErrors(0, 0)
    ends = np.cumsum([len(one) for one in outside])
    for one, rows in zip(outside, np.split(logits, ends[:-1]), strict=True):
        labels = device_labels(policy, rows, one.seen, one.tentative)
        score_recording(by_key[one.key], one, labels, matrices)
        found = af_errors(by_key[one.key], one, labels)
        af = AfErrors(af.beats + found.beats, af.false_s + found.false_s)
    return CrossValidation(matrices, af)


def score_recording(
    recording: Recording,
    beats: PreparedBeats,
    labels: Sequence[str | None],
    matrices: dict[str, BeatMatrix],
) -> None:
    """Add the recording's matrix if it is one of whole, annotated half hours."""
    if recording.group is not Group.BEATS:
        return
    header = read_header(recording.path)
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    test = emitted(beats.at, labels)
    fs = float(header.fs_fraction)
    matrices[recording.key] = compare_beats(reference, test, fs, header.n_samples)


def af_errors(recording: Recording, beats: PreparedBeats, labels: Sequence[str | None]) -> AfErrors:
    """False S in AF: everywhere in a recording of AF, else within annotated episodes."""
    said_s = np.array([label == "S" for label in labels], dtype=bool)
    said = np.array([label is not None for label in labels], dtype=bool)
    if recording.group is Group.AF_RECORD:
        return AfErrors(int(said.sum()), int(said_s.sum()))
    if recording.annotator is None:
        return AfErrors(0, 0)
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    inside = said & within(reference, beats.at, ("(AFIB",))
    false_s = said_s & inside & (beats.target != Target.S)
    return AfErrors(int(inside.sum()), int(false_s.sum()))
