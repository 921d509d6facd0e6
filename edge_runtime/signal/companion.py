"""A second lead, looked at around the beats that the analysis lead shows.

It has filters, template and shapes of its own, but no detector: its beats, and so its intervals,
are those of the analysis lead. Where it cannot be read its rows are masked, and nothing else.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.history import BeatBlock, BeatHistory
from edge_runtime.signal.spec import ConditioningSpec
from edge_runtime.signal.windows import cut_windows


class CompanionLead:
    """Conditioner, windows and history of the second lead.

    Told of every sample and every beat of the analysis lead, in the same order. `keep` is how many
    contract samples a window may reach back from the newest one. `history` may be exchanged
    between two segments: when the leads change their roles.
    """

    def __init__(
        self, spec: ConditioningSpec, rate_hz: Fraction, mains_hz: int | None, keep: int
    ) -> None:
        self.history = BeatHistory()
        self._conditioner = Conditioner(spec, rate_hz, 1, mains_hz)
        self._keep = keep
        self._in_segment = False
        self._contract = 0  # contract index after the last conditioned sample
        self._kept: NDArray[np.float64] = np.zeros(0)  # conditioned, up to `_contract`
        self._last_at: int | None = None  # last beat since the last break

    def take(self, first: int, x: NDArray[np.float64]) -> None:
        """Finite samples (n,) in mV from source index `first` on."""
        if not self._in_segment:
            self._conditioner.reset(first)
            self._contract = self._conditioner.next_output
            self._in_segment = True
        y = self._conditioner.process(x[:, None])[:, 0]
        self._contract += len(y)
        self._kept = np.concatenate([self._kept[-self._keep :], y])

    def lose(self) -> None:
        """Nothing that can be read follows the last sample directly."""
        self._in_segment = False
        self._kept = np.zeros(0)

    def interrupt(self) -> None:
        """The analysis lead is interrupted: no interval spans this, so neither does one here."""
        self.lose()
        if self._last_at is not None:
            self.history.break_at(self._last_at + 1)
            self._last_at = None

    def observe(self, beats: BeatBlock, usable: NDArray[np.bool_]) -> BeatBlock:
        """The same k beats on this lead, in context; those not `usable` (k,) are masked.

        `beats` are the analysis lead's; all samples that it has seen are taken in.
        """
        windows = cut_windows(self._kept, self._contract - len(self._kept), beats.at)
        windows[~usable] = np.nan
        if len(beats):
            self._last_at = int(beats.at[-1])
        return self.history.observe_block(windows, beats.at, beats.tentative)

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "conditioner": self._conditioner.snapshot(),
            "history": self.history.snapshot(),
            "place": [self._in_segment, self._contract, self._last_at],
            "kept": self._kept.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._conditioner.restore(state["conditioner"])
        self.history.restore(state["history"])
        self._in_segment, self._contract, self._last_at = state["place"]
        self._kept = np.array(state["kept"], dtype=np.float64)
