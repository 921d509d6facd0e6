"""An emulated board behind a pty or a UDP socket, in a thread: SMP and the sensor on one wire."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from smp import packet

from firmware_bridge import protocol
from firmware_bridge.framing import encode_frame
from firmware_bridge.simulator.pty_port import PtyPort
from firmware_bridge.simulator.sensor import SimulatedSensor
from tests.firmware_bridge.flash.emulated_board import GARBAGE, STREAMS, EmulatedBoard
from tests.firmware_bridge.simulated import numbered

BOOT_S = 0.05
STEP_S = 0.002


@dataclass
class Wire:
    """What goes wrong, and the sensor's battery."""

    battery_percent: int | None = 80
    cut_at_bytes: list[int] = field(default_factory=list)
    """Unplug when the board has received so many bytes of images, once each."""
    unplugged_s: float = 0.05
    cut_is_power: bool = False
    """The board loses its power with its link, and starts anew."""
    vanish_at_reset: bool = False
    carries_bytes: int = 65_535
    """Longer SMP messages never arrive, whatever the board says of its buffer."""
    lose_answers: int = 0
    """How many of the next answers never leave the board."""


class BoardOnPty:
    """Runs until the context is left."""

    def __init__(self, board: EmulatedBoard, wire: Wire, link: Path) -> None:
        self.board, self.wire = board, wire
        self._port = PtyPort(link)
        self._pending = bytearray()
        self._decoder = None
        self._plug_at = 0.0
        self._noise = np.random.default_rng(5)
        self._restart()

    def step(self) -> None:
        """Exchange what there is to exchange."""
        now = time.monotonic()
        if not self._port.is_plugged:
            if now < self._plug_at:
                time.sleep(STEP_S)
                return
            self._port.plug()
        if self.board.reset_asked:
            self._reset()
            return
        data = self._port.exchange(STEP_S)
        if not self.board.is_alive:
            if self.board.has_watchdog:
                self._reset()
            return
        self._take(data)
        self._stream(now)
        if self.wire.cut_at_bytes and self.board.received_bytes >= self.wire.cut_at_bytes[0]:
            self.wire.cut_at_bytes.pop(0)
            self._unplug(self.wire.unplugged_s)
            if self.wire.cut_is_power:
                self.board.power_cycle()
                self._restart()

    def close(self) -> None:
        """Take the port away."""
        self._port.unplug()

    def plug(self) -> None:
        """Make the port appear."""
        self._port.plug()

    def _restart(self) -> None:
        self._sensor = SimulatedSensor(numbered(), boot=self.board.boots + 1)
        self._started = time.monotonic()
        self._pending.clear()

    def _reset(self) -> None:
        self._port.exchange(STEP_S)  # the answer leaves before the reset, as in Zephyr
        time.sleep(BOOT_S)
        self.board.boot()
        self._restart()
        if self.wire.vanish_at_reset:
            self._unplug(3600)

    def _unplug(self, seconds: float) -> None:
        self._port.unplug()
        self._plug_at = time.monotonic() + seconds

    def _take(self, data: bytes) -> None:
        """SMP lines to the board, everything else to the sensor."""
        self._pending += data
        while self._pending:
            if self._pending[:1] == b"\n":
                del self._pending[:1]
                continue
            is_smp = self._pending[:2] in (packet.START_DELIMITER, packet.CONTINUE_DELIMITER)
            end = self._pending.find(b"\n" if is_smp else b"\0")
            if end < 0:
                return
            piece = bytes(self._pending[: end + 1])
            del self._pending[: end + 1]
            if is_smp:
                self._take_line(piece)
            elif self.board.behaviour in (STREAMS, GARBAGE):
                self._command(piece)

    def _take_line(self, line: bytes) -> None:
        if line.startswith(packet.START_DELIMITER):
            self._decoder = packet.decode()
            next(self._decoder)
        if self._decoder is None:
            return
        try:
            self._decoder.send(line)
        except StopIteration as whole:
            self._decoder = None
            if len(whole.value) > self.wire.carries_bytes:
                return
            answer = self.board.handle(bytes(whole.value))
            if self.wire.lose_answers:
                self.wire.lose_answers -= 1
            else:
                self._port.send(b"".join(packet.encode(answer)))

    def _command(self, frame: bytes) -> None:
        was_streaming = self._sensor.streaming
        answers = self._sensor.receive(frame)
        if self._sensor.streaming and not was_streaming:
            status = protocol.Status(0, 0, self.wire.battery_percent, contact=True)
            answers.append(encode_frame(protocol.encode(status)))
        self._port.send(b"".join(answers))

    def _stream(self, now: float) -> None:
        frames = self._sensor.frames_until(now - self._started)
        if self.board.behaviour == GARBAGE:
            frames = [self._noise.bytes(len(frame)) for frame in frames]
        self._port.send(b"".join(frames))


class BoardOnUdp:
    """The same without a sensor, on a socket of the loopback interface."""

    def __init__(self, board: EmulatedBoard, wire: Wire, port: int = 0) -> None:
        self.board, self.wire = board, wire
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(STEP_S)
        self.port = self._socket.getsockname()[1]

    def plug(self) -> None:
        """It is there from the beginning."""

    def step(self) -> None:
        """Answer one datagram."""
        if self.board.reset_asked or (not self.board.is_alive and self.board.has_watchdog):
            time.sleep(BOOT_S)
            self.board.boot()
        try:
            request, sender = self._socket.recvfrom(65536)
        except TimeoutError:
            return
        if not self.board.is_alive:
            return
        answer = self.board.handle(request)
        if self.wire.lose_answers:
            self.wire.lose_answers -= 1
        else:
            self._socket.sendto(answer, sender)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@contextmanager
def running(on_wire: BoardOnPty | BoardOnUdp) -> Iterator[None]:
    """Run the board in a thread for as long as the context lasts."""
    over = threading.Event()
    on_wire.plug()

    def run() -> None:
        while not over.is_set():
            on_wire.step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)
        on_wire.close()
