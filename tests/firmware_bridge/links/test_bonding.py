"""Bonds on the emulator: who gets in, who does not, and in which words it is said."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from bumble.pairing import PairingConfig, PairingDelegate

from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.links import bleak_radio, reasons
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.bleak_radio import BleakRadio
from firmware_bridge.links.bluez_bonds import BluezBonds
from firmware_bridge.links.pairing import examined, paired
from firmware_bridge.links.passkeys import Nobody, Terminal, person
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.ble.strap import EmulatedStrap
from firmware_bridge.stream import SampleChunk
from tests.firmware_bridge.simulator.on_the_air import (
    Knowing,
    bond,
    needs_dbus,
    on_the_air,
    worn_strap,
)

SENSOR = STRAPS["ble-sensor"][1]
Work = Callable[[EmulatedStrap], Coroutine[Any, Any, Any]]


def near(device: str, work: Work) -> Any:
    """The result of `work` beside an emulated device."""

    async def run() -> Any:
        async with asyncio.timeout(30), worn_strap(device) as strap:
            return await work(strap)

    return on_the_air(run)


async def first_chunk(device: str) -> SampleChunk:
    driver = BleSensor("chest", STRAPS[device][1].address, BleakRadio())
    async with aclosing(driver.stream()) as stream:
        async for item in stream:
            if isinstance(item, SampleChunk):
                return item
    raise AssertionError("the stream ended")


@needs_dbus
def test_the_right_passkey_opens_the_sensor_now_and_over_later_links() -> None:
    async def work(_strap: EmulatedStrap) -> None:
        before = await examined(SENSOR.address)
        assert (before.family, before.serial, before.bonded) == ("ecg-edge", "SIM-0001", False)
        assert (await bond("ble-sensor")).bonded
        assert (await examined(SENSOR.address)).bonded
        for _ in range(2):  # each a link of its own, encrypted with the key that is kept
            await first_chunk("ble-sensor")

    near("ble-sensor", work)


@needs_dbus
def test_a_wrong_passkey_is_refused_and_leaves_no_bond() -> None:
    async def work(_strap: EmulatedStrap) -> None:
        with pytest.raises(LinkError, match="wrong passkey"):
            await paired(SENSOR.address, Knowing(654321))
        assert not (await examined(SENSOR.address)).bonded
        assert (await bond("ble-sensor")).bonded

    near("ble-sensor", work)


@needs_dbus
def test_without_a_bond_nothing_is_streamed_and_no_command_taken() -> None:
    async def work(strap: EmulatedStrap) -> None:
        with pytest.raises(LinkError) as refused:
            await first_chunk("ble-sensor")
        assert str(refused.value) == reasons.NOT_BONDED
        assert strap.commands == []

    near("ble-sensor", work)


@needs_dbus
def test_a_bond_that_no_passkey_has_proven_opens_nothing() -> None:
    """What a man in the middle could have made."""

    async def work(_strap: EmulatedStrap) -> None:
        with pytest.raises(UsageError, match="--passkey-file"):
            await paired(SENSOR.address, Nobody())
        with pytest.raises(LinkError, match="not bonded"):
            await paired(SENSOR.address, Knowing(SENSOR.passkey or 0, "NoInputNoOutput"))
        async with BluezBonds() as bonds:
            assert not await bonds.is_bonded(SENSOR.address)

    near("ble-sensor", work)


@needs_dbus
def test_a_person_who_gives_up_is_told_so() -> None:
    class Leaving(Knowing):
        async def passkey(self) -> int | None:
            return None

    async def work(_strap: EmulatedStrap) -> None:
        with pytest.raises(LinkError, match="given up"):
            await paired(SENSOR.address, Leaving(0))

    near("ble-sensor", work)


@needs_dbus
def test_a_bond_that_the_sensor_has_lost_is_named_and_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(strap: EmulatedStrap) -> None:
        await bond("ble-sensor")
        strap.guard.forget_bonds()
        # Too short to be connected on a busy machine: one that comes up too late is let go.
        with monkeypatch.context() as hurried:
            hurried.setattr(bleak_radio, "_CONNECTED_WITHIN_S", 0.1)
            with pytest.raises(LinkError, match=reasons.LOST_BOND):
                await first_chunk("ble-sensor")
        await bond("ble-sensor")
        await first_chunk("ble-sensor")

    near("ble-sensor", work)


@needs_dbus
def test_a_bond_that_this_computer_has_lost_is_named() -> None:
    async def work(_strap: EmulatedStrap) -> None:
        await bond("ble-sensor")
        async with BluezBonds() as bonds:
            await bonds.forget(SENSOR.address)
            await bonds.forget(SENSOR.address)  # of what is not known there is nothing to forget
        with pytest.raises(LinkError, match="not bonded"):
            await first_chunk("ble-sensor")

    near("ble-sensor", work)


@needs_dbus
def test_straps_bond_where_they_can_and_are_read_where_they_cannot() -> None:
    address = STRAPS["h10"][1].address

    class Refusing(PairingDelegate):
        async def accept(self) -> bool:
            return False

    async def work(strap: EmulatedStrap) -> None:
        assert (await paired(address, Nobody())).bonded
        await first_chunk("h10")
        strap._device.pairing_config_factory = lambda _: PairingConfig(delegate=Refusing())
        strap.guard.forget_bonds()
        read = await paired(address, Nobody())
        assert (read.bonded, read.serial) == (False, "A1B2C3D4")
        await first_chunk("h10")

    near("h10", work)


@needs_dbus
def test_where_both_have_a_display_the_numbers_are_compared() -> None:
    class Display(PairingDelegate):
        async def compare_numbers(self, number: int, digits: int) -> bool:
            shown.append(number)
            return True

    shown: list[int] = []

    async def work(strap: EmulatedStrap) -> None:
        display = Display(PairingDelegate.IoCapability.DISPLAY_OUTPUT_AND_YES_NO_INPUT)
        strap._device.pairing_config_factory = lambda _: PairingConfig(delegate=display)
        who = Knowing(0)
        assert (await paired(SENSOR.address, who)).bonded
        assert who.shown == shown

    near("ble-sensor", work)


@needs_dbus
def test_bonding_needs_a_bluetoothd_and_a_device_in_sight() -> None:
    async def without_bluez() -> None:
        async with BluezBonds() as bonds:
            await bonds.is_bonded(SENSOR.address)

    async def unseen(_strap: EmulatedStrap) -> None:
        async with BluezBonds() as bonds:
            await bonds.bond("C4:00:00:00:00:00", Nobody())

    with pytest.raises(LinkError, match="bluetoothd is not running"):
        on_the_air(without_bluez)
    with pytest.raises(LinkError, match="moisten"):
        near("h10", unseen)


def test_a_passkey_file_holds_one_number(tmp_path: Path) -> None:
    file = tmp_path / "passkey"
    file.write_text("001234\n")
    knowing = person(file)
    assert asyncio.run(knowing.passkey()) == 1234
    assert not asyncio.run(knowing.confirm(1234))
    for bad in ("", "12 34", "1000000", "²"):
        file.write_text(bad)
        with pytest.raises(UsageError):
            person(file)
    with pytest.raises(UsageError, match="cannot be read"):
        person(tmp_path / "none")


def test_at_a_terminal_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answers() -> list[object]:
        terminal = Terminal()
        terminal.show(7)
        return [
            await terminal.passkey(),
            await terminal.confirm(123456),
            await terminal.passkey(),
        ]

    monkeypatch.setattr("sys.stdin", io.StringIO("1234567\n4242\ny\n"))  # then it is closed
    assert asyncio.run(answers()) == [4242, True, None]
    assert isinstance(person(None), Nobody)  # this is no terminal
