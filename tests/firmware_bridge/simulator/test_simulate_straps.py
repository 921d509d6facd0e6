"""`firmware-bridge simulate --device STRAP`: what it refuses, and the strap's own words."""

import asyncio
from typing import Any

import pytest
from bleak import BleakClient, BleakScanner
from click.testing import CliRunner

from firmware_bridge.cli import main
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.ble_options import BLE_DEVICES
from firmware_bridge.straps import movesense_gsp, polar_pmd
from tests.firmware_bridge.simulator.on_the_air import needs_dbus, on_the_air, worn_strap


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--speed", "4"], "real time"),
        (["--bit-flip", "0.1"], "checks its bits"),
        (["--scenario", "nonsense"], "no scenario"),
    ],
)
def test_what_a_radio_cannot_do_is_wrong_usage(options: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["simulate", "--device", "h10", *options])
    assert result.exit_code == 2
    assert words in result.output


def test_every_device_offered_can_be_emulated() -> None:
    assert tuple(STRAPS) == BLE_DEVICES
    assert len({identity.address for _, identity in STRAPS.values()}) == len(STRAPS)


def answers(device: str, commands: list[str], where: str, to: str) -> list[str]:
    """What the strap says to each command, in hex."""

    async def work() -> list[str]:
        async with worn_strap(device):
            found = await BleakScanner.find_device_by_address(STRAPS[device][1].address)
            assert found is not None
            async with BleakClient(found) as client:
                came: asyncio.Queue[str] = asyncio.Queue()
                await client.start_notify(where, lambda _c, v: came.put_nowait(v.hex()))
                told: list[str] = []
                for command in commands:
                    await client.write_gatt_char(to, bytes.fromhex(command), response=True)
                    async with asyncio.timeout(3):
                        told.append(await came.get())
                return told

    return on_the_air(work)


@needs_dbus
def test_the_h10_answers_as_polar_s_documents_say() -> None:
    point = polar_pmd.CONTROL_POINT
    start = "02000001820001010e00"
    commands = ["0100", start, start, "0300", "020000018200", "0905", "0900"]
    told: list[Any] = answers("h10", commands, point, point)
    assert told == [
        "f0010000000001820001010e00",
        "f00200000000",
        "f002000600",
        "f003000000",
        "f002000500",
        "f009050300",
        "f009000100",
    ]


@needs_dbus
def test_the_movesense_answers_as_its_documents_say() -> None:
    path = movesense_gsp.ecg_path(130, short=False).encode().hex()
    commands = ["0163" + path, "0064", "0263"]
    told = answers("movesense", commands, movesense_gsp.DATA, movesense_gsp.COMMAND)
    assert told == ["01639401", "0164f501", "0163c800"]
