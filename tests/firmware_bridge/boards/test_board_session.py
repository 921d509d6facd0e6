"""Samples to stream items: what is exact, what is estimated, what is never invented."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.boards.samples import BoardForm, BoardSamples
from firmware_bridge.boards.session import BoardSession
from firmware_bridge.conformance import StreamCheck
from firmware_bridge.stream import (
    ClockAnchor,
    Gap,
    GapReason,
    LeadStatus,
    LinkChanged,
    SampleChunk,
    StreamItem,
    Tick,
)
from tests.firmware_bridge.simulated import missing, of

RATE = 250
NS = 1_000_000_000
PACKET = 50
"""Samples that a port collects before they are read."""


def form(modulus: int = 256, *, counts_on: bool = False) -> BoardForm:
    return BoardForm("b", "B", ("X",), Fraction(RATE), 1000.0, modulus=modulus, counts_on=counts_on)


class Played:
    """A board whose sample k is k millivolts / 1000, and the session that hears it."""

    def __init__(self, kind: BoardForm) -> None:
        self.kind = kind
        self.session = BoardSession("s", kind)
        self.items: list[StreamItem] = []
        self.check = StreamCheck()
        self.now_ns = 7 * NS
        self.taken = 0  # samples the board has taken
        self.number_offset = 0

    def see(self, items: list[StreamItem]) -> None:
        for item in items:
            self.check.see(item)
        self.items += items

    def numbers(self, first: int, n: int) -> "np.ndarray | None":
        if not self.kind.modulus:
            return None
        return (np.arange(first, first + n) + self.number_offset) % self.kind.modulus

    def samples(self, first: int, n: int) -> BoardSamples:
        counts = np.arange(first, first + n, dtype=np.float64)[:, np.newaxis]
        return BoardSamples(counts, self.numbers(first, n))

    def take(self, n: int) -> tuple[int, int]:
        """Time goes on while the board takes `n` samples."""
        first, self.taken = self.taken, self.taken + n
        self.now_ns += n * NS // RATE
        return first, n

    def plays(self, seconds: float) -> None:
        for _ in range(round(seconds * RATE / PACKET)):
            self.see(self.session.feed([self.samples(*self.take(PACKET))], self.now_ns))

    def silent(self, seconds: float) -> tuple[int, int]:
        """Nothing arrives; what the board took meanwhile."""
        first = self.taken
        for _ in range(round(seconds * 4)):
            self.take(RATE // 4)
            self.see(self.session.silence(self.now_ns))
        return first, self.taken - first

    @property
    def misplaced(self) -> int:
        """Samples that are not at the index of their number, from the first on."""
        return sum(
            int((np.round(c.samples[:, 0] * 1000) != np.arange(c.first, c.end)).sum())
            for c in of(self.items, SampleChunk)
        )

    @property
    def end(self) -> int:
        return of(self.items, SampleChunk)[-1].end


def test_a_good_stream_has_no_gap_and_an_anchor_a_second() -> None:
    played = Played(form())
    played.plays(10)
    assert played.misplaced == missing(played.items) == 0
    assert 9 <= len(of(played.items, ClockAnchor)) <= 11


def test_what_waited_to_be_placed_anchors_no_clock() -> None:
    played = Played(form())
    played.plays(2)
    played.see(played.session.link_lost(played.now_ns, "unplugged"))
    played.silent(3)
    played.plays(3)
    late_s = [one.host_ns / NS - (one.index + 1) / RATE for one in of(played.items, ClockAnchor)]
    assert max(late_s) - min(late_s) < 0.01


def test_what_a_counter_misses_is_an_exact_gap() -> None:
    played = Played(form())
    played.plays(1)
    played.take(30)
    played.plays(1)
    (gap,) = of(played.items, Gap)
    assert (gap.n_missing, gap.exact, gap.reason) == (30, True, GapReason.LOST_PACKET)
    assert played.misplaced == 0


def test_a_spoilt_number_costs_nothing() -> None:
    played = Played(form())
    played.plays(1)
    samples = played.samples(*played.take(PACKET))
    assert samples.numbers is not None
    samples.numbers[20] ^= 0x40
    samples.numbers[-1] ^= 0x08
    played.see(played.session.feed([samples], played.now_ns))
    played.plays(1)
    assert played.misplaced == missing(played.items) == 0
    assert played.session.refused_samples == 0


def test_samples_that_come_twice_count_once() -> None:
    played = Played(form())
    played.plays(1)
    samples = played.samples(*played.take(PACKET))
    twice = np.repeat(np.arange(PACKET), 2)
    assert samples.numbers is not None
    doubled = BoardSamples(samples.counts[twice], samples.numbers[twice])
    played.see(played.session.feed([doubled], played.now_ns))
    played.plays(1)
    assert played.misplaced == missing(played.items) == 0
    assert played.session.refused_samples == PACKET


@pytest.mark.parametrize("modulus", [0, 256, 1 << 32])
def test_what_a_stall_held_back_costs_nothing(modulus: int) -> None:
    played = Played(form(modulus))
    played.plays(2)
    held = played.silent(6)
    assert of(played.items, Tick)
    played.see(played.session.feed([played.samples(*held)], played.now_ns))
    played.plays(2)
    assert played.misplaced == missing(played.items) == 0


@pytest.mark.parametrize(("seconds", "exact"), [(0.5, True), (1.25, False), (20.0, False)])
def test_a_hole_beyond_the_modulus_is_the_nearest_candidate(seconds: float, exact: bool) -> None:
    played = Played(form())
    played.plays(2)
    lost = played.silent(seconds)
    played.plays(2)
    (gap,) = of(played.items, Gap)
    assert (gap.n_missing, gap.exact) == (lost[1], exact)
    assert played.misplaced == 0


def test_a_long_counter_tells_every_hole_exactly() -> None:
    played = Played(form(1 << 32, counts_on=True))
    played.plays(2)
    played.see(played.session.link_lost(played.now_ns, "unplugged"))
    lost = played.silent(3600)
    played.plays(2)
    (gap,) = of(played.items, Gap)
    assert (gap.n_missing, gap.exact, gap.reason) == (lost[1], True, GapReason.RECONNECT)
    assert [link.up for link in of(played.items, LinkChanged)] == [False, True]
    assert played.misplaced == 0


def test_a_counter_that_began_anew_leaves_the_length_to_the_host() -> None:
    played = Played(form(1 << 32, counts_on=True))
    played.number_offset = 1_000_000
    played.plays(2)
    played.see(played.session.link_lost(played.now_ns, "unplugged"))
    lost = played.silent(10)
    played.number_offset = -played.taken
    played.plays(2)
    (gap,) = of(played.items, Gap)
    assert not gap.exact
    assert abs(gap.n_missing - lost[1]) <= 1
    assert played.session.restarts == 1


@pytest.mark.parametrize("modulus", [0, 256])
def test_a_hole_over_a_reconnect_is_estimated(modulus: int) -> None:
    played = Played(form(modulus))
    played.plays(2)
    played.see(played.session.link_lost(played.now_ns, "unplugged"))
    played.see(played.session.link_lost(played.now_ns, "unplugged"))
    lost = played.silent(8)
    played.number_offset = 77
    played.plays(2)
    down, up = of(played.items, LinkChanged)
    assert (down.up, up.up) == (False, True)
    (gap,) = of(played.items, Gap)
    assert not gap.exact
    assert abs(gap.n_missing - lost[1]) <= 1


def test_without_a_counter_nothing_is_invented() -> None:
    played = Played(form(0))
    played.plays(2)
    played.silent(2)
    played.plays(2)
    assert of(played.items, Gap) == []
    assert played.end == 4 * RATE


def test_an_electrode_that_comes_off_cuts_the_chunk() -> None:
    session = BoardSession("s", form(0))
    off = np.array([[False]] * 10 + [[True]] * 5 + [[False]] * 5)
    items = session.feed([BoardSamples(np.zeros((20, 1)), off=off)], NS)
    told = [(status.at, status.off) for status in of(items, LeadStatus)]
    assert told == [(0, (False,)), (10, (True,)), (15, (False,))]
    assert [(c.first, c.end) for c in of(items, SampleChunk)] == [(0, 10), (10, 15), (15, 20)]


Act = Callable[[Played], None]


def _lose(played: Played) -> None:
    played.take(37)


def _stall(played: Played) -> None:
    held = played.silent(3)
    played.see(played.session.feed([played.samples(*held)], played.now_ns))


def _unplug(played: Played) -> None:
    played.see(played.session.link_lost(played.now_ns, "unplugged"))
    played.silent(4)


def _twice(played: Played) -> None:
    samples = played.samples(*played.take(PACKET))
    played.see(played.session.feed([samples], played.now_ns))
    assert samples.numbers is not None
    last = BoardSamples(samples.counts[-1:], samples.numbers[-1:])
    played.see(played.session.feed([last], played.now_ns))


@given(
    acts=st.lists(st.sampled_from([_lose, _stall, _unplug, _twice]), max_size=8),
    modulus=st.sampled_from([256, 1 << 32]),
)
def test_received_is_delivered_plus_refused_and_every_index_is_told(
    acts: list[Act], modulus: int
) -> None:
    played = Played(form(modulus, counts_on=modulus > 256))
    played.plays(1)
    for act in acts:
        act(played)
        played.plays(1)
    session = played.session
    delivered = sum(len(chunk.samples) for chunk in of(played.items, SampleChunk))
    assert session.counts.received_samples == delivered + session.refused_samples
    assert played.end == delivered + missing(played.items)
    if modulus > 256 or _unplug not in acts:
        assert played.misplaced == 0
        assert played.end == played.taken
