"""The engine of the safe mode: it says what comes and goes, and judges nothing.

No models, no signal path, no rules: whatever makes the usual engine crash is not here. The store
keeps the signal beside it.
"""

from typing import Final

from edge_runtime.engine_stages import source_opened
from edge_runtime.events import DeviceReported, Event, LinkStateChanged, Notice, UserMarked
from edge_runtime.rules.settings import RuleSettings
from firmware_bridge.stream import (
    DeviceStatus,
    Gap,
    LinkChanged,
    SampleChunk,
    StreamItem,
    StreamOpened,
    UserMark,
)

RECORDING_ONLY: Final = "safe mode: recording only, nobody looks at the signal and no alarm comes"


class RecordingEngine:
    """Knows of one stream how far it has come."""

    def __init__(self, opened: StreamOpened) -> None:
        self._signal = opened.reference.id
        self._end = 0

    def feed(self, item: StreamItem) -> list[Event]:
        """What is told of `item` without looking at the signal."""
        match item:
            case StreamOpened():
                notice = Notice(at=0, decided=0, code="safe_mode", message=RECORDING_ONLY)
                return [source_opened(item, 0), notice]
            case SampleChunk() if item.signal == self._signal:
                self._end = max(self._end, item.end)
            case Gap() if item.signal == self._signal:
                self._end = max(self._end, item.first + item.n_missing)
            case LinkChanged():
                where = self._where(item.at)
                return [LinkStateChanged(**where, up=item.up, reason=item.reason)]
            case UserMark():
                return [UserMarked(**self._where(item.at), text=item.text)]
            case DeviceStatus():
                return [
                    DeviceReported(
                        **self._where(item.at),
                        battery_percent=item.battery_percent,
                        contact=item.contact,
                    )
                ]
            case _:
                pass
        return []

    def finish(self) -> list[Event]:
        """Nothing is left to be said."""
        return []

    def change_rules(self, rules: RuleSettings, changes: object) -> list[Event]:
        """There are none."""
        return []

    def _where(self, at: int) -> dict[str, int]:
        self._end = max(self._end, at)
        return {"at": at, "decided": self._end}
