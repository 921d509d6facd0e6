"""New firmware over Bluetooth: the way of any other link, and what is asked for before."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.flash.address import BleAddress, parse_address
from firmware_bridge.flash.device import Identity
from firmware_bridge.flash.errors import RefusedError, RevertedError
from firmware_bridge.flash.exposure import exposure
from firmware_bridge.flash.image import parse
from firmware_bridge.flash.over_bluetooth import session_over
from firmware_bridge.flash.plan import Wishes
from firmware_bridge.flash.session import Outcome, Session
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.bleak_radio import BleakRadio, scope
from firmware_bridge.links.device_lock import DeviceLock
from firmware_bridge.links.pairing import paired
from tests.firmware_bridge.flash.board_on_air import ADDRESS, IDENTITY, BoardOnAir, on_air
from tests.firmware_bridge.flash.board_on_wire import Wire
from tests.firmware_bridge.flash.emulated_board import GARBAGE, EmulatedBoard
from tests.firmware_bridge.flash.workshop import QUICK, Site
from tests.firmware_bridge.simulator.on_the_air import Knowing, needs_dbus, on_the_air

DEVICE = BleAddress(ADDRESS)
UNHURRIED = replace(QUICK, answer_s=3.0, boot_s=15.0, patience_s=5.0, find_s=6.0)
WITHIN_S = 170
Work = Callable[[BoardOnAir], Coroutine[Any, Any, Any]]


def beside(board: EmulatedBoard, work: Work, wire: Wire | None = None, **options: bool) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(WITHIN_S), on_air(board, wire, **options) as there:
            return await work(there)

    return on_the_air(run)


async def bond() -> None:
    await paired(ADDRESS, Knowing(IDENTITY.passkey or 0))


def session() -> Session:
    return Session(DEVICE, lambda: BleSensor("flashed", ADDRESS, BleakRadio()), UNHURRIED)


def flashed(site: Site, board: EmulatedBoard, wire: Wire | None = None, **options: Any) -> Outcome:
    async def work(_there: BoardOnAir) -> Outcome:
        await bond()
        trusted = site.trusted(**options)
        return await session().flash(trusted, Wishes(), dry_run=False)

    outcome: Outcome = beside(board, work, wire)
    return outcome


@needs_dbus
def test_a_good_image_goes_through_a_cut_link_and_is_proven_and_confirmed(site: Site) -> None:
    board = site.board()
    outcome = flashed(site, board, Wire(cut_at_bytes=[2500]))
    assert (outcome.result, outcome.after, outcome.battery_percent) == ("installed", "1.1.0", 80)
    assert outcome.measured_hz == pytest.approx(500, rel=0.1)
    assert (str(parse(board.primary).version), board.confirmed) == ("1.1.0", True)
    assert board.received_bytes == len(site.trusted().image.data)  # nothing was sent twice


@pytest.mark.slow
@needs_dbus
def test_an_image_that_streams_garbage_is_taken_back(site: Site) -> None:
    board = site.board()
    with pytest.raises(RevertedError, match=r"self-test failed: .*1\.0\.0 runs again"):
        flashed(site, board, behaviour=GARBAGE)
    assert str(parse(board.primary).version) == "1.0.0"


@needs_dbus
def test_a_low_battery_is_refused(site: Site) -> None:
    board = site.board()
    with pytest.raises(RefusedError, match="battery is at 20 %"):
        flashed(site, board, Wire(battery_percent=20))
    assert board.received_bytes == 0


@needs_dbus
def test_without_a_bond_nothing_is_sent_and_a_guarded_device_answers_nothing(site: Site) -> None:
    async def work(_there: BoardOnAir) -> None:
        with pytest.raises(RefusedError, match="not bonded with this computer"):
            await asyncio.to_thread(session_over, DEVICE, QUICK, no_stream=True, changes=True)
        with pytest.raises(LinkError, match="not bonded"):
            await session().identify()

    beside(site.board(), work)


@needs_dbus
def test_a_device_that_asks_for_no_bond_is_told_to_be_open_to_anyone(site: Site) -> None:
    async def work(_there: BoardOnAir) -> tuple[str, ...]:
        asking = await asyncio.to_thread(
            session_over, DEVICE, UNHURRIED, no_stream=True, changes=False
        )
        return exposure(DEVICE, await asking.identify(), is_bonded=False)

    notes = beside(site.board(), work, guarded=False)
    assert "takes firmware from anyone in range" in notes[0]
    bonded = exposure(DEVICE, Identity("b", "MCUboot", 1, True, 512, ()), is_bonded=True)
    assert not any("anyone in range" in note for note in bonded)


@needs_dbus
def test_what_somebody_reads_is_not_flashed() -> None:
    async def work() -> None:
        lock = DeviceLock(ADDRESS, scope())
        try:
            with pytest.raises(RefusedError, match=r"is held by .*process"):
                session_over(DEVICE, QUICK, no_stream=True, changes=True)
        finally:
            lock.release()

    on_the_air(work)


@needs_dbus
def test_a_device_without_smp_says_so(site: Site) -> None:
    from tests.firmware_bridge.simulator.on_the_air import worn_strap

    async def work() -> None:
        async with worn_strap("h10"):
            with pytest.raises(LinkError, match="offers no firmware update"):
                await Session(BleAddress("C4:A1:B2:C3:D4:E5"), None, UNHURRIED).identify()

    on_the_air(work)


@pytest.mark.slow
@needs_dbus
def test_the_commands_themselves(site: Site) -> None:
    async def command(*words: object) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "firmware_bridge",
            *map(str, words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        return process.returncode, out.decode(), errors.decode()

    image, keys = site.image(), ("--keys", site.key.public)
    passkey = Path(site.folder, "passkey")
    passkey.write_text(f"{IDENTITY.passkey}")

    async def work(_there: BoardOnAir) -> None:
        status, _, errors = await command("flash", ADDRESS, image, *keys)
        assert (status, "not bonded" in errors) == (17, True)
        known = ("--file", site.folder / "known.toml", "--passkey-file", passkey)
        assert (await command("pair", ADDRESS, *known))[0] == 0
        status, out, errors = await command("flash", ADDRESS, image, *keys, "--json")
        assert status == 0, errors
        assert '"result": "installed"' in out
        _, out, _ = await command("images", ADDRESS)
        assert "slot 0: 1.1.0 (active, confirmed" in out
        _, out, errors = await command("info", ADDRESS)
        assert "boot_loader" in out, errors
        assert "does not tell whether it checks signatures" in out

    beside(site.board(), work)


def test_bluetooth_addresses_are_told_from_ports() -> None:
    assert parse_address("c4:a1:b2:c3:d4:e9") == BleAddress("C4:A1:B2:C3:D4:E9")
    assert str(DEVICE) == ADDRESS
    with pytest.raises(UsageError, match="Bluetooth address"):
        parse_address("C4:A1:B2:C3:D4")
