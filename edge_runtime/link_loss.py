"""A link that keeps losing samples, said once per episode in words that tell what to do."""

from fractions import Fraction
from typing import Any, Final

from edge_runtime.events import Notice
from edge_runtime.signal.observations import GapFound
from firmware_bridge.stream import GapReason

_WINDOW_S: Final = 60
_TOLD_SHARE: Final = 0.03
"""With packets of 20 ms and RR of 0.6 s, six intervals in ten then have a hole."""
_OVER_SHARE: Final = 0.01
_WORDS: Final = (
    "the link lost {percent:.0f}% of the last minute's samples, heart rate and alarms suffer: "
    "check the cable and its plugs, bring sensor and receiver closer together, check the baud rate"
)


class LinkLoss:
    """The share of the last minute, by the signal's clock, that was lost on the way.

    Above 3 % an episode begins and is told; it is over when the share has fallen below 1 %. The
    minute counts in full from the start on. Outages of a link that is down and samples that the
    source itself calls invalid are told elsewhere and do not count.
    """

    def __init__(self, rate_hz: Fraction) -> None:
        self._window = int(_WINDOW_S * rate_hz)
        self._lost: list[tuple[int, int]] = []  # (first, end) of what was lost lately
        self._told = False

    def on_gap(self, gap: GapFound) -> list[Notice]:
        """One more gap, later than those before it."""
        if gap.reason is not GapReason.LOST_PACKET:
            return []
        # The share only falls between two gaps: the next one shows how far.
        if self._share(gap.at) < _OVER_SHARE:
            self._told = False
        end = gap.at + gap.n_missing
        self._lost.append((gap.at, end))
        share = self._share(end)
        if self._told or share <= _TOLD_SHARE:
            return []
        self._told = True
        message = _WORDS.format(percent=100 * share)
        return [Notice(at=gap.at, decided=gap.decided, code="link_loss", message=message)]

    def snapshot(self) -> dict[str, Any]:
        """Its memory as plain data."""
        return {"lost": [list(span) for span in self._lost], "told": self._told}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """The inverse of `snapshot`."""
        self._lost = [(first, end) for first, end in snapshot["lost"]]
        self._told = bool(snapshot["told"])

    def _share(self, now: int) -> float:
        """Of the minute before `now`; forgets what lies before it."""
        start = now - self._window
        self._lost = [(max(first, start), end) for first, end in self._lost if end > start]
        return sum(end - first for first, end in self._lost) / self._window
