"""Cable, power or host gone at 100 random points of an upload: resumed or reverted, never bricked.

With `-m slow -s` it prints the rows of the table in docs/reliability.md.
"""

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.flash.image import Version, parse
from firmware_bridge.flash.plan import Wishes
from tests.firmware_bridge.flash.board_on_wire import BoardOnPty, Wire, running
from tests.firmware_bridge.flash.emulated_board import EmulatedBoard
from tests.firmware_bridge.flash.workshop import Site, session_at

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[3]
BODY_BYTES = 60_000
STARTED_WITHIN_S = 60.0
OLD, NEW = Version(1, 0, 0), Version(1, 1, 0)


@dataclass
class Row:
    """One line of the table."""

    what: str
    points: int = 0
    installed: int = 0
    went_on: int = 0
    """Without sending again what had arrived, but for one packet."""
    bricked: int = 0

    def count(self, board: EmulatedBoard, image_bytes: int) -> None:
        """Add one point's end."""
        self.points += 1
        self.installed += (parse(board.primary).version, board.confirmed) == (NEW, True)
        self.went_on += board.received_bytes <= image_bytes + board.buffer_bytes
        self.bricked += not board.is_alive

    def check(self) -> None:
        """Print the row; everything was installed, nothing bricked."""
        print(
            f"| {self.what} | {self.points} | {self.installed} | {self.went_on} | {self.bricked} |"
        )
        assert (self.installed, self.bricked) == (self.points, 0)


def points(n: int, image_bytes: int, seed: int) -> list[int]:
    return sorted(np.random.default_rng(seed).integers(1, image_bytes, n).tolist())


@pytest.mark.parametrize(
    ("what", "is_power", "seed"), [("cable pulled", False, 1), ("device's power lost", True, 2)]
)
def test_the_same_run_survives_a_cut(
    site: Site, tmp_path: Path, what: str, is_power: bool, seed: int
) -> None:
    trusted = site.trusted(size=BODY_BYTES)
    size, row = len(trusted.image.data), Row(what)
    for k, point in enumerate(points(35, size, seed)):
        board = site.board()
        link = tmp_path / f"board{k}"
        wire = Wire(cut_at_bytes=[point], cut_is_power=is_power)
        with running(BoardOnPty(board, wire, link)):
            asyncio.run(session_at(link).flash(trusted, Wishes(), dry_run=False))
        row.count(board, size)
    row.check()


def test_a_killed_host_goes_on_with_the_same_command(site: Site, tmp_path: Path) -> None:
    path = site.image(size=BODY_BYTES)
    size, row = path.stat().st_size, Row("host killed (SIGKILL)")
    for k, point in enumerate(points(30, size, 3)):
        board = site.board()
        link = tmp_path / f"board{k}"
        command = [sys.executable, "-m", "tests.firmware_bridge.flash.flash_once"]
        command += [str(link), str(path), str(site.key.public)]
        with running(BoardOnPty(board, Wire(), link)):
            _kill_at(command, board, point)
            assert (parse(board.primary).version, board.is_alive) == (OLD, True)
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
        row.count(board, size)
    row.check()


def _kill_at(command: list[str], board: EmulatedBoard, point: int) -> None:
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + STARTED_WITHIN_S
    while board.received_bytes < point and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.0005)
    process.kill()
    _, said = process.communicate(timeout=10)
    assert board.received_bytes >= point, said
