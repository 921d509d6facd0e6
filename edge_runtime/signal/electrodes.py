"""What the beats say about where the electrodes are: hints about leads, each said once."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.events import QualityLevel
from edge_runtime.signal.exchange import ExchangeWatch
from edge_runtime.signal.observations import BeatsReady, Observation, QualityChanged
from edge_runtime.signal.polarity import INVERTED, UPRIGHT_LEADS, PolarityWatch

TURNED_OVER: Final = "upside down since a while ago"
EXCHANGED: Final = "has changed places with lead "
"""Followed by the other lead's name."""

LevelAt = Callable[[int, int], QualityLevel]
"""The level of a lead, known with a source sample."""


class ElectrodeWatch:
    """Watches polarity of the analysis lead, and every lead against what it was before."""

    def __init__(self, rate_hz: Fraction, leads: Sequence[str]) -> None:
        self._leads = leads
        self._polarity = PolarityWatch()
        self._exchange = ExchangeWatch(rate_hz, len(leads)) if len(leads) > 1 else None

    def feed(self, first: int, samples: NDArray[np.floating[Any]]) -> None:
        """Samples (n, n_leads) from source index `first` on."""
        if self._exchange is not None:
            self._exchange.feed(first, samples)

    def lead_changed(self) -> None:
        """Peaks are taken from another lead."""
        self._polarity = PolarityWatch()

    def observe(
        self, seen: Sequence[Observation], lead: int, level_at: LevelAt
    ) -> Iterator[QualityChanged]:
        """Hints in beats that are ready: a word about a lead's level, not another level. `lead` is
        the one that peaks are taken from."""
        for one in seen:
            if isinstance(one, BeatsReady):
                for place, whose, words in self._hints(one, lead):
                    at, decided = int(one.at[place]), int(one.decided[place])
                    yield QualityChanged(at, decided, whose, level_at(whose, decided), words)

    def _hints(self, ready: BeatsReady, lead: int) -> Iterator[tuple[int, int, str]]:
        """Place of the beat, lead and words."""
        if self._leads[lead].upper() in UPRIGHT_LEADS:
            place = self._polarity.observe(ready.block)
            if place is not None:
                yield place, lead, INVERTED
        if self._exchange is not None:
            for found in self._exchange.observe(ready.at, ready.block.valid):
                other = found.other
                words = TURNED_OVER if other is None else f"{EXCHANGED}{self._leads[other]}"
                yield found.place, found.lead, words

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        exchange = None if self._exchange is None else self._exchange.snapshot()
        return {"polarity": self._polarity.snapshot(), "exchange": exchange}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._polarity.restore(state["polarity"])
        if self._exchange is not None:
            self._exchange.restore(state["exchange"])
