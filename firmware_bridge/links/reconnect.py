"""How long to wait before trying a lost link again."""

import random
from dataclasses import dataclass
from typing import Final

_FIRST_S: Final = 0.25
"""A replugged USB board is back within half a second."""
_LONGEST_S: Final = 10.0
"""Short enough that a strap put on again is seen while its wearer still looks at the screen."""


@dataclass(slots=True)
class Backoff:
    """Doubles from a quarter of a second to `longest_s`; `reset` after success.

    `jitter` is the share by which a wait may be shorter, at random: several straps that lose one
    radio must not come back to it all at once.
    """

    _next_s: float = _FIRST_S
    jitter: float = 0.0
    longest_s: float = _LONGEST_S

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        wait = self._next_s
        self._next_s = min(2 * wait, self.longest_s)
        return wait * (1 - self.jitter * random.random())

    def reset(self) -> None:
        """Begin with the short wait again."""
        self._next_s = _FIRST_S
