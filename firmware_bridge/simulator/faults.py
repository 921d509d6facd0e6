"""What goes wrong on a real link, on demand and seeded."""

import random
from collections import Counter
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
    reorder: float = 0.0

    def __post_init__(self) -> None:
        for name in ("drop", "duplicate", "bit_flip", "reorder"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, not {getattr(self, name)}")

    def is_stalled(self, elapsed_s: float) -> bool:
        """The link is silent now but the port is there."""
        return _inside(self.stalls, elapsed_s)

    def is_unplugged(self, elapsed_s: float) -> bool:
        """The port is gone now."""
        return _inside(self.unplugs, elapsed_s)


class FaultyLine:
    """Passes frames on, some of them wrong as `faults` says, which may be changed at any time;
    `injected` counts how often what was done."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.injected: Counter[str] = Counter()
        self.faults = faults
        self._random = random.Random(seed)
        self._late: list[bytes] = []

    def carry(self, frame: bytes) -> bytes:
        """As `pass_on`, in one piece."""
        return b"".join(self.pass_on(frame))

    def pass_on(self, frame: bytes) -> list[bytes]:
        """What arrives when `frame` is sent: nothing, once, twice, with one bit turned, or behind
        the next one."""
        late, self._late = self._late, []
        arrives = self._arrives(frame)
        if self.faults.reorder and not late and self._happens("reorder"):
            self._late = arrives
            return []
        return arrives + late

    def begin_anew(self) -> None:
        """A new link: what was late on the old one never comes."""
        self._late.clear()

    def _arrives(self, frame: bytes) -> list[bytes]:
        if self._happens("drop"):
            return []
        if self._happens("bit_flip"):
            spoilt = bytearray(frame)
            bit = self._random.randrange(8 * len(spoilt))
            spoilt[bit // 8] ^= 1 << bit % 8
            return [bytes(spoilt)]
        return [frame, frame] if self._happens("duplicate") else [frame]

    def _happens(self, fault: str) -> bool:
        happens: bool = self._random.random() < getattr(self.faults, fault)
        self.injected[fault] += happens
        return happens


def _inside(spans: tuple[tuple[float, float], ...], at_s: float) -> bool:
    return any(start <= at_s < start + length for start, length in spans)
