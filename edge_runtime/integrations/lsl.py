"""Signal and events as Lab Streaming Layer outlets, for a laboratory's recorders.

LSL has neither encryption nor a login: whoever is in the network reads it.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pylsl

from edge_runtime.publication import Published
from edge_runtime.threads import Ended, InQueue
from firmware_bridge.stream import SampleChunk, SignalInfo, SignalKind, StreamOpened

log = logging.getLogger(__name__)

_BUFFER_S: Final = 30
"""What an inlet that is late may still have; then it loses the oldest."""
_LOOK_EVERY_S: Final = 60.0


class LslOutlets:
    """For each source an outlet of its reference ECG, and one of its events.

    The ECG, named as the source and of type ECG, is in the unit it comes in; each chunk is stamped
    as it comes, a hole is a hole. The events, `NAME events` of type Markers, are the JSON of
    published events. Raises RuntimeError where liblsl is missing.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._signals: dict[str, tuple[str, Any]] = {}  # source -> the signal's id, its outlet
        self._events: dict[str, Any] = {}

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Pass on; liblsl buffers for each inlet and never waits for one."""
        with self._lock:
            match item:
                case StreamOpened() if item.reference.kind is SignalKind.ECG:
                    signal = item.reference
                    self._signals[source] = (signal.id, self._ecg(source, signal))
                    self._events.setdefault(source, self._markers(source))
                case SampleChunk() if self._signals.get(source, ("",))[0] == item.signal:
                    rows = np.ascontiguousarray(item.samples, np.float32)
                    self._signals[source][1].push_chunk(rows, pylsl.local_clock())
                case Ended():
                    self._signals.pop(source, None)
                case _:
                    pass
            events = self._events.get(source)
            for one in published:
                if events is not None:
                    events.push_sample([msgspec.json.encode(one).decode()])

    def say(self, source: str, message: str) -> None:
        """For people at this machine."""

    def keep(self, sources: Sequence[str]) -> None:
        """Let go of the outlets of sources that are gone."""
        with self._lock:
            for gone in self._events.keys() - set(sources):
                self._events.pop(gone)
                self._signals.pop(gone, None)

    async def run(self) -> None:
        """Outlets live until cancelled."""
        try:
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            with self._lock:
                self._signals.clear()
                self._events.clear()

    def _ecg(self, source: str, signal: SignalInfo) -> Any:
        rate = float(signal.rate_hz)
        leads, name = signal.leads, f"{self._node} {source} {signal.id}"
        info = pylsl.StreamInfo(source, "ECG", len(leads), rate, pylsl.cf_float32, name)
        channels = info.desc().append_child("channels")
        for lead in leads:
            channel = channels.append_child("channel")
            channel.append_child_value("label", lead)
            channel.append_child_value("unit", "millivolts" if signal.unit == "mV" else signal.unit)
            channel.append_child_value("type", "ECG")
        return pylsl.StreamOutlet(info, max_buffered=_BUFFER_S)

    def _markers(self, source: str) -> Any:
        name, identity = f"{source} events", f"{self._node} {source} events"
        info = pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, identity)
        return pylsl.StreamOutlet(info)
