"""Scores of whatever speaks about the recordings of a fold that it was not trained on."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.rules.beat_label import LabelPolicy
from firmware_bridge.records import read_annotations, read_header
from model_build.datasets.recording import CLASSES, Group, Recording, Target
from model_build.datasets.splits import fold_of
from model_build.evaluate.ec57 import BeatMatrix, compare_beats
from model_build.evaluate.fibrillation import AfErrors, episode_errors
from model_build.evaluate.labels import class_scores, device_labels, emitted
from model_build.evaluate.out_of_fold import FoldScores, WrongBeat
from model_build.evaluate.reliability import BINS, Reliability, measure, paired_truth
from model_build.recipe import Recipe
from model_build.training.beats import PreparedBeats

Fold = int | str
"""A fold of folds.toml, or an archive ("svdb") that is left out whole."""

_WORST: Final = 8
"""Beats kept of each fold, at most two of a record: enough to draw."""


def is_held_out(item: PreparedBeats, fold: Fold) -> bool:
    """Whether the recording is tested, not trained on."""
    if isinstance(fold, str):
        return item.key.startswith(f"{fold}/")
    return fold_of(item.subject) == fold


def held_out(
    prepared: Sequence[PreparedBeats], recipe: Recipe, fold: Fold, view: str | None = None
) -> list[PreparedBeats]:
    """The held-out recordings as a device would see them: the recipe's first view only, or another
    of that name."""
    seen = view or recipe.view[0].name
    return [p for p in prepared if is_held_out(p, fold) and p.view == seen]


Fibrillates = Callable[[Recording, PreparedBeats], NDArray[np.bool_]]
"""Of each beat (k,) of a recording, whether a rhythm model says AF when it comes."""


def score_logits(
    recordings: Sequence[Recording],
    outside: Sequence[PreparedBeats],
    logits: NDArray[np.float32],
    recipe: Recipe,
    fibrillates: Fibrillates | None = None,
) -> FoldScores:
    """Score what any model said: `logits` (beats, K) of the recordings `outside`, end to end.

    Beats are labelled as the device labels them, by the recipe's thresholds; with `fibrillates` as
    a set labels them that holds a rhythm model too.
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
        in_af = None if fibrillates is None else fibrillates(recording, one)
        labels = device_labels(policy, rows, one.seen, one.tentative, in_af)
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
