"""Which condition alarms when several hold.

Of the ladder `PRECEDENCE` only the first that holds does. Asystole > VF > VT > non-sustained VT >
run is alarms.md's order (and the CinC Challenge 2015's lethal five). The rest is ranked as bedside
monitors do it: what is more urgent first, and pause last, because every asystole begins as one. A
condition beside the ladder is recorded only while one of those in its row of `YIELDS_TO` holds;
without a row it stands beside all others.
"""

from collections.abc import Iterable
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

_LETHAL: Final = PRECEDENCE[:6]
_VENTRICULAR: Final = (*_LETHAL, "nonsustained_vt", "ventricular_rhythm", "ventricular_run")

YIELDS_TO: Final = {
    "bradycardia": (*_LETHAL, "ventricular_rhythm", "pause", "pauses_per_minute"),
    "tachycardia": (*_LETHAL, "svt", "atrial_fibrillation", "nonsustained_vt"),
    "couplet": _VENTRICULAR,
    "bigeminy": _VENTRICULAR,
    "trigeminy": _VENTRICULAR,
    "multiform_pvc": _VENTRICULAR,
    "r_on_t": _VENTRICULAR,
    "pvcs_per_minute": _VENTRICULAR,
    "sveb_run": (*_LETHAL, "svt", "atrial_fibrillation"),
    "svt": ("asystole", "ventricular_fibrillation", "extreme_tachycardia"),
    "missed_beat": (*_LETHAL, "pause", "bradycardia", "irregular_rhythm", "atrial_fibrillation"),
    "pauses_per_minute": ("asystole", "extreme_bradycardia"),
    "irregular_rhythm": ("asystole", "ventricular_fibrillation", "atrial_fibrillation"),
    "pacer_not_pacing": ("asystole",),
}
"""As bedside monitors chain their alarms: the more urgent word for the same beats is said alone."""


def outranked(condition: str, holding: Iterable[str]) -> bool:
    """Whether one of the conditions `holding` keeps `condition`, beside the ladder, quiet."""
    stronger = YIELDS_TO.get(condition, ())
    return any(name in stronger for name in holding)


def rank(condition: str) -> int:
    """Place in `PRECEDENCE`, 0 first. Raises `ValueError` for a condition not listed."""
    return PRECEDENCE.index(condition)
