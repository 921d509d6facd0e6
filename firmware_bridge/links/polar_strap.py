"""Polar H10 and its family."""

# ruff: noqa: D102 - the methods' contract is written once, at `conversing.Conversation`.

import logging
from fractions import Fraction
from typing import Final

from firmware_bridge.errors import LinkError, ProtocolError, UsageError
from firmware_bridge.links.conversing import Strap, listed, understood
from firmware_bridge.links.gatt import Line, Wanted
from firmware_bridge.straps import heart_rate, polar_pmd
from firmware_bridge.straps.polar_pmd import Measurement, Setting
from firmware_bridge.straps.session import DeviceInfo, EcgForm, EcgSession, Packet
from firmware_bridge.stream import SignalInfo, SignalKind, StreamItem

_log = logging.getLogger(__name__)

_STAMP_NS: Final = 1_000_000
"""Polar writes nanoseconds of a clock not known to be better than a millisecond."""


class PolarStrap(Strap):
    """Polar H10 and its family: ECG by PMD, contact and RR by the Heart Rate Service, and where it
    is wanted acceleration by PMD too."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._chosen: dict[Measurement, dict[Setting, int]] = {}
        self.session: EcgSession  # made by `prepare`, when the rates are known

    async def prepare(self, line: Line, info: DeviceInfo) -> list[StreamItem]:
        is_new = not self._chosen
        value = await line.connection.read(polar_pmd.CONTROL_POINT)
        features = understood(polar_pmd.decode_features, value)
        if Measurement.ECG not in features:
            raise UsageError("this Polar device measures no ECG; use it as family = 'heart-rate'")
        if self._wanted.accelerometer_hz and Measurement.ACC not in features:
            raise UsageError("this Polar device sends no acceleration: leave out accelerometer_hz")
        await line.connection.subscribe(polar_pmd.CONTROL_POINT)
        if is_new:
            ecg = await self._choose(line, Measurement.ECG, self._wanted.rate_hz)
            acc = None
            if self._wanted.accelerometer_hz:
                acc = await self._choose(line, Measurement.ACC, self._wanted.accelerometer_hz)
            form = EcgForm("Polar PMD", Fraction(ecg[Setting.RATE]), 1000.0, _STAMP_NS)
            beside = None if acc is None else _acceleration(Fraction(acc[Setting.RATE]))
            self.session = EcgSession(self._wanted.source, info, form, beside)
            self._chosen = {Measurement.ECG: ecg}
            if acc is not None:
                self._chosen[Measurement.ACC] = acc
        return await self._begin(line, is_new=is_new)

    async def _choose(
        self, line: Line, measurement: Measurement, rate_hz: int | None
    ) -> dict[Setting, int]:
        answer = await self._command(line, polar_pmd.settings_command(measurement))
        offered = understood(polar_pmd.decode_settings, answer.parameters)
        rates = offered.get(Setting.RATE, ())
        if not rates:
            raise LinkError(f"the strap offers no sampling rate for {measurement.name}")
        rate = rate_hz or max(rates)
        if rate not in rates:
            name = measurement.name
            raise UsageError(f"no rate of {rate} Hz for {name}; this strap has {listed(rates)}")
        most = {setting: max(values) for setting, values in offered.items() if values}
        return most | {Setting.RATE: rate}

    async def start(self, line: Line) -> None:
        if line.has(heart_rate.MEASUREMENT):
            await line.connection.subscribe(heart_rate.MEASUREMENT)
        await line.connection.subscribe(polar_pmd.DATA)
        error = await self._started(line, Measurement.ECG)
        if error:
            raise LinkError(f"the strap does not start its ECG: {error}")
        if Measurement.ACC in self._chosen:
            # The ECG goes on without it: that is what the strap is worn for.
            error = await self._started(line, Measurement.ACC)
            if error:
                _log.warning("%s sends no acceleration: %s", self._wanted.source, error)

    async def _started(self, line: Line, measurement: Measurement) -> str:
        """Why it did not start, in words; empty where it did."""
        command = polar_pmd.start_command(measurement, self._chosen[measurement])
        answer = await self._command(line, command)
        if answer.error == polar_pmd.ALREADY_STREAMING:  # a client before us left it so
            await self._command(line, polar_pmd.stop_command(measurement))
            answer = await self._command(line, command)
        return answer.reason if answer.error else ""

    async def stop(self, line: Line) -> None:
        for measurement in reversed(self._chosen):
            await self._command(line, polar_pmd.stop_command(measurement))

    def is_flow(self, characteristic: str, value: bytes) -> bool:
        # Acceleration comes by the same characteristic, and says nothing of the ECG.
        is_ecg = polar_pmd.measurement_of(value) == Measurement.ECG
        return characteristic == polar_pmd.DATA and is_ecg

    def take(self, characteristic: str, value: bytes, host_ns: int) -> list[StreamItem]:
        if characteristic == heart_rate.BATTERY_LEVEL:
            return self.session.battery(value)
        if characteristic == heart_rate.MEASUREMENT:
            return self.session.heart_rate(value, host_ns)
        if characteristic != polar_pmd.DATA:
            return []  # a strap that stops by itself falls silent, and the watchdog starts it anew
        try:
            if (
                polar_pmd.measurement_of(value) == Measurement.ACC
                and Measurement.ACC in self._chosen
            ):
                moved = polar_pmd.decode_acc(value)
                return self.session.beside(moved.stamp_ns, moved.milli_g, len(value), host_ns)
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
        answer = understood(polar_pmd.decode_control, value)
        assert isinstance(answer, polar_pmd.Answer)
        return answer


def _acceleration(rate_hz: Fraction) -> SignalInfo:
    return SignalInfo("acc", SignalKind.ACC, "mG", rate_hz, ("x", "y", "z"), (1.0,) * 3, (0,) * 3)
