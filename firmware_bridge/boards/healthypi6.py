"""ProtoCentral's HealthyPi 6 over TCP (`tcp://HOST:5000`): three leads at 500 Hz, counted. No I/O.

Second version of OpenView: the ECG in microvolts, and a sequence number of 32 bits with each
sample. Respiration and lead-off are in the board's own recordings, not in this stream.
"""

from fractions import Fraction
from typing import Final

import numpy as np

from firmware_bridge.boards.openview import DATA, SYNC, OpenViewParser, Rows
from firmware_bridge.boards.samples import Board, BoardForm, BoardSamples

VERSION: Final = 0x02
LEADS: Final = ("I", "II", "V1")

PAYLOAD: Final = np.dtype(
    [
        ("sequence", "<u4"),
        ("ecg", "<i4", (3,)),
        ("resp", "<i4"),
        ("ppg", "<i4", (2,)),
        ("ppg_valid", "u1"),
        ("hr", "<u2"),
        ("spo2", "u1"),
        ("resp_rate", "u1"),
        ("temperature", "<u2"),
        ("adc", "<i4", (2,)),
    ]
)
HEAD: Final = SYNC + bytes([PAYLOAD.itemsize, VERSION, DATA])


def _decode(rows: Rows) -> BoardSamples:
    numbers = rows["sequence"].astype(np.int64)
    return BoardSamples(rows["ecg"].astype(np.float64), numbers=numbers)


BOARD: Final = Board(
    form=BoardForm(
        name="healthypi6",
        model="ProtoCentral HealthyPi 6",
        leads=LEADS,
        rate_hz=Fraction(500),
        counts_per_mv=1000.0,
        modulus=1 << 32,
        counts_on=True,
    ),
    baud=115_200,
    parser=lambda: OpenViewParser({HEAD: PAYLOAD}, _decode),
)
