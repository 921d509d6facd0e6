"""MCUboot images: header and TLVs to values, and whether the content is whole. No I/O.

Layout (MCUboot's docs/design.md): header, body, protected TLVs, TLVs, all little-endian. The hash
and the signature cover header, body and protected TLVs; what lies in the unprotected TLVs can be
changed by anyone and is believed for nothing but the hash and signature themselves.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from firmware_bridge.flash.errors import (
    ImageAlteredError,
    ImageFormatError,
    ImageTruncatedError,
)

HEADER_MAGIC: Final = 0x96F3B83D
TLV_MAGIC: Final = 0x6907
PROTECTED_TLV_MAGIC: Final = 0x6908

KEY_HASH: Final = 0x01
BOARD: Final = 0xA0
"""First of the vendor types of MCUboot; this project keeps the board's name there, as text:
`imgtool sign --custom-tlv 0xa0 BOARD`."""
_HASHES: Final = {0x10: "sha256", 0x11: "sha384", 0x12: "sha512"}
_ENCRYPTED_FLAGS: Final = 0x04 | 0x08
_COMPRESSED_FLAGS: Final = 0x200 | 0x400

# magic load_addr header_size protected_size body_size flags major minor revision build
_HEADER: Final = struct.Struct("<IIHHIIBBHI")
_TLV_INFO: Final = struct.Struct("<HH")
_TLV: Final = struct.Struct("<HH")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """MCUboot's version; compared from left to right, the build number last."""

    major: int
    minor: int
    revision: int
    build: int = 0

    @classmethod
    def parse(cls, text: str) -> "Version":
        """From `1.2.3`, `1.2.3.4` (SMP) or `1.2.3+4` (imgtool). Raises ValueError."""
        numbers = [int(part) for part in text.replace("+", ".").split(".")]
        if not 1 <= len(numbers) <= 4 or min(numbers) < 0:
            raise ValueError(f"{text!r} is no version")
        return cls(*(numbers + [0] * (3 - len(numbers))))

    def __str__(self) -> str:
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.revision}{build}"


@dataclass(frozen=True, slots=True)
class Tlv:
    """One type-length-value."""

    type: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Image:
    """A whole image whose content has the hash it carries. Says nothing about who signed it."""

    data: bytes
    version: Version
    board: str | None
    hash_name: str
    digest: bytes
    """What SMP calls the image's hash."""
    signed_size: int
    """Bytes from the start that hash and signature cover."""
    tlvs: tuple[Tlv, ...]

    @property
    def signed_part(self) -> bytes:
        """Header, body and protected TLVs."""
        return self.data[: self.signed_size]

    def values(self, type_: int) -> list[bytes]:
        """Values of all unprotected TLVs of one type."""
        return [tlv.value for tlv in self.tlvs if tlv.type == type_]


def parse(data: bytes) -> Image:
    """The image in `data`, the whole file.

    Raises ImageFormatError, ImageTruncatedError or ImageAlteredError.
    """
    if len(data) < _HEADER.size:
        raise ImageTruncatedError(f"{len(data)} bytes are fewer than an image's header has")
    magic, _, header_size, protected_size, body_size, flags, *version = _HEADER.unpack_from(data)
    if magic != HEADER_MAGIC:
        raise ImageFormatError(
            f"no MCUboot image: it begins with {data[:4].hex()}; give the signed .bin "
            f"(`imgtool sign`), not the .elf, .hex or unsigned .bin"
        )
    if header_size < _HEADER.size:
        raise ImageFormatError(f"the header claims {header_size} bytes")
    _refuse_what_cannot_be_checked(flags)
    protected_at = header_size + body_size
    protected, tlv_at = _area(data, protected_at, PROTECTED_TLV_MAGIC, protected_size)
    tlvs, end = _area(data, tlv_at, TLV_MAGIC, None)
    if len(data) > end:
        raise ImageFormatError(
            f"{len(data) - end} bytes follow the image, which no signature covers; "
            f"sign without --pad and --confirm"
        )
    hash_name, digest = _checked_hash(data[:tlv_at], tlvs)
    return Image(data, Version(*version), _board(protected), hash_name, digest, tlv_at, tlvs)


def version_of(data: bytes) -> Version | None:
    """The version in the header at the start of `data`, believed as it is; None: no header."""
    if len(data) < _HEADER.size:
        return None
    magic, *_, major, minor, revision, build = _HEADER.unpack_from(data)
    return Version(major, minor, revision, build) if magic == HEADER_MAGIC else None


def _refuse_what_cannot_be_checked(flags: int) -> None:
    if flags & _ENCRYPTED_FLAGS:
        raise ImageFormatError("the image is encrypted: only the device could check its hash")
    if flags & _COMPRESSED_FLAGS:
        raise ImageFormatError("the image is compressed, which is not supported")


def _area(
    data: bytes, at: int, expected_magic: int, expected_size: int | None
) -> tuple[tuple[Tlv, ...], int]:
    """The TLVs of the area at `at` and where it ends. A size of 0: there is no such area."""
    if expected_size == 0:
        return (), at
    if at + _TLV_INFO.size > len(data):
        raise ImageTruncatedError(_cut(data, at + _TLV_INFO.size))
    magic, size = _TLV_INFO.unpack_from(data, at)
    if magic != expected_magic:
        raise ImageFormatError(
            f"0x{magic:04x} instead of 0x{expected_magic:04x} behind the image's body; "
            f"the file is damaged or not signed"
        )
    if size < _TLV_INFO.size or expected_size not in (None, size):
        raise ImageFormatError(f"a TLV area claims {size} bytes")
    if at + size > len(data):
        raise ImageTruncatedError(_cut(data, at + size))
    return tuple(_tlvs(data[at + _TLV_INFO.size : at + size])), at + size


def _cut(data: bytes, expected: int) -> str:
    return f"the file has {len(data)} bytes, the image at least {expected}; copy it again"


def _tlvs(area: bytes) -> Iterator[Tlv]:
    position = 0
    while position < len(area):
        if position + _TLV.size > len(area):
            raise ImageFormatError("a TLV's head runs past the end of its area")
        type_, length = _TLV.unpack_from(area, position)
        position += _TLV.size
        if position + length > len(area):
            raise ImageFormatError(f"TLV 0x{type_:02x} runs past the end of its area")
        yield Tlv(type_, area[position : position + length])
        position += length


def _checked_hash(signed_part: bytes, tlvs: tuple[Tlv, ...]) -> tuple[str, bytes]:
    hashes = [tlv for tlv in tlvs if tlv.type in _HASHES]
    if len(hashes) != 1:
        raise ImageFormatError(f"the image carries {len(hashes)} hashes; it must carry one")
    name = _HASHES[hashes[0].type]
    digest = hashlib.new(name, signed_part).digest()
    if digest != hashes[0].value:
        raise ImageAlteredError(
            f"the content has changed since it was signed: its {name} is "
            f"{digest.hex()[:16]}…, signed was {hashes[0].value.hex()[:16]}…; get it again"
        )
    return name, digest


def _board(protected: tuple[Tlv, ...]) -> str | None:
    names = [tlv.value for tlv in protected if tlv.type == BOARD]
    if not names:
        return None
    if len(names) > 1:
        raise ImageFormatError(f"the image names {len(names)} boards; it must name one")
    try:
        return names[0].decode().rstrip("\0")
    except UnicodeDecodeError as error:
        raise ImageFormatError("the board's name in the image is not UTF-8") from error
