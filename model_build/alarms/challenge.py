"""The PhysioNet/CinC Challenge 2015: its alarms and its score.

Clifford GD et al., Computing in Cardiology 2015;42:273. The score counts a true alarm that was
suppressed five times: 100 (TP + TN) / (TP + TN + FP + 5 FN).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model_build.errors import DataError

ALARM_S: Final = 300.0
"""The monitor raised its alarm at 5:00; nothing after it is read (real-time event)."""


@dataclass(frozen=True, slots=True)
class ChallengeAlarm:
    """A monitor's alarm in `record`, of one of five kinds, and whether it was true."""

    record: str
    kind: str
    is_true: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Alarms by what they were and whether ours were raised."""

    tp: int = 0
    fp: int = 0
    tn: int = 0
    fn: int = 0

    @property
    def score(self) -> float:
        """The challenge's formula, 0 to 100."""
        weight = self.tp + self.fp + self.tn + 5 * self.fn
        return 100.0 * (self.tp + self.tn) / weight if weight else 0.0


def read_alarms(folder: Path) -> list[ChallengeAlarm]:
    """The file `ALARMS`. Raises DataError where it cannot be read."""
    try:
        lines = (folder / "ALARMS").read_text(encoding="ascii").split()
        rows = [line.split(",") for line in lines]
        return [ChallengeAlarm(record, kind, verdict == "1") for record, kind, verdict in rows]
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / 'ALARMS'} cannot be read: {error}") from error


def tally(outcomes: Iterable[tuple[ChallengeAlarm, bool]]) -> Tally:
    """Count pairs of an alarm and whether it was raised here as well."""
    counts = {"tp": 0, "fp": 0, "tn": 0, "fn": 0}
    for alarm, raised in outcomes:
        name = ("tp" if raised else "fn") if alarm.is_true else ("fp" if raised else "tn")
        counts[name] += 1
    return Tally(**counts)
