"""Acceleration beside an ECG: each sample in its place, at the time by the ECG."""

from fractions import Fraction

import numpy as np
import pytest

from firmware_bridge.conformance import check_stream
from firmware_bridge.straps.session import DeviceInfo, EcgForm, EcgSession, Packet
from firmware_bridge.stream import (
    Alignment,
    Gap,
    GapReason,
    SampleChunk,
    SignalInfo,
    SignalKind,
    StreamItem,
)
from tests.firmware_bridge.simulated import of

NS = 1_000_000_000
ACC = SignalInfo("acc", SignalKind.ACC, "mG", Fraction(50), ("x", "y", "z"), (1.0,) * 3, (0,) * 3)
FORM = EcgForm("polar", Fraction(130), 1000.0, 1_000_000)
ECG_PACKET, ACC_PACKET = 73, 36
ZERO_NS = 700_000_000 * NS


class Worn:
    """A strap whose two crystals are off by shares of their nominal rate, heard without delay."""

    def __init__(self, ecg_pace: float, acc_pace: float) -> None:
        self.session = EcgSession("s", DeviceInfo(model="H10"), FORM, ACC)
        self.items: list[StreamItem] = [self.session.opened]
        self._ecg_ns = NS / (130 * ecg_pace)
        self._acc_ns = NS / (50 * acc_pace)
        self._ecg = self._acc = 0
        self.zero_ns = ZERO_NS

    def play(self, until_s: float, lost: frozenset[int] = frozenset()) -> None:
        """Everything in order of time; of the acceleration's packets those in `lost` are lost."""
        while True:
            ecg_at = (self._ecg + ECG_PACKET) * self._ecg_ns
            acc_at = (self._acc + ACC_PACKET) * self._acc_ns
            if min(ecg_at, acc_at) > until_s * NS:
                return
            if ecg_at <= acc_at:
                self._ecg += ECG_PACKET
                stamp = self.zero_ns + int((self._ecg - 1) * self._ecg_ns)
                packet = Packet(stamp, np.zeros(ECG_PACKET, np.float32))
                self.items += self.session.packet(packet, int(ecg_at))
                continue
            numbers = np.arange(self._acc, self._acc + ACC_PACKET, dtype=np.float32)
            which = self._acc // ACC_PACKET
            self._acc += ACC_PACKET
            if which not in lost:
                stamp = self.zero_ns + int((self._acc - 1) * self._acc_ns)
                samples = np.stack([numbers] * 3, axis=1)
                self.items += self.session.beside(stamp, samples, 226, int(acc_at))

    def acc(self) -> list[SampleChunk]:
        return [chunk for chunk in of(self.items, SampleChunk) if chunk.signal == "acc"]


def test_the_stream_says_that_there_are_two_signals() -> None:
    strap = Worn(1.0, 1.0)
    strap.play(30)
    check_stream(strap.items)
    assert [s.id for s in strap.session.opened.signals] == ["ecg", "acc"]
    assert strap.session.opened.reference.id == "ecg"
    assert sum(len(chunk.samples) for chunk in strap.acc()) == pytest.approx(1500, abs=ACC_PACKET)


@pytest.mark.parametrize(("ecg_pace", "acc_pace"), [(1.0, 1.0), (0.99, 1.02), (1.01, 0.98)])
def test_alignments_tell_when_a_sample_was_taken_by_the_ecg(
    ecg_pace: float, acc_pace: float
) -> None:
    strap = Worn(ecg_pace, acc_pace)
    strap.play(600)
    check_stream(strap.items)
    told = of(strap.items, Alignment)
    assert len(told) == pytest.approx(600, rel=0.35)  # packets of .72 s, told once a second
    late_s = [(one.index / (50 * acc_pace)) - (one.at / (130 * ecg_pace)) for one in told]
    assert max(map(abs, late_s)) < 0.02


def test_lost_packets_are_a_gap_of_their_length() -> None:
    strap = Worn(1.0, 1.01)
    strap.play(60, lost=frozenset({10, 11, 30}))
    check_stream(strap.items)
    gaps = [(g.first, g.n_missing, g.exact, g.reason) for g in of(strap.items, Gap)]
    assert gaps == [
        (10 * ACC_PACKET, 2 * ACC_PACKET, True, GapReason.LOST_PACKET),
        (30 * ACC_PACKET, ACC_PACKET, True, GapReason.LOST_PACKET),
    ]
    # Each sample carries its number: it lies where it was taken.
    assert all(chunk.samples[0, 0] == chunk.first for chunk in strap.acc())


def test_a_repeated_packet_is_taken_once() -> None:
    strap = Worn(1.0, 1.0)
    strap.play(5)
    before = len(strap.items)
    stamp = strap.zero_ns + int(((5 * 50 // ACC_PACKET) * ACC_PACKET - 1) * NS / 50)
    strap.items += strap.session.beside(stamp, np.zeros((36, 3), np.float32), 226, 5 * NS)
    assert len(strap.items) == before


def test_away_and_back_is_a_gap_of_a_reconnect() -> None:
    strap = Worn(1.0, 1.0)
    strap.play(30)
    strap.items += strap.session.link_lost(30 * NS, "out of range")
    before = len(strap.items)
    strap._ecg += 20 * ECG_PACKET  # eleven seconds unheard
    strap._acc += 16 * ACC_PACKET
    strap.play(60)
    check_stream(strap.items)
    gaps = {gap.signal: gap for gap in of(strap.items[before:], Gap)}
    assert gaps["acc"].reason is GapReason.RECONNECT
    assert gaps["acc"].n_missing == 16 * ACC_PACKET
    assert all(chunk.samples[0, 0] == chunk.first for chunk in strap.acc())


def test_a_clock_that_begins_anew_is_not_aligned_with_the_old_one() -> None:
    strap = Worn(1.0, 1.0)
    strap.play(30)
    strap.items += strap.session.link_lost(30 * NS, "rebooted")
    strap.zero_ns = ZERO_NS // 2
    before = len(strap.items)
    stamp = strap.zero_ns + int(31 * NS)
    samples = np.zeros((ACC_PACKET, 3), np.float32)
    strap.items += strap.session.beside(stamp, samples, 226, 31 * NS)
    assert not of(strap.items[before:], Alignment)
    strap.play(60)
    check_stream(strap.items)
    assert of(strap.items[before:], Alignment)
