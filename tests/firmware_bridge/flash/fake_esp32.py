"""The serial loader in an ESP32's ROM, as far as the real esptool asks it (SLIP, no stub)."""

import hashlib
import os
import pty
import struct
import threading
import tty
import zlib

_DEFLATE_BEGIN = 0x10
_SPI_COMMAND, _SPI_WORD = 0x3FF42000, 0x3FF42080
_OK, _BAD_CHECKSUM = bytes(4), b"\x01\x07\0\0"
_BLOCK = 64


class FakeEsp32:
    """A board at `port`. `corrupts`: its flash does not keep what is written."""

    def __init__(self, size: int = 4 << 20) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.flash = bytearray(b"\xff" * size)
        self.corrupts = False
        self._registers = {0x40001000: 0x00F01D83}  # the value by which esptool knows an ESP32
        self._inflater: zlib._Decompress | None = None
        self._at = 0
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Unplug it."""
        os.close(self._slave)
        os.close(self._master)

    def _run(self) -> None:
        pending = b""
        while True:
            try:
                pending += os.read(self._master, 65536)
            except OSError:
                return
            while b"\xc0" in pending:
                frame, pending = pending.split(b"\xc0", 1)
                frame = frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                if len(frame) >= 8 and frame[0] == 0:
                    self._take(frame[1], frame[4:8], frame[8:])

    def _answer(self, op: int, value: int = 0, data: bytes = b"", status: bytes = _OK) -> None:
        body = struct.pack("<BBHI", 1, op, len(data) + len(status), value) + data + status
        escaped = body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        os.write(self._master, b"\xc0" + escaped + b"\xc0")

    def _take(self, op: int, checksum: bytes, data: bytes) -> None:
        match op:
            case 0x08:  # SYNC
                for _ in range(8):
                    self._answer(op, 0x20120707)
            case 0x0A:  # READ_REG
                self._answer(op, self._registers.get(struct.unpack("<I", data)[0], 0))
            case 0x09:  # WRITE_REG
                self._write_register(*struct.unpack_from("<II", data))
                self._answer(op)
            case 0x0E:  # READ_FLASH_SLOW
                at, size = struct.unpack("<II", data)
                self._answer(op, data=bytes(self.flash[at : at + size]).ljust(_BLOCK, b"\0"))
            case 0x02 | 0x10:  # FLASH_BEGIN, FLASH_DEFL_BEGIN
                self._at = struct.unpack_from("<4I", data)[3]
                self._inflater = zlib.decompressobj() if op == _DEFLATE_BEGIN else None
                self._answer(op)
            case 0x03 | 0x11:  # FLASH_DATA, FLASH_DEFL_DATA
                self._write(op, checksum, data)
            case 0x13:  # SPI_FLASH_MD5
                at, size = struct.unpack_from("<II", data)
                digest = hashlib.md5(self.flash[at : at + size]).hexdigest()
                self._answer(op, data=digest.encode())
            case _:
                self._answer(op)

    def _write_register(self, register: int, value: int) -> None:
        if register == _SPI_COMMAND and value & 1 << 18:  # a user command: the flash's identity
            self._registers[_SPI_WORD] = 0x1640EF
            value = 0
        self._registers[register] = value

    def _write(self, op: int, checksum: bytes, data: bytes) -> None:
        block = data[16 : 16 + struct.unpack_from("<I", data)[0]]
        expected = 0xEF
        for byte in block:
            expected ^= byte
        if expected != int.from_bytes(checksum, "little"):
            self._answer(op, status=_BAD_CHECKSUM)
            return
        if self._inflater is not None:
            block = self._inflater.decompress(block)
        if self.corrupts and block:
            block = bytes([block[0] ^ 1]) + block[1:]
        self.flash[self._at : self._at + len(block)] = block
        self._at += len(block)
        self._answer(op)
