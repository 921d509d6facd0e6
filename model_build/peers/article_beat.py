"""The beat that both modules of the article take: 256 samples around R.

The article names neither rate nor place of R. Here they are the whole window of the shipped path,
1.28 s at 200 Hz, so that both networks see what the student's encoder sees.
"""

from typing import Final

from edge_runtime.signal.windows import LENGTH, R_AT, STEP_S
from model_build.peers.beats import Rows, resampled

SAMPLES: Final = 256
_RATE_HZ: Final = SAMPLES / (LENGTH * STEP_S)
_BEFORE: Final = round(R_AT * STEP_S * _RATE_HZ)
ARTICLE: Final = "The article that started this project; printed there without code or scores"


def article_beat(window: Rows) -> Rows:
    """Windows (k, 160) as (k, 256, 1)."""
    return resampled(window, _RATE_HZ, _BEFORE, SAMPLES - 1 - _BEFORE)[..., None]
