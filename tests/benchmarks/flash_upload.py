"""Upload of firmware: this program's transports beside smpclient's own and the smpmgr program."""

import asyncio
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from rich.table import Table
from smpclient import SMPClient
from smpclient.transport import SMPTransport
from smpclient.transport.serial import SMPSerialTransport
from smpclient.transport.udp import SMPUDPTransport

from firmware_bridge.flash.address import Address, SerialAddress, parse_address
from firmware_bridge.flash.device import open_device
from tests.firmware_bridge.flash.board_on_wire import BoardOnPty, BoardOnUdp, Wire, running
from tests.firmware_bridge.flash.emulated_board import STREAMS, EmulatedBoard, body
from tests.firmware_bridge.flash.signing import make_key, sign
from tests.firmware_bridge.flash.zephyr_servers import Server, emulated

_ERASE_S = 40.0
_ANSWER_S = 5.0
_DATAGRAM_BYTES = 1500 - 28
"""What Zephyr takes over UDP, whatever buffer it tells."""
_SMP_PORT = 1337
"""Which clients that cannot be told a port use."""


def table(folder: Path) -> Table:
    """kB/s of both clients on the same servers."""
    shown = Table(title="upload of firmware in kB/s, median (smpmgr: one run, its start included)")
    for column in ("server", "runs", "this", "smpclient's own", "ratio", "smpmgr"):
        shown.add_column(column, justify="left" if column == "server" else "right")
    key = make_key(folder)
    for name, runs, size, on_wire in (
        ("emulated board, serial, 512 B buffer", 6, 200_000, _board_on_pty),
        ("emulated board, UDP, a datagram a message", 20, 200_000, _board_on_udp),
        ("Zephyr on a Cortex-M3 (QEMU), serial, 2048 B", 4, 100_000, _cortex_m3),
    ):
        path = sign(folder, body(STREAMS, size), key)
        image = path.read_bytes()
        try:
            smpmgr = _smpmgr(on_wire, folder, path)
            pairs = [_both(on_wire, folder, image, run % 2 == 1) for run in range(runs)]
        except pytest.skip.Exception as reason:
            shown.add_row(name, "", str(reason))
            continue
        here, there = map(statistics.median, zip(*pairs, strict=True))
        shown.add_row(name, str(runs), f"{here:.1f}", f"{there:.1f}", f"{here / there:.2f}", smpmgr)
    return shown


def _both(
    on_wire: Callable[[Path, bytes], AbstractContextManager[Address]],
    folder: Path,
    image: bytes,
    theirs_first: bool,
) -> tuple[float, float]:
    rates = {}
    for upload in (_theirs, _ours) if theirs_first else (_ours, _theirs):
        with on_wire(folder, image) as address:
            started = time.perf_counter()
            asyncio.run(upload(address, image))
            rates[upload] = len(image) / 1000 / (time.perf_counter() - started)
    return rates[_ours], rates[_theirs]


def _smpmgr(
    on_wire: Callable[[Path, bytes], AbstractContextManager[Address]], folder: Path, path: Path
) -> str:
    """Its rate, as it comes, where it is installed. Over UDP it knows SMP's own port only."""
    if shutil.which("smpmgr") is None:
        return "-"
    image = path.read_bytes()
    with on_wire(folder, image) as address:
        match address:
            case SerialAddress(path=port):
                where = ["--port", port]
            case _:
                where = ["--ip", "127.0.0.1"]
        command = ["smpmgr", "--timeout", "10", *where, "image", "upload"]
        started = time.perf_counter()
        subprocess.run([*command, str(path)], check=True, capture_output=True)
        return f"{len(image) / 1000 / (time.perf_counter() - started):.1f}"


async def _ours(address: Address, image: bytes) -> None:
    async with open_device(address, _ANSWER_S) as device:
        await device.upload(image, _ERASE_S, lambda _: None)


async def _theirs(address: Address, image: bytes) -> None:
    transport: SMPTransport
    if isinstance(address, SerialAddress):
        transport, where = SMPSerialTransport(), address.path
    else:
        transport, where = SMPUDPTransport(), address.host
    async with SMPClient(transport, where, timeout_s=_ANSWER_S) as client:
        async for _ in client.upload(image, first_timeout_s=_ERASE_S):
            pass


@contextmanager
def _board_on_pty(folder: Path, image: bytes) -> Iterator[Address]:
    link = folder / "board"
    with running(BoardOnPty(EmulatedBoard(image), Wire(), link)):
        yield SerialAddress(str(link))


@contextmanager
def _board_on_udp(_: Path, image: bytes) -> Iterator[Address]:
    board = BoardOnUdp(EmulatedBoard(image, buffer_bytes=_DATAGRAM_BYTES), Wire(), _SMP_PORT)
    with running(board):
        yield parse_address(f"udp:127.0.0.1:{board.port}")


@contextmanager
def _cortex_m3(folder: Path, _: bytes) -> Iterator[Address]:
    link = folder / "m3"
    with emulated(Server.find("mps2_an385", "serial_recovery_buf2048"), link):
        yield SerialAddress(str(link))
