"""ProtoCentral's HealthyPi v3 and v4: one lead at 125 Hz, lead-off, no loss detection. No I/O.

Both send the ADS1292R's ECG without its lowest eight bits, low-passed at 40 Hz by the board, zero
while an electrode is off. They differ in the status byte: v3 has bit 0 for the ECG and bit 1 for
the finger probe; v4 has the chip's own five bits, of which any means an ECG electrode.
"""

from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge.boards.ads1292r import counts_per_mv
from firmware_bridge.boards.openview import OpenViewParser, Rows, head
from firmware_bridge.boards.samples import Board, BoardForm, BoardSamples

PAYLOAD: Final = np.dtype(
    [
        ("ecg", "<i2"),
        ("resp", "<i2"),
        ("ir", "<i4"),
        ("red", "<i4"),
        ("temperature", "<u2"),
        ("resp_rate", "u1"),
        ("spo2", "u1"),
        ("hr", "u1"),
        ("blood_pressure", "V2"),
        ("status", "u1"),
    ]
)
V3_OFF: Final = 0x01
V4_OFF: Final = 0x1F


def _board(name: str, model: str, off_bits: int) -> Board:
    def decode(rows: Rows) -> BoardSamples:
        ecg = rows["ecg"].astype(np.float64)[:, np.newaxis]
        return BoardSamples(ecg, off=(rows["status"] & off_bits != 0)[:, np.newaxis])

    form = BoardForm(name, model, ("ECG",), Fraction(125), counts_per_mv(8))
    payloads = {head(PAYLOAD.itemsize): PAYLOAD}
    return Board(form, 115_200, lambda: OpenViewParser(payloads, decode))


V3: Final = _board("healthypi3", "ProtoCentral HealthyPi v3", V3_OFF)
V4: Final = _board("healthypi4", "ProtoCentral HealthyPi v4", V4_OFF)
