"""Boards behind ports and sockets, for as long as a test lasts."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.firmware_bridge.flash.board_on_wire import BoardOnPty, BoardOnUdp, Wire, running
from tests.firmware_bridge.flash.emulated_board import EmulatedBoard
from tests.firmware_bridge.flash.signing import make_key
from tests.firmware_bridge.flash.workshop import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, make_key(tmp_path))


@pytest.fixture
def on_pty(tmp_path: Path) -> object:
    """Run a board behind a port; gives the port's path."""
    with ExitStack() as stack:

        def run(board: EmulatedBoard, wire: Wire | None = None, name: str = "board") -> Path:
            link = tmp_path / name
            stack.enter_context(running(BoardOnPty(board, wire or Wire(), link)))
            return link

        yield run


@pytest.fixture
def on_udp() -> object:
    """Run a board behind a socket; gives the address as a person writes it."""
    with ExitStack() as stack:

        def run(board: EmulatedBoard, wire: Wire | None = None) -> str:
            on_wire = BoardOnUdp(board, wire or Wire())
            stack.enter_context(running(on_wire))
            return f"udp:127.0.0.1:{on_wire.port}"

        yield run
