"""Strap sessions: holes of the right length, nothing invented, whatever the link does."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.conformance import check_stream
from firmware_bridge.straps.session import DeviceInfo, EcgForm, EcgSession, Packet, RrSession
from firmware_bridge.stream import (
    ClockAnchor,
    DeviceStatus,
    Gap,
    GapReason,
    LinkChanged,
    PaceMark,
    RrIntervals,
    SampleChunk,
    SampleIndex,
    StreamItem,
    Tick,
)

NS = 1_000_000_000
H10 = EcgForm("polar", Fraction(130), 1000.0, 1_000_000)
MOVESENSE = EcgForm("movesense", Fraction(512), 1 / 0.000381469726563, 1_000_000)
EPOCH_2019_NS = 599_616_000_000_000_000
HOST_NS = 1_000 * NS


class Strap:
    """A strap whose true pace is `pace` times nominal and whose samples carry their number."""

    def __init__(self, form: EcgForm, n: int, pace: float = 1.0, coarse_ns: int = 1) -> None:
        self.session = EcgSession("s", DeviceInfo(model="H10"), form)
        self.items: list[StreamItem] = [self.session.opened]
        self._form, self._n, self._coarse_ns = form, n, coarse_ns
        self._period_ns = NS / (float(form.rate_hz) * pace)
        self._zero_ns = 5 * EPOCH_2019_NS // 4
        self.taken = 0

    def host_ns(self) -> int:
        return HOST_NS + round(self.taken * self._period_ns)

    def take(self) -> Packet:
        """The next packet; it is lost unless it is delivered."""
        numbers = np.arange(self.taken, self.taken + self._n, dtype=np.float32)
        self.taken += self._n
        stamp = self._zero_ns + int((self.taken - 1) * self._period_ns)
        return Packet(stamp // self._coarse_ns * self._coarse_ns, numbers)

    def deliver(self, packet: Packet, late_ns: int = 0) -> list[StreamItem]:
        items = self.session.packet(packet, self.host_ns() + late_ns)
        self.items += items
        return items

    def play(self, packets: int) -> None:
        for _ in range(packets):
            self.deliver(self.take())

    def away(self, samples: int) -> None:
        """The link is down while `samples` are taken and lost."""
        self.items += self.session.link_lost(self.host_ns(), "link lost")
        self.taken += samples

    def reboot(self) -> None:
        self._zero_ns = EPOCH_2019_NS - int(self.taken * self._period_ns)

    def of(self, kind: type) -> list:
        return [item for item in self.items if isinstance(item, kind)]

    def misplaced(self) -> int:
        """Samples that are not at the index of their number."""
        return sum(
            int((c.samples[:, 0] != np.arange(c.first, c.end)).sum()) for c in self.of(SampleChunk)
        )

    def end(self) -> int:
        check_stream(self.items)
        return int(self.session._end)


@pytest.mark.parametrize("pace", [0.985, 1.0, 1.01])
@pytest.mark.parametrize(("form", "n", "coarse"), [(H10, 73, 1), (MOVESENSE, 16, 1_000_000)])
def test_whole_packets_lost_are_counted_exactly(
    form: EcgForm, n: int, coarse: int, pace: float
) -> None:
    strap = Strap(form, n, pace, coarse)
    for lost in (0, 1, 3, 0, 12):
        for _ in range(lost):
            strap.take()
        strap.play(20)
    assert [gap.n_missing for gap in strap.of(Gap)] == [n, 3 * n, 12 * n]
    assert all(gap.exact and gap.reason is GapReason.LOST_PACKET for gap in strap.of(Gap))
    assert strap.misplaced() == 0
    assert strap.end() == strap.taken


def test_a_loss_before_the_pace_is_known() -> None:
    strap = Strap(H10, 73, 0.98)
    strap.play(1)
    strap.take()
    strap.play(5)
    assert [(gap.n_missing, gap.exact) for gap in strap.of(Gap)] == [(73, True)]


def test_a_reconnect_is_a_gap_of_the_right_length() -> None:
    strap = Strap(H10, 73, 1.012)
    strap.play(200)
    strap.away(1001)
    strap.play(3)
    (gap,) = strap.of(Gap)
    assert (gap.n_missing, gap.exact, gap.reason) == (1001, True, GapReason.RECONNECT)
    assert [change.up for change in strap.of(LinkChanged)] == [False, True]
    assert strap.misplaced() == 0
    assert strap.end() == strap.taken


def test_two_hours_out_of_range_are_marked_inexact_and_right_to_a_fraction_of_a_second() -> None:
    strap = Strap(H10, 73, 1.012)
    strap.play(500)
    strap.away(two_hours := 2 * 3600 * 130)
    strap.play(3)
    (gap,) = strap.of(Gap)
    assert not gap.exact
    assert gap.n_missing == pytest.approx(two_hours, abs=13)
    check_stream(strap.items)


def test_a_sensor_that_rebooted_is_placed_by_the_host_s_clock() -> None:
    strap = Strap(H10, 73)
    strap.play(100)
    strap.away(2600)
    strap.reboot()
    strap.play(3)
    (gap,) = strap.of(Gap)
    assert not gap.exact
    assert gap.n_missing == pytest.approx(2600, abs=1)
    assert strap.session.counts.restarts == 1
    check_stream(strap.items)


def test_a_clock_that_is_set_while_connected_costs_one_packet() -> None:
    strap = Strap(H10, 73)
    strap.play(100)
    strap.reboot()
    strap.play(5)
    (gap,) = strap.of(Gap)
    assert (gap.n_missing, gap.exact) == (73, False)
    assert strap.end() == strap.taken


def test_a_reboot_whose_new_clock_looks_later_is_seen_by_the_host_s_clock() -> None:
    strap = Strap(H10, 73)
    strap.play(20)
    strap.away(130 * 600)
    strap._zero_ns -= 590 * NS  # it claims that ten seconds have passed
    strap.play(2)
    (gap,) = strap.of(Gap)
    assert not gap.exact
    assert gap.n_missing == pytest.approx(130 * 600, abs=1)


def test_repeated_and_late_packets_are_dropped_and_never_place_anything() -> None:
    strap = Strap(H10, 73)
    strap.play(10)
    first, second, third = strap.take(), strap.take(), strap.take()
    for packet in (first, first, third, second, first, second, third):
        strap.deliver(packet)
    strap.play(5)
    assert [(gap.n_missing, gap.exact) for gap in strap.of(Gap)] == [(73, True)]
    assert strap.misplaced() == 0
    assert strap.end() == strap.taken


def test_data_that_were_held_back_are_no_loss() -> None:
    strap = Strap(H10, 73)
    strap.play(10)
    held = [strap.take() for _ in range(14)]
    for packet in held:
        strap.deliver(packet)
    strap.play(2)
    assert not strap.of(Gap)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["play", "drop", "twice", "swap", "away", "reboot"]), max_size=40),
    st.floats(0.985, 1.015),
    st.integers(0, 2**32),
)
def test_received_is_delivered_and_the_rest_is_a_marked_gap(
    faults: list[str], pace: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    strap = Strap(H10, 73, pace)
    strap.play(3)
    for fault in faults:
        late_ns = int(rng.integers(0, 45_000_000))
        if fault == "drop":
            strap.take()
        elif fault in ("away", "reboot"):
            strap.away(int(rng.integers(300, 5000)))
            if fault == "reboot":
                strap.reboot()
        if fault in ("twice", "swap"):
            packets = [strap.take(), strap.take()]
            for k in [0, 0, 1, 1] if fault == "twice" else [1, 0]:
                strap.deliver(packets[k], late_ns)
        else:
            strap.deliver(strap.take(), late_ns)
        strap.play(2)
    delivered = sum(len(chunk.samples) for chunk in strap.of(SampleChunk))
    missing = sum(gap.n_missing for gap in strap.of(Gap))
    counts = strap.session.counts
    assert delivered == counts.received_samples - counts.refused_samples
    assert strap.end() == delivered + missing
    # A reboot is placed by the host's clock: right to its jitter and the pace's error.
    reboots = faults.count("reboot")
    allowed = 2 if not reboots else 10 + reboots * 5000 * 0.016
    assert abs(strap.end() - strap.taken) <= allowed + 3 * faults.count("away")


def test_silence_ticks_and_a_lost_link_is_said_once() -> None:
    strap = Strap(H10, 73)
    assert strap.session.silence(HOST_NS) == []
    strap.play(2)
    now = strap.host_ns()
    assert strap.session.silence(now + 100_000_000) == []
    assert strap.session.silence(now + NS) == [Tick(SampleIndex(146 + 130))]
    assert strap.session.silence(now + NS + 1) == []
    assert strap.session.link_lost(now, "out of range") == [
        LinkChanged(SampleIndex(146), up=False, reason="out of range")
    ]
    assert strap.session.link_lost(now, "again") == []


def test_status_comes_where_it_changes_and_pace_marks_where_they_are() -> None:
    strap = Strap(H10, 73)
    session = strap.session
    assert session.battery(b"\x57") == [DeviceStatus(SampleIndex(0), battery_percent=87)]
    assert session.battery(b"\x57") == []
    told = session.heart_rate(bytes.fromhex("16 4b 3303"), HOST_NS)
    assert told == [
        DeviceStatus(SampleIndex(0), battery_percent=87, contact=True),
        RrIntervals(SampleIndex(0), (819 / 1024,)),
    ]
    frame = Packet(1, np.zeros(3, np.float32), paced=(2,))
    assert PaceMark(SampleIndex(2)) in session.packet(frame, HOST_NS)
    assert session.heart_rate(b"\x01", HOST_NS)[0].n_frames == 1


class Beats:
    """An RR strap that reports once a second."""

    def __init__(self) -> None:
        self.session = RrSession("s", DeviceInfo())
        self.items: list[StreamItem] = [self.session.opened]
        self.now_ns = HOST_NS

    def report(self, *rr: int, after_s: float = 1.0) -> None:
        self.now_ns += int(after_s * NS)
        value = bytes((0x10, 75)) + b"".join(x.to_bytes(2, "little") for x in rr)
        self.items += self.session.heart_rate(value, self.now_ns)


def test_rr_intervals_follow_each_other() -> None:
    beats = Beats()
    for k in range(20):
        beats.report(*((819,) if k % 4 else (819, 819)))
    intervals = [item for item in beats.items if isinstance(item, RrIntervals)]
    assert not [item for item in beats.items if isinstance(item, Gap)]
    assert intervals[-1].at == 819 * 25
    assert [item for item in beats.items if isinstance(item, ClockAnchor)]
    check_stream(beats.items)


def test_measurements_that_come_twice_do_not_run_ahead_of_time() -> None:
    beats = Beats()
    for _ in range(100):
        beats.report(1024)
        beats.report(1024, after_s=0)
    intervals = [item for item in beats.items if isinstance(item, RrIntervals)]
    assert intervals[-1].at <= (100 + 2 * 2.5) * 1024
    assert beats.session.counts.refused_samples >= 95
    check_stream(beats.items)


def test_beats_that_were_not_reported_are_a_gap() -> None:
    beats = Beats()
    for _ in range(5):
        beats.report(1024)
    beats.report(1024, after_s=30)
    (gap,) = [item for item in beats.items if isinstance(item, Gap)]
    assert not gap.exact
    assert gap.n_missing == pytest.approx(29 * 1024, abs=2600)
    beats.report()
    beats.report(0)
    check_stream(beats.items)
    assert beats.session.silence(beats.now_ns + 2 * NS)
