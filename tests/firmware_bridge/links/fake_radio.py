"""A radio and a strap in memory: the driver's whole conversation without Bluetooth."""

import asyncio
from collections.abc import Callable

import numpy as np

from firmware_bridge.errors import LinkError
from firmware_bridge.links.gatt import Connection, Notified
from firmware_bridge.straps import heart_rate, movesense_gsp, polar_pmd

SERIAL = "00002a25-0000-1000-8000-00805f9b34fb"
MODEL = "00002a24-0000-1000-8000-00805f9b34fb"
PACKET = 73
PERIOD_NS = 1_000_000_000 / 130


class FakeStrap:
    """One strap with one connection at a time. What is written to it is kept in `written`."""

    def __init__(self) -> None:
        self.values = {SERIAL: b"A1", MODEL: b"H10", heart_rate.BATTERY_LEVEL: b"\x57"}
        self.written: list[bytes] = []
        self.subscribed: set[str] = set()
        self.answers: dict[bytes, tuple[str, bytes]] = {}
        self.notify: Notified = lambda _c, _v: None
        self.lost: Callable[[], None] = lambda: None
        self.mute: set[str] = set()
        self.unreadable: set[str] = set()
        self.disconnects = 0
        self.is_deaf = False

    @property
    def characteristics(self) -> frozenset[str]:
        return frozenset(self.values)

    @property
    def notifying(self) -> frozenset[str]:
        return frozenset(self.values) - self.mute

    async def read(self, characteristic: str) -> bytes:
        if characteristic in self.unreadable:
            raise LinkError("read not permitted")
        return self.values[characteristic]

    async def write(self, characteristic: str, value: bytes) -> None:
        if self.is_deaf:
            await asyncio.Event().wait()
        self.written.append(value)
        for begin, (where, answer) in self.answers.items():
            if value.startswith(begin):
                self.notify(where, answer)

    async def subscribe(self, characteristic: str) -> None:
        self.subscribed.add(characteristic)

    async def disconnect(self) -> None:
        self.disconnects += 1


class FakeH10(FakeStrap):
    """Answers as an H10 does; `send` notifies one packet of numbered samples."""

    def __init__(self) -> None:
        super().__init__()
        self.values |= {
            polar_pmd.CONTROL_POINT: bytes.fromhex("0f05000000000000000000000000000000"),
            polar_pmd.DATA: b"",
            heart_rate.MEASUREMENT: b"",
        }
        point = polar_pmd.CONTROL_POINT
        self.answers = {
            b"\x01\0": (point, bytes.fromhex("f0010000000001820001010e00")),
            b"\x02\0": (point, bytes.fromhex("f00200000000")),
            b"\x03\0": (point, bytes.fromhex("f003000000")),
            b"\x01\2": (point, bytes.fromhex("f0010200000002190032000101100002010800")),
            b"\x02\2": (point, bytes.fromhex("f00202000000")),
            b"\x03\2": (point, bytes.fromhex("f003020000")),
        }
        self.taken = 0
        self.moved = 0

    def send(self, packets: int = 1) -> None:
        for _ in range(packets):
            numbers = range(self.taken, self.taken + PACKET)
            self.taken += PACKET
            stamp = int(10**18 + (self.taken - 1) * PERIOD_NS).to_bytes(8, "little")
            body = b"".join(k.to_bytes(3, "little") for k in numbers)
            self.notify(polar_pmd.DATA, b"\0" + stamp + b"\0" + body)

    def move(self, packets: int = 1) -> None:
        """Acceleration at 50 Hz in packets of 36."""
        for _ in range(packets):
            self.moved += 36
            stamp = int(10**18 + (self.moved - 1) * 20_000_000).to_bytes(8, "little")
            body = np.tile(np.array([0, 0, 1000], "<i2"), 36).tobytes()
            self.notify(polar_pmd.DATA, b"\2" + stamp + b"\1" + body)


class FakeMovesense(FakeStrap):
    """Knows the 32-bit form only, unless `short`."""

    def __init__(self, *, short: bool) -> None:
        super().__init__()
        self.values |= {movesense_gsp.COMMAND: b"", movesense_gsp.DATA: b""}
        ok = b"\x01\x63\xc8\x00"
        long_path = movesense_gsp.subscribe(0x63, "/Meas/ECG/256")
        self.answers = {long_path: (movesense_gsp.DATA, ok)}
        if not short:
            refused = (movesense_gsp.DATA, b"\x01\x63\x94\x01")
            self.answers = {long_path + b"/mV": refused, long_path: (movesense_gsp.DATA, ok)}
        self.short = short
        self.stamp_ms = 2**32 - 125

    def send(self, packets: int = 1) -> None:
        for _ in range(packets):
            samples = np.full(16, 100, "<i2" if self.short else "<i4").tobytes()
            stamp = (self.stamp_ms % 2**32).to_bytes(4, "little")
            self.notify(movesense_gsp.DATA, b"\x02\x63" + stamp + samples)
            self.stamp_ms += 62 if self.stamp_ms % 2 else 63


class FakeRadio:
    """Connects to `strap`; fails with the words in `troubles` first."""

    def __init__(self, strap: FakeStrap, troubles: list[str] | None = None) -> None:
        self.strap = strap
        self.troubles = troubles or []
        self.connects = 0
        self.connected = asyncio.Event()

    async def connect(
        self, address: str, notified: Notified, lost: Callable[[], None]
    ) -> Connection:
        assert address == "C4:A1:B2:C3:D4:E5"
        if self.troubles:
            raise LinkError(self.troubles.pop(0))
        self.connects += 1
        self.strap.notify, self.strap.lost = notified, lost
        self.connected.set()
        return self.strap
