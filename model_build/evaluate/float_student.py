"""The float student over the shipped signal path: what quantization is measured against."""

from fractions import Fraction

import numpy as np

from edge_runtime.rules.beat_label import LabelPolicy
from firmware_bridge.records import Annotations, read_header, read_physical
from model_build.datasets.recording import CLASSES, Recording
from model_build.evaluate.beats import Speak, channels_of
from model_build.evaluate.labels import device_labels, emitted
from model_build.models.student import StudentModels
from model_build.prepare import companion_of
from model_build.recipe import Weight
from model_build.tap import tap
from model_build.training.beats import PreparedBeats, pool
from model_build.training.predict import Predictor
from model_build.training.scaling import Scaling


def student_speaks(
    student: StudentModels,
    scaling: Scaling,
    thresholds: dict[str, float],
    mains_hz: int | None,
) -> Speak:
    """The float student, its scores labelled by the engine's own policy."""
    policy = LabelPolicy(CLASSES, thresholds)
    predictor = Predictor(student, scaling)

    def speak(recording: Recording) -> Annotations:
        beats = tapped_beats(recording, mains_hz, student.config.leads)
        logits = predictor(pool([beats], Weight()))
        return emitted(beats.at, device_labels(policy, logits, beats.seen, beats.tentative))

    return speak


def tapped_beats(recording: Recording, mains_hz: int | None, leads: int = 1) -> PreparedBeats:
    """A recording's beats through the shipped path, its first channels, without targets."""
    rate = Fraction(read_header(recording.path).fs_fraction)
    samples = read_physical(recording.path, channels=channels_of(leads))
    tapped = tap(samples, rate, mains_hz)
    block = tapped.beats
    return PreparedBeats(
        key=recording.key,
        subject=recording.subject,
        group=recording.group,
        view="",
        starts=np.zeros(1, np.int64),
        at=tapped.at,
        window=block.window.astype(np.float16),
        template=block.template.astype(np.float16),
        features=block.features,
        valid=block.valid,
        tentative=block.tentative,
        target=np.zeros(len(block), np.uint8),
        companion=companion_of([] if tapped.companion is None else [tapped.companion]),
    )
