"""ProtoCentral's HealthyPi 5: one lead at 128 Hz, no loss detection, no lead-off. No I/O.

Firmware before 1.0 sends a packet for each sample, later ones eight samples at once and PPG in
packets of its own. Samples are the MAX30001's 18 bits, six bits up. The gain is that of the maker's
device tree (`ecg-gain = <3>`, 160 V/V); others need `counts_per_mv = 8388.608 * gain`.
"""

from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge.boards.max30001 import COUNTS_PER_MV_AT_GAIN_1
from firmware_bridge.boards.openview import OpenViewParser, Rows, head
from firmware_bridge.boards.samples import Board, BoardForm, BoardSamples

GAIN: Final = 160
SHIFT: Final = 6
BATCH: Final = 8
BATCH_KIND: Final = 0x03
PPG_KIND: Final = 0x04

SINGLE: Final = np.dtype(
    [
        ("ecg", "<i4", (1,)),
        ("bioz", "<i4"),
        ("bioz_skip", "u1"),
        ("ppg", "<i4", (2,)),
        ("rest", "V5"),
    ]
)
BATCHED: Final = np.dtype(
    [("ecg", "<i4", (BATCH,)), ("bioz", "<i4", (4,)), ("hr", "u1"), ("resp_rate", "u1")]
)
PPG: Final = np.dtype([("ppg", "<i2", (8,)), ("spo2", "u1"), ("temperature", "V2")])
PAYLOADS: Final = {
    head(SINGLE.itemsize): SINGLE,
    head(BATCHED.itemsize, BATCH_KIND): BATCHED,
    head(PPG.itemsize, PPG_KIND): PPG,
}


def _decode(rows: Rows) -> BoardSamples | None:
    if rows.dtype == PPG:
        return None
    return BoardSamples(rows["ecg"].astype(np.float64).reshape(-1, 1))


BOARD: Final = Board(
    form=BoardForm(
        name="healthypi5",
        model="ProtoCentral HealthyPi 5",
        leads=("ECG",),
        rate_hz=Fraction(128),
        counts_per_mv=COUNTS_PER_MV_AT_GAIN_1 * GAIN * (1 << SHIFT),
    ),
    baud=115_200,
    parser=lambda: OpenViewParser(PAYLOADS, _decode),
)
