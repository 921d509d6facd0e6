"""Movesense sensors."""

# ruff: noqa: D102 - the methods' contract is written once, at `conversing.Conversation`.

from fractions import Fraction
from typing import Final

from firmware_bridge.errors import LinkError, ProtocolError, UsageError
from firmware_bridge.links.conversing import Strap, listed, refuse_acceleration, understood
from firmware_bridge.links.gatt import Line, Wanted
from firmware_bridge.straps import heart_rate, movesense_gsp
from firmware_bridge.straps.session import DeviceInfo, EcgForm, EcgSession, Packet
from firmware_bridge.stream import StreamItem

_MS: Final = 1_000_000
_NS: Final = 1_000_000_000
_STAMP_NS: Final = _MS
_RATE_HZ: Final = 256
"""The nearest to the 250 Hz that everything is analysed at."""
_REFERENCE: Final = 0x63


class MovesenseStrap(Strap):
    """Movesense sensors with the GATT Sensordata Protocol."""

    def __init__(self, wanted: Wanted) -> None:
        refuse_acceleration(wanted)
        self._wanted = wanted
        self._rate_hz = wanted.rate_hz or _RATE_HZ
        if self._rate_hz not in movesense_gsp.RATES_HZ:
            rates = listed(movesense_gsp.RATES_HZ)
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

    def is_flow(self, characteristic: str, value: bytes) -> bool:
        return characteristic == movesense_gsp.DATA

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
        return understood(movesense_gsp.decode_answer, answer)


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
