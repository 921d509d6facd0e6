"""From a driver's stream to WFDB records: the ECG as it comes, holes as invalid samples; what the
device sends beside it (acceleration) in a record of its own."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.driver import Driver
from firmware_bridge.errors import UsageError
from firmware_bridge.records import INVALID_COUNT, Header, SignalSpec, SignalWriter
from firmware_bridge.stream import (
    Gap,
    SampleChunk,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
)

_FMT: Final = 24
_LIMIT: Final = 0x7FFFFF
"""Of format 24, which holds what any front end sends."""
_BLOCK: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Captured:
    """What a record holds. `n_samples` counts the `n_missing` in holes, too. `beside` are records
    of the device's other signals."""

    record: str
    model: str
    rate_hz: float
    leads: tuple[str, ...]
    n_samples: int
    n_missing: int
    beside: tuple[str, ...] = ()


async def capture(
    driver: Driver,
    path: Path,
    seconds: float | None,
    *,
    stop: asyncio.Event,
    progress: Callable[[float], None] = lambda _seconds: None,
) -> Captured:
    """Write the device's ECG to the record `path` for `seconds` of its time, or until `stop`, and
    every other signal to `path`_ID, each at its own nominal rate.

    `progress` is called with the seconds so far. Raises BridgeError; UsageError for a device that
    sends no ECG.
    """
    stream = driver.stream()
    try:
        opened = await anext(stream)
        assert isinstance(opened, StreamOpened)
        signal = _ecg(opened)
        wanted = None if seconds is None else int(seconds * signal.rate_hz)
        written = missing = 0
        others = [s for s in opened.signals if s is not signal and s.kind is not SignalKind.RR]
        with ExitStack() as records:
            out = records.enter_context(SignalWriter(path, _header(path, signal)))
            beside = [(s, _beside(path, s)) for s in others]
            outs = [(s, records.enter_context(SignalWriter(p, _header(p, s)))) for s, p in beside]
            async for item in stream:
                for other, its in outs:
                    for block in _blocks(item, other):
                        its.write(block)
                for block in _blocks(item, signal):
                    room = len(block) if wanted is None else wanted - written
                    out.write(block[:room])
                    written += min(len(block), room)
                    missing += min(len(block), room) if isinstance(item, Gap) else 0
                reached = int(item.at) if isinstance(item, Tick) else written
                progress(float(written / signal.rate_hz))
                if stop.is_set() or (wanted is not None and max(reached, written) >= wanted):
                    break
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
    rate_hz = float(signal.rate_hz)
    named = tuple(str(p) for _, p in beside)
    return Captured(str(path), opened.model, rate_hz, signal.leads, written, missing, named)


def _beside(path: Path, signal: SignalInfo) -> Path:
    return path.with_name(f"{path.name}_{signal.id}")


def _ecg(opened: StreamOpened) -> SignalInfo:
    for signal in opened.signals:
        if signal.kind is SignalKind.ECG:
            return signal
    raise UsageError(f"{opened.model} sends no ECG: there is nothing to write to a record")


def _header(path: Path, signal: SignalInfo) -> Header:
    now = dt.datetime.now()  # noqa: DTZ005 - WFDB's base time is local
    specs = tuple(
        SignalSpec(
            name=lead,
            file_name="",
            fmt=_FMT,
            adc_gain=gain,
            baseline=baseline,
            units=signal.unit,
            adc_res=_FMT,
            adc_zero=baseline,
        )
        for lead, gain, baseline in zip(
            signal.leads, signal.counts_per_unit, signal.baseline, strict=True
        )
    )
    return Header(path.name, signal.rate_hz, 0, specs, base_time=now.time(), base_date=now.date())


def _blocks(item: StreamItem, signal: SignalInfo) -> Iterator[NDArray[np.int64]]:
    """The counts (n, n_leads) that `item` brings, those of a hole invalid."""
    match item:
        case SampleChunk() if item.signal == signal.id:
            yield _counts(item, signal)
        case Gap() if item.signal == signal.id:
            for first in range(0, item.n_missing, _BLOCK):
                n = min(_BLOCK, item.n_missing - first)
                yield np.full((n, len(signal.leads)), INVALID_COUNT, np.int64)
        case _:
            return


def _counts(chunk: SampleChunk, signal: SignalInfo) -> NDArray[np.int64]:
    """What the device's converter gave, NaN as invalid."""
    counts = chunk.samples.astype(np.float64) * signal.counts_per_unit + signal.baseline
    valid = np.isfinite(counts)
    rounded = np.clip(np.round(np.where(valid, counts, 0.0)), -_LIMIT, _LIMIT).astype(np.int64)
    return np.where(valid, rounded, INVALID_COUNT)
