"""A device's way from old to new firmware, end to end over a real pty and real UDP sockets."""

import asyncio
from pathlib import Path

import pytest

from firmware_bridge.errors import LinkError
from firmware_bridge.flash.address import parse_address
from firmware_bridge.flash.check import TrustedImage
from firmware_bridge.flash.errors import (
    DowngradeError,
    LinkCutError,
    NoRoomError,
    RefusedError,
    RevertedError,
    VanishedError,
    WrongBoardError,
)
from firmware_bridge.flash.image import Version, parse
from firmware_bridge.flash.plan import Wishes
from firmware_bridge.flash.session import Outcome, Progress, Session
from tests.firmware_bridge.flash.board_on_wire import Wire
from tests.firmware_bridge.flash.emulated_board import GARBAGE, MUTE, NEVER_BOOTS, EmulatedBoard
from tests.firmware_bridge.flash.workshop import QUICK, RunOnPty, RunOnUdp, Site, session_at

NEW = Version(1, 1, 0)
OLD = Version(1, 0, 0)


def flash(
    port: Path,
    trusted: TrustedImage,
    wishes: Wishes | None = None,
    *,
    dry_run: bool = False,
    streams: bool = True,
) -> Outcome:
    session = session_at(port, streams=streams)
    return asyncio.run(session.flash(trusted, wishes or Wishes(), dry_run=dry_run))


def runs(board: EmulatedBoard) -> tuple[Version, bool]:
    return parse(board.primary).version, board.confirmed


def test_a_good_image_is_uploaded_tried_proven_and_confirmed(site: Site, on_pty: RunOnPty) -> None:
    board = site.board()
    outcome = flash(on_pty(board), site.trusted())
    assert (outcome.result, outcome.before, outcome.after) == ("installed", "1.0.0", "1.1.0")
    assert outcome.measured_hz == pytest.approx(500, rel=0.1)
    assert outcome.battery_percent == 80
    assert runs(board) == (NEW, True)
    board.power_cycle()
    assert runs(board) == (NEW, True)


def test_what_is_installed_is_left_alone(site: Site, on_pty: RunOnPty) -> None:
    board = site.board(version="1.1.0")
    outcome = flash(on_pty(board), site.trusted())
    assert outcome.result == "already installed"
    assert (board.boots, board.received_bytes) == (0, 0)


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(site: Site, on_pty: RunOnPty) -> None:
    board = site.board()
    outcome = flash(on_pty(board), site.trusted(), dry_run=True)
    assert outcome.result == "would begin with: upload"
    assert (board.boots, board.received_bytes, runs(board)) == (0, 0, (OLD, True))


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [(GARBAGE, "no valid frames"), (MUTE, "never said what it streams")],
    ids=["garbage", "mute"],
)
def test_an_image_that_does_not_stream_is_taken_back(
    site: Site, on_pty: RunOnPty, behaviour: bytes, why: str
) -> None:
    board = site.board()
    with pytest.raises(RevertedError, match=rf"self-test failed: .*{why}.*; 1\.0\.0 runs again"):
        flash(on_pty(board), site.trusted(behaviour))
    assert runs(board) == (OLD, True)


def test_an_image_that_never_boots_is_reverted_by_the_boot_loader(
    site: Site, on_pty: RunOnPty
) -> None:
    board = site.board()
    with pytest.raises(RevertedError, match=r"did not start.*1\.0\.0 runs again"):
        flash(on_pty(board), site.trusted(NEVER_BOOTS))
    assert runs(board) == (OLD, True)


def test_without_a_watchdog_it_has_to_be_switched_off_and_on(site: Site, on_pty: RunOnPty) -> None:
    board = site.board(has_watchdog=False)
    with pytest.raises(VanishedError, match="switch it off and on"):
        flash(on_pty(board), site.trusted(NEVER_BOOTS), streams=False)
    board.power_cycle()
    assert runs(board) == (OLD, True)


def test_a_device_that_vanishes_after_its_reset_is_told_so(site: Site, on_pty: RunOnPty) -> None:
    with pytest.raises(VanishedError, match="has not come back in 2 s"):
        flash(on_pty(site.board(), Wire(vanish_at_reset=True)), site.trusted(), streams=False)


def test_an_upload_goes_on_where_the_cable_was_pulled(site: Site, on_pty: RunOnPty) -> None:
    board, trusted = site.board(), site.trusted()
    flash(on_pty(board, Wire(cut_at_bytes=[1000, 2500, 2600, 5000])), trusted, streams=False)
    assert runs(board) == (NEW, True)
    assert board.received_bytes == len(trusted.image.data)  # nothing was sent twice


def test_messages_get_shorter_where_long_ones_never_arrive(site: Site, on_pty: RunOnPty) -> None:
    board = site.board()  # says 512 bytes
    flash(on_pty(board, Wire(carries_bytes=300)), site.trusted(), streams=False)
    assert runs(board) == (NEW, True)


def test_a_cut_behind_the_last_packet_sends_nothing_again(site: Site, on_pty: RunOnPty) -> None:
    board, trusted = site.board(), site.trusted()
    flash(on_pty(board, Wire(cut_at_bytes=[len(trusted.image.data)])), trusted, streams=False)
    assert (runs(board), board.received_bytes) == ((NEW, True), len(trusted.image.data))


def test_a_link_that_stays_cut_leaves_the_old_firmware_and_the_way_to_go_on(
    site: Site, on_pty: RunOnPty
) -> None:
    board, trusted = site.board(), site.trusted()
    wire = Wire(cut_at_bytes=[3000], unplugged_s=3.0)
    port = on_pty(board, wire)
    with pytest.raises(LinkCutError, match=r"\d+ of \d+ bytes are there.*go on"):
        flash(port, trusted)
    assert runs(board) == (OLD, True)
    assert 3000 <= board.received_bytes < len(trusted.image.data)


@pytest.mark.parametrize("step", ["uploaded", "pending", "started"])
def test_a_run_that_was_killed_goes_on_from_the_device_s_own_state(
    site: Site, on_pty: RunOnPty, step: str
) -> None:
    board, trusted = site.board(), site.trusted()
    board.secondary = trusted.image.data
    if step in ("pending", "started"):
        board.pending = True
    if step == "started":
        board.boot()
    flash(on_pty(board), trusted, streams=False)
    assert runs(board) == (NEW, True)
    assert board.received_bytes == 0


def test_lost_answers_are_asked_for_again(site: Site, on_udp: RunOnUdp) -> None:
    board = site.board()
    wire = Wire(lose_answers=2)
    outcome = asyncio.run(
        Session(parse_address(on_udp(board, wire)), None, QUICK).flash(
            site.trusted(), Wishes(), dry_run=False
        )
    )
    assert outcome.result == "installed"
    assert runs(board) == (NEW, True)


def test_other_hardware_older_firmware_and_too_large_images_are_refused(
    site: Site, on_pty: RunOnPty
) -> None:
    board = site.board(version="2.0.0", slot_bytes=4000)
    port = on_pty(board)
    with pytest.raises(WrongBoardError, match="for strap_v2, the device is ecg_board"):
        flash(port, site.trusted(board="strap_v2"))
    with pytest.raises(DowngradeError, match=r"already runs 2\.0\.0"):
        flash(port, site.trusted())
    with pytest.raises(NoRoomError, match="invalid image too large"):
        flash(port, site.trusted(), Wishes(allow_downgrade=True))
    assert runs(board) == (Version(2, 0, 0), True)


def test_a_device_that_cannot_tell_its_board_needs_somebody_who_can(
    site: Site, on_pty: RunOnPty
) -> None:
    board = site.board(board=None, boot_mode=None)
    port = on_pty(board)
    with pytest.raises(WrongBoardError, match="say --board"):
        flash(port, site.trusted(), dry_run=True)
    outcome = flash(port, site.trusted(), Wishes(board="ecg_board"), dry_run=True)
    assert outcome.result == "would begin with: upload"


def test_a_low_battery_and_a_boot_loader_without_a_way_back_are_refused(
    site: Site, on_pty: RunOnPty
) -> None:
    board = site.board()
    with pytest.raises(RefusedError, match="battery is at 29 %"):
        flash(on_pty(board, Wire(battery_percent=29)), site.trusted())
    overwrites = site.board(boot_mode=2)
    with pytest.raises(RefusedError, match=r"cannot go back .*\(overwrite only\)"):
        flash(on_pty(overwrites, name="other"), site.trusted())
    assert board.received_bytes == overwrites.received_bytes == 0


def test_nothing_is_put_upon_an_image_that_nobody_has_confirmed(
    site: Site, on_pty: RunOnPty
) -> None:
    board = site.board()
    board.secondary, board.pending = site.image(version="1.0.5").read_bytes(), True
    port = on_pty(board)
    with pytest.raises(RefusedError, match=r"1\.0\.5 waits to be tried"):
        flash(port, site.trusted())
    board.boot()
    with pytest.raises(RefusedError, match=r"trying version 1\.0\.5.*revert"):
        flash(port, site.trusted())


def test_revert_takes_back_a_trial_and_a_confirmed_image(site: Site, on_pty: RunOnPty) -> None:
    board = site.board()
    board.secondary, board.pending = site.image().read_bytes(), True
    board.boot()
    port = on_pty(board)
    assert runs(board) == (NEW, False)
    outcome = asyncio.run(session_at(port, streams=False).revert())
    assert (outcome.before, outcome.after, runs(board)) == ("1.1.0", "1.0.0", (OLD, True))
    asyncio.run(
        session_at(port, streams=False).revert()
    )  # the other slot holds 1.1.0: tried, proven, confirmed
    assert runs(board) == (NEW, True)


def test_what_is_not_there_is_a_link_error_at_once(site: Site, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no-port"):
        flash(tmp_path / "no-port", site.trusted())


def test_progress_tells_every_stage_once_and_the_upload_in_bytes(
    site: Site, on_pty: RunOnPty
) -> None:
    seen: list[Progress] = []
    to_flash = session_at(on_pty(site.board()))
    to_flash.tell = seen.append
    trusted = site.trusted()
    asyncio.run(to_flash.flash(trusted, Wishes(), dry_run=False))
    uploads = [p.done_bytes for p in seen if p.doing == "uploading"]
    assert uploads == sorted(uploads)
    assert uploads[-1] == len(trusted.image.data)
    assert [p.doing for p in seen if p.doing != "uploading"] == [
        "asking the device what it is",
        "looking at its battery",
        "restarting the device",
        "waiting for it to start the new firmware",
        "self-test: does it stream",
        "confirming",
    ]
