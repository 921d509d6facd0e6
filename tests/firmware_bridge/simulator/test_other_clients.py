"""Other people's Polar clients, unmodified, prove the emulated H10 faithful."""

import asyncio
from typing import Any

import numpy as np
import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice

from firmware_bridge.simulator.ble.worn import Worn, r_peaks_s
from tests.firmware_bridge.simulator.on_the_air import heart, needs_dbus, on_the_air, worn_strap

PACKET_NS = 73 / 130 * 1e9


async def found() -> BLEDevice:
    device = await BleakScanner.find_device_by_name("Polar H10 A1B2C3D4", timeout=5)
    assert device is not None
    return device


@needs_dbus
def test_bleakheart_streams_from_the_emulated_h10() -> None:
    import bleakheart

    async def work() -> tuple[list[Any], Any, Any]:
        async with worn_strap("h10"), BleakClient(await found()) as client:
            frames: asyncio.Queue[Any] = asyncio.Queue()
            rates: asyncio.Queue[Any] = asyncio.Queue()
            ecg = bleakheart.PolarMeasurementData(client, ecg_queue=frames)
            rate = bleakheart.HeartRate(client, queue=rates, instant_rate=True, unpack=True)
            assert "ECG" in await ecg.available_measurements()
            assert (await ecg.available_settings("ECG"))["SAMPLE_RATE"] == [130]
            await rate.start_notify()
            assert (await ecg.start_streaming("ECG"))[0] == 0
            async with asyncio.timeout(10):
                three = [await frames.get() for _ in range(3)]
                beat = await rates.get()
            assert (await ecg.stop_streaming("ECG"))[0] == 0
            return three, beat, await bleakheart.BatteryLevel(client).read()

    frames, beat, battery = on_the_air(work)
    assert [len(frame[2]) for frame in frames] == [73, 73, 73]
    stamps = [frame[1] for frame in frames]
    assert np.diff(stamps) == pytest.approx([PACKET_NS] * 2, rel=1e-6)
    assert max(max(frame[2]) for frame in frames) > 500  # microvolts
    assert beat[0] == "HR"
    assert battery == 87


@needs_dbus
def test_polar_python_streams_from_the_emulated_h10() -> None:
    from polar_python import PolarDevice
    from polar_python.constants import PmdMeasurementType

    async def work() -> tuple[Any, list[Any]]:
        async with worn_strap("h10"):
            device = PolarDevice(await found())
            await device.connect()
            features = await device.get_available_features()
            frames: list[Any] = []
            await device.start_ecg_stream(frames.append, sample_rate=130, resolution=14)
            await asyncio.sleep(1.3)
            await device.stop_ecg_stream()
            await device.disconnect()
            return features, frames

    features, frames = on_the_air(work)
    assert PmdMeasurementType.ECG in features
    assert len(frames) == 2
    assert [len(frame.data) for frame in frames] == [73, 73]
    assert frames[1].timestamp - frames[0].timestamp == pytest.approx(PACKET_NS, rel=1e-6)


@needs_dbus
def test_bleakheart_takes_acceleration_beside_the_ecg() -> None:
    import bleakheart

    async def work() -> tuple[dict[str, list[int]], list[Any], list[Any]]:
        async with worn_strap("h10"), BleakClient(await found()) as client:
            beats: asyncio.Queue[Any] = asyncio.Queue()
            moves: asyncio.Queue[Any] = asyncio.Queue()
            strap = bleakheart.PolarMeasurementData(client, ecg_queue=beats, acc_queue=moves)
            offered = await strap.available_settings("ACC")
            assert (await strap.start_streaming("ECG"))[0] == 0
            assert (await strap.start_streaming("ACC", SAMPLE_RATE=50, RANGE=2))[0] == 0
            async with asyncio.timeout(10):
                moved = [await moves.get() for _ in range(3)]
                beaten = [await beats.get() for _ in range(2)]
            assert (await strap.stop_streaming("ACC"))[0] == 0
            async with asyncio.timeout(10):
                while not beats.empty():
                    beats.get_nowait()
                beaten.append(await beats.get())  # the ECG goes on
            assert (await strap.stop_streaming("ECG"))[0] == 0
            return offered, moved, beaten

    offered, moved, beaten = on_the_air(work)
    assert offered["SAMPLE_RATE"] == [25, 50, 100, 200]
    assert [len(frame[2]) for frame in moved] == [36] * 3
    assert np.diff([frame[1] for frame in moved]) == pytest.approx([36 / 50 * 1e9] * 2, rel=1e-6)
    x, y, z = np.mean([sample for frame in moved for sample in frame[2]], axis=0)
    assert np.hypot(np.hypot(x, y), z) == pytest.approx(1000, abs=5)  # gravity, in mG
    assert len(beaten) == 3


@needs_dbus
def test_polar_python_takes_acceleration() -> None:
    from polar_python import PolarDevice

    async def work() -> list[Any]:
        async with worn_strap("h10"):
            device = PolarDevice(await found())
            await device.connect()
            frames: list[Any] = []
            await device.start_acc_stream(frames.append, sample_rate=100, resolution=16, range=8)
            await asyncio.sleep(1.0)
            await device.stop_acc_stream()
            await device.disconnect()
            return frames

    frames = on_the_air(work)
    assert len(frames) >= 2
    assert len(frames[0].data) == 36
    assert np.linalg.norm(frames[0].data[0]) == pytest.approx(1000, abs=5)


def test_a_strap_finds_the_beats_of_what_it_plays() -> None:
    assert np.diff(r_peaks_s(heart())) == pytest.approx([0.8] * 37, abs=0.02)


def test_a_worn_strap_plays_in_a_loop_at_its_own_pace() -> None:
    worn = Worn(heart(), clock_ppm=10_000)
    assert worn.count_at(130, 10.0) == 1313
    assert worn.time_of(130, 1313) == pytest.approx(10.0)
    beats = worn.beats_s(20.0, 40.0)
    assert len(beats) == pytest.approx(25, abs=1)
    assert beats == sorted(beats)
    lap = 30 * 130
    assert np.array_equal(worn.millivolts(130, 5, 50), worn.millivolts(130, 5 + lap, 50))
    assert worn.has_contact(3.0)
