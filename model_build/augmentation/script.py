"""What is to be played: beats and P waves at given times, and how an atrium keeps its time."""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

Kind = Literal["sinus", "atrial", "ventricular", "blocked"]
"""`sinus` and `atrial` are the patient's conducted beats, labelled N and S; `blocked` a P wave
without QRS, at the time where R would be if it conducted normally."""

SYMBOL: Final = {"atrial": "A", "ventricular": "V"}

_BREATH_HZ: Final = (0.15, 0.40)
_DRIFT: Final = 0.9
"""Memory of the slow part from beat to beat."""


@dataclass(frozen=True, slots=True)
class Event:
    """One beat or P wave. `p_gain` times its own P wave (0: none), `p_early_s` before its place."""

    at_s: float
    kind: Kind = "sinus"
    p_gain: float = 1.0
    p_early_s: float = 0.0


@dataclass(slots=True)
class Scene:
    """An episode to be filled: after the R at `start_s`, up to about `stop_s`.

    `rr_s` is the patient's own interval there, `has_v` whether there are ventricular beats to take.
    """

    start_s: float
    stop_s: float
    rr_s: float
    has_v: bool
    random: np.random.Generator


@dataclass(frozen=True, slots=True)
class Played:
    """A scene filled. `rhythm` as WFDB names it, "" to name none.

    `atrial_hz` is the frequency of f-waves or flutter waves, 0 for none, `atrial_height` their
    height peak to peak in QRS heights. Regular ones begin a cycle at `phase_s`.
    """

    events: list[Event]
    rhythm: str = ""
    atrial_hz: float = 0.0
    atrial_regular: bool = False
    phase_s: float = 0.0
    atrial_height: float = 0.0


@dataclass(slots=True)
class SinusNode:
    """Intervals of a sinus node around `rr_s`: breathing and a slow drift.

    Depth 1 to 8 % of the interval by breathing (0.15 to 0.40 Hz), 1.5 % by the drift.
    """

    rr_s: float
    random: np.random.Generator
    depth: float = field(init=False)
    _hz: float = field(init=False)
    _phase: float = field(init=False)
    _drift: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.depth = self.random.uniform(0.01, 0.08)
        self._hz = self.random.uniform(*_BREATH_HZ)
        self._phase = self.random.uniform(0, 2 * np.pi)

    def interval(self, at_s: float) -> float:
        """The interval that begins at `at_s`, in s."""
        self._drift = _DRIFT * self._drift + 0.015 * (1 - _DRIFT**2) ** 0.5 * float(
            self.random.standard_normal()
        )
        breath = self.depth * np.sin(2 * np.pi * self._hz * at_s + self._phase)
        return float(self.rr_s * (1 + breath + self._drift))

    def beats(self, after_s: float, n: int) -> list[Event]:
        """The next `n` beats of the node after an R at `after_s`."""
        events: list[Event] = []
        at = after_s
        for _ in range(n):
            at += self.interval(at)
            events.append(Event(at))
        return events
