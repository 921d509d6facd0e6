"""Straps that tell heart rate and RR intervals, and no ECG."""

# ruff: noqa: D102 - the methods' contract is written once, at `conversing.Conversation`.

from firmware_bridge.links.conversing import Strap, refuse_acceleration
from firmware_bridge.links.gatt import Line, Wanted
from firmware_bridge.straps import heart_rate
from firmware_bridge.straps.session import DeviceInfo, RrSession
from firmware_bridge.stream import StreamItem


class HeartRateStrap(Strap):
    """Any strap with the Heart Rate Service: RR intervals, no ECG."""

    def __init__(self, wanted: Wanted) -> None:
        refuse_acceleration(wanted)
        self._wanted = wanted
        self._is_new = True
        self.session: RrSession

    async def prepare(self, line: Line, info: DeviceInfo) -> list[StreamItem]:
        is_new, self._is_new = self._is_new, False
        if is_new:
            self.session = RrSession(self._wanted.source, info)
        return await self._begin(line, is_new=is_new)

    async def start(self, line: Line) -> None:
        await line.connection.subscribe(heart_rate.MEASUREMENT)

    async def stop(self, line: Line) -> None:
        """It measures whether somebody listens or not."""

    def is_flow(self, characteristic: str, value: bytes) -> bool:
        return characteristic == heart_rate.MEASUREMENT

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        if characteristic == heart_rate.BATTERY_LEVEL:
            return self.session.battery(value)
        return self.session.heart_rate(value, host_ns)
