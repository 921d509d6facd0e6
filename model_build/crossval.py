"""Choosing without peeking: five folds by subject over the training recordings, scored by EC57."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.rules.beat_label import LabelPolicy
from firmware_bridge.records import read_annotations, read_header
from model_build.datasets.recording import CLASSES, Group, Recording, Target
from model_build.datasets.splits import FOLDS, fold_of
from model_build.distil import cleaned, distillation, soft_labels
from model_build.evaluate.ec57 import BeatMatrix, compare_beats
from model_build.evaluate.fibrillation import AfErrors, episode_errors
from model_build.evaluate.labels import class_scores, device_labels, emitted
from model_build.evaluate.out_of_fold import CrossValidation, FoldScores, WrongBeat, join
from model_build.evaluate.reliability import BINS, Reliability, measure, paired_truth
from model_build.models.student import StudentConfig, StudentModels, build_student
from model_build.pretraining.prior import NOTHING, Prior, begin, with_p_waves
from model_build.recipe import Recipe, sizes
from model_build.teacher.predict import Opinions
from model_build.training.beats import PreparedBeats, pool
from model_build.training.head import RESAMPLERS, retrain_head
from model_build.training.loop import Report, train
from model_build.training.predict import Predictor
from model_build.training.scaling import Scaling, fit_scaling

Advice = Mapping[str, Opinions]
"""What the teachers say, by the name of their recipe."""


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
        **sizes(recipe.student),
    )


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
    advice: Advice = MappingProxyType({}),
) -> Fitted:
    """Train a student on these recordings, resuming from `checkpoint` if it is of the same run.

    `prior` holds what the recipe's sections `pretrain` and `p_wave` ask for; of the P waves only
    those of these recordings are used. `advice` holds what the teachers that the recipe names say
    about every one of `prepared`.
    """
    beats = with_p_waves(pool(prepared, recipe.weight), prepared, recipe, prior)
    if recipe.cleaning is not None:
        beats = cleaned(beats, prepared, advice[recipe.cleaning.teacher], recipe.cleaning)
    scaling = fit_scaling(beats.features[beats.weight > 0])
    student = fresh_student(recipe, beats.features.shape[1], recipe.seed)
    begin(student, recipe, prior)
    more = None
    if recipe.distil is not None:
        said = soft_labels(prepared, advice[recipe.distil.teacher])
        more = distillation(student, beats, said, recipe)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    trained = train(student, beats, scaling, recipe, checkpoint, report, more=more)
    if recipe.imbalance.method in RESAMPLERS:
        retrain_head(student, beats, scaling, recipe)
    return Fitted(student, scaling, trained.losses)


Fold = int | str
"""A fold of folds.toml, or an archive ("svdb") that is left out whole."""


Advise = Callable[[Sequence[PreparedBeats], Fold], Advice]
"""What teachers say about beats that train while a fold is scored: teachers that have seen neither
the beats' subjects nor the fold's."""


def unadvised(training: Sequence[PreparedBeats], scored: Fold) -> Advice:
    """Of a recipe that has no teacher."""
    del training, scored
    return MappingProxyType({})


Hear = Callable[[NDArray[np.float32], Sequence[PreparedBeats]], None]
"""Takes logits (k, K) and the recordings, end to end, that they are of."""


def unheard(logits: NDArray[np.float32], outside: Sequence[PreparedBeats]) -> None:
    """Logits that nobody but the scorer wants."""
    del logits, outside


def is_held_out(item: PreparedBeats, fold: Fold) -> bool:
    """Whether the recording is tested, not trained on."""
    if isinstance(fold, str):
        return item.key.startswith(f"{fold}/")
    return fold_of(item.subject) == fold


def tested(prepared: Sequence[PreparedBeats], recipe: Recipe, fold: Fold) -> list[PreparedBeats]:
    """The held-out recordings as a device would see them: the recipe's first view only."""
    return [p for p in prepared if is_held_out(p, fold) and p.view == recipe.view[0].name]


def cross_validate(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    work: Path,
    report: Callable[[int], Report],
    folds: Sequence[int] = tuple(range(FOLDS)),
    prior: Prior = NOTHING,
    advise: Advise = unadvised,
    heard: Hear = unheard,
) -> CrossValidation:
    """Train once for each fold on the others; score it on its own subjects, and pool.

    `heard` is told the logits (k, K) of each fold's left-out recordings, end to end.
    """
    return join(
        [
            score_fold(
                recordings, prepared, recipe, fold,
                work / "runs" / f"{recipe.short}-fold{fold}.npz", report(fold), prior,
                advise, heard,
            )
            for fold in folds
        ]
    )  # fmt: skip


def score_fold(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    fold: Fold,
    checkpoint: Path,
    report: Report,
    prior: Prior = NOTHING,
    advise: Advise = unadvised,
    heard: Hear = unheard,
) -> FoldScores:
    """Train on all but one fold, score that one."""
    outside = tested(prepared, recipe, fold)
    fitted = fit_fold(prepared, recipe, fold, checkpoint, report, prior, advise)
    said = Predictor(fitted.student, fitted.scaling)(pool(outside, recipe.weight))
    heard(said, outside)
    return score_logits(recordings, outside, said, recipe)


def fit_fold(
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    fold: Fold,
    checkpoint: Path,
    report: Report,
    prior: Prior = NOTHING,
    advise: Advise = unadvised,
) -> Fitted:
    """A student that never saw the fold, from its checkpoint where that is done."""
    inside = [p for p in prepared if not is_held_out(p, fold)]
    return fit(inside, recipe, checkpoint, report, prior, advise(inside, fold))


def score_logits(
    recordings: Sequence[Recording],
    outside: Sequence[PreparedBeats],
    logits: NDArray[np.float32],
    recipe: Recipe,
) -> FoldScores:
    """Score what any model said: `logits` (beats, K) of the recordings `outside`, end to end.

    Beats are labelled as the device labels them, by the recipe's thresholds.
    """
    policy = LabelPolicy(CLASSES, recipe.thresholds)
    by_key = {recording.key: recording for recording in recordings}
    matrices: dict[str, BeatMatrix] = {}
    af: dict[str, AfErrors] = {}
    reliability = Reliability(CLASSES, np.zeros((len(CLASSES) + 1, BINS, 3)))
    worst: list[WrongBeat] = []
    ends = np.cumsum([len(one) for one in outside])
    for one, rows in zip(outside, np.split(logits, ends[:-1]), strict=True):
        recording = by_key[one.key]
        labels = device_labels(policy, rows, one.seen, one.tentative)
        score_recording(recording, one, labels, matrices)
        found = af_errors(recording, one, labels)
        if found.beats:
            af[one.key] = found
        if one.key in matrices:
            scores = class_scores(rows, one.seen)
            where, truth = _known_beats(recording, one, labels)
            reliability += measure(CLASSES, scores[where], truth)
            worst += _surest_wrong(one, where, truth, scores, labels)
    worst.sort(key=lambda beat: -beat.score)
    subjects = {one.key: one.subject for one in outside if one.key in matrices or one.key in af}
    return FoldScores(matrices, af, subjects, reliability, tuple(worst[:_WORST]))


_WORST: Final = 8
"""Beats kept of each fold, at most two of a record: enough to draw."""


def _known_beats(
    recording: Recording, beats: PreparedBeats, labels: Sequence[str | None]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions and classes (columns of `CLASSES`) of the emitted beats with a reference class."""
    header = read_header(recording.path)
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    said, fs = emitted(beats.at, labels), float(header.fs_fraction)
    where, truth = paired_truth(reference, said, CLASSES, fs, header.n_samples)
    return np.searchsorted(beats.at, said.sample[where]), truth


def _surest_wrong(
    beats: PreparedBeats,
    where: NDArray[np.int64],
    truth: NDArray[np.int64],
    scores: NDArray[np.float32],
    labels: Sequence[str | None],
) -> list[WrongBeat]:
    wrong = [
        WrongBeat(beats.key, int(beats.at[k]), CLASSES[t], label, float(np.max(scores[k])))
        for k, t in zip(where, truth, strict=True)
        if beats.seen[k] and (label := labels[k]) in CLASSES and label not in {None, CLASSES[t]}
    ]
    return sorted(wrong, key=lambda beat: -beat.score)[:2]


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
    said = np.array([label is not None for label in labels], dtype=bool)
    if recording.group is Group.AF_RECORD:
        return AfErrors(int(said.sum()), list(labels).count("S"))
    if recording.annotator is None:
        return AfErrors(0, 0)
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    emitted_labels = [label for label in labels if label is not None]
    is_s = beats.target[said] == Target.S
    return episode_errors(reference, beats.at[said], emitted_labels, is_s)
