"""Acceleration is taken from a Polar strap where it is wanted, and never instead of the ECG."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.capture import capture
from firmware_bridge.conformance import StreamCheck
from firmware_bridge.errors import UsageError
from firmware_bridge.links.ble import BleSensor, Patience
from firmware_bridge.links.bleak_radio import BleakRadio
from firmware_bridge.records import open_record
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.straps import heart_rate, polar_pmd
from firmware_bridge.stream import Alignment, LinkChanged, SampleChunk, StreamItem, StreamOpened
from tests.firmware_bridge.links.fake_radio import FakeH10, FakeRadio, FakeStrap
from tests.firmware_bridge.simulated import of
from tests.firmware_bridge.simulator.on_the_air import needs_dbus, on_the_air, worn_strap

ADDRESS = "C4:A1:B2:C3:D4:E5"
SETTINGS, START, STOP = b"\x01\2", b"\x02\2", b"\x03\2"


def play(
    radio: FakeRadio,
    enough: Callable[[list[StreamItem]], bool],
    act: Callable[[list[StreamItem]], None],
    no_data_s: float = 0.3,
    family: str = "auto",
) -> list[StreamItem]:
    async def run() -> list[StreamItem]:
        items: list[StreamItem] = []
        check = StreamCheck()
        patience = Patience(no_data_s=no_data_s, leave_s=0.1)
        driver = BleSensor(
            "chest", ADDRESS, radio, family=family, accelerometer_hz=50, patience=patience
        )
        async with asyncio.timeout(10), aclosing(driver.stream()) as stream:
            async for item in stream:
                check.see(item)
                items.append(item)
                act(items)
                if enough(items):
                    break
        return items

    return asyncio.run(run())


def chunks(items: list[StreamItem], signal: str) -> list[SampleChunk]:
    return [chunk for chunk in of(items, SampleChunk) if chunk.signal == signal]


def later(items: list[StreamItem], *acts: Callable[[], None]) -> None:
    if len(items) == 2:  # opened, battery
        for at, act in enumerate(acts, 1):
            asyncio.get_running_loop().call_later(0.01 * at, act)


def test_it_is_started_at_the_wanted_rate_and_stopped_before_the_ecg() -> None:
    strap = FakeH10()
    both = [strap.send, strap.move] * 3
    items = play(FakeRadio(strap), lambda i: len(chunks(i, "acc")) >= 3, lambda i: later(i, *both))
    opened = items[0]
    assert isinstance(opened, StreamOpened)
    assert [(s.id, s.rate_hz, s.unit) for s in opened.signals] == [
        ("ecg", 130, "mV"),
        ("acc", 50, "mG"),
    ]
    assert chunks(items, "acc")[0].samples[0].tolist() == [0, 0, 1000]
    assert of(items, Alignment)
    began = [command.hex() for command in strap.written if command[0] == 2]
    assert began == ["02000001820001010e00", "020200013200010110000201" + "0800"]
    ended = [command[:2] for command in strap.written if command[0] == 3]
    assert ended == [STOP, b"\x03\0"]


def test_acceleration_does_not_hide_that_the_ecg_has_stalled() -> None:
    strap = FakeH10()

    def act(items: list[StreamItem]) -> None:
        if len(items) == 2:
            strap.send()
            for at in range(40):
                asyncio.get_running_loop().call_later(0.02 * at, strap.move)

    items = play(FakeRadio(strap), lambda i: bool(of(i, LinkChanged)), act)
    (down,) = of(items, LinkChanged)
    assert not down.up
    assert "no data" in down.reason


def test_a_strap_that_refuses_it_still_gives_its_ecg(caplog: pytest.LogCaptureFixture) -> None:
    strap = FakeH10()
    strap.answers[START] = (polar_pmd.CONTROL_POINT, bytes.fromhex("f002020800"))
    items = play(
        FakeRadio(strap),
        lambda i: len(chunks(i, "ecg")) >= 2,
        lambda i: later(i, strap.send, strap.send),
    )
    assert len(chunks(items, "ecg")) == 2
    assert "sends no acceleration: this sampling rate is not supported" in caplog.text


def test_it_is_refused_where_there_is_none() -> None:
    without = FakeH10()
    without.values[polar_pmd.CONTROL_POINT] = bytes.fromhex("0f01" + "00" * 15)
    with pytest.raises(UsageError, match="leave out accelerometer_hz"):
        play(FakeRadio(without), lambda _: True, lambda _: None)
    at_odds = FakeH10()
    at_odds.answers[SETTINGS] = (
        polar_pmd.CONTROL_POINT,
        bytes.fromhex("f00102000000016400010110000201") + b"\x08\0",
    )
    with pytest.raises(UsageError, match="no rate of 50 Hz for ACC; this strap has 100 Hz"):
        play(FakeRadio(at_odds), lambda _: True, lambda _: None)
    plain = FakeStrap()
    plain.values[heart_rate.MEASUREMENT] = b""
    with pytest.raises(UsageError, match="only Polar's"):
        play(FakeRadio(plain), lambda _: True, lambda _: None)


@needs_dbus
def test_an_emulated_h10_is_captured_with_its_acceleration(tmp_path: Path) -> None:
    async def work() -> list[str]:
        faults = Faults(drop=0.1)
        async with worn_strap("h10", faults) as strap:
            driver = BleSensor("chest", strap._identity.address, BleakRadio(), accelerometer_hz=200)
            captured = await capture(driver, tmp_path / "out", 12, stop=asyncio.Event())
        return list(captured.beside)

    (beside,) = on_the_air(work)
    assert beside == str(tmp_path / "out_acc")
    ecg, acc = open_record(tmp_path / "out"), open_record(tmp_path / "out_acc")
    assert (ecg.signal.rate_hz, acc.signal.rate_hz) == (130, 200)
    assert acc.signal.leads == ("x", "y", "z")
    length_s = acc.n_frames / 200
    assert length_s == pytest.approx(12, abs=1.5)
    moved = acc.read(0, acc.n_frames)
    valid = moved[np.isfinite(moved).all(axis=1)]
    assert len(valid) / len(moved) > 0.6
    assert np.linalg.norm(valid, axis=1) == pytest.approx(np.full(len(valid), 1000.0), abs=2)
