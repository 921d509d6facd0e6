"""Prepared beats without a recording: their classes can be told apart, and nothing else is real."""

import numpy as np

from model_build.datasets.recording import Group, Target
from model_build.training.beats import PreparedBeats

CLASSES_DRAWN = (Target.N, Target.S, Target.V, Target.F)


def made_up(
    key: str, n_beats: int = 300, seed: int = 0, shares=(0.7, 0.12, 0.12, 0.06)
) -> PreparedBeats:
    """V beats are wide, F half as wide, S beats early and with a large first feature."""
    random = np.random.default_rng(seed)
    target = random.choice(CLASSES_DRAWN, n_beats, p=shares).astype(np.uint8)
    t = np.arange(160) - 88
    width = np.select([target == Target.V, target == Target.F], [14.0, 8.0], 4.0)[:, None]
    window = np.exp(-((t / width) ** 2)) + 0.05 * random.standard_normal((n_beats, 160))
    features = random.standard_normal((n_beats, 5)).astype(np.float32)
    features[:, 0] += 4.0 * (target == Target.S)
    intervals = np.where(target == Target.S, 180, 300) + random.integers(-9, 9, n_beats)
    return PreparedBeats(
        key=key, subject=key, group=Group.BEATS.value, view="native", starts=np.array([0]),
        at=np.cumsum(intervals), window=window.astype(np.float16),
        template=np.tile(np.exp(-((t / 4.0) ** 2)), (n_beats, 1)).astype(np.float16),
        features=features, valid=np.ones(n_beats, bool),
        tentative=np.zeros(n_beats, bool), target=target,
    )  # fmt: skip
