"""How each family of straps is talked to: what to subscribe to, how to start, how to stop.

A `Conversation` lasts over reconnects, as its session does. It does no I/O of its own but through
the `Line` it is given.
"""

# ruff: noqa: D102 - the methods' contract is written once, at `Conversation`.

from collections.abc import Callable
from fractions import Fraction
from typing import Final, Protocol, TypeVar

from firmware_bridge.errors import LinkError, ProtocolError, UsageError
from firmware_bridge.links.gatt import Line, Wanted
from firmware_bridge.links.own_sensor import OwnSensor
from firmware_bridge.straps import heart_rate, movesense_gsp, own_service, polar_pmd
from firmware_bridge.straps.session import (
    DeviceInfo,
    EcgForm,
    EcgSession,
    Packet,
    RrSession,
    StrapSession,
)
from firmware_bridge.stream import StreamItem

_Decoded = TypeVar("_Decoded")

_STAMP_NS: Final = 1_000_000
"""Movesense counts milliseconds; Polar writes nanoseconds of a clock not known to be better."""
_MS: Final = 1_000_000
_NS: Final = 1_000_000_000
_MOVESENSE_RATE_HZ: Final = 256
"""The nearest to the 250 Hz that everything is analysed at."""
_REFERENCE: Final = 0x63


class Conversation(Protocol):
    """One family's way to talk, and the session it makes of it."""

    data: str
    """The characteristic whose silence is a stall."""

    async def prepare(self, line: Line, info: DeviceInfo) -> list[StreamItem]:
        """Connected: items to begin with (StreamOpened the first time). Raises LinkError."""
        ...

    async def start(self, line: Line) -> None:
        """Make data flow. Raises LinkError."""
        ...

    async def stop(self, line: Line) -> None:
        """Make the device stop measuring. Raises LinkError."""
        ...

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        """Items of a notification. Raises ProtocolError when another device answers."""
        ...

    def silence(self, host_ns: int) -> list[StreamItem]:
        """As of `StrapSession`."""
        ...

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """As of `StrapSession`."""
        ...


class _Strap:
    """What the families have in common: battery, silence, the link."""

    session: StrapSession

    def silence(self, host_ns: int) -> list[StreamItem]:
        return self.session.silence(host_ns)

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        return self.session.link_lost(host_ns, reason)

    async def _begin(self, line: Line, *, is_new: bool) -> list[StreamItem]:
        """StreamOpened the first time; the battery, and its changes from now on."""
        items: list[StreamItem] = [self.session.opened] if is_new else []
        if line.has(heart_rate.BATTERY_LEVEL):
            items += self.session.battery(await line.connection.read(heart_rate.BATTERY_LEVEL))
            if heart_rate.BATTERY_LEVEL in line.connection.notifying:
                await line.connection.subscribe(heart_rate.BATTERY_LEVEL)
        return items


class PolarStrap(_Strap):
    """Polar H10 and its family: ECG by PMD, contact and RR by the Heart Rate Service."""

    data = polar_pmd.DATA

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._chosen: dict[polar_pmd.Setting, int] = {}
        self.session: EcgSession  # made by `prepare`, when the rate is known

    async def prepare(self, line: Line, info: DeviceInfo) -> list[StreamItem]:
        is_new = not self._chosen
        features = await line.connection.read(polar_pmd.CONTROL_POINT)
        if polar_pmd.Measurement.ECG not in _understood(polar_pmd.decode_features, features):
            raise UsageError("this Polar device measures no ECG; use it as family = 'heart-rate'")
        await line.connection.subscribe(polar_pmd.CONTROL_POINT)
        if is_new:
            offered = await self._command(
                line, polar_pmd.settings_command(polar_pmd.Measurement.ECG)
            )
            self._chosen = self._choose(_understood(polar_pmd.decode_settings, offered.parameters))
            rate = Fraction(self._chosen[polar_pmd.Setting.RATE])
            form = EcgForm("Polar PMD", rate, 1000.0, _STAMP_NS)
            self.session = EcgSession(self._wanted.source, info, form)
        return await self._begin(line, is_new=is_new)

    def _choose(
        self, offered: dict[polar_pmd.Setting, tuple[int, ...]]
    ) -> dict[polar_pmd.Setting, int]:
        rates = offered.get(polar_pmd.Setting.RATE, ())
        if not rates:
            raise LinkError("the strap offers no sampling rate")
        rate = self._wanted.rate_hz or max(rates)
        if rate not in rates:
            raise UsageError(f"no rate of {rate} Hz; this strap has {_listed(rates)}")
        return {setting: max(values) for setting, values in offered.items() if values} | {
            polar_pmd.Setting.RATE: rate
        }

    async def start(self, line: Line) -> None:
        if line.has(heart_rate.MEASUREMENT):
            await line.connection.subscribe(heart_rate.MEASUREMENT)
        await line.connection.subscribe(polar_pmd.DATA)
        command = polar_pmd.start_command(polar_pmd.Measurement.ECG, self._chosen)
        answer = await self._command(line, command)
        if answer.error == polar_pmd.ALREADY_STREAMING:  # a client before us left it so
            await self.stop(line)
            answer = await self._command(line, command)
        if answer.error:
            raise LinkError(f"the strap does not start its ECG: {answer.reason}")

    async def stop(self, line: Line) -> None:
        await self._command(line, polar_pmd.stop_command(polar_pmd.Measurement.ECG))

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        if characteristic == heart_rate.BATTERY_LEVEL:
            return self.session.battery(value)
        if characteristic == heart_rate.MEASUREMENT:
            return self.session.heart_rate(value, host_ns)
        if characteristic != polar_pmd.DATA:
            return []  # a strap that stops by itself falls silent, and the watchdog starts it anew
        try:
            frame = polar_pmd.decode_ecg(value)
        except ProtocolError as error:
            return self.session.skip(str(error), len(value), host_ns)
        packet = Packet(
            frame.stamp_ns, frame.millivolts, frame.contact, frame.paced, n_bytes=len(value)
        )
        return self.session.packet(packet, host_ns)

    async def _command(self, line: Line, command: bytes) -> polar_pmd.Answer:
        def answers(value: bytes) -> bool:
            return value[:2] == bytes((0xF0, command[0])) and value[2:3] == command[1:2]

        point = polar_pmd.CONTROL_POINT
        value = await line.ask(point, command, point, answers)
        answer = _understood(polar_pmd.decode_control, value)
        assert isinstance(answer, polar_pmd.Answer)
        return answer


class MovesenseStrap(_Strap):
    """Movesense sensors with the GATT Sensordata Protocol."""

    data = movesense_gsp.DATA

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._rate_hz = wanted.rate_hz or _MOVESENSE_RATE_HZ
        if self._rate_hz not in movesense_gsp.RATES_HZ:
            rates = _listed(movesense_gsp.RATES_HZ)
            raise UsageError(f"no rate of {self._rate_hz} Hz; Movesense has {rates}")
        self._short: bool | None = None  # known once the sensor has taken or refused `/mV`
        self._reader = movesense_gsp.EcgReader(_REFERENCE, short=True)
        self._stamps = _Unwrapped(movesense_gsp.STAMP_MODULUS_MS)
        self.session: EcgSession

    async def prepare(self, line: Line, info: DeviceInfo) -> list[StreamItem]:
        is_new = self._short is None
        await line.connection.subscribe(movesense_gsp.DATA)
        if is_new:
            # Which form it has shows only when it is asked for; what comes before StreamOpened
            # must not reach the session, so it is taken back at once.
            answer = await self._subscribe(line, short=True)
            self._short = answer.is_ok
            if self._short:
                await self.stop(line)
            per_mv = 1 / (
                movesense_gsp.MV_PER_COUNT_SHORT if self._short else movesense_gsp.MV_PER_COUNT
            )
            form = EcgForm("Movesense GSP", Fraction(self._rate_hz), per_mv, _STAMP_NS)
            self.session = EcgSession(self._wanted.source, info, form)
        return await self._begin(line, is_new=is_new)

    async def start(self, line: Line) -> None:
        assert self._short is not None
        self._reader = movesense_gsp.EcgReader(_REFERENCE, short=self._short)
        if line.has(heart_rate.MEASUREMENT):
            await line.connection.subscribe(heart_rate.MEASUREMENT)
        answer = await self._subscribe(line, short=self._short)
        if not answer.is_ok:
            raise LinkError(f"the sensor does not start its ECG: {answer.reason}")

    async def stop(self, line: Line) -> None:
        await line.connection.write(movesense_gsp.COMMAND, movesense_gsp.unsubscribe(_REFERENCE))

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        if characteristic == heart_rate.BATTERY_LEVEL:
            return self.session.battery(value)
        if characteristic == heart_rate.MEASUREMENT:
            return self.session.heart_rate(value, host_ns)
        if characteristic != movesense_gsp.DATA or value[:1] == bytes(
            (movesense_gsp.Reply.ANSWER,)
        ):
            return []
        try:
            packet = self._reader.feed(value)
        except ProtocolError as error:
            return self.session.skip(str(error), len(value), host_ns)
        if packet is None:
            return []
        last = len(packet.millivolts) - 1
        stamp_ns = self._stamps.unwrapped(packet.stamp_ms) * _MS + last * _NS // self._rate_hz
        return self.session.packet(Packet(stamp_ns, packet.millivolts, n_bytes=len(value)), host_ns)

    async def _subscribe(self, line: Line, *, short: bool) -> movesense_gsp.Answer:
        path = movesense_gsp.ecg_path(self._rate_hz, short=short)
        answer = await line.ask(
            movesense_gsp.COMMAND,
            movesense_gsp.subscribe(_REFERENCE, path),
            movesense_gsp.DATA,
            lambda value: value[:2] == bytes((movesense_gsp.Reply.ANSWER, _REFERENCE)),
        )
        return _understood(movesense_gsp.decode_answer, answer)


class HeartRateStrap(_Strap):
    """Any strap with the Heart Rate Service: RR intervals, no ECG."""

    data = heart_rate.MEASUREMENT

    def __init__(self, wanted: Wanted) -> None:
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

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        if characteristic == heart_rate.BATTERY_LEVEL:
            return self.session.battery(value)
        return self.session.heart_rate(value, host_ns)


FAMILIES: Final[dict[str, Callable[[Wanted], Conversation]]] = {
    "ecg-edge": OwnSensor,
    "polar": PolarStrap,
    "movesense": MovesenseStrap,
    "heart-rate": HeartRateStrap,
}
"""In the order in which a device that has several is taken for one: ECG first."""

GUARDED: Final = {"ecg-edge": own_service.DATA}
"""Families that let nobody in without a proven bond, and what they guard."""


def family_of(characteristics: frozenset[str]) -> str:
    """The family of a device with these characteristics. Raises UsageError."""
    signs = {
        "ecg-edge": own_service.DATA,
        "polar": polar_pmd.DATA,
        "movesense": movesense_gsp.DATA,
        "heart-rate": heart_rate.MEASUREMENT,
    }
    for family in FAMILIES:
        if signs[family] in characteristics:
            return family
    raise UsageError("this device offers neither ECG nor heart rate that is known here")


class _Unwrapped:
    """Counts on over a wrap at `modulus`."""

    def __init__(self, modulus: int) -> None:
        self._modulus = modulus
        self._last = 0
        self._base = 0

    def unwrapped(self, value: int) -> int:
        if self._last - value > self._modulus // 2:
            self._base += self._modulus
        self._last = value
        return self._base + value


def _understood(decode: Callable[[bytes], _Decoded], value: bytes) -> _Decoded:
    """`value` decoded; nonsense in a handshake is a link to be tried again."""
    try:
        return decode(value)
    except ProtocolError as error:
        raise LinkError(str(error)) from error


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers)) + " Hz"
