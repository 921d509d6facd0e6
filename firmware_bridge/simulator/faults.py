"""What goes wrong on a real link, on demand and seeded."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities per frame, and (at, duration) in seconds of the sensor's time.

    A stalled sensor samples on and sends what it holds in one go afterwards (its queue bounds
    that); an unplugged one takes its port away and loses what it samples meanwhile.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    bit_flip: float = 0.0
    stalls: tuple[tuple[float, float], ...] = ()
    unplugs: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        for name in ("drop", "duplicate", "bit_flip"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, not {getattr(self, name)}")

    def is_stalled(self, elapsed_s: float) -> bool:
        """The link is silent now but the port is there."""
        return _inside(self.stalls, elapsed_s)

    def is_unplugged(self, elapsed_s: float) -> bool:
        """The port is gone now."""
        return _inside(self.unplugs, elapsed_s)


class FaultyLine:
    """Passes frames on, some of them wrong."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._random = random.Random(seed)

    def carry(self, frame: bytes) -> bytes:
        """What arrives of `frame`: nothing, once, twice, or with one bit turned."""
        if self._random.random() < self._faults.drop:
            return b""
        if self._random.random() < self._faults.bit_flip:
            spoilt = bytearray(frame)
            bit = self._random.randrange(8 * len(spoilt))
            spoilt[bit // 8] ^= 1 << bit % 8
            return bytes(spoilt)
        if self._random.random() < self._faults.duplicate:
            return frame + frame
        return frame


def _inside(spans: tuple[tuple[float, float], ...], at_s: float) -> bool:
    return any(start <= at_s < start + length for start, length in spans)
