"""ESP32 boards: the real esptool program against a fake ROM."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_bridge.driver import Driver
from firmware_bridge.errors import LinkError
from firmware_bridge.flash.check import TrustedImage
from firmware_bridge.flash.errors import (
    DowngradeError,
    LinkCutError,
    RevertedError,
    WrongBoardError,
)
from firmware_bridge.flash.esp32 import Esp32Session, Esptool, esptool_program
from firmware_bridge.flash.plan import Wishes
from firmware_bridge.flash.session import Outcome
from firmware_bridge.links.serial import SerialSensor
from tests.firmware_bridge.flash.fake_esp32 import FakeEsp32
from tests.firmware_bridge.flash.workshop import QUICK, Mute, Site
from tests.firmware_bridge.simulated import sensor_at

OFFSET = 0x20000
OPTIONS = ("--chip", "esp32", "--no-stub", "--before", "no-reset", "--after", "no-reset")
BOARD = Wishes(board="ecg_board")

pytestmark = pytest.mark.skipif(esptool_program() is None, reason="no esptool program")


@pytest.fixture
def board(site: Site) -> Iterator[FakeEsp32]:
    esp = FakeEsp32()
    old = site.image(version="1.0.0").read_bytes()
    esp.flash[OFFSET : OFFSET + len(old)] = old
    yield esp
    esp.close()


def flash(
    board: FakeEsp32,
    site: Site,
    trusted: TrustedImage,
    driver: Callable[[], Driver] | None = None,
    wishes: Wishes = BOARD,
) -> Outcome:
    kept = site.folder / "kept.bin"
    session = Esp32Session(Esptool(board.port, OPTIONS), driver, OFFSET, kept, QUICK)
    return asyncio.run(session.flash(trusted, wishes, dry_run=False))


def holds(board: FakeEsp32, data: bytes) -> bool:
    return bytes(board.flash[OFFSET : OFFSET + len(data)]) == data


def test_an_image_is_written_verified_and_self_tested(
    board: FakeEsp32, site: Site, tmp_path: Path
) -> None:
    trusted = site.trusted()
    link = tmp_path / "sensor"
    with sensor_at(link, speed=1.0):
        outcome = flash(board, site, trusted, lambda: SerialSensor("flashed", str(link)))
    assert (outcome.result, outcome.before, outcome.after) == ("installed", "1.0.0", "1.1.0")
    assert outcome.measured_hz == pytest.approx(500, rel=0.1)
    assert holds(board, trusted.image.data)
    assert not (site.folder / "kept.bin").exists()
    assert flash(board, site, trusted).result == "already installed"


def test_what_was_there_is_written_back_when_the_new_firmware_is_mute(
    board: FakeEsp32, site: Site
) -> None:
    before = bytes(board.flash)
    with pytest.raises(RevertedError, match="nothing arrives; what was there is back"):
        flash(board, site, site.trusted(), Mute)
    assert bytes(board.flash) == before


def test_flash_that_does_not_keep_what_is_written_is_noticed_and_the_run_goes_on(
    board: FakeEsp32, site: Site
) -> None:
    trusted = site.trusted()
    board.corrupts = True
    with pytest.raises(LinkCutError, match="same command again"):
        flash(board, site, trusted)
    board.corrupts = False
    assert flash(board, site, trusted).before == "1.0.0"  # from what the first run has kept
    assert holds(board, trusted.image.data)


def test_board_and_version_are_checked_and_a_missing_port_is_named(
    board: FakeEsp32, site: Site
) -> None:
    with pytest.raises(WrongBoardError, match="say --board"):
        flash(board, site, site.trusted(), wishes=Wishes())
    with pytest.raises(DowngradeError, match=r"already runs 1\.0\.0"):
        flash(board, site, site.trusted(version="0.9.0"))
    session = Esp32Session(Esptool("/dev/no-port"), None, OFFSET, site.folder / "k", QUICK)
    with pytest.raises(LinkError, match="esptool"):
        asyncio.run(session.flash(site.trusted(), BOARD, dry_run=False))
