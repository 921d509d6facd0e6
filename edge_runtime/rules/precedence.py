"""Which condition alarms when several hold: the first of this list.

Asystole > VF > VT > non-sustained VT > run is alarms.md's order (and the CinC Challenge 2015's
lethal five). The rest is ranked as bedside monitors do it: what is more urgent first, and pause
last, because every asystole begins as one. Conditions not listed stand beside all others.
"""

from typing import Final

PRECEDENCE: Final = (
    "asystole",
    "ventricular_fibrillation",
    "ventricular_tachycardia",
    "ventricular_bradycardia",
    "extreme_tachycardia",
    "extreme_bradycardia",
    "nonsustained_vt",
    "ventricular_rhythm",
    "ventricular_run",
    "pause",
)


def rank(condition: str) -> int:
    """Place in `PRECEDENCE`, 0 first. Raises `ValueError` for a condition not listed."""
    return PRECEDENCE.index(condition)
