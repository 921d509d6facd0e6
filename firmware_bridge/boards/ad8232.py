"""AD8232 front end behind an Arduino: one number a line, no time and no loss detection. No I/O.

SparkFun's sketch prints `analogRead` (0 to 1023) on a line, or `!` while a lead is off. Its rate is
set by a delay and by how long a line takes, so it is measured before the stream opens, unless it
is configured. The scale is that of SparkFun's board (gain 1100) read against 3.3 V; an Arduino that
reads against 5 V needs `counts_per_mv = 225`.
"""

from typing import Final

import numpy as np

from firmware_bridge.boards.samples import (
    Board,
    BoardForm,
    BoardItem,
    BoardSamples,
    Unreadable,
)

HIGHEST: Final = 1023
LEAD_OFF: Final = b"!"
_LONGEST_LINE: Final = 16
_GAIN: Final = 1100
_SUPPLY_MV: Final = 3300


class LineParser:
    """Lines of one number each."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[BoardItem]:
        """Samples of whole lines in `data` and what was kept back, and what was skipped."""
        *lines, rest = (self._pending + data).split(b"\n")
        items: list[BoardItem] = []
        values: list[float] = []
        for line in lines:
            value = _value(line.strip())
            if value is not None:
                values.append(value)
            elif line.strip():
                items += _samples(values)
                values = []
                items.append(Unreadable("not a number of a 10-bit converter", len(line) + 1))
        items += _samples(values)
        if len(rest) > _LONGEST_LINE:
            items.append(Unreadable("no end of a line", len(rest) - _LONGEST_LINE))
            rest = rest[-_LONGEST_LINE:]
        self._pending = rest
        return items


def _value(line: bytes) -> float | None:
    """The count of a line, NaN for a lead that is off, None for what is neither."""
    if line == LEAD_OFF:
        return np.nan
    if not line.isdigit() or len(line) > len(str(HIGHEST)) or int(line) > HIGHEST:
        return None
    return float(int(line))


def _samples(values: list[float]) -> list[BoardItem]:
    if not values:
        return []
    counts = np.array(values, np.float64)[:, np.newaxis]
    return [BoardSamples(counts, off=np.isnan(counts))]


BOARD: Final = Board(
    form=BoardForm(
        name="ad8232",
        model="AD8232",
        leads=("ECG",),
        rate_hz=None,
        counts_per_mv=_GAIN * HIGHEST / _SUPPLY_MV,
        baseline=(HIGHEST + 1) // 2,
    ),
    baud=9600,
    parser=LineParser,
    greeting_s=12.0,
)
