"""ProtoCentral's MAX30001 breakout: one lead at 128 Hz, no loss detection, no lead-off. No I/O.

The samples are the chip's 18 bits, signed. A sketch that sets another gain than 20 V/V needs
`counts_per_mv = 131.072 * gain`.
"""

from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge.boards.openview import OpenViewParser, Rows, head
from firmware_bridge.boards.samples import Board, BoardForm, BoardSamples

COUNTS_PER_MV_AT_GAIN_1: Final = 2**17 / 1000
"""MAX30001 data sheet: V = count * 1000 mV / (2^17 * gain)."""
GAIN: Final = 20
"""CNFG_ECG = 0x805000 in the maker's `BeginECGBioZ`: 128 samples a second, gain bits 00."""

PAYLOAD: Final = np.dtype([("ecg", "<i4"), ("bioz", "<i4"), ("bioz_skip", "u1"), ("rest", "V3")])


def _decode(rows: Rows) -> BoardSamples:
    return BoardSamples(rows["ecg"].astype(np.float64)[:, np.newaxis])


BOARD: Final = Board(
    form=BoardForm(
        name="max30001",
        model="ProtoCentral MAX30001",
        leads=("ECG",),
        rate_hz=Fraction(128),
        counts_per_mv=COUNTS_PER_MV_AT_GAIN_1 * GAIN,
    ),
    baud=57_600,
    parser=lambda: OpenViewParser({head(PAYLOAD.itemsize): PAYLOAD}, _decode),
)
