"""`firmware-bridge info` of a port: what its device says of itself, or is known to be."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from firmware_bridge.capture_command import driver_of
from firmware_bridge.driver import Driver
from firmware_bridge.errors import LinkError
from firmware_bridge.stream import CounterLoss, LossDetection, StampLoss, StreamOpened


def examine(
    device: str, driver: str | None, baud: int | None, within_s: float | None = None
) -> dict[str, Any]:
    """What the device is, once its samples come; at most `within_s` is waited. Raises
    BridgeError."""
    asked = driver_of(device, driver=driver, baud=baud)
    try:
        opened = asyncio.run(asyncio.wait_for(_opened(asked), within_s))
    except TimeoutError:
        what = f"nothing that {driver or 'serial'} would send came within {within_s} s"
        raise LinkError(f"{device}: {what}") from None
    signal = opened.reference
    return {
        "model": opened.model,
        "firmware": opened.firmware,
        "family": opened.family,
        "rate_hz": float(signal.rate_hz),
        "leads": list(signal.leads),
        "counts_per_mv": list(signal.counts_per_unit),
        "loss": _words(opened.loss),
    }


async def _opened(driver: Driver) -> StreamOpened:
    stream = driver.stream()
    try:
        opened = await anext(stream)
        assert isinstance(opened, StreamOpened)
        return opened
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


def _words(loss: LossDetection) -> str:
    match loss:
        case CounterLoss():
            return f"told by a counter of {loss.modulus} samples"
        case StampLoss():
            return "told by the device's stamps"
        case _:
            return "not told by the format"
