"""Prepared beats made up for tests of training: V is wide, S has a large first feature."""

import numpy as np

from model_build.datasets.recording import Target
from model_build.training.beats import PreparedBeats

N_FEATURES = 5


def made_up_beats(
    key: str, n_beats: int = 300, seed: int = 0, view: str = "native"
) -> PreparedBeats:
    """V beats are wide, S beats have a large first feature; one piece starts in the middle."""
    random = np.random.default_rng(seed)
    target = random.choice(
        [Target.N, Target.S, Target.V, Target.IGNORE, Target.NOT_S],
        n_beats,
        p=[0.7, 0.1, 0.1, 0.05, 0.05],
    ).astype(np.uint8)
    t = np.arange(160) - 88
    width = np.where(target == Target.V, 14.0, 4.0)[:, None]
    window = np.exp(-((t / width) ** 2)) + 0.05 * random.standard_normal((n_beats, 160))
    features = random.standard_normal((n_beats, N_FEATURES)).astype(np.float32)
    features[:, 0] += 4.0 * (target == Target.S)
    return PreparedBeats(
        key=key,
        subject=key,
        group="beats",
        view=view,
        starts=np.array([0, n_beats // 2]),
        at=np.arange(n_beats) * 200,
        window=window.astype(np.float16),
        template=np.tile(np.exp(-((t / 4.0) ** 2)), (n_beats, 1)).astype(np.float16),
        features=features,
        valid=random.random(n_beats) < 0.97,
        tentative=np.zeros(n_beats, bool),
        target=target,
    )
