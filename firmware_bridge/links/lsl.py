"""A Lab Streaming Layer stream as a device: found by name or by a property, through lost links."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np
import pylsl
from pylsl.util import LostError

from firmware_bridge.errors import LinkError, ProtocolError
from firmware_bridge.links.reconnect import Backoff
from firmware_bridge.lsl_session import LslForm, LslSession
from firmware_bridge.stream import StreamItem

_FOUND_WITHIN_S: Final = 3.0
"""Streams answer a query within half a second on one network."""
_TICK_S: Final = 0.25
_PULL_S: Final = 0.2
_MOST_SAMPLES: Final = 8192
_BUFFER_S: Final = 60
_SILENT_S: Final = 3.0


class LslInlet:
    """Driver for one stream. `port` is its name, or PROPERTY=VALUE (`type=ECG`, `source_id=x`)."""

    def __init__(self, source: str, port: str, counts_per_mv: float | None = None) -> None:
        self._source = source
        self._port = port
        name, equals, value = port.partition("=")
        self._wanted = (name, value) if equals else ("name", port)
        self._counts_per_mv = counts_per_mv
        self._session: LslSession | None = None

    async def stream(self) -> AsyncIterator[StreamItem]:
        """Items of this stream. Raises LinkError before it was found for the first time,
        UsageError for a stream that is no ECG, ProtocolError when another one answers."""
        backoff = Backoff()
        while True:
            connecting = asyncio.create_task(asyncio.to_thread(self._connect))
            async for item in self._wait_for(connecting):
                yield item
            try:
                inlet = connecting.result()
            except LinkError:
                if self._session is None:
                    raise
                pause = asyncio.create_task(asyncio.sleep(backoff.next_s()))
                async for item in self._wait_for(pause):
                    yield item
                continue
            backoff.reset()
            session, is_new = self._opened(inlet)
            if is_new:
                yield session.opened
            reason = f"no data for {_SILENT_S:.0f} s, connecting anew"
            try:
                async for item in self._pull(inlet, session):
                    yield item
            except LostError:
                reason = "the sender is gone"
            finally:
                inlet.close_stream()
            for item in session.link_lost(time.monotonic_ns(), reason):
                yield item

    async def _wait_for(self, task: "asyncio.Task[Any]") -> AsyncIterator[StreamItem]:
        """Items of the silence until `task` is over."""
        try:
            while not (await asyncio.wait({task}, timeout=_TICK_S))[0]:
                if self._session is not None:
                    for item in self._session.silence(time.monotonic_ns()):
                        yield item
        finally:
            if not task.done():
                task.cancel()

    async def _pull(self, inlet: Any, session: LslSession) -> AsyncIterator[StreamItem]:
        """Until the sender is gone (raises) or silent for too long (returns)."""
        heard_s = time.monotonic()
        while time.monotonic() - heard_s < _SILENT_S:
            rows, stamps = await asyncio.to_thread(inlet.pull_chunk, _PULL_S, _MOST_SAMPLES)
            now_ns = time.monotonic_ns()
            if not stamps:
                for item in session.silence(now_ns):
                    yield item
                continue
            heard_s = time.monotonic()
            for item in session.chunk(np.asarray(rows, np.float64), stamps[-1], now_ns):
                yield item

    def _connect(self) -> Any:
        found = pylsl.resolve_byprop(*self._wanted, minimum=1, timeout=_FOUND_WITHIN_S)
        if not found:
            raise LinkError(
                f"no LSL stream with {'='.join(self._wanted)} on this network; "
                "is its sender running, and is multicast allowed?"
            )
        inlet = pylsl.StreamInlet(found[0], max_buflen=_BUFFER_S, recover=False)
        try:
            inlet.open_stream(timeout=_FOUND_WITHIN_S)
        except (LostError, TimeoutError) as error:
            raise LinkError(f"LSL stream {self._port} cannot be opened: {error}") from error
        return inlet

    def _opened(self, inlet: Any) -> tuple[LslSession, bool]:
        form = _form(inlet.info(_FOUND_WITHIN_S))
        made = LslSession(self._source, form, self._counts_per_mv)
        if self._session is None:
            self._session = made
            return made, True
        if made.opened != self._session.opened:
            raise ProtocolError(f"another LSL stream answers to {self._port}: {form.name}")
        return self._session, False


def _form(info: Any) -> LslForm:
    labels, units = [], []
    channel = info.desc().child("channels").child("channel")
    for _ in range(info.channel_count()):
        labels.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    return LslForm(info.name(), info.nominal_srate(), tuple(labels), tuple(units))
