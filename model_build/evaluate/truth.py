"""What was said about a recording held against its reference, beyond the confusion matrix."""

from collections.abc import Sequence

import numpy as np

from firmware_bridge.records import Annotations, read_annotations, read_header
from model_build.datasets.recording import Recording
from model_build.evaluate.beats import Said
from model_build.evaluate.ec57 import pair_beats
from model_build.evaluate.ec57.classes import S
from model_build.evaluate.fibrillation import AfErrors, episode_errors
from model_build.evaluate.reliability import Reliability, measure, paired_truth


def calibration_of(recording: Recording, said: Said, classes: Sequence[str]) -> Reliability:
    """Calibration of the scores of one recording."""
    header = read_header(recording.path)
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    fs, end = float(header.fs_fraction), header.n_samples
    where, truth = paired_truth(reference, said.beats, classes, fs, end)
    return measure(classes, said.scores[where], truth)


def errors_in_af(recording: Recording, said: Annotations) -> AfErrors:
    """False S within the recording's annotated AF episodes, from its beginning on."""
    header = read_header(recording.path)
    reference = read_annotations(f"{recording.path}.{recording.annotator}")
    fs, end = float(header.fs_fraction), header.n_samples
    pairing = pair_beats(reference, said, fs, end, learning_s=0.0)
    is_s = np.isin(said.sample, pairing.test_at[pairing.reference_code == S])
    return episode_errors(reference, said.sample, said.symbol, is_s)
