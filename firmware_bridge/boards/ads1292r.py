"""ProtoCentral's ADS1292R shield and breakout: one lead at 125 Hz, no loss detection. No I/O.

The sketch sends the upper bits of the 24-bit converter, `ecg >> 6` (older ones `ecg >> 8`: set
`counts_per_mv = 162.5`). It cannot tell that an electrode is off: the samples are zero then.
"""

from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge.boards.openview import OpenViewParser, Rows, head
from firmware_bridge.boards.samples import Board, BoardForm, BoardSamples

VREF_MV: Final = 2420.0
GAIN: Final = 12
"""CH2SET = 0x60 in the maker's library: gain bits 110, by TI's data sheet (SBAS502) 12."""

PAYLOAD: Final = np.dtype(
    [("ecg", "<i2"), ("resp", "<i2"), ("resp_rate", "u1"), ("", "u1"), ("hr", "u1"), ("rest", "V2")]
)


def counts_per_mv(dropped_bits: int) -> float:
    """Of an ADS1292R at its reference of 2.42 V, without the lowest `dropped_bits` of 24."""
    return (2**23 - 1) * GAIN / VREF_MV / (1 << dropped_bits)


def _decode(rows: Rows) -> BoardSamples:
    return BoardSamples(rows["ecg"].astype(np.float64)[:, np.newaxis])


BOARD: Final = Board(
    form=BoardForm(
        name="ads1292r",
        model="ProtoCentral ADS1292R",
        leads=("ECG",),
        rate_hz=Fraction(125),
        counts_per_mv=counts_per_mv(6),
    ),
    baud=57_600,
    parser=lambda: OpenViewParser({head(PAYLOAD.itemsize): PAYLOAD}, _decode),
)
