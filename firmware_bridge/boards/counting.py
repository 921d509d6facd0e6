"""A board's own sample counter: what follows, what is missing, what comes twice. No I/O.

A number that does not follow is believed when the sample after it agrees; when that one follows
the sample before instead, only the number was spoilt on its way. So one sample in doubt is held
until the next has come.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from firmware_bridge.boards.samples import BoardSamples

_CONFIRMS: Final = 32
"""A sample in doubt is confirmed by one that is ahead of it by less: losses come in bursts."""
_MOST_LOST_S: Final = 2.0
"""More cannot be missing without a silence: then the counter began anew."""
_CLOCK_ERROR: Final = 0.05
"""Of a poor oscillator; as in the own protocol's session."""
_CLOCK_SLACK_S: Final = 0.5
"""A link's delay varies by less."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """`samples` that follow each other, behind `n_missing` that never came."""

    n_missing: int
    samples: BoardSamples


@dataclass(frozen=True, slots=True)
class Hole:
    """`n_missing` samples before the next; `restarted`: the counter began anew."""

    n_missing: int
    exact: bool
    restarted: bool = False


class Numbered:
    """Follows one counter of `modulus` at `rate_hz`."""

    def __init__(self, modulus: int, rate_hz: float) -> None:
        self.refused = 0
        self.restarts = 0
        self._modulus = modulus
        self._rate_hz = rate_hz
        self._last: int | None = None
        self._held: BoardSamples | None = None

    def begin_anew(self) -> None:
        """Whatever number comes next is the next."""
        self._last = None
        self._drop_held()

    def after_silence(self, number: int, unseen: float) -> Hole:
        """What is missing before the sample `number`, when by the host's clock about `unseen`
        samples were not received."""
        last = self._last
        self._drop_held()
        self._last = (number - 1) % self._modulus
        if last is None:
            return Hole(0, exact=True)
        least = (number - last - 1) % self._modulus
        slack = self._rate_hz * _CLOCK_SLACK_S
        if least > max(unseen, 0) * (1 + _CLOCK_ERROR) + slack:
            self.restarts += 1
            return Hole(max(0, round(unseen)), exact=False, restarted=True)
        wraps = max(0, round((unseen - least) / self._modulus))
        sure = wraps == 0 and unseen + self._modulus / 4 < least + self._modulus
        return Hole(least + wraps * self._modulus, exact=sure)

    def runs(self, samples: BoardSamples) -> list[Run]:
        """`samples` (with numbers) in their places, without those that come twice."""
        if self._held is not None:
            samples, self._held = _joined(self._held, samples), None
        numbers = samples.numbers
        assert numbers is not None
        if self._last is not None:
            steps = np.diff(numbers, prepend=self._last) % self._modulus
            if (steps == 1).all():
                self._last = int(numbers[-1])
                return [Run(0, samples)]
        return self._one_by_one(samples, numbers.tolist())

    def _one_by_one(self, samples: BoardSamples, numbers: list[int]) -> list[Run]:
        runs: list[Run] = []
        taken: list[int] = []  # rows of the run that goes on
        missing = 0
        for row, number in enumerate(numbers):
            after = numbers[row + 1] if row + 1 < len(numbers) else None
            ahead = 0 if self._last is None else (number - self._last - 1) % self._modulus
            if ahead == self._modulus - 1:
                self.refused += 1  # it came twice
                continue
            if ahead:
                if after is None:
                    self._held = _rows(samples, [row])
                    break
                if (after - self._following()) % self._modulus == 1:
                    number = self._following()  # noqa: PLW2901 - what it must have been
                elif (after - number) % self._modulus < _CONFIRMS:
                    if taken:
                        runs.append(Run(missing, _rows(samples, taken)))
                    taken, missing = [], self._believed(ahead)
                else:
                    self.refused += 1
                    continue
            self._last = number
            taken.append(row)
        if taken:
            runs.append(Run(missing, _rows(samples, taken)))
        return runs

    def _following(self) -> int:
        assert self._last is not None
        return (self._last + 1) % self._modulus

    def _believed(self, ahead: int) -> int:
        if ahead <= self._rate_hz * _MOST_LOST_S:
            return ahead
        self.restarts += 1
        return 0

    def _drop_held(self) -> None:
        if self._held is not None:
            self.refused += 1
        self._held = None


def _rows(samples: BoardSamples, rows: list[int]) -> BoardSamples:
    assert samples.numbers is not None
    off = None if samples.off is None else samples.off[rows]
    return replace(samples, counts=samples.counts[rows], numbers=samples.numbers[rows], off=off)


def _joined(first: BoardSamples, second: BoardSamples) -> BoardSamples:
    assert first.numbers is not None
    assert second.numbers is not None
    off = None
    if first.off is not None and second.off is not None:
        off = np.concatenate([first.off, second.off])
    return BoardSamples(
        np.concatenate([first.counts, second.counts]),
        np.concatenate([first.numbers, second.numbers]),
        off,
    )
