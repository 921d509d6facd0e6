"""Can this machine's clock be believed? Metadata that expires means nothing to a wrong clock.

A board without a battery wakes up in the past, where what has expired is valid again.
"""

import ctypes
from datetime import UTC, datetime
from pathlib import Path

_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronized."""
_TIMEX_BYTES = 512
"""More than `struct timex` takes anywhere (208 on 64-bit Linux); zeroed, it only reads."""


_TIMESYNCD_SAYS = Path("/run/systemd/timesync/synchronized")
"""Made by systemd-timesyncd once it has set the clock; a sandbox may keep adjtimex away."""


def is_synchronized() -> bool:
    """The clock is disciplined by NTP, PTP or the like; False where nobody says so."""
    if _TIMESYNCD_SAYS.exists():
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    asked = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = int(libc.adjtimex(asked))
    except AttributeError:
        return False
    return 0 <= state < _TIME_ERROR


def clock_problem(last_signed: datetime | None, *, synchronized: bool, now: datetime) -> str:
    """Why `now` cannot be believed; empty: it can.

    `last_signed` (aware): when the newest metadata that this device trusts was signed; the time
    cannot be earlier. Without one only a synchronized clock will do.
    """
    if synchronized or (last_signed is not None and now >= last_signed):
        return ""
    told = f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if last_signed is None:
        return (
            f"the clock ({told}) is not synchronized, so nobody can say what has expired; "
            "enable time synchronization (timedatectl set-ntp true)"
        )
    return (
        f"the clock says {told}, but the newest metadata known here was signed at "
        f"{last_signed.astimezone(UTC):%Y-%m-%d %H:%M} UTC: the clock is wrong; synchronize it "
        "(timedatectl set-ntp true)"
    )
