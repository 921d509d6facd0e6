"""A disk that loses its power at the n-th sync, and forgets what was not synced.

Of a file the disk keeps what it held at its last fsync and any part of what came after; of a
directory each name either as it was at its last fsync or as it was in memory. SQLite's files are
left as they are: it does its own syncing, below Python.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest


class PowerCutError(BaseException):
    """The machine stops here."""


class Disk:
    """Watches the syncs below `root`."""

    def __init__(self, root: Path, cut_at: int) -> None:
        self._root = root
        self._left = cut_at
        self.was_cut = False
        self._contents: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}
        for path in root.rglob("*"):  # what is there has survived already
            self._names.setdefault(path.parent, {})[path.name] = path.stat().st_ino
            if path.is_file():
                self._contents[path.stat().st_ino] = path.read_bytes()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """The power goes during this block, or not at all."""
        real = os.fsync

        def sync(handle: int) -> None:
            self._count(handle)
            real(handle)
            self._remember(handle)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", sync)
            patch.setattr(os, "fdatasync", sync)
            with suppress(PowerCutError):
                yield

    def after_the_cut(self, copy: Path, chance: Random) -> None:
        """What is found on `copy` when the power is back."""
        copy.mkdir()
        for path in sorted(self._root.iterdir()):
            if path.is_file():  # SQLite's, and the lock
                shutil.copy(path, copy)
        self._copy(self._root / "raw", copy / "raw", chance)

    def _copy(self, here: Path, there: Path, chance: Random) -> None:
        there.mkdir()
        synced = self._names.get(here, {})
        present = {path.name: path for path in here.iterdir()} if here.is_dir() else {}
        for name in sorted({*synced, *present}):
            path = present.get(name)
            number = path.stat().st_ino if path else None
            if number != synced.get(name) and chance.random() < 0.5:
                number = synced.get(name)
                if number is not None:  # the name still means the old file
                    (there / name).write_bytes(self._contents.get(number, b""))
            elif path is not None and path.is_dir():
                self._copy(path, there / name, chance)
            elif path is not None and number is not None:
                safe, now = self._contents.get(number, b""), path.read_bytes()
                kept = now[: chance.randint(min(len(safe), len(now)), len(now))]
                (there / name).write_bytes(kept)

    def _count(self, handle: int) -> None:
        if not self._path(handle).is_relative_to(self._root):
            return
        self._left -= 1
        if self._left < 0:
            self.was_cut = True
            raise PowerCutError

    def _remember(self, handle: int) -> None:
        path = self._path(handle)
        if path.is_dir():
            self._names[path] = {one.name: one.stat().st_ino for one in path.iterdir()}
        elif path.is_relative_to(self._root):
            self._contents[os.fstat(handle).st_ino] = path.read_bytes()

    def _path(self, handle: int) -> Path:
        return Path(f"/proc/self/fd/{handle}").readlink()
