"""Stretches of samples that are no numbers, told as gaps: soon, but never in a flood."""

from fractions import Fraction
from math import ceil
from typing import Any

from edge_runtime.signal.observations import GapFound
from firmware_bridge.stream import GapReason


class HoleTeller:
    """Told of every run of samples, with or without numbers, it says what is missing.

    The first hole that closes in a second is told at once, a longer one at the end of each second
    it fills; holes that follow in the same second are counted together and told at its end. So
    there are at most three a second, even where every other sample is no number.
    """

    def __init__(self, rate_hz: Fraction) -> None:
        self._rate = rate_hz
        self._open: int | None = None
        self._told = -1  # number of the second in which a hole was last told at once
        self._more: tuple[int, int] | None = None  # first sample and number of those not yet told

    def invalid(self, start: int, end: int) -> list[GapFound]:
        """Samples [start, end) are no numbers; they follow what was told of before."""
        out: list[GapFound] = []
        if self._open is None:
            self._open = start
        while (border := self._second_end(self._open // self._rate)) <= end:
            out += self._tell_more(border - 1)
            if border > self._open:
                out.append(_gap(self._open, border - self._open, border - 1))
            self._open = border
        return out

    def valid(self, start: int, end: int) -> list[GapFound]:
        """Samples [start, end) are numbers; they follow what was told of before."""
        out: list[GapFound] = []
        if self._open is not None and start > self._open:
            n, second = start - self._open, start // self._rate
            if second != self._told:
                out.append(_gap(self._open, n, start))
                self._told = second
            else:
                first, before = self._more or (self._open, 0)
                self._more = first, before + n
        self._open = None
        border = self._second_end(self._told)
        if border <= end:
            out += self._tell_more(border - 1)
        return out

    def finish(self, end: int) -> list[GapFound]:
        """No sample follows those before `end`: tell what is left."""
        out = self._tell_more(end - 1)
        if self._open is not None and end > self._open:
            out.append(_gap(self._open, end - self._open, end - 1))
        self._open = None
        return out

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"open": self._open, "told": self._told, "more": self._more}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._open, self._told = state["open"], state["told"]
        self._more = None if state["more"] is None else (state["more"][0], state["more"][1])

    def _second_end(self, second: int) -> int:
        return ceil((second + 1) * self._rate)

    def _tell_more(self, decided: int) -> list[GapFound]:
        if self._more is None:
            return []
        first, n = self._more
        self._more = None
        return [_gap(first, n, decided)]


def _gap(first: int, n: int, decided: int) -> GapFound:
    return GapFound(first, decided, n, exact=True, reason=GapReason.INVALID)
