"""An AD8232 behind an Arduino with SparkFun's sketch, in software."""

from firmware_bridge.boards.ad8232 import BOARD, HIGHEST
from firmware_bridge.simulator.boards.board import SimulatedBoard
from firmware_bridge.simulator.recording import Recording


class SimulatedAd8232(SimulatedBoard):
    """Prints a number a line, or `!` while a lead is off."""

    def __init__(self, recording: Recording, clock_error_ppm: float = 0.0) -> None:
        super().__init__(recording, BOARD.form, 16, clock_error_ppm)

    def _frames(self) -> list[bytes]:
        if self._off[self._row]:
            return [b"!\r\n"]
        return [b"%d\r\n" % min(max(self._ecg()[0], 0), HIGHEST)]
