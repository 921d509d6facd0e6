"""What a simulated device on a serial port looks like to whatever carries its bytes."""

from typing import Protocol


class SimulatedDevice(Protocol):
    """Frames as a function of time: no I/O, no clock."""

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes from the host; frames to answer with."""
        ...

    def frames_until(self, elapsed_s: float) -> list[bytes]:
        """Frames of what was sampled up to `elapsed_s` since power came, each once."""
        ...
