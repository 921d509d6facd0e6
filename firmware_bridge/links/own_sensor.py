"""How this project's own sensor is talked to over Bluetooth: the serial port's frames, notified."""

# ruff: noqa: D102 - the methods' contract is written once, at `conversing.Conversation`.

import time

from firmware_bridge.errors import UsageError
from firmware_bridge.links.conversing import refuse_acceleration
from firmware_bridge.links.gatt import Line, Wanted
from firmware_bridge.protocol import MessageType
from firmware_bridge.session import SensorSession
from firmware_bridge.straps import heart_rate, own_service
from firmware_bridge.straps.session import DeviceInfo
from firmware_bridge.stream import DeviceStatus, SampleIndex, StreamItem


class OwnSensor:
    """A sensor with the own GATT service. What it is comes from its HELLO, as on any link."""

    def __init__(self, wanted: Wanted) -> None:
        if wanted.rate_hz is not None:
            raise UsageError("this sensor tells its rate itself: leave out rate_hz")
        refuse_acceleration(wanted)
        self.session = SensorSession(wanted.source)

    async def prepare(self, line: Line, info: DeviceInfo) -> list[StreamItem]:
        await line.connection.subscribe(own_service.DATA)
        if self.session.is_open:
            return []
        items: list[StreamItem] = []

        def greets(value: bytes) -> bool:
            # A greeting may be longer than a notification, and others may come before it.
            items.extend(self.session.feed(value, time.monotonic_ns()))
            return self.session.is_open

        identify = own_service.command(MessageType.IDENTIFY)
        await line.ask(own_service.COMMAND, identify, own_service.DATA, greets)
        if line.has(heart_rate.BATTERY_LEVEL):  # its own STATUS may come ten seconds later
            level = await line.connection.read(heart_rate.BATTERY_LEVEL)
            items.append(DeviceStatus(SampleIndex(0), heart_rate.decode_battery(level)))
        return items

    async def start(self, line: Line) -> None:
        start = own_service.command(MessageType.START)
        await line.connection.write(own_service.COMMAND, start)

    async def stop(self, line: Line) -> None:
        await line.connection.write(own_service.COMMAND, own_service.command(MessageType.STOP))

    def is_flow(self, characteristic: str, value: bytes) -> bool:
        return characteristic == own_service.DATA

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        return self.session.feed(value, host_ns) if characteristic == own_service.DATA else []

    def silence(self, host_ns: int) -> list[StreamItem]:
        return self.session.silence(host_ns)

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        return self.session.link_lost(host_ns, reason)
