"""Raw samples to the contract signal: 250 Hz, about 0.5 to 40 Hz, causal, chunk-invariant."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PathError
from edge_runtime.signal.kernels import sosfilt
from edge_runtime.signal.resample import Resampler, Timeline, checked_rate, kernel_reach
from edge_runtime.signal.spec import ConditioningSpec


class Conditioner:
    """Resamples, then removes baseline, mains and muscle noise.

    The state starts settled on the first sample, so an offset gives no transient. Contract
    indices stand on the source clock throughout (see `resample`), also after `reset`.

    Args:
        spec: the numbers to filter with.
        rate_hz: rate of the source, 100 to 1000 Hz, any fraction to a hundredth of a hertz.
        n_leads: columns of the samples.
        mains_hz: 50, 60, or None for no notch.
        at: source index of the first sample.

    Raises:
        PathError: a rate or mains frequency that is not supported.
    """

    def __init__(
        self,
        spec: ConditioningSpec,
        rate_hz: Fraction,
        n_leads: int,
        mains_hz: int | None = None,
        at: int = 0,
    ) -> None:
        if mains_hz not in spec.cascades:
            known = ", ".join(str(hz) for hz in spec.cascades if hz is not None)
            raise PathError(f"no notch for mains at {mains_hz} Hz; use one of {known}, or none")
        self._cascade = spec.cascades[mains_hz]
        self._sos = self._cascade.sos.copy()  # the kernel takes no read-only buffer
        self._n_leads = n_leads
        self._resampler = Resampler(spec, checked_rate(rate_hz))
        self._zi: NDArray[np.float64] | None = None
        self._position = at
        self.timeline = Timeline(rate_hz, kernel_reach(spec, rate_hz), self._cascade.delay)

    @property
    def delay(self) -> Timeline:
        """The constant mapping between contract and source indices."""
        return self.timeline

    @property
    def position(self) -> int:
        """Source index of the next sample."""
        return self._position

    @property
    def next_output(self) -> int:
        """Contract index of the next output."""
        if self._zi is None:
            return self.timeline.contract_index(self._position)
        return self._resampler.next_output

    def reset(self, at: int | None = None) -> None:
        """Forget the signal: a gap. The next sample has source index `at` (None: as counted)."""
        if at is not None:
            self._position = at
        self._zi = None

    def process(self, samples: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Condition the next samples (n, n_leads), finite; returns what they complete (m, n_leads).

        Raises:
            PathError: another number of leads.
        """
        if samples.ndim != 2 or samples.shape[1] != self._n_leads:
            raise PathError(f"expected samples of shape (n, {self._n_leads}), got {samples.shape}")
        if not len(samples):
            return np.zeros((0, self._n_leads))
        x = np.ascontiguousarray(samples.T, dtype=np.float64)
        if self._zi is None:
            self._resampler.start(self._position, x[:, 0])
            self._zi = self._cascade.zi * x[:, :1, None]
        self._position += x.shape[1]
        y, self._zi = sosfilt(self._sos, self._resampler.process(x), self._zi)
        return y.T

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs, in numbers and arrays."""
        return {
            "position": self._position,
            "zi": None if self._zi is None else self._zi.copy(),
            "resampler": self._resampler.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken, in a conditioner made alike."""
        self._position = int(state["position"])
        zi = state["zi"]
        self._zi = None if zi is None else np.array(zi, dtype=np.float64)
        self._resampler.restore(state["resampler"])
