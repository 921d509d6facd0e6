"""Commands for makers while a daemon runs: it has the radio and the ports, so it is asked."""

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from firmware_bridge import daemon_socket
from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.stream import (
    Gap,
    GapReason,
    NoLossDetection,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
)

_ECG: Final = "ecg"
_COUNTS_PER_MV: Final = 10_000.0
"""The daemon tells millivolts; what the converter counted is not asked for."""
_RADIO_WITHIN_S: Final = 90.0
"""Looking for a strap, connecting and bonding, each in its turn."""
_POLL_S: Final = 0.5
_LONGEST: Final = 60_000
"""Samples in one answer."""


class DaemonDevices:
    """The devices of the daemon whose store.directory is `directory`. Every method raises
    LinkError: with the daemon's own words, or NoDaemonError when it is gone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> list[dict[str, Any]]:
        """What its sources read: `source`, `port`, `driver`, `serial`, `status`."""
        told: list[dict[str, Any]] = self._ask("GET", "/devices")["devices"]
        return told

    def reading(self, device: str) -> dict[str, Any] | None:
        """The one of `read` with this address or port."""
        wanted = device.upper()
        return next((one for one in self.read() if one["port"].upper() == wanted), None)

    def scan(self, seconds: float) -> list[dict[str, Any]]:
        """What advertises, as `bleak_radio.Seen`."""
        seen: list[dict[str, Any]] = self._ask("POST", "/devices/scan", {"seconds": seconds})[
            "seen"
        ]
        return seen

    def examine(self, address: str) -> dict[str, Any]:
        """What the strap says of itself, as `pairing.Examined`."""
        told: dict[str, Any] = self._ask("POST", "/devices/examine", {"address": address})
        return told

    def pair(self, address: str, name: str, passkey: int | None) -> dict[str, Any]:
        """Pair it and have the daemon read it; as `KnownDevice`, and `bonded`."""
        order = {"address": address, "name": name, "passkey": passkey}
        told: dict[str, Any] = self._ask("POST", "/devices/pair", order)
        return told

    def lend(self, device: str, for_s: float) -> None:
        """End the session that reads the device; it is read again after `give_back`, or so long."""
        self._ask("POST", "/devices/lend", {"port": device, "for_s": for_s})

    def give_back(self, device: str) -> None:
        """Let the daemon read it again."""
        self._ask("POST", "/devices/lend", {"port": device, "for_s": 0})

    def driver(self, source: str) -> "DaemonSource":
        """The stream of one of its sources, from now on."""
        return DaemonSource(self._directory, source)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return daemon_socket.ask(self._directory, method, path, body, _RADIO_WITHIN_S)


class DaemonSource:
    """Driver for what a running daemon reads. Its gaps are samples that the daemon has not got."""

    def __init__(self, directory: Path, source: str) -> None:
        self._directory = directory
        self._source = source
        self._path = f"/sources/{quote(source, safe='')}"

    async def stream(self) -> AsyncIterator[StreamItem]:
        """Items from now on. Raises LinkError when the daemon, or its session, has ended;
        UsageError for a source without ECG."""
        status = await self._ask(self._path)
        if status["session"] is None:
            raise LinkError(f"nothing comes from source {self._source!r} yet")
        if status["unit"] != "mV":
            raise UsageError(f"{status['model']} sends no ECG: there is nothing to write")
        yield self._opened(status)
        first = end = int(status["end"])
        while True:
            now = await self._ask(self._path)
            if now["session"] != status["session"]:
                raise LinkError(f"source {self._source!r} has begun a new session")
            while end < now["end"]:
                length = min(now["end"] - end, _LONGEST)
                strip = await self._ask(f"{self._path}/strip?first={end}&length={length}")
                samples = np.array(strip["samples"], np.float32).T  # None is NaN
                for item in _items(samples, end - first):
                    yield item
                end += length
            await asyncio.sleep(_POLL_S)

    def _opened(self, status: dict[str, Any]) -> StreamOpened:
        leads = tuple(status["leads"])
        signal = SignalInfo(
            _ECG,
            SignalKind.ECG,
            "mV",
            Fraction(status["rate_hz"]).limit_denominator(1000),
            leads,
            (_COUNTS_PER_MV,) * len(leads),
            (0,) * len(leads),
        )
        described = (status["family"], status["model"], status["firmware"])
        return StreamOpened(self._source, *described, NoLossDetection(), (signal,))

    async def _ask(self, path: str) -> Any:
        return await asyncio.to_thread(partial(daemon_socket.ask, self._directory, "GET", path))


def _items(samples: NDArray[np.float32], first: int) -> list[StreamItem]:
    """Chunks, and gaps where no lead has a sample."""
    missing: NDArray[np.bool_] = np.all(np.isnan(samples), axis=1)
    edges = np.flatnonzero(np.diff(missing)) + 1
    items: list[StreamItem] = []
    for run in np.split(np.arange(len(samples)), edges):
        at = SampleIndex(first + int(run[0]))
        if missing[run[0]]:
            items.append(Gap(_ECG, at, len(run), True, GapReason.LOST_PACKET))
        else:
            items.append(SampleChunk(_ECG, at, samples[run]))
    return items
