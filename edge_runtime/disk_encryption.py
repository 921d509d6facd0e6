"""Is what lies in a folder encrypted on its disk? What the kernel says of block devices tells.

dm-crypt (LUKS among it) names itself in the device mapper's uuid; a partition, LVM or RAID stands
on other devices, which are asked in turn. Encryption above block devices (fscrypt, eCryptfs, ZFS)
or inside the disk itself does not show here.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Final

_SYS: Final = Path("/sys")
_MOUNTS: Final = Path("/proc/self/mountinfo")
_DEEPEST: Final = 8
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})


class Encryption(StrEnum):
    """What can be said."""

    ENCRYPTED = "encrypted"
    PLAIN = "plain"
    IN_MEMORY = "in memory"
    UNKNOWN = "unknown"


def encryption(folder: Path, sys: Path = _SYS, mounts: Path = _MOUNTS) -> Encryption:
    """Of the disk that `folder`, which exists, lies on."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kind, source = _mount(number, mounts)
    if kind in _IN_MEMORY:
        return Encryption.IN_MEMORY
    block = sys / "dev" / "block" / number
    if not block.exists():
        # btrfs and others number their file systems themselves; what they lie on is named.
        block = sys / "class" / "block" / Path(source).resolve().name
    if not source.startswith("/dev/") and not block.exists():
        return Encryption.UNKNOWN
    return _of_block(block.resolve(), _DEEPEST)


def _mount(number: str, mounts: Path) -> tuple[str, str]:
    """Type and source of the file system with that device number, empty where it is not listed."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, told = before.split(), after.split()
        if len(fields) > 2 and fields[2] == number and len(told) > 1:
            return told[0], told[1]
    return "", ""


def _of_block(block: Path, depth: int) -> Encryption:
    if not block.is_dir() or depth == 0:
        return Encryption.UNKNOWN
    try:
        if (block / "dm" / "uuid").read_text().startswith("CRYPT-"):
            return Encryption.ENCRYPTED
    except OSError:
        pass  # no device of the device mapper
    below = sorted((block / "slaves").iterdir()) if (block / "slaves").is_dir() else []
    if not below and (block / "partition").exists():
        below = [block.parent]
    found = {_of_block(one.resolve(), depth - 1) for one in below}
    if not found:
        return Encryption.PLAIN
    # What is spread over several disks is as safe as the least of them.
    for worst in (Encryption.PLAIN, Encryption.UNKNOWN):
        if worst in found:
            return worst
    return Encryption.ENCRYPTED
