"""Kills a life of the shelf before every step that it takes on the disk, one step after the other.

python -m tests.edge_runtime.update.killing FOLDER STEP...     one line of JSON for each step

A process of its own: it forks, which one with threads must not.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from edge_runtime.update.shelf import Shelf
from tests.edge_runtime.update.on_shelf import arrive, keep, link, on_disk

CALLS = ("rename", "replace", "unlink", "symlink", "mkdir", "rmdir", "fsync", "open", "remove")
"""What a change of the disk goes through, in `os`."""


def dies_before(step: int, act: Callable[[], None]) -> bool:
    """`act` in a child that kills itself before its step of that number; False: it came through."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    left = [step]

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def counting(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return counting

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    act()
    os._exit(0)


def life(shelf: Shelf) -> None:
    """A release comes, is tried and kept; another comes, and is taken back."""
    arrive(shelf, "8.4.0")
    shelf.begin()
    shelf.confirm()
    bad = arrive(shelf, "8.5.0")
    shelf.begin()
    shelf.reject(bad, "for the test")


def begun(shelf: Shelf) -> str:
    """The version that a daemon that starts now runs; link, state and folders agree."""
    set_id, bundles = shelf.begin()
    assert link(shelf) == set_id == shelf.state().current
    assert set(on_disk(shelf)) == set(shelf.state().sets)
    return bundles.version


def kill_before(folder: Path, step: int) -> tuple[bool, str]:
    """Whether a life was cut off before `step`, and what runs then."""
    shelf = Shelf(folder)
    keep(shelf, "8.3.0")
    killed = dies_before(step, lambda: life(shelf))
    runs = begun(shelf)
    shutil.rmtree(shelf.folder / "incoming", ignore_errors=True)
    arrive(shelf, "8.6.0")
    assert begun(shelf) == "8.6.0"  # the next update goes through
    shutil.rmtree(folder)
    return killed, runs


if __name__ == "__main__":
    for number in map(int, sys.argv[2:]):
        killed, runs = kill_before(Path(sys.argv[1]) / str(number), number)
        print(json.dumps({"step": number, "killed": killed, "runs": runs}), flush=True)
