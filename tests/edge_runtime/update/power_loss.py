"""A disk that loses its power at the n-th sync, and forgets of everything below a folder what was
not synced: of a file any part of what came after its last fsync, of a directory each single name.

Pessimistic: a journalling file system keeps more. Files and directories are known by their inode,
whatever they are renamed to; a handle on each keeps its number from being given out again.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest


class PowerLostError(BaseException):
    """The machine stops here."""


@dataclass(frozen=True)
class Entry:
    """What a name in a directory means: a link's target, or an inode."""

    inode: int
    kind: str
    target: str = ""


class Disk:
    """Watches the syncs below `root`, which exists."""

    def __init__(self, root: Path, cut_at: int) -> None:
        self.root = root
        self.was_cut = False
        self._left = cut_at
        self._handles: dict[int, int] = {}
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, Entry]] = {}
        self._survived(self._known(root))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """The power goes during this block, or not at all."""
        real = os.fsync

        def sync(handle: int) -> None:
            self._left -= 1
            if self._left < 0:
                self.was_cut = True
                raise PowerLostError
            real(handle)
            self._remember(self._known(Path(f"/proc/self/fd/{handle}").readlink()))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", sync)
            with suppress(PowerLostError):
                yield

    def after(self, copy: Path, chance: Random) -> None:
        """What is found, on `copy`, when the power is back; then this disk is done with."""
        self._rebuild(self._known(self.root), copy, chance)
        for handle in self._handles.values():
            os.close(handle)

    def _survived(self, inode: int) -> None:
        """All below is on the disk already."""
        self._remember(inode)
        for entry in self._names.get(inode, {}).values():
            if entry.kind != "link":
                self._survived(entry.inode)

    def _known(self, path: Path) -> int:
        """Its inode, pinned."""
        inode = path.stat().st_ino
        if inode not in self._handles:
            self._handles[inode] = os.open(path, os.O_RDONLY)
        return inode

    def _remember(self, inode: int) -> None:
        handle = self._handles[inode]
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            self._names[inode] = self._present(inode)
        else:
            self._contents[inode] = self._now(inode)

    def _present(self, inode: int) -> dict[str, Entry]:
        here = Path(f"/proc/self/fd/{self._handles[inode]}")
        found = {}
        for path in here.iterdir():
            if path.is_symlink():
                found[path.name] = Entry(path.lstat().st_ino, "link", str(path.readlink()))
            else:
                found[path.name] = Entry(self._known(path), "dir" if path.is_dir() else "file")
        return found

    def _now(self, inode: int) -> bytes:
        handle = self._handles[inode]
        return os.pread(handle, os.fstat(handle).st_size, 0)

    def _rebuild(self, inode: int, there: Path, chance: Random) -> None:
        there.mkdir()
        synced, present = self._names.get(inode, {}), self._present(inode)
        for name in sorted({*synced, *present}):
            entry = present.get(name) if chance.random() < 0.5 else synced.get(name)
            if entry is None:
                continue
            match entry.kind:
                case "link":
                    (there / name).symlink_to(entry.target)
                case "dir":
                    self._rebuild(entry.inode, there / name, chance)
                case _:
                    safe, now = self._contents.get(entry.inode, b""), self._now(entry.inode)
                    least = min(len(safe), len(now))
                    (there / name).write_bytes(now[: chance.randint(least, len(now))])
