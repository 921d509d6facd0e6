"""The serial link against a simulated sensor behind a real pty, and against everything else."""

import asyncio
import os
import pty
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_bridge.errors import LinkError, ProtocolError
from firmware_bridge.links import port, serial
from firmware_bridge.links.conversation import Patience
from firmware_bridge.links.serial import SerialSensor
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.stream import (
    BytesSkipped,
    ClockAnchor,
    DeviceStatus,
    Gap,
    GapReason,
    LinkChanged,
    SampleChunk,
    StreamItem,
    StreamOpened,
    Tick,
)
from tests.firmware_bridge.simulated import (
    collect,
    misplaced,
    missing,
    numbered,
    of,
    samples_reached,
    sensor_at,
)

RATE = 500
HASTY = Patience(hello_within_s=0.3)


def played(
    link: Path, faults: Faults, until_s: float, patience: Patience | None = None
) -> list[StreamItem]:
    """Items of a numbered sensor with `faults`, up to `until_s` of signal."""
    with sensor_at(link, faults):
        driver = SerialSensor("chest", str(link), patience=patience)
        return asyncio.run(collect(driver, samples_reached(round(until_s * RATE))))


@contextmanager
def bare_port() -> Iterator[tuple[int, str]]:
    """(device side, name) of a pty on which nothing speaks the protocol."""
    device, host = pty.openpty()
    tty.setraw(host)
    try:
        yield device, os.ttyname(host)
    finally:
        os.close(device)
        os.close(host)


def refusal(path: str | Path, patience: Patience | None = None) -> str:
    driver = SerialSensor("chest", str(path), patience=patience)
    with pytest.raises(LinkError) as caught:
        asyncio.run(collect(driver, lambda _: False))
    return str(caught.value)


def test_a_good_link_brings_every_sample(tmp_path: Path) -> None:
    items = played(tmp_path / "sensor", Faults(), 12)
    opened = items[0]
    assert isinstance(opened, StreamOpened)
    assert (opened.source, opened.model) == ("chest", "simulated sensor")
    assert opened.reference.rate_hz == RATE
    assert misplaced(items) == missing(items) == 0
    assert len(of(items, ClockAnchor)) >= 10
    assert of(items, DeviceStatus)[0].battery_percent == 100


def test_lost_frames_are_exact_gaps(tmp_path: Path) -> None:
    items = played(tmp_path / "sensor", Faults(drop=0.1), 12)
    assert misplaced(items) == 0
    assert 0.03 < missing(items) / (12 * RATE) < 0.25
    gaps = of(items, Gap)
    assert {gap.reason for gap in gaps} == {GapReason.LOST_PACKET}
    assert all(gap.exact for gap in gaps)


def test_frames_sent_twice_count_once(tmp_path: Path) -> None:
    items = played(tmp_path / "sensor", Faults(duplicate=0.3), 12)
    assert misplaced(items) == missing(items) == 0


def test_a_turned_bit_costs_its_frame_and_is_reported(tmp_path: Path) -> None:
    items = played(tmp_path / "sensor", Faults(bit_flip=0.1), 12)
    assert misplaced(items) == 0
    assert missing(items) > 0
    skipped = of(items, BytesSkipped)
    assert skipped[0].n_bytes > 0
    assert "bad checksum" in skipped[0].detail


def test_a_stall_brings_ticks_and_then_what_was_held(tmp_path: Path) -> None:
    items = played(tmp_path / "sensor", Faults(stalls=((3, 14),)), 20)
    assert of(items, Tick)
    assert misplaced(items) == missing(items) == 0
    assert of(items, LinkChanged) == []


def test_an_unplugged_sensor_comes_back_behind_an_exact_gap(tmp_path: Path) -> None:
    items = played(tmp_path / "sensor", Faults(unplugs=((3, 12),)), 20)
    down, up = of(items, LinkChanged)
    assert (down.up, down.reason) == (False, "unplugged")
    assert up.up
    assert of(items, Tick)
    (gap,) = of(items, Gap)
    assert gap.reason is GapReason.RECONNECT
    assert gap.exact
    assert gap.n_missing > 11 * RATE
    assert misplaced(items) == 0


def test_all_at_once_still_obeys_the_contract(tmp_path: Path) -> None:
    faults = Faults(0.05, 0.05, 0.05, stalls=((4, 8),), unplugs=((16, 8),))
    items = played(tmp_path / "sensor", faults, 30)
    assert misplaced(items) == 0


def test_eight_leads(tmp_path: Path) -> None:
    link = tmp_path / "sensor"
    leads = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
    with sensor_at(link, recording=numbered(leads)):
        items = asyncio.run(collect(SerialSensor("chest", str(link)), samples_reached(2000)))
    assert of(items, StreamOpened)[0].reference.leads == leads
    assert of(items, SampleChunk)[0].samples.shape[1] == 8
    assert misplaced(items) == 0


@contextmanager
def sensor_changed_for(link: Path, boot: int, leads: tuple[str, ...]) -> Iterator[SerialSensor]:
    """A driver whose first sensor is taken away and replaced by another, once it has spoken."""
    spoke = threading.Event()

    class Watching(SerialSensor):
        async def stream(self):  # type: ignore[no-untyped-def]
            async for item in super().stream():
                if isinstance(item, SampleChunk):
                    spoke.set()
                yield item

    def exchange() -> None:
        with sensor_at(link):
            assert spoke.wait(5)
        with sensor_at(link, boot=boot, recording=numbered(leads)):
            assert over.wait(10)

    over = threading.Event()
    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        while not link.exists():
            pass
        yield Watching("chest", str(link))
    finally:
        over.set()
        thread.join(5)


def test_a_rebooted_sensor_goes_on_behind_an_estimated_gap(tmp_path: Path) -> None:
    with sensor_changed_for(tmp_path / "sensor", 2, ("I",)) as driver:
        items = asyncio.run(
            collect(driver, lambda items: bool(of(items, Gap)) and samples_reached(0)(items))
        )
    (gap,) = of(items, Gap)
    assert not gap.exact
    assert [link.up for link in of(items, LinkChanged)] == [False, True]


def test_another_device_on_the_port_is_refused(tmp_path: Path) -> None:
    with (
        sensor_changed_for(tmp_path / "sensor", 1, ("I", "II")) as driver,
        pytest.raises(ProtocolError, match="instead of"),
    ):
        asyncio.run(collect(driver, lambda _: False))


def test_a_port_that_is_not_there_is_named() -> None:
    assert refusal("/dev/serial/by-id/nothing") == (
        "/dev/serial/by-id/nothing: no such port; is the board plugged in? (`ls /dev/serial/by-id`)"
    )


def test_something_that_is_no_port_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no port")
    assert refusal(file).startswith(f"{file}: cannot be opened")
    assert refusal(tmp_path).startswith(f"{tmp_path}: cannot be opened")


def test_a_port_of_others_tells_which_group() -> None:
    refusal("/dev/nothing")  # lets the link import what it needs while that is still allowed
    with bare_port() as (_, name):
        Path(name).chmod(0)
        as_root = os.geteuid() == 0
        if as_root:
            os.seteuid(65534)
        try:
            assert refusal(name) == (
                f"{name}: permission denied; add this user to the group dialout and log in again"
            )
        finally:
            if as_root:
                os.seteuid(0)


def test_a_silent_port_is_told_from_a_wrong_one() -> None:
    with bare_port() as (_, name):
        assert "open, but nothing arrives" in refusal(name, HASTY)


def test_random_bytes_are_no_sensor() -> None:
    with bare_port() as (device, name):
        over = threading.Event()

        def babble() -> None:
            while not over.wait(0.01):
                os.write(device, os.urandom(200))

        thread = threading.Thread(target=babble)
        thread.start()
        try:
            words = refusal(name, HASTY)
        finally:
            over.set()
            thread.join(5)
    assert "bytes arrived, but no greeting of an ecg-edge sensor; check the baud rate" in words


def test_an_open_port_that_falls_silent_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "POLL_S", 0.1)
    monkeypatch.setattr(serial, "_COLLECT_S", 0.05)
    faults = Faults(stalls=((2, 16),))
    items = played(tmp_path / "sensor", faults, 20, Patience(reopen_after_s=0.4))
    assert [link.up for link in of(items, LinkChanged)] == [False, True]
    assert of(items, LinkChanged)[0].reason.startswith("no data for")
    assert misplaced(items) == 0
