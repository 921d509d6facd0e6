"""One device that speaks SMP, in this project's words: what it is, its slots, and what to do.

smpclient's and the port's exceptions end here. A request that gets no answer is repeated; only an
upload and a reset are left to the caller.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import serialx
from pydantic import Field
from smp.exceptions import SMPException
from smp.header import CommandId, GroupId
from smp.image_management import IMG_MGMT_ERR
from smp.message import ReadResponse
from smpclient import SMPClient
from smpclient.exceptions import SMPClientException, SMPUploadError, SMPValidationException
from smpclient.generics import SMPRequest, error, success
from smpclient.requests.image_management import ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import (
    BootloaderInformationRead,
    MCUMgrParametersRead,
    OSApplicationInfoRead,
    ResetWrite,
)
from smpclient.transport import SMPTransport, SMPTransportDisconnected

from firmware_bridge.errors import LinkError
from firmware_bridge.flash.address import Address, BleAddress, SerialAddress, UdpAddress
from firmware_bridge.flash.errors import NoRoomError, RefusedError
from firmware_bridge.flash.image import Version
from firmware_bridge.flash.smp_serial import UNLIMITED, SerialTransport
from firmware_bridge.flash.smp_udp import UdpTransport

_TRIES: Final = 3
SMALLEST_WITH_HASH: Final = 128
"""A first packet with the file's hash and the 32 bytes of header that Zephyr wants does not fit a
shorter message."""
_LINK_FAULTS: Final = (
    OSError,  # TimeoutError is one, too
    serialx.SerialException,
    SMPTransportDisconnected,
    SMPClientException,
    SMPException,
)
_NO_ROOM: Final = {
    IMG_MGMT_ERR.NO_FREE_SLOT,
    IMG_MGMT_ERR.INVALID_IMAGE_TOO_LARGE,
    IMG_MGMT_ERR.INVALID_IMAGE_DATA_OVERRUN,
    IMG_MGMT_ERR.FLASH_WRITE_FAILED,
}


class BootModeResponse(ReadResponse):
    """How MCUboot installs, as Zephyr answers (smp 4.2 expects it elsewhere)."""

    _GROUP_ID = GroupId.OS_MANAGEMENT
    _COMMAND_ID = CommandId.OSManagement.BOOTLOADER_INFO

    mode: int
    no_downgrade: bool = Field(alias="no-downgrade", default=False)


class BootModeRead(BootloaderInformationRead):
    """Asks for MCUboot's mode."""

    _Response = BootModeResponse  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the two places for an image. `active`: it runs; `confirmed`: it stays;
    `pending`: MCUboot will try it at the next reset."""

    number: int
    version: Version
    digest: bytes
    active: bool
    confirmed: bool
    pending: bool
    bootable: bool

    def describe(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "slot": self.number,
            "version": str(self.version),
            "hash": self.digest.hex(),
            "active": self.active,
            "confirmed": self.confirmed,
            "pending": self.pending,
            "bootable": self.bootable,
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device tells about itself; None where it does not tell."""

    board: str | None
    boot_loader: str | None
    boot_mode: int | None
    """One of smp's MCUbootMode."""
    refuses_downgrade: bool | None
    buffer_bytes: int | None
    slots: tuple[Slot, ...]

    @property
    def running(self) -> Slot | None:
        """The slot whose image runs."""
        return next((slot for slot in self.slots if slot.active), None)

    def holding(self, digest: bytes) -> Slot | None:
        """The slot with this image."""
        return next((slot for slot in self.slots if slot.digest == digest), None)


class Device:
    """An open link to an SMP server."""

    def __init__(self, client: SMPClient, transport: SMPTransport, answer_s: float) -> None:
        self._client = client
        self._transport = transport
        self._answer_s = answer_s

    @property
    def message_bytes(self) -> int:
        """Longest message of this link."""
        return self._transport.max_unencoded_size

    async def identify(self) -> Identity:
        """Everything that can be asked without changing anything. Raises LinkError."""
        slots = await self.slots()
        board = await self._ask(OSApplicationInfoRead(format="i"), "output")
        loader = await self._ask(BootloaderInformationRead(), "bootloader")
        mode = await self._ask(BootModeRead(query="mode"), "mode")
        no_downgrade = await self._ask(BootModeRead(query="mode"), "no_downgrade")
        buffer_bytes = await self._ask(MCUMgrParametersRead(), "buf_size")
        return Identity(board, loader, mode, no_downgrade, buffer_bytes, slots)

    async def slots(self) -> tuple[Slot, ...]:
        """All images on the device. Raises LinkError or RefusedError."""
        answer = await self._request(ImageStatesRead())
        return tuple(map(_slot, answer.images))

    async def upload(self, data: bytes, first_s: float, progress: Callable[[int], None]) -> None:
        """Send the file to the second slot, from where the device says that it is; `progress` gets
        the number of bytes there. `first_s`: how long the device may erase.

        Raises LinkError (call again to go on), NoRoomError or RefusedError.
        """
        with_hash = self._transport.max_unencoded_size >= SMALLEST_WITH_HASH
        chunks = self._client.upload(data, 0, False, first_s, self._answer_s, use_sha=with_hash)
        try:
            async for offset in chunks:
                progress(offset)
        except SMPUploadError as fault:
            raise _upload_fault(fault) from fault
        except _LINK_FAULTS as fault:
            raise LinkError(f"the upload was cut: {_words(fault)}") from fault

    async def try_at_next_reset(self, digest: bytes) -> None:
        """Let MCUboot start this image once. Raises LinkError or RefusedError."""
        await self._request(ImageStatesWrite(hash=digest, confirm=False))

    async def confirm(self) -> None:
        """Keep the image that runs. Raises LinkError or RefusedError."""
        await self._request(ImageStatesWrite(hash=None, confirm=True))

    async def reset(self) -> None:
        """Restart the device. Its answer may get lost on the way: that is no error."""
        try:
            await self._client.request(ResetWrite(), timeout_s=self._answer_s)
        except _LINK_FAULTS:
            return

    async def read_file(self, path: str) -> bytes:
        """A file of the device's file system. Raises LinkError or RefusedError."""
        try:
            return await self._client.download_file(path, timeout_s=self._answer_s)
        except SMPUploadError as fault:
            raise RefusedError(f"the device has no {path}, or no files at all") from fault
        except _LINK_FAULTS as fault:
            raise LinkError(f"the device does not answer: {_words(fault)}") from fault

    async def listen(self, seconds: float) -> None:
        """Let text come in for a while. Raises LinkError, or RefusedError where there is none."""
        if not isinstance(self._transport, SerialTransport):
            raise RefusedError("only a serial port carries the device's text; ask for a --file")
        try:
            async with asyncio.timeout(seconds):
                await self._transport.listen()
        except TimeoutError:
            return
        except SMPTransportDisconnected as fault:
            raise LinkError(_words(fault)) from fault

    @property
    def console(self) -> tuple[str, ...]:
        """Text that the device wrote beside SMP: its boot log, on a serial port."""
        return (
            tuple(self._transport.console) if isinstance(self._transport, SerialTransport) else ()
        )

    async def _ask(self, request: SMPRequest[Any, Any, Any], field: str) -> Any:
        """One field of the answer; None from a device that does not know the question."""
        try:
            return getattr(await self._request(request), field)
        except RefusedError:
            return None

    async def _request(self, request: SMPRequest[Any, Any, Any]) -> Any:
        return await repeated(lambda: self._request_once(request))

    async def _request_once(self, request: SMPRequest[Any, Any, Any]) -> Any:
        try:
            answer = await self._client.request(request, timeout_s=self._answer_s)
        except SMPValidationException as fault:
            raise RefusedError(f"the device's answer makes no sense: {_words(fault)}") from fault
        except _LINK_FAULTS as fault:
            raise LinkError(f"the device does not answer: {_words(fault)}") from fault
        if error(answer):
            raise RefusedError(f"the device refuses: {_code(answer)}")
        assert success(answer)
        return answer


async def repeated(request: Callable[[], Awaitable[Any]]) -> Any:
    """The result of `request`, which may fail with LinkError all but the last time."""
    for _ in range(_TRIES - 1):
        try:
            return await request()
        except LinkError:
            continue
    return await request()


@asynccontextmanager
async def open_device(
    address: Address, answer_s: float, longest: int = UNLIMITED
) -> AsyncIterator[Device]:
    """The device at `address`, for as long as the context lasts; no message is longer than
    `longest` bytes. Raises LinkError."""
    transport: SMPTransport
    match address:
        case SerialAddress(where):
            transport = SerialTransport(longest=longest)
        case UdpAddress(where, port):
            transport = UdpTransport(port, longest)
        case BleAddress(where):
            from firmware_bridge.flash.smp_ble import BleTransport  # noqa: PLC0415 - an extra

            transport = BleTransport(longest)
    client = SMPClient(transport, where, timeout_s=answer_s)
    try:
        await client.connect(answer_s)
    except _LINK_FAULTS as fault:
        await transport.disconnect()
        raise LinkError(f"{address}: {_words(fault)}") from fault
    try:
        yield Device(client, transport, answer_s)
    finally:
        await client.disconnect()


def _slot(state: Any) -> Slot:
    return Slot(
        number=state.slot,
        version=Version.parse(state.version),
        digest=bytes(state.hash or b""),
        active=bool(state.active),
        confirmed=bool(state.confirmed),
        pending=bool(state.pending),
        bootable=bool(state.bootable),
    )


def _upload_fault(fault: SMPUploadError) -> Exception:
    answer = fault.args[0] if fault.args else ""
    if isinstance(answer, str):
        return RefusedError(f"the device refuses the upload: {answer}")
    code = getattr(getattr(answer, "err", None), "rc", None)
    if code in _NO_ROOM:
        return NoRoomError(f"the device has no room for the image: {_code(answer)}")
    return RefusedError(f"the device refuses the upload: {_code(answer)}")


def _code(answer: object) -> str:
    """The name of an SMP error, of either version of the protocol, in plain letters."""
    code = getattr(getattr(answer, "err", None), "rc", None)
    if code is None:
        code = getattr(answer, "rc", None)
    return re.sub("_", " ", getattr(code, "name", str(code))).lower()


def _words(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):  # smpclient's text is the whole request
        return "no answer in time"
    text = str(fault).strip().splitlines()
    return " ".join(text) if text else type(fault).__name__
