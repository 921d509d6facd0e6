"""A sensor's bytes to stream items: loss, repetition, reboot, reconnect, wrong devices."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge import protocol
from firmware_bridge.conformance import check_stream
from firmware_bridge.errors import ProtocolError
from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import Data, DeviceMessage, Hello, Lead, Mark, Status
from firmware_bridge.session import SensorSession
from firmware_bridge.stream import (
    BytesSkipped,
    DeviceStatus,
    Gap,
    GapReason,
    LeadStatus,
    LinkChanged,
    SampleChunk,
    StreamItem,
    StreamOpened,
    Tick,
    UserMark,
)

SECOND = 1_000_000_000
PACKET = 10


def hello(boot: int = 1, serial: str = "A42") -> Hello:
    return Hello(0, boot, Fraction(500), "edge-1", "1.0", serial, (Lead("I", 1000.0, 0),), True)


def data(counter: int, leads_off: int = 0) -> Data:
    """A packet whose samples carry their own number (modulo 30000), so that shifts show."""
    numbers = (counter + np.arange(PACKET)) % 30_000
    modulus = protocol.COUNTER_MODULUS
    return Data(0, counter % modulus, counter * 2000, leads_off, numbers[:, None].astype(np.int32))


def sent(*messages: DeviceMessage) -> bytes:
    return b"".join(encode_frame(protocol.encode(message)) for message in messages)


def chunks(items: list[StreamItem]) -> list[SampleChunk]:
    return [item for item in items if isinstance(item, SampleChunk)]


def only(items: list[StreamItem], kind: type) -> list[StreamItem]:
    return [item for item in items if isinstance(item, kind)]


def test_hello_opens_and_samples_are_millivolts() -> None:
    items = SensorSession("chest").feed(sent(hello(), data(1000)), 0)
    opened, first = items[0], chunks(items)[0]
    assert isinstance(opened, StreamOpened)
    assert opened.source == "chest"
    assert opened.reference.rate_hz == 500
    assert first.first == 0
    np.testing.assert_allclose(first.samples[:, 0], np.arange(1000, 1010) / 1000, rtol=1e-6)


def test_nothing_is_said_before_hello() -> None:
    assert SensorSession("chest").feed(sent(data(0), Status(0, 0, 50, None)), 0) == []


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.integers(0, 2**33))
def test_every_sample_is_there_or_marked_missing(arrives: list[bool], start: int) -> None:
    arrives[0] = arrives[-1] = True
    session = SensorSession("chest")
    items = session.feed(sent(hello()), 0)
    for k, arrived in enumerate(arrives):
        if arrived:
            items += session.feed(sent(data(start + k * PACKET)), k * SECOND // 50)
    check_stream(items)
    assert session.counts.lost_samples == PACKET * arrives.count(False)
    for chunk in chunks(items):
        expected = (start + chunk.first + np.arange(len(chunk.samples))) % 30_000
        np.testing.assert_allclose(chunk.samples[:, 0] * 1000, expected, atol=0.01)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_repeated_and_late_packets_change_nothing(order: list[int]) -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello(), data(0)), 0)
    for k in order:
        items += session.feed(sent(data(k * PACKET)), 0)
    check_stream(items)
    total = sum(len(c.samples) for c in chunks(items)) + session.counts.lost_samples
    assert total == (max([0, *order]) + 1) * PACKET


@given(st.binary(max_size=300), st.integers(1, 7))
def test_any_portions_and_noise_between_frames(noise: bytes, size: int) -> None:
    stream = sent(hello(), data(0)) + noise + b"\0" + sent(data(PACKET), data(2 * PACKET))
    session = SensorSession("chest")
    items: list[StreamItem] = []
    for start in range(0, len(stream), size):
        items += session.feed(stream[start : start + size], 0)
    check_stream(items)
    assert sum(len(c.samples) for c in chunks(items)) == 3 * PACKET


def test_noise_is_reported_at_most_every_ten_seconds() -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello(), data(0)), 0)
    for k in range(1, 200):
        items += session.feed(b"\x05noise\0" + sent(data(k * PACKET)), k * SECOND // 10)
    reports = only(items, BytesSkipped)
    assert len(reports) == 2
    assert reports[1].n_frames == 100  # type: ignore[attr-defined]


def test_lead_off_is_told_when_it_changes() -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello(), data(0), data(10, 1), data(20, 1), data(30)), 0)
    assert [(s.at, s.off) for s in items if isinstance(s, LeadStatus)] == [
        (0, (False,)),
        (10, (True,)),
        (30, (False,)),
    ]


def test_silence_ticks_at_the_nominal_rate_after_a_quarter_second() -> None:
    session = SensorSession("chest")
    session.feed(sent(hello(), data(0)), 0)
    assert session.silence(SECOND // 5) == []
    assert session.silence(2 * SECOND) == [Tick(10 + 1000)]  # type: ignore[arg-type]


def test_a_reconnect_without_reboot_gives_one_exact_gap() -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello(), data(0)), 0)
    items += session.link_lost(SECOND, "unplugged")
    items += session.link_lost(2 * SECOND, "unplugged")
    items += session.silence(2 * SECOND)
    items += session.feed(sent(hello(), data(1010)), 2 * SECOND + SECOND // 50)
    check_stream(items)
    assert only(items, Gap) == [Gap("ecg", 10, 1000, True, GapReason.RECONNECT)]  # type: ignore[arg-type]
    assert [item.up for item in items if isinstance(item, LinkChanged)] == [False, True]


def test_a_reboot_is_bridged_by_the_host_clock_and_marked_inexact() -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello(boot=1), data(5000)), 0)
    items += session.feed(sent(hello(boot=2), data(0)), 4 * SECOND)
    check_stream(items)
    (gap,) = only(items, Gap)
    assert isinstance(gap, Gap)
    assert (gap.n_missing, gap.exact) == (2000, False)
    assert chunks(items)[-1].first == 10 + 2000
    assert session.counts.reboots == 1


def test_another_device_on_the_same_port_is_an_error() -> None:
    session = SensorSession("chest")
    session.feed(sent(hello()), 0)
    with pytest.raises(ProtocolError, match="B7"):
        session.feed(sent(hello(serial="B7")), 0)


def test_status_and_mark() -> None:
    session = SensorSession("chest")
    status = Status(1, 10, 80, None)
    items = session.feed(sent(hello(), data(0), status, status, Mark(2, 10, "dizzy")), 0)
    assert only(items, DeviceStatus) == [DeviceStatus(10, 80, None)]  # type: ignore[arg-type]
    assert only(items, UserMark) == [UserMark(10, "dizzy")]  # type: ignore[arg-type]


def test_the_counter_may_wrap() -> None:
    session = SensorSession("chest")
    start = protocol.COUNTER_MODULUS - PACKET
    items = session.feed(sent(hello(), data(start), data(start + PACKET)), 0)
    check_stream(items)
    assert [(c.first, len(c.samples)) for c in chunks(items)] == [(0, 2 * PACKET)]
