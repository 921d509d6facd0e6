"""What all simulated boards have in common: one frame after another, as a function of time."""

from abc import ABC, abstractmethod
from fractions import Fraction

import numpy as np

from firmware_bridge.boards.samples import BoardForm
from firmware_bridge.simulator.recording import Recording


class SimulatedBoard(ABC):
    """Plays `recording` in a loop at its own rate, as a board of `form` with converters of `bits`.

    A recording with fewer leads than the board has inputs is on several of them.
    """

    per_frame = 1
    """Samples in a frame."""

    def __init__(
        self, recording: Recording, form: BoardForm, bits: int, clock_error_ppm: float = 0.0
    ) -> None:
        self.recording = recording
        self.streaming = True
        self._rate = recording.rate_hz * Fraction(1 + clock_error_ppm / 1e6)
        self._sent = 0  # samples sent or skipped since power came
        leads = np.arange(len(form.leads)) % len(recording.leads)
        counts = np.round(recording.millivolts[:, leads] * form.counts_per_mv) + form.baseline
        limit = 1 << (bits - 1)
        self._counts = np.clip(counts, -limit, limit - 1).astype(np.int64)
        self._off = np.zeros(len(counts), dtype=np.bool_)
        for first, end, _ in recording.leads_off:
            self._off[first:end] = True

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes from the host; frames to answer with. Most boards do not listen."""
        del data
        return []

    def frames_until(self, elapsed_s: float) -> list[bytes]:
        """Frames of what was sampled up to `elapsed_s` since power came, each once."""
        due = int(elapsed_s * self._rate)
        frames: list[bytes] = []
        while self._sent + self.per_frame <= due:
            if self.streaming:
                frames += self._frames()
            self._sent += self.per_frame
        return frames

    @abstractmethod
    def _frames(self) -> list[bytes]:
        """The frames of the next `per_frame` samples."""

    @property
    def _row(self) -> int:
        """Where in the recording the next sample is."""
        return self._sent % len(self._counts)

    def _ecg(self) -> list[int]:
        """Counts of the next sample, one of each lead."""
        return [int(count) for count in self._counts[self._row]]
