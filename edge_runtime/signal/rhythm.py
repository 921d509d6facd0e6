"""What the rhythm classifier looks at: once a second, the measures of the last minute.

Hops lie at whole seconds of the contract index, as the windows of the fibrillation meter. A gap
takes away the ten seconds of signal that it cuts; what the beats say (`rhythm_evidence.py`) stays.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.rhythm_evidence import EVIDENCE, RhythmEvidence
from edge_runtime.signal.spec import CONTRACT_RATE_HZ
from edge_runtime.signal.windows import DECIMATION, FLAT_MV

RHYTHM_WINDOW_S: Final = 10
HOP_S: Final = 1
JUDGED_S: Final = 15
"""What is judged at a hop is the rhythm so long before it: the middle of its half minute, so that
an onset is seen from both sides."""

RHYTHM_FEATURE_SET_VERSION: Final = 1
"""Changes with any change of meaning, order or number of the features; bundles name theirs."""

OF_SIGNAL: Final = ("height", "roughness", "signal_known")
"""Of the last ten seconds: ln of the typical height of a second in mV, mean step from sample to
sample over it (noise), and whether they are known."""
RHYTHM_FEATURES: Final = (*EVIDENCE, *OF_SIGNAL)

_HOP: Final = HOP_S * CONTRACT_RATE_HZ
_WINDOW: Final = RHYTHM_WINDOW_S * CONTRACT_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class RhythmBlock:
    """k hops in order. `at` (k,): the contract index that each hop stands before; `features`
    (k, len(RHYTHM_FEATURES)) float32, finite."""

    at: NDArray[np.int64]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.at)


class RhythmMeter:
    """Measures one lead."""

    def __init__(self) -> None:
        self._evidence = RhythmEvidence()
        self._kept: NDArray[np.float64] = np.zeros(0)  # of this segment, up to `_end`
        self._end = 0
        self._origin: int | None = None  # where the lead was first seen

    def start(self, at: int) -> None:
        """A segment begins: the next sample has contract index `at`."""
        self._kept = np.zeros(0)
        self._end = at
        self._origin = at if self._origin is None else self._origin

    def process(self, x: NDArray[np.float64], beats: BeatBlock | None) -> RhythmBlock | None:
        """The next conditioned samples (n,) in mV, and the beats whose windows they complete.

        The hops that end within them, None where there is none; the first is ten seconds after
        the lead was first seen.
        """
        if beats is not None:
            self._evidence.add(beats)
        self._kept = np.concatenate([self._kept, x])
        begun = self._end
        self._end += len(x)
        least = 0 if self._origin is None else self._origin + _WINDOW
        first = max(-(-(begun + 1) // _HOP), -(-least // _HOP)) * _HOP
        hops = np.arange(first, self._end + 1, _HOP, dtype=np.int64)
        block = self._measure(hops) if len(hops) else None
        self._kept = self._kept[-_WINDOW:]
        return block

    def cut_off(self, beats: BeatBlock) -> None:
        """Beats that a gap cut off; no sample follows directly."""
        self._evidence.add(beats)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "evidence": self._evidence.snapshot(),
            "kept": self._kept.copy(),
            "place": [self._end, -1 if self._origin is None else self._origin],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken."""
        self._evidence.restore(state["evidence"])
        self._kept = np.array(state["kept"], np.float64)
        self._end, origin = (int(v) for v in state["place"])
        self._origin = None if origin < 0 else origin

    def _measure(self, hops: NDArray[np.int64]) -> RhythmBlock:
        of_signal = np.zeros((len(hops), len(OF_SIGNAL)), np.float32)
        first = self._end - len(self._kept)
        for row, end in enumerate((hops - first).tolist()):
            if end >= _WINDOW:
                of_signal[row] = _of_signal(self._kept[end - _WINDOW : end : DECIMATION])
        return RhythmBlock(hops, np.concatenate([self._evidence.at(hops), of_signal], axis=1))


def _of_signal(x: NDArray[np.float64]) -> tuple[float, float, float]:
    # The median over seconds of how much one spans: nearly each holds a QRS.
    seconds = np.sort(np.ptp(x.reshape(RHYTHM_WINDOW_S, -1), axis=1))
    half = RHYTHM_WINDOW_S // 2
    height = float(seconds[half - 1] + seconds[half]) / 2.0
    if height < FLAT_MV:
        return 0.0, 0.0, 0.0
    return float(np.log(height)), float(np.abs(np.diff(x)).sum()) / (len(x) * height), 1.0
