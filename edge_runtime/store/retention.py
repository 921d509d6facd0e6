"""What goes by itself: by age, by size, and when the disk is nearly full.

Raw signal goes first, the oldest hour before all others; events, strips and reviews go last, a
whole session at a time. What is being recorded never goes. Age is told by a clock that may jump, so
nothing goes by age until the clock has kept its pace for an hour.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edge_runtime.rules.bounds import bounded, check_bounds

TRUSTED_AFTER_S: Final = 3600.0
"""Time from the network comes within minutes of a start, and what goes by age is not urgent."""
_JUMP_S: Final = 10.0
"""More than any network time slews in a minute."""
_DAY_NS: Final = 86_400 * 10**9
_GB: Final = 1e9


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """What goes by itself; 0 is no limit. `raw_days`: signal that is older; its events and strips
    stay. `event_days`: sessions that ended before, with all that is known of them. `most_gb`:
    the oldest signal goes, then the oldest sessions, while the store is larger. `least_free_gb`:
    the same while the disk has less room; a technical alarm says so."""

    raw_days: float = bounded(0.0, 0.0, 3660.0)
    event_days: float = bounded(0.0, 0.0, 3660.0)
    most_gb: float = bounded(0.0, 0.0, 100_000.0)
    least_free_gb: float = bounded(0.5, 0.0, 1000.0)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished segment of raw signal, and when it ended."""

    session: str
    signal: str
    first: int
    end_utc_ns: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that is over."""

    session: str
    ended_utc_ns: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is: pieces and sessions that may go, oldest first, and the bytes of everything."""

    pieces: Sequence[Piece]
    sessions: Sequence[Ended]
    n_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to go now. `short`: because the disk is nearly full; `enough`: that will do."""

    pieces: tuple[Piece, ...] = ()
    sessions: tuple[str, ...] = ()
    short: bool = False
    enough: bool = True


def due(kept: Kept, settings: RetentionSettings, now_utc_ns: int, *, trusted: bool) -> Plan:
    """What is to go. `trusted`: the clock is right, so that ages are."""
    pieces, sessions = list[Piece](), list[str]()
    if trusted and settings.event_days:
        before = now_utc_ns - settings.event_days * _DAY_NS
        sessions += [one.session for one in kept.sessions if one.ended_utc_ns < before]
    left = [one for one in kept.pieces if one.session not in sessions]
    if trusted and settings.raw_days:
        before = now_utc_ns - settings.raw_days * _DAY_NS
        pieces += [one for one in left if one.end_utc_ns < before]
        left = [one for one in left if one.end_utc_ns >= before]
    wanted = _to_free(kept, settings) - sum(one.n_bytes for one in pieces)
    for piece in left:
        if wanted <= 0:
            break
        pieces.append(piece)
        wanted -= piece.n_bytes
    if wanted > 0 and not pieces and not sessions:
        # One at a time: how much room its rows and strips give shows when it is gone.
        sessions += [one.session for one in kept.sessions[:1]]
    short = kept.free_bytes < settings.least_free_gb * _GB
    return Plan(tuple(pieces), tuple(sessions), short, wanted <= 0 or bool(pieces or sessions))


def _to_free(kept: Kept, settings: RetentionSettings) -> float:
    """Bytes that are too many, or of which the disk has too few."""
    over = kept.n_bytes - settings.most_gb * _GB if settings.most_gb else 0.0
    return max(over, settings.least_free_gb * _GB - kept.free_bytes, 0.0)


class ClockWatch:
    """Whether the wall clock keeps the pace of the monotonic one."""

    def __init__(self, now_s: float, utc_ns: int) -> None:
        self._since_s = now_s
        self._offset_s = utc_ns / 1e9 - now_s

    def look(self, now_s: float, utc_ns: int) -> float:
        """Seconds that the wall clock has jumped since the last look, 0 where it has not."""
        offset_s = utc_ns / 1e9 - now_s
        jumped_s = offset_s - self._offset_s
        self._offset_s = offset_s
        if abs(jumped_s) < _JUMP_S:
            return 0.0
        self._since_s = now_s
        return jumped_s

    def trusted(self, now_s: float) -> bool:
        """It has not jumped for long enough."""
        return now_s - self._since_s >= TRUSTED_AFTER_S


def oldest_first(pieces: Iterator[Piece]) -> list[Piece]:
    """In the order in which they go."""
    return sorted(pieces, key=lambda one: (one.end_utc_ns, one.session, one.first))
