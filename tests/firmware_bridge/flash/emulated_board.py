"""A board with MCUboot and an SMP server that answers as Zephyr 4.4's does, which the tests of
real servers run. No I/O and no clock: bytes in, bytes out, and `boot` when it is reset.

What an image does when it runs is written in its body, so that one that streams well, one that
streams garbage and one that never starts can be flashed like any other.
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2
from smp.image_management import IMG_MGMT_ERR

from firmware_bridge.flash.errors import FlashError
from firmware_bridge.flash.image import parse

STREAMS: Final = b"runs: streams well"
GARBAGE: Final = b"runs: streams garbage"
MUTE: Final = b"runs: streams nothing"
NEVER_BOOTS: Final = b"runs: never"

_HEADER = struct.Struct(">BBHHBB")  # version and op, flags, length, group, sequence, id
_READ, _WRITE = 0, 2
_OS, _IMAGES = 0, 1
_NOT_SUPPORTED = 8


def body(behaviour: bytes, size: int = 6000, seed: int = 1) -> bytes:
    """A firmware's bytes that do what `behaviour` says."""
    noise = hashlib.shake_128(bytes([seed])).digest(size - len(behaviour))
    return behaviour + noise


class ImageGroupError(Exception):
    """An error answer of the image group."""

    def __init__(self, code: IMG_MGMT_ERR) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass
class EmulatedBoard:
    """`slots[0]` runs. `has_watchdog`: an image that never starts is reset away from."""

    primary: bytes
    board: str | None = "ecg_board"
    slot_bytes: int = 0x40000
    buffer_bytes: int = 512
    boot_mode: int | None = 1
    has_watchdog: bool = True
    is_alive: bool = True
    confirmed: bool = True
    pending: bool = False
    reset_asked: bool = False
    boots: int = 0
    received_bytes: int = 0
    """Of images, over all uploads: what was sent twice counts twice."""
    secondary: bytes = b""
    _upload: dict[str, Any] = field(default_factory=dict)

    @property
    def behaviour(self) -> bytes:
        """What the running image does."""
        for known in (STREAMS, GARBAGE, MUTE, NEVER_BOOTS):
            if known in self.primary:
                return known
        return MUTE

    def boot(self) -> None:
        """What MCUboot does at a reset: try what is pending, take back what was not confirmed."""
        self.boots += 1
        self.reset_asked = False
        self._upload = {}
        if self.pending:
            self.pending = False
            if _is_whole(self.secondary):
                self.primary, self.secondary = self.secondary, self.primary
                self.confirmed = False
            else:
                self.secondary = b""
        elif not self.confirmed:
            self.primary, self.secondary = self.secondary, self.primary
            self.confirmed = True
        self.is_alive = self.behaviour != NEVER_BOOTS

    def power_cycle(self) -> None:
        """Off and on."""
        self.boot()

    def handle(self, request: bytes) -> bytes:
        """The answer to one SMP message."""
        op, _, _, group, sequence, id_ = _HEADER.unpack_from(request)
        asked = cbor2.loads(request[_HEADER.size :])
        try:
            answer = self._answer(op & 7, group, id_, asked)
        except ImageGroupError as fault:
            answer = {"err": {"group": group, "rc": int(fault.code)}}
        payload = cbor2.dumps(answer)
        return _HEADER.pack(op | 1, 0, len(payload), group, sequence, id_) + payload

    def _answer(self, op: int, group: int, id_: int, asked: dict[str, Any]) -> dict[str, Any]:
        handlers: dict[tuple[int, int, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
            (_OS, 5, _WRITE): self._accept_reset,
            (_OS, 6, _READ): lambda _: {"buf_size": self.buffer_bytes, "buf_count": 4},
            (_OS, 7, _READ): self._application,
            (_OS, 8, _READ): self._boot_loader,
            (_IMAGES, 0, _READ): lambda _: self._states(),
            (_IMAGES, 0, _WRITE): self._set_state,
            (_IMAGES, 1, _WRITE): self._take,
        }
        handler = handlers.get((group, id_, op))
        return {"rc": _NOT_SUPPORTED} if handler is None else handler(asked)

    def _accept_reset(self, _: dict[str, Any]) -> dict[str, Any]:
        self.reset_asked = True
        return {}

    def _application(self, asked: dict[str, Any]) -> dict[str, Any]:
        knows = self.board is not None and asked.get("format") == "i"
        return {"output": self.board} if knows else {"rc": _NOT_SUPPORTED}

    def _boot_loader(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.boot_mode is None:
            return {"rc": _NOT_SUPPORTED}
        return {"mode": self.boot_mode} if asked.get("query") else {"bootloader": "MCUboot"}

    def _states(self) -> dict[str, Any]:
        images = [self._state(0, self.primary, active=True, confirmed=self.confirmed)]
        if _is_whole(self.secondary):
            images.append(self._state(1, self.secondary, pending=self.pending))
        return {"images": images, "splitStatus": 0}

    def _state(self, slot: int, data: bytes, **flags: bool) -> dict[str, Any]:
        image = parse(data)
        state = {"slot": slot, "version": str(image.version).replace("+", ".")}
        no_flags = dict.fromkeys(("pending", "confirmed", "active", "permanent"), False)
        return {**state, "hash": image.digest, "bootable": True, **no_flags, **flags}

    def _set_state(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("confirm"):
            self.confirmed = True
        elif not _is_whole(self.secondary) or parse(self.secondary).digest != asked["hash"]:
            raise ImageGroupError(IMG_MGMT_ERR.HASH_NOT_FOUND)
        else:
            self.pending = True
        return self._states()

    def _require_free_slot(self) -> None:
        if self.pending or not self.confirmed:
            raise ImageGroupError(IMG_MGMT_ERR.NO_FREE_SLOT)

    def _take(self, asked: dict[str, Any]) -> dict[str, Any]:
        offset, data = asked["off"], asked["data"]
        if offset == 0:
            self._require_free_slot()
            if self._upload and self._upload["sha"] == asked.get("sha"):
                return {"off": len(self.secondary)}
            if asked["len"] > self.slot_bytes:
                raise ImageGroupError(IMG_MGMT_ERR.INVALID_IMAGE_TOO_LARGE)
            self._upload = {"sha": asked.get("sha"), "len": asked["len"]}
            self.secondary = b""
        elif not self._upload:
            return {"off": 0}
        elif offset != len(self.secondary):
            return {"off": len(self.secondary)}
        self.secondary += data
        self.received_bytes += len(data)
        offset = len(self.secondary)
        if offset >= self._upload["len"]:
            self._upload = {}
        return {"off": offset}


def _is_whole(data: bytes) -> bool:
    try:
        parse(data)
    except FlashError:
        return False
    return True
