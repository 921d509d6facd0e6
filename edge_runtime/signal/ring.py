"""The last minutes of raw samples, for strips, explanations and export."""

import numpy as np
from numpy.typing import NDArray


class RingBuffer:
    """Keeps the newest `capacity` samples of all leads in one block made once.

    Every sample is copied in once; writing allocates nothing that grows with the samples. Samples
    that never came are NaN, as are those not held (too old, or not there yet).

    Args:
        capacity: samples to hold, per lead.
        n_leads: columns.
    """

    def __init__(self, capacity: int, n_leads: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring of {capacity} samples holds nothing")
        self._block = np.full((capacity, n_leads), np.nan, dtype=np.float32)
        self._end = 0
        self._began = 0
        self._empty = True

    @property
    def first(self) -> int:
        """Index of the oldest sample held."""
        return max(self._began, self._end - len(self._block))

    @property
    def end(self) -> int:
        """Index just after the newest sample."""
        return self._end

    def write(self, first: int, samples: NDArray[np.float32]) -> None:
        """Take samples (n, n_leads) whose first has index `first`; a jump ahead becomes a gap.

        Raises:
            ValueError: `first` lies before the end of what was written.
        """
        self._advance_to(first)
        capacity = len(self._block)
        newest = samples[-capacity:]
        self._end = first + len(samples)
        begin = (self._end - len(newest)) % capacity
        until_wrap = min(len(newest), capacity - begin)
        self._block[begin : begin + until_wrap] = newest[:until_wrap]
        self._block[: len(newest) - until_wrap] = newest[until_wrap:]

    def skip_to(self, index: int) -> None:
        """Samples before `index` never came. Raises ValueError where they did."""
        self._advance_to(index)

    def read(self, first: int, end: int) -> NDArray[np.float32]:
        """A copy of samples [first, end), (end - first, n_leads), NaN where there is none."""
        out = np.full((max(0, end - first), self._block.shape[1]), np.nan, dtype=np.float32)
        begin, stop = max(first, self.first), min(end, self._end)
        if begin < stop:
            capacity = len(self._block)
            place = begin % capacity
            until_wrap = min(stop - begin, capacity - place)
            middle = begin - first + until_wrap
            out[begin - first : middle] = self._block[place : place + until_wrap]
            out[middle : stop - first] = self._block[: stop - begin - until_wrap]
        return out

    def _advance_to(self, index: int) -> None:
        if self._empty:
            self._began = self._end = index
            self._empty = False
        if index < self._end:
            raise ValueError(f"sample {index} was already written; the ring is at {self._end}")
        missing = index - self._end
        capacity = len(self._block)
        if missing >= capacity:
            self._block[:] = np.nan
        elif missing:
            begin = self._end % capacity
            until_wrap = min(missing, capacity - begin)
            self._block[begin : begin + until_wrap] = np.nan
            self._block[: missing - until_wrap] = np.nan
        self._end = index
