"""How long to wait before trying a lost link again."""

from dataclasses import dataclass
from typing import Final

_FIRST_S: Final = 0.25
"""A replugged USB board is back within half a second."""
_LONGEST_S: Final = 10.0
"""Short enough that a strap put on again is seen while its wearer still looks at the screen."""


@dataclass(slots=True)
class Backoff:
    """Doubles from a quarter of a second to ten seconds; `reset` after success."""

    _next_s: float = _FIRST_S

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        wait = self._next_s
        self._next_s = min(2 * wait, _LONGEST_S)
        return wait

    def reset(self) -> None:
        """Begin with the short wait again."""
        self._next_s = _FIRST_S
