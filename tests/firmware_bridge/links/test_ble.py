"""The strap driver against a radio in memory: handshakes, stalls, losses, the wrong strap."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from firmware_bridge.conformance import StreamCheck
from firmware_bridge.errors import LinkError, ProtocolError, UsageError
from firmware_bridge.links.ble import BleSensor, Patience
from firmware_bridge.straps import heart_rate, movesense_gsp, polar_pmd
from firmware_bridge.stream import (
    DeviceStatus,
    Gap,
    LinkChanged,
    RrIntervals,
    SampleChunk,
    SignalKind,
    StreamItem,
    StreamOpened,
)
from tests.firmware_bridge.links.fake_radio import (
    MODEL,
    SERIAL,
    FakeH10,
    FakeMovesense,
    FakeRadio,
    FakeStrap,
)
from tests.firmware_bridge.simulated import misplaced, of

ADDRESS = "C4:A1:B2:C3:D4:E5"
HASTY = Patience(no_data_s=0.15, leave_s=0.1)
START, STOP = b"\x02\0", b"\x03\0"


def play(
    radio: FakeRadio,
    enough: Callable[[list[StreamItem]], bool],
    act: Callable[[list[StreamItem]], None] = lambda _: None,
    **options: object,
) -> list[StreamItem]:
    """Items until there are enough; `act` is called after each."""
    patience = options.pop("patience", HASTY)

    async def run() -> list[StreamItem]:
        items: list[StreamItem] = []
        check = StreamCheck()
        driver = BleSensor("chest", ADDRESS, radio, patience=patience, **options)  # type: ignore[arg-type]
        async with asyncio.timeout(10), aclosing(driver.stream()) as stream:
            async for item in stream:
                check.see(item)
                items.append(item)
                act(items)
                if enough(items):
                    break
        return items

    return asyncio.run(run())


def n_chunks(n: int) -> Callable[[list[StreamItem]], bool]:
    return lambda items: len(of(items, SampleChunk)) >= n


def test_an_h10_is_started_read_and_always_stopped() -> None:
    strap = FakeH10()

    def act(items: list[StreamItem]) -> None:
        if isinstance(items[-1], DeviceStatus):
            asyncio.get_running_loop().call_later(0.01, strap.send, 4)

    items = play(FakeRadio(strap), n_chunks(4), act)
    opened = items[0]
    assert isinstance(opened, StreamOpened)
    assert (opened.model, opened.reference.rate_hz) == ("H10", 130)
    assert of(items, DeviceStatus)[0].battery_percent == 87
    assert [command[:2] for command in strap.written] == [b"\x01\0", START, STOP]
    assert strap.written[1].hex() == "02000001820001010e00"
    assert strap.disconnects == 1
    assert {polar_pmd.DATA, heart_rate.MEASUREMENT, heart_rate.BATTERY_LEVEL} < strap.subscribed
    assert misplaced(items) == 0


def test_a_measurement_left_running_is_stopped_first() -> None:
    strap = FakeH10()
    point = polar_pmd.CONTROL_POINT
    strap.answers[START] = (point, bytes.fromhex("f002000600"))
    write = strap.write

    async def stopping(characteristic: str, value: bytes) -> None:
        await write(characteristic, value)
        if value[:2] == STOP:
            strap.answers[START] = (point, bytes.fromhex("f00200000000"))
            asyncio.get_running_loop().call_later(0.02, strap.send, 1)

    strap.write = stopping  # type: ignore[method-assign]
    play(FakeRadio(strap), n_chunks(1))
    assert [command[0] for command in strap.written[:4]] == [1, 2, 3, 2]


def test_a_stall_without_a_callback_is_noticed_and_the_hole_is_marked() -> None:
    strap = FakeH10()
    radio = FakeRadio(strap)

    def act(items: list[StreamItem]) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(items[-1], DeviceStatus):
            loop.call_later(0.01, strap.send, 60)
        elif isinstance(items[-1], LinkChanged) and not items[-1].up:
            strap.taken += 100
            for k in range(20):
                loop.call_later(0.1 * k, strap.send, 1)

    items = play(radio, n_chunks(61), act)
    down, up = of(items, LinkChanged)
    assert (down.up, up.up) == (False, True)
    assert "no data" in down.reason
    assert radio.connects == 2
    assert [command[:2] for command in strap.written].count(STOP) == 2
    (gap,) = of(items, Gap)
    # What was sent while nobody listened is missing, too.
    assert gap.n_missing in (100, 173, 246, 319, 392)
    assert misplaced(items) == 0


def test_a_lost_link_is_made_anew_without_a_stop_that_cannot_arrive() -> None:
    strap = FakeH10()
    radio = FakeRadio(strap)

    def act(items: list[StreamItem]) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(items[-1], DeviceStatus):
            loop.call_later(0.01, strap.send, 5)
        elif len(of(items, SampleChunk)) == 5 and isinstance(items[-1], SampleChunk):
            strap.lost()
            radio.troubles = ["out of range", "out of range"]
            for k in range(20):
                loop.call_later(0.2 * k, strap.send, 1)

    items = play(radio, n_chunks(6), act, patience=Patience(no_data_s=1.0))
    assert of(items, LinkChanged)[0].reason == "the link was lost"
    assert len(of(items, LinkChanged)) == 2
    # Only the end of the second connection could be told.
    assert [command[:2] for command in strap.written].count(STOP) == 1
    assert radio.connects == 2


def test_a_strap_that_is_not_there_says_so() -> None:
    with pytest.raises(LinkError, match="moisten"):
        play(FakeRadio(FakeH10(), ["not seen: moisten and wear the strap"]), n_chunks(1))


def test_another_serial_is_refused_before_and_after_the_beginning() -> None:
    with pytest.raises(ProtocolError, match="serial A1 instead of B7"):
        play(FakeRadio(FakeH10()), n_chunks(1), serial="B7")

    strap = FakeH10()

    def act(items: list[StreamItem]) -> None:
        if isinstance(items[-1], DeviceStatus):
            asyncio.get_running_loop().call_later(0.01, strap.send, 1)
        elif isinstance(items[-1], SampleChunk):
            strap.values[SERIAL] = b"C9"
            strap.lost()

    with pytest.raises(ProtocolError, match="another device"):
        play(FakeRadio(strap), n_chunks(2), act)


def test_a_strap_that_does_not_answer_is_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_bridge.links.gatt._ANSWER_WITHIN_S", 0.05)
    strap = FakeH10()
    strap.is_deaf = True
    with pytest.raises(LinkError, match="no answer"):
        play(FakeRadio(strap), n_chunks(1))


@pytest.mark.parametrize(
    ("start", "words"), [("f002000a00", "MTU"), ("f002000d00", "charger"), ("f0020063", "error 99")]
)
def test_a_refused_start_is_told_in_words(start: str, words: str) -> None:
    strap = FakeH10()
    strap.answers[START] = (polar_pmd.CONTROL_POINT, bytes.fromhex(start))
    # After StreamOpened it is tried again, and the reason is the link's.
    items = play(FakeRadio(strap), lambda items: isinstance(items[-1], LinkChanged))
    assert words in items[-1].reason  # type: ignore[union-attr]


def test_a_rate_that_the_strap_has_not_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="this strap has 130 Hz"):
        play(FakeRadio(FakeH10()), n_chunks(1), rate_hz=250)
    with pytest.raises(UsageError, match="512"):
        play(FakeRadio(FakeMovesense(short=True)), n_chunks(1), rate_hz=130)


@pytest.mark.parametrize("short", [False, True])
def test_movesense_in_the_form_that_its_firmware_has(short: bool) -> None:
    strap = FakeMovesense(short=short)

    def act(items: list[StreamItem]) -> None:
        if isinstance(items[-1], DeviceStatus):
            asyncio.get_running_loop().call_later(0.01, strap.send, 8)

    items = play(FakeRadio(strap), n_chunks(8), act)
    assert not of(items, Gap)  # the stamps wrap meanwhile
    expected = 0.1 if short else 100 * movesense_gsp.MV_PER_COUNT
    assert of(items, SampleChunk)[0].samples[0, 0] == pytest.approx(expected)
    path = b"/Meas/ECG/256" + (b"/mV" if short else b"")
    assert strap.written[-2:] == [movesense_gsp.subscribe(0x63, path.decode()), b"\x02\x63"]


def test_any_heart_rate_strap_tells_its_intervals() -> None:
    strap = FakeStrap()
    strap.values[heart_rate.MEASUREMENT] = b""

    def act(items: list[StreamItem]) -> None:
        if isinstance(items[-1], DeviceStatus):
            later = asyncio.get_running_loop().call_later
            later(0.01, strap.notify, heart_rate.MEASUREMENT, bytes.fromhex("104b3303"))
            later(0.02, strap.notify, heart_rate.BATTERY_LEVEL, b"\x50")

    items = play(FakeRadio(strap), lambda items: len(of(items, DeviceStatus)) == 2, act)
    assert items[0].reference.kind is SignalKind.RR  # type: ignore[union-attr]
    assert of(items, RrIntervals)[0].intervals_s == (819 / 1024,)


def test_a_device_of_no_known_family_is_refused() -> None:
    with pytest.raises(UsageError, match="neither"):
        play(FakeRadio(FakeStrap()), n_chunks(1))


def test_a_strap_with_little_to_say_of_itself_is_read_all_the_same() -> None:
    strap = FakeH10()
    strap.mute = {heart_rate.BATTERY_LEVEL}
    strap.unreadable = {MODEL}

    def act(items: list[StreamItem]) -> None:
        if isinstance(items[-1], DeviceStatus):
            asyncio.get_running_loop().call_later(0.01, strap.send, 1)

    items = play(FakeRadio(strap), n_chunks(1), act)
    assert items[0].model == "Polar PMD"  # type: ignore[union-attr]
    assert heart_rate.BATTERY_LEVEL not in strap.subscribed
    strap.unreadable = {SERIAL}
    with pytest.raises(LinkError, match="not permitted"):
        play(FakeRadio(strap), n_chunks(1))
