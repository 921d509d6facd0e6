"""Where packets that carry the sensor's own stamps lie on the index of their signal. No I/O.

Within a connection whole packets are lost, so a hole is a whole number of packets, and that number
is certain as long as the sensor's pace is known well enough. Across a reconnect the stamps alone
tell, and the hole is exact while pace times length is certain to half a sample. Stamps are not
believed where they go back, leap ahead of the host's clock, or disagree with it over a reconnect:
then the sensor's clock began anew, the host's clock tells the length and the hole is inexact.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

_NS: Final = 1_000_000_000
_PACE_ERROR: Final = 0.03
"""How far a sensor may be from its nominal rate: Polar's straps stay within 2 %."""
_DRIFT: Final = 20e-6
"""What a crystal wanders within hours; no pace is known better."""
_HELD_BACK_NS: Final = 10 * _NS
"""For so long a sensor or link may hold data back and deliver them later."""
_AFTER_RECONNECT_NS: Final = 3 * _NS
"""Stamps and host clock agree to so much, and the pace's error, on the time away."""
_REMEMBERED: Final = 64
"""Stamps of packets that may come twice."""


@dataclass(frozen=True, slots=True)
class Placed:
    """`n_missing` samples never came before this packet. `restarted`: the sensor's clock did."""

    n_missing: int = 0
    exact: bool = True
    restarted: bool = False


class Refusal(StrEnum):
    """Why a packet is not taken."""

    REPEATED = "repeated"
    DOUBTFUL = "stamp out of place"


class StampedPlaces:
    """One signal's packets of `n` samples, each with the stamp of its last sample.

    `resolution_ns` is how coarse the stamps are.
    """

    def __init__(self, rate_hz: Fraction, resolution_ns: int) -> None:
        self._nominal_ns = float(_NS / rate_hz)
        self._resolution_ns = resolution_ns
        self._pace_ns = self._nominal_ns  # between samples, by the sensor's stamps
        self._pace_error = _PACE_ERROR
        self._stamp_ns: int | None = None
        self._host_ns = 0
        self._count = 0  # samples since the first, missing ones included
        self._run: tuple[int, int] | None = None  # stamp and count from which pace is measured
        self._packet: int | None = None  # samples in every packet so far; 0: they differ
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)
        self._doubted: int | None = None
        self._away = False

    def reconnected(self) -> None:
        """The link was down: what was on its way is gone, packets begin anew."""
        self._away = True
        self._doubted = None
        self._recent.clear()  # a sensor that reboots twice may well give the same stamps again

    def place(self, stamp_ns: int, n: int, host_ns: int) -> Placed | Refusal:
        """What lies before a packet of `n` samples that arrived at `host_ns`, or a `Refusal`."""
        if self._stamp_ns is None:
            return self._accept(Placed(), stamp_ns, n, host_ns)
        if stamp_ns in self._recent:
            return Refusal.REPEATED
        if self._is_believed(stamp_ns, host_ns):
            self._doubted = None
            return self._accept(self._hole(stamp_ns, n), stamp_ns, n, host_ns)
        doubted, self._doubted = self._doubted, stamp_ns
        # One such stamp is a fault; a second that goes on from it is a clock that began anew.
        # After a reconnect there is no doubt: old packets cannot be on their way any more.
        goes_on = doubted is not None and 0 < stamp_ns - doubted <= 4 * n * self._nominal_ns
        if not (goes_on or self._away):
            return Refusal.DOUBTFUL
        self._doubted = None
        self._run = None
        away = (host_ns - self._host_ns) / self._nominal_ns
        missing = max(0, round(away) - n)
        return self._accept(Placed(missing, False, True), stamp_ns, n, host_ns)

    def _is_believed(self, stamp_ns: int, host_ns: int) -> bool:
        assert self._stamp_ns is not None
        passed, by_host = stamp_ns - self._stamp_ns, host_ns - self._host_ns
        if passed <= 0:
            return False
        most = by_host * (1 + _PACE_ERROR)
        if not self._away:
            return passed <= most + _HELD_BACK_NS
        least = by_host * (1 - _PACE_ERROR)
        return least - _AFTER_RECONNECT_NS <= passed <= most + _AFTER_RECONNECT_NS

    def _hole(self, stamp_ns: int, n: int) -> Placed:
        assert self._stamp_ns is not None
        passed = stamp_ns - self._stamp_ns
        lost = passed / self._pace_ns - n
        slack = passed / self._pace_ns * self._pace_error + 2 * self._resolution_ns / self._pace_ns
        if not self._away and self._packet == n:
            packets = max(0, round(lost / n))
            if abs(lost - packets * n) <= slack + 0.05 * n:
                return Placed(packets * n, exact=slack < n / 2)
        missing = max(0, round(lost) if lost > slack or slack < 0.5 else 0)
        # Within a connection a hole of odd length is a clock that was set, not only a loss.
        certain = slack < 0.5 and (self._away or self._packet != n)
        return Placed(missing, exact=certain or missing == 0)

    def _accept(self, placed: Placed, stamp_ns: int, n: int, host_ns: int) -> Placed:
        self._count += placed.n_missing + n
        self._packet = n if self._packet in (None, n) else 0
        if self._run is None or not placed.exact or self._away:
            self._run = (stamp_ns, self._count)
        else:
            self._measure(stamp_ns)
        if placed.restarted:
            self._recent.clear()
        self._recent.append(stamp_ns)
        self._stamp_ns, self._host_ns, self._away = stamp_ns, host_ns, False
        return placed

    def _measure(self, stamp_ns: int) -> None:
        assert self._run is not None
        first_ns, first = self._run
        span_ns = stamp_ns - first_ns
        if span_ns <= 0:
            return
        error = 2 * self._resolution_ns / span_ns + _DRIFT
        pace = span_ns / (self._count - first)
        if error < self._pace_error and abs(pace / self._nominal_ns - 1) <= _PACE_ERROR:
            self._pace_ns, self._pace_error = pace, error
