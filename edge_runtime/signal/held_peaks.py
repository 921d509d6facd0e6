"""Tentative peaks that wait until no firm peak can come close to them."""

from collections.abc import Sequence
from typing import TypeAlias

Place: TypeAlias = tuple[int, int, bool]
"""An R peak, the sample whose arrival decided it, and whether it is tentative."""


class HeldPeaks:
    """Tentative peaks in order, none within `refractory` samples of another or of a firm peak.

    Of two that lie closer the one with the higher score is kept, the earlier one if equal. A peak
    at p is certain with sample p + `refractory` + `max_latency` - 1: a firm peak less than
    `refractory` behind it would have been told by then.
    """

    def __init__(self, refractory: int, max_latency: int) -> None:
        self._refractory = refractory
        self._wait = refractory + max_latency - 1
        self._held: list[tuple[int, float]] = []  # where, and its score

    def hold(self, at: int, score: float) -> None:
        """A tentative peak, not within the refractory time of the last firm one."""
        rivals = [s for other, s in self._held if abs(at - other) < self._refractory]
        if rivals and max(rivals) >= score:
            return
        self.drop_near(at)
        self._held.append((at, score))
        self._held.sort()

    def drop_near(self, at: int) -> None:
        """A firm peak, or a better one: what lies within the refractory time is none."""
        self._held = [h for h in self._held if abs(at - h[0]) >= self._refractory]

    def release(self, now: int | None = None) -> list[Place]:
        """Those certain with a sample before `now` (None: all), in order; they are held no more."""
        wait = self._wait
        out = [(at, at + wait, True) for at, _ in self._held if now is None or at + wait < now]
        self._held = self._held[len(out) :]
        return out

    def clear(self) -> None:
        """Forget them."""
        self._held = []

    def snapshot(self) -> list[list[float]]:
        """What is held, as plain values."""
        return [[at, score] for at, score in self._held]

    def restore(self, state: Sequence[Sequence[float]]) -> None:
        """Take over what `snapshot` gave."""
        self._held = [(int(at), float(score)) for at, score in state]
