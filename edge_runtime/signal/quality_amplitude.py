"""Has the amplitude of a lead collapsed against its own recent past?

The noise in a lead whose contact is lost may be as small as that of a good one; what shows is that
the QRS have shrunk. A second has collapsed when its peak-to-peak is below 0.4 of the median of the
last 40 seconds that could be assessed. The memory holds what collapsed as well: a lead that stays
small (another gain) is the normal case again after some 20 s.

On the first leads of the MIT-BIH arrhythmia database two such seconds in a row are found in 9 of 48
records: where a lead fades (116, 208 at 1383 s), and in pauses of 3 s and more (232), which
look the same in one lead.
"""

from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SHARE: Final = 0.4
_MEMORY: Final = 40
_LEAST: Final = 5
"""Seconds of past that must be known before anything is said."""


class AmplitudeWatch:
    """The last amplitudes of each lead, one value a second."""

    def __init__(self, n_leads: int) -> None:
        self._past: list[list[float]] = [[] for _ in range(n_leads)]

    def collapsed(
        self, spans: NDArray[np.float64], assessed: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which of the next seconds (n_leads, b) have collapsed.

        `spans`: their peak-to-peak in mV. Seconds not `assessed` (artefact, flat line) neither
        collapse nor are remembered.
        """
        found = np.zeros(spans.shape, dtype=np.bool_)
        for number, (lead, usable) in enumerate(
            zip(spans.tolist(), assessed.tolist(), strict=True)
        ):
            past = self._past[number]
            for i, span in enumerate(lead):
                if not usable[i]:
                    continue
                found[number, i] = len(past) >= _LEAST and span < _SHARE * median(past)
                past.append(span)
                del past[:-_MEMORY]
        return found

    def forget(self, lead: int) -> None:
        """The electrode was off: what it shows afterwards may be of another size."""
        self._past[lead].clear()

    def snapshot(self) -> list[list[float]]:
        """Everything `restore` needs."""
        return [list(past) for past in self._past]

    def restore(self, state: Any) -> None:
        """Continue where `snapshot` was taken."""
        self._past = [[float(span) for span in past] for past in state]
