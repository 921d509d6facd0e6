"""Against Zephyr's own SMP servers and MCUboot: what our emulated board claims must hold there."""

import asyncio
import json
import socket
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.os_management import EchoWrite
from smpclient.transport import SMPTransport

from firmware_bridge.cli import main
from firmware_bridge.flash.address import SerialAddress
from firmware_bridge.flash.check import trusted_image
from firmware_bridge.flash.device import open_device
from firmware_bridge.flash.errors import RevertedError
from firmware_bridge.flash.plan import Wishes
from firmware_bridge.flash.session import Session, Timing
from firmware_bridge.flash.signature import load_keys
from firmware_bridge.flash.smp_ble import BleTransport
from firmware_bridge.flash.smp_serial import UNLIMITED, SerialTransport
from firmware_bridge.flash.smp_udp import UdpTransport
from firmware_bridge.links.pairing import paired
from tests.firmware_bridge.flash.board_on_air import ADDRESS, IDENTITY, on_air
from tests.firmware_bridge.flash.emulated_board import EmulatedBoard
from tests.firmware_bridge.flash.signing import KeyPair, make_key, run_imgtool
from tests.firmware_bridge.flash.workshop import Mute
from tests.firmware_bridge.flash.zephyr_servers import Server, emulated, native
from tests.firmware_bridge.simulator.on_the_air import Knowing, needs_dbus, on_the_air

M0_BOARD = "qemu_cortex_m0/nrf51822"
DATAGRAM_BYTES = 1500 - 28
PATIENT = Timing(answer_s=5.0, erase_s=40.0, boot_s=90.0, pause_s=0.5)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


async def echoes(transport: SMPTransport, where: str) -> int:
    """Longest message that came back whole."""
    async with SMPClient(transport, where, timeout_s=5.0) as client:
        for text in ("hi", "x" * (transport.max_unencoded_size - 40)):
            answer = await client.request(EchoWrite(d=text))
            assert success(answer)
            assert answer.r == text
        return transport.max_unencoded_size


def test_messages_fill_the_buffer_that_a_real_serial_server_tells(tmp_path: Path) -> None:
    with native(Server.find("native_sim", "serial_bigrx"), tmp_path) as port:
        assert asyncio.run(echoes(SerialTransport(), port)) == 384 - 4


def test_a_real_server_s_file_is_read_and_what_is_missing_is_named(tmp_path: Path) -> None:
    async def write(port: str) -> None:
        async with SMPClient(SerialTransport(), port, timeout_s=5.0) as client:
            async for _ in client.upload_file(b"boot 1\nboot 2\n", "/lfs1/log.txt"):
                pass

    with native(Server.find("native_sim", "serial_fs"), tmp_path) as port:
        asyncio.run(write(port))
        said = run("logs", port, "--file", "/lfs1/log.txt", "--json")
        assert [json.loads(line)["text"] for line in said.stdout.splitlines()] == [
            "boot 1",
            "boot 2",
        ]
        assert run("logs", port, "--file", "/lfs1/none").exit_code == 17
        refused = run("images", port)
        assert (refused.exit_code, refused.stdout) == (17, "")
        assert "not" in refused.stderr


def test_a_real_udp_server_gets_no_message_that_would_be_fragmented(tmp_path: Path) -> None:
    with native(Server.find("native_sim", "udp"), tmp_path):
        assert asyncio.run(echoes(UdpTransport(1337, UNLIMITED), "127.0.0.1")) == DATAGRAM_BYTES


class RealServer(EmulatedBoard):
    """A board on the air whose SMP server is Zephyr's own, over UDP."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", 1337))

    def handle(self, request: bytes) -> bytes:
        self.socket.send(request)
        return self.socket.recv(65536)


@needs_dbus
def test_a_real_server_is_reached_over_bluetooth(tmp_path: Path) -> None:
    async def work() -> int:
        board = RealServer()
        async with on_air(board):
            with board.socket:
                await paired(ADDRESS, Knowing(IDENTITY.passkey or 0))
                # Its buffer takes more than one datagram, by which alone this board reaches it.
                return await echoes(BleTransport(DATAGRAM_BYTES), ADDRESS)

    with native(Server.find("native_sim", "udp"), tmp_path):
        assert on_the_air(work) == DATAGRAM_BYTES  # not the radio's packet


def signed_anew(server: Server, folder: Path, key: KeyPair, version: str, board: str) -> Path:
    """The server's own firmware as version `version`, signed with the site's key."""
    whole = server.signed_image
    _, _, header_size, _, body_size = struct.unpack_from("<IIHHI", whole)
    unsigned, signed = folder / f"{version}.bin", folder / f"{version}.signed.bin"
    unsigned.write_bytes(whole[header_size : header_size + body_size])
    arguments = ["sign", "-k", key.private, "-v", version, "-H", str(header_size), "--pad-header"]
    arguments += ["-S", "0x40000", "--align", "4", "--custom-tlv", "0xa0", board]
    assert run_imgtool(*arguments, unsigned, signed) == 0
    return signed


async def boot_log(link: Path) -> tuple[str, ...]:
    """What the board writes after a reset, beside SMP."""
    async with open_device(SerialAddress(str(link)), 5.0) as device:
        await device.reset()
        await device.listen(2.0)
        return device.console


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mcuboot_on_a_cortex_m0_tries_reverts_and_confirms(tmp_path: Path) -> None:
    server = Server.find("qemu_cortex_m0", "serial")
    key = make_key(tmp_path)
    path = signed_anew(server, tmp_path, key, "1.1.0", M0_BOARD)
    trusted = trusted_image(path, load_keys([key.public]))
    link = tmp_path / "m0"
    with emulated(server, link):
        asked = run("images", link, "--json")
        assert asked.exit_code == 0, asked.stderr
        told = json.loads(asked.stdout)
        assert (told["board"], told["slots"][0]["version"]) == (M0_BOARD, "0.0.0")

        assert "I: Jumping to the first image slot" in asyncio.run(boot_log(link))

        mute = Session(SerialAddress(str(link)), Mute, PATIENT)
        with pytest.raises(RevertedError, match=r"nothing arrives; 0\.0\.0 runs again"):
            asyncio.run(mute.flash(trusted, Wishes(), dry_run=False))

        session = Session(SerialAddress(str(link)), None, PATIENT)
        again = asyncio.run(session.flash(trusted, Wishes(), dry_run=False))
        assert (again.result, again.before, again.after) == ("installed", "0.0.0", "1.1.0")

        older = run(
            "flash", link, _older(server, tmp_path, key), "--keys", key.public, "--no-stream"
        )
        assert older.exit_code == 15
        # This MCUboot swaps by an offset: the old image is no longer one that it could start.
        assert run("revert", link, "--no-stream").exit_code == 17


def _older(server: Server, folder: Path, key: KeyPair) -> Path:
    return signed_anew(server, folder, key, "1.0.0", M0_BOARD)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_boot_loader_that_cannot_try_an_image_keeps_its_old_one(tmp_path: Path) -> None:
    """This Cortex-M3 build takes the upload, but only keeps images at once: no way back."""
    server = Server.find("mps2_an385", "serial_recovery_buf2048")
    key = make_key(tmp_path)
    path = signed_anew(server, tmp_path, key, "2.0.0", "mps2/an385")
    link = tmp_path / "m3"
    with emulated(server, link):
        said = run("flash", link, path, "--keys", key.public, "--no-stream")
        assert said.exit_code == 17
        assert "cannot try an image before it keeps it" in said.stderr
        slots = json.loads(run("images", link, "--json").stdout)["slots"]
        assert [(slot["version"], slot["active"]) for slot in slots] == [
            ("0.0.0", True),
            ("2.0.0", False),
        ]
