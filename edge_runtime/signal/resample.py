"""From the source's rate to the contract rate, causally, in exact rational time.

Both clocks count from sample 0 of the source: contract index `n` stands for source position
`n * rate / 250`, also behind a gap, so one mapping holds for the whole stream. Two spans part
the two clocks, and `Timeline` knows both: how far ahead of that position the kernel reads
(`reach`, source samples), and by how much the filters delay what they show (`delay`, contract
samples).
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PathError
from edge_runtime.signal.kernels import Polyphase, upfirdn
from edge_runtime.signal.spec import CONTRACT_RATE_HZ, ConditioningSpec

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

LOWEST_RATE_HZ: Final = 100
HIGHEST_RATE_HZ: Final = 1000
MAX_PHASES: Final = 25_000
"""Bounds the table of taps: rates down to a hundredth of a hertz."""


Index = TypeVar("Index", int, Indices)


@dataclass(frozen=True, slots=True)
class _Floor:
    """`floor(scale * index + offset)`, exactly, in integers made beforehand."""

    factor: int
    offset: int
    divisor: int

    @classmethod
    def of(cls, scale: Fraction, offset: Fraction) -> "_Floor":
        common = math.lcm(scale.denominator, offset.denominator)
        return cls(int(scale * common), int(offset * common), common)

    def __call__(self, index: Index) -> Index:
        return (index * self.factor + self.offset) // self.divisor


@dataclass(frozen=True, slots=True)
class Timeline:
    """Exact mapping between contract indices and source indices of one stream."""

    rate_hz: Fraction
    reach: Fraction
    delay: Fraction
    _source: _Floor = field(init=False, repr=False, compare=False)
    _needed: _Floor = field(init=False, repr=False, compare=False)
    _begun: _Floor = field(init=False, repr=False, compare=False)
    _complete: _Floor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scale = self.rate_hz / CONTRACT_RATE_HZ
        # What rounds up is minus the floor of the negative.
        for name, floor in {
            "_source": _Floor.of(scale, Fraction(1, 2) - self.delay * scale),
            "_needed": _Floor.of(-scale, -self.reach),
            "_begun": _Floor.of(-1 / scale, Fraction(0)),
            "_complete": _Floor.of(1 / scale, -self.reach / scale),
        }.items():
            object.__setattr__(self, name, floor)

    def source_index(self, contract: int) -> int:
        """Source index of what contract sample `contract` shows, to the nearest (half: up)."""
        return self._source(contract)

    def source_indices(self, contract: Indices) -> Indices:
        """`source_index` of each of `contract` (k,)."""
        return self._source(contract)

    def decided_index(self, contract: int) -> int:
        """Last source index that contract sample `contract` needed; the kernel reads no later."""
        return -self._needed(contract) - 1

    def decided_indices(self, contract: Indices) -> Indices:
        """`decided_index` of each of `contract` (k,)."""
        return -self._needed(contract) - 1

    def contract_index(self, source: int) -> int:
        """First contract index that stands at or after source index `source`."""
        return -self._begun(source)

    def contract_end(self, source_end: int) -> int:
        """How far the contract clock can be computed from source samples before `source_end`."""
        return self._complete(source_end) + 1

    @property
    def delay_s(self) -> float:
        """How late a contract sample shows what the source saw, in all."""
        return float(self.reach / self.rate_hz + self.delay / CONTRACT_RATE_HZ)


def checked_rate(rate_hz: Fraction) -> Fraction:
    """`rate_hz` itself.

    Raises:
        PathError: outside 100 to 1000 Hz, or too odd a fraction of the contract rate.
    """
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise PathError(
            f"sampling rate {float(rate_hz):g} Hz is outside {LOWEST_RATE_HZ} to "
            f"{HIGHEST_RATE_HZ} Hz; check the device's or the record's stated rate"
        )
    if (CONTRACT_RATE_HZ / rate_hz).numerator > MAX_PHASES:
        raise PathError(
            f"sampling rate {rate_hz} Hz is too odd a fraction of {CONTRACT_RATE_HZ} Hz; "
            "state it to a hundredth of a hertz"
        )
    return rate_hz


def kernel_reach(spec: ConditioningSpec, rate_hz: Fraction) -> Fraction:
    """Half width of the kernel in source samples; 1 where no resampling is needed."""
    if rate_hz == CONTRACT_RATE_HZ:
        return Fraction(1)
    return spec.kernel_reach * max(Fraction(1), rate_hz / CONTRACT_RATE_HZ)


def resampling_taps(spec: ConditioningSpec, rate_hz: Fraction) -> Array:
    """The kernel sampled at `up` points per source sample, (2 * ceil(reach) * up + 1,).

    Above the contract rate the kernel is stretched, so that it also keeps aliases out; below, it
    interpolates. Linear interpolation in the stored table, then each phase is scaled to a sum of
    one, so that a constant stays constant. Only correctly rounded operations on exact integers.
    """
    up = (CONTRACT_RATE_HZ / rate_hz).numerator
    half = math.ceil(kernel_reach(spec, rate_hz)) * up
    squeeze = min(Fraction(1), CONTRACT_RATE_HZ / rate_hz) * spec.kernel_step / up
    distance = np.abs(np.arange(-half, half + 1, dtype=np.int64))
    cell, rest = np.divmod(distance * squeeze.numerator, squeeze.denominator)
    outside = cell >= len(spec.kernel) - 1
    cell[outside] = 0
    left, right = spec.kernel[cell], spec.kernel[cell + 1]
    taps: Array = left + (right - left) * (rest / squeeze.denominator)
    taps[outside] = 0.0
    for phase in range(up):
        taps[phase::up] /= math.fsum(taps[phase::up])
    return taps


class Resampler:
    """Streams (n_leads, n) blocks to the contract rate; any chunking gives the same bits.

    Each call computes from the last output whose phase is zero, so the kernel always meets the
    same taps and samples in the same order.
    """

    def __init__(self, spec: ConditioningSpec, rate_hz: Fraction) -> None:
        self._timeline = Timeline(rate_hz, kernel_reach(spec, rate_hz), Fraction(0))
        ratio = CONTRACT_RATE_HZ / rate_hz
        self._up, self._down = ratio.numerator, ratio.denominator
        self._lead_in = math.ceil(self._timeline.reach)
        # The first output that has the whole kernel must fall on a whole output step.
        span = 2 * self._lead_in * self._up
        pad = -span % self._down
        self._skip = (span + pad) // self._down
        taps = resampling_taps(spec, rate_hz)
        self._polyphase = Polyphase.of(np.concatenate([np.zeros(pad), taps]), self._up, self._down)
        self._next = 0
        self._tail: Array = np.zeros((0, 0))

    @property
    def next_output(self) -> int:
        """Contract index of the next output."""
        return self._next

    def start(self, at: int, first: Array) -> None:
        """Begin at source index `at`, as if `first` (n_leads,) had been there for ever."""
        self._next = self._timeline.contract_index(at)
        n_before = at - (self._base_source() - self._lead_in)
        self._tail = np.repeat(first[:, None], n_before, axis=1)

    def process(self, x: Array) -> Array:
        """Outputs that the next source samples `x` (n_leads, n) complete, (n_leads, m)."""
        if self._up == self._down:
            self._next += x.shape[1]
            return x
        first = self._base_source() - self._lead_in
        buffer = np.concatenate([self._tail, x], axis=1)
        end = self._timeline.contract_end(first + buffer.shape[1])
        if end <= self._next:
            self._tail = buffer
            return np.zeros((x.shape[0], 0))
        base = self._next // self._up * self._up
        filtered = upfirdn(self._polyphase, buffer)
        y = filtered[:, self._skip + self._next - base : self._skip + end - base]
        self._next = end
        self._tail = buffer[:, self._base_source() - self._lead_in - first :].copy()
        return y

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"next": self._next, "tail": self._tail.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `snapshot` was taken."""
        self._next = int(state["next"])
        self._tail = np.array(state["tail"], dtype=np.float64)

    def _base_source(self) -> int:
        """Source index under the last output of phase zero at or before the next one."""
        return self._next // self._up * self._down
