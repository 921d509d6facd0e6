"""Measures of the rhythm to classes, hop by hop, and to rhythms that begin and end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.inference.beats import FeatureScaler, ScoreTable
from edge_runtime.inference.interpreter import Runtime
from edge_runtime.inference.rhythm_bundle import RhythmBundle
from edge_runtime.inference.smoothing import FixedLagSmoother
from edge_runtime.signal.observations import RhythmReady
from edge_runtime.signal.rhythm import HOP_S, RHYTHM_FEATURES
from edge_runtime.signal.spec import CONTRACT_RATE_HZ

_FORGET: Final = 30 * CONTRACT_RATE_HZ
"""A rhythm is not carried over half a minute of which nothing is known."""
_IRREGULAR: Final = RHYTHM_FEATURES.index("change_above_0.06/half")


class RhythmClassifier:
    """Scores hops with one bundle. Deterministic, clock-free, one thread.

    Raises BundleError where the graph is not what the manifest says, InterpreterError where no
    TFLite runtime is installed.
    """

    def __init__(self, bundle: RhythmBundle, runtime: Runtime | None = None) -> None:
        manifest = bundle.manifest
        self._graph = bundle.open(runtime)
        self._scale = FeatureScaler(manifest.features)
        self._input = self._graph.quantization["features"]
        self._score = ScoreTable(manifest, self._graph.quantization["logits"])
        self._width = len(manifest.classes)

    def classify(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores (k, K) of hops with features (k, F); each row sums to 1."""
        steps = self._input.to_int8(self._scale(features))
        logits = np.empty((len(steps), self._width), np.int8)
        self._graph.run({"features": steps}, "logits", logits)
        return self._score(logits)


@dataclass(frozen=True, slots=True)
class RhythmStep:
    """What one hop adds.

    `at`: a source index; `chances` of each class there, by all that came until now, None in the
    first seconds. `now`: the chances of what was judged last, by what came until then. `irregular`:
    share of the changes from RR to RR within the last half minute that exceed 6 %.
    """

    at: int
    decided: int
    chances: tuple[float, ...] | None
    now: tuple[float, ...]
    irregular: float


class RhythmReader:
    """Hops in order to steps."""

    def __init__(self, bundle: RhythmBundle, runtime: Runtime | None = None) -> None:
        self.manifest = bundle.manifest
        self._fingerprint = bundle.fingerprint
        self._classifier = RhythmClassifier(bundle, runtime)
        self._smoother = FixedLagSmoother(bundle.manifest.smoothing)
        self._judged: list[int] = []  # source indices of what the smoother holds
        self._last = 0  # contract index of the last hop

    def read(self, ready: RhythmReady) -> Iterator[RhythmStep]:
        """Take the hops."""
        block = ready.block
        scores = self._classifier.classify(block.features).tolist()
        irregular = block.features[:, _IRREGULAR].tolist()
        rows = (block.at.tolist(), ready.at.tolist(), ready.decided.tolist(), scores, irregular)
        for hop, at, decided, said, share in zip(*rows, strict=True):
            if hop - self._last > _FORGET + HOP_S * CONTRACT_RATE_HZ:
                self._reset()
            self._last = hop
            self._judged = [*self._judged[-self.manifest.smoothing.lag :], at]
            smoothed = self._smoother.take(said)
            yield RhythmStep(self._judged[0], decided, smoothed.then, smoothed.now, share)

    def snapshot(self) -> dict[str, Any]:
        """What `restore` needs to go on as if nothing had happened."""
        return {
            "bundle": self._fingerprint,
            "smoother": self._smoother.snapshot(),
            "judged": list(self._judged),
            "last": self._last,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot. Raises BundleError if another bundle made it."""
        if state["bundle"] != self._fingerprint:
            raise BundleError("the saved rhythm was made by another bundle; start afresh")
        self._smoother.restore(state["smoother"])
        self._judged = [int(at) for at in state["judged"]]
        self._last = int(state["last"])

    def _reset(self) -> None:
        self._smoother.reset()
        self._judged = []
