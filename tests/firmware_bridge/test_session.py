"""A sensor's bytes to stream items: loss, repetition, reboot, reconnect, wrong devices."""

from dataclasses import replace
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
    SampleIndex,
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
    portion = [data(counter) for counter in range(0, 100, PACKET)]  # sampled until it came
    items += session.feed(sent(hello(boot=2), *portion), 4 * SECOND)
    check_stream(items)
    (gap,) = only(items, Gap)
    assert isinstance(gap, Gap)
    assert (gap.n_missing, gap.exact) == (1900, False)
    assert chunks(items)[-1].end == 10 + 2000
    assert session.counts.reboots == 1


def test_another_device_on_the_same_port_is_an_error() -> None:
    session = SensorSession("chest")
    session.feed(sent(hello()), 0)
    with pytest.raises(ProtocolError, match="B7"):
        session.feed(sent(hello(serial="B7")), 0)


@pytest.mark.parametrize("n_leads", [1, 3])
def test_data_of_another_number_of_leads_is_skipped_and_told(n_leads: int) -> None:
    two = replace(hello(), leads=(Lead("I", 1000.0, 0), Lead("II", 1000.0, 0)))

    def packet(counter: int, n: int) -> Data:
        return Data(0, counter, 0, 0, np.full((PACKET, n), 500, np.int32))

    session = SensorSession("chest")
    items = session.feed(sent(two, packet(0, 2), packet(10, n_leads), packet(20, 2)), 0)
    check_stream(items)
    assert [chunk.samples.shape for chunk in chunks(items)] == [(PACKET, 2), (PACKET, 2)]
    assert [item.n_missing for item in items if isinstance(item, Gap)] == [PACKET]
    (told,) = only(items, BytesSkipped)
    assert isinstance(told, BytesSkipped)
    assert told.n_frames == 1
    assert f"{n_leads} leads where HELLO announced 2" in told.detail


def test_data_of_another_number_of_leads_does_not_open_the_signal() -> None:
    session = SensorSession("chest")
    wrong = Data(0, 0, 0, 0, np.zeros((PACKET, 2), np.int32))
    assert chunks(session.feed(sent(hello(), wrong), 0)) == []
    assert [chunk.first for chunk in chunks(session.feed(sent(data(700)), SECOND))] == [0]


def played(session: SensorSession, counters: range, from_ns: int) -> list[StreamItem]:
    """Packets at the pace of the sensor, one each 20 ms."""
    items: list[StreamItem] = []
    for k, counter in enumerate(counters):
        items += session.feed(sent(data(counter)), from_ns + k * SECOND // 50)
    return items


@pytest.mark.parametrize("hello_comes", [False, True])
def test_a_reboot_whose_greeting_was_lost_is_noticed_by_its_counter(hello_comes: bool) -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello()), 0)
    items += played(session, range(0, 2000, PACKET), 0)
    last_ns = 199 * SECOND // 50
    items += played(session, range(0, 100, PACKET), last_ns + 3 * SECOND)
    if hello_comes:  # later, as every five seconds
        items += session.feed(sent(hello(boot=2)), last_ns + 4 * SECOND)
    items += played(session, range(100, 1000, PACKET), last_ns + 16 * SECOND // 5)
    check_stream(items)
    (gap,) = only(items, Gap)
    assert isinstance(gap, Gap)
    # The first packet was doubted; the second came 3.02 s after the last one.
    assert (gap.first, gap.n_missing, gap.exact) == (2000, 1500, False)
    assert session.counts.reboots == 1
    assert session.counts.repeated_samples == 0
    assert chunks(items)[-1].end == 2000 + 1500 + 1000 - PACKET


def test_time_goes_on_while_only_repeated_samples_arrive() -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello(), data(0)), 0)
    for k in range(1, 101):  # a sensor whose counter is stuck
        items += session.feed(sent(data(0)), k * SECOND // 50)
    check_stream(items)
    ticks = [int(item.at) for item in items if isinstance(item, Tick)]
    assert len(ticks) == 7  # every 250 ms, at the next packet
    assert ticks[-1] > 10 + 850
    assert session.counts.repeated_samples == 100 * PACKET


def test_a_packet_longer_than_a_second_may_overlap_what_came_before() -> None:
    slow = replace(hello(), rate_hz=Fraction(100))

    def packet(counter: int) -> Data:
        return Data(0, counter, 0, 0, np.zeros((250, 1), np.int32))

    session = SensorSession("chest")
    items = session.feed(sent(slow, packet(0), packet(0), packet(50)), 0)
    check_stream(items)
    assert chunks(items)[-1].end == 300
    assert session.counts.repeated_samples == 250 + 200
    assert not session.counts.malformed


def test_one_message_with_a_wrong_counter_is_skipped_and_nothing_moves() -> None:
    for wrong in (2**31 - 1000, 2**31 + 1000, 100_000):
        session = SensorSession("chest")
        items = session.feed(sent(hello()), 0)
        items += played(session, range(0, 1000, PACKET), 0)
        items += session.feed(sent(data(wrong)), 2 * SECOND)
        items += played(session, range(1010, 2000, PACKET), 2 * SECOND + SECOND // 50)
        check_stream(items)
        lost = Gap("ecg", SampleIndex(1000), PACKET, True, GapReason.LOST_PACKET)
        assert only(items, Gap) == [lost]
        assert session.counts.reboots == 0
        assert session.counts.malformed["counter out of place"] == 1


def test_a_counter_that_leaps_and_stays_is_placed_by_the_host_clock() -> None:
    session = SensorSession("chest")
    items = session.feed(sent(hello()), 0)
    items += played(session, range(0, 1000, PACKET), 0)
    leapt = 2**31 - 1000
    items += played(session, range(leapt, leapt + 1000, PACKET), 2 * SECOND)
    check_stream(items)
    (gap,) = only(items, Gap)
    assert isinstance(gap, Gap)
    assert (gap.n_missing, gap.exact) == (PACKET, False)  # the one that was doubted
    assert chunks(items)[-1].end == 1000 + 1000


@pytest.mark.parametrize("away_s", [0, 3600])
def test_a_gap_within_what_the_host_clock_allows_is_believed(away_s: int) -> None:
    for n_missing in (away_s * 500 + 59 * 500, away_s * 520):
        session = SensorSession("chest")
        items = session.feed(sent(hello(), data(0)), 0)
        items += session.feed(sent(data(PACKET + n_missing)), away_s * SECOND)
        assert sum(g.n_missing for g in items if isinstance(g, Gap) and g.exact) == n_missing


def test_status_and_mark() -> None:
    session = SensorSession("chest")
    status = Status(1, 10, 80, None)
    items = session.feed(sent(hello(), data(0), status, status, Mark(2, 10, "dizzy")), 0)
    assert only(items, DeviceStatus) == [DeviceStatus(10, 80, None)]  # type: ignore[arg-type]
    assert only(items, UserMark) == [UserMark(10, "dizzy")]  # type: ignore[arg-type]


@pytest.mark.parametrize("counter", [2**31 - 1000, 2**31 + 1000])
def test_a_mark_with_a_wrong_counter_is_kept_where_the_signal_is(counter: int) -> None:
    session = SensorSession("chest")
    early = session.feed(sent(hello(), Mark(1, counter, "early")), 0)
    late = session.feed(sent(data(5000), Mark(2, counter, "dizzy")), 0)
    assert only(early, UserMark) == [UserMark(SampleIndex(0), "early")]
    assert only(late, UserMark) == [UserMark(SampleIndex(10), "dizzy")]


def test_the_counter_may_wrap() -> None:
    session = SensorSession("chest")
    start = protocol.COUNTER_MODULUS - PACKET
    items = session.feed(sent(hello(), data(start), data(start + PACKET)), 0)
    check_stream(items)
    assert [(c.first, len(c.samples)) for c in chunks(items)] == [(0, 2 * PACKET)]
