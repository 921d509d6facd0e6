"""What is said of the heart, and of the link, when packets are lost all the time."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from edge_runtime.engine import Engine
from edge_runtime.events import AlarmRaised, BeatDetected, Event, Notice
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.link_loss import LinkLoss
from edge_runtime.signal.observations import GapFound
from firmware_bridge.session import SensorSession
from firmware_bridge.simulator.faults import Faults, FaultyLine
from firmware_bridge.simulator.sensor import SimulatedSensor
from firmware_bridge.stream import GapReason, SampleChunk, SampleIndex, StreamItem, StreamOpened
from tests.edge_runtime.real_path import real_engine
from tests.edge_runtime.test_engine_on_simulator import played
from tests.synthetic import ecg, gap, opened, steady

RATE = 500
MINUTE = 60 * RATE
PACKET = 10


def torn(r_s: list[float], seconds: float, gaps: list[int], split: int = 10**6) -> list[Event]:
    """Events of the shipped path when a packet is missing at each of `gaps`."""
    signal, at = ecg(r_s, seconds), 0
    items: list[StreamItem] = []
    for hole in [*gaps, len(signal)]:
        for first in range(at, hole, split):
            part = signal[first : min(first + split, hole)]
            items.append(SampleChunk("ecg", SampleIndex(first), part.copy()))
        at = hole + PACKET
        if hole < len(signal):
            items.append(gap(hole, PACKET))
    engine = real_engine(opened(RATE), r_s)
    return [e for item in items for e in engine.feed(item)] + engine.finish()


def rates(events: list[Event], after_s: float = 0) -> list[float | None]:
    beats = [e for e in events if isinstance(e, BeatDetected) and e.at >= after_s * RATE]
    return [beat.heart_rate_bpm for beat in beats]


def rules(events: list[Event]) -> set[str]:
    return {e.rule for e in events if isinstance(e, AlarmRaised)}


@pytest.mark.parametrize("seed", range(4))
def test_a_gap_every_03_to_05_s_makes_no_tachycardia_and_no_rate(seed: int) -> None:
    # An irregular rhythm of 100/min: the RR that survive are its shortest.
    rng = np.random.default_rng(seed)
    beats = (0.6 + np.cumsum(rng.choice([0.3, 0.9], 150))).tolist()
    gaps = (10 * RATE + np.cumsum(rng.integers(int(0.3 * RATE), int(0.5 * RATE), 190))).tolist()
    events = torn(beats, beats[-1] + 1, [at for at in gaps if at < beats[-1] * RATE])
    assert "extreme_tachycardia" not in rules(events)
    # What was seen before the gaps lasts for a few beats more.
    late = [e for e in events if isinstance(e, BeatDetected) and 15 * RATE < e.at < gaps[-1]]
    survived = [e.rr_s for e in late if e.rr_s is not None]
    assert len(survived) >= 3
    assert 60 / np.mean(survived) > 120
    assert [e.heart_rate_bpm for e in late if e.heart_rate_bpm is not None] == []


def test_short_intervals_that_survive_between_gaps_make_no_extreme_tachycardia() -> None:
    # Pairs 0.35 s apart (171/min), a packet lost in each longer interval between them.
    pairs = np.arange(1.0, 90.0, 1.2)
    beats = np.sort(np.concatenate([pairs, pairs + 0.35])).tolist()
    gaps = [round((at + 0.75) * RATE) for at in pairs]
    assert "extreme_tachycardia" not in rules(torn(beats, 95, gaps))


def test_a_true_extreme_tachycardia_is_found_between_gaps() -> None:
    # One gap every 9 s leaves 17 beats at 165/min (6.2 s) whole.
    gaps = [at * RATE for at in range(9, 60, 9)]
    assert "extreme_tachycardia" in rules(torn(steady(165, 0.6, 60), 60, gaps))


def test_chunks_do_not_matter_on_a_lossy_link() -> None:
    gaps = [(12 * RATE) + 190 * k for k in range(150)]
    beats = steady(100, 0.6, 75)
    whole = torn(beats, 75, gaps)
    assert "link_loss" in {e.code for e in whole if isinstance(e, Notice)}
    assert torn(beats, 75, gaps, 7) == whole


def simulated(faults: Faults, seconds: int) -> Iterator[StreamItem]:
    sensor, session = SimulatedSensor(played("tour").recording), SensorSession("simulated")
    sensor.streaming = True
    line = FaultyLine(faults, seed=3)
    for tenth in range(1, 10 * seconds + 1):
        data = b"".join(line.carry(frame) for frame in sensor.frames_until(tenth / 10))
        yield from session.feed(data, tenth * 100_000_000)


def test_the_simulator_on_a_bad_link_shows_no_wrong_rate_and_says_why() -> None:
    stream = simulated(Faults(drop=0.05, bit_flip=0.05), 60)
    start = next(stream)
    assert isinstance(start, StreamOpened)
    engine = Engine.of_bundles(start, load_bundle_set())
    events = [e for item in stream for e in engine.feed(item)]
    assert all(rate is None or 80 < rate < 140 for rate in rates(events))
    (notice,) = [e for e in events if isinstance(e, Notice) and e.code == "link_loss"]
    assert notice.decided < 30 * RATE
    assert all(word in notice.message for word in ("cable", "closer", "baud"))


class Link:
    """Loses packets; keeps the notices."""

    def __init__(self) -> None:
        self.loss = LinkLoss(Fraction(RATE))
        self.told: list[Notice] = []

    def lose(self, at: int, n: int, reason: GapReason = GapReason.LOST_PACKET) -> "Link":
        self.told += self.loss.on_gap(GapFound(at, at + n - 1, n, exact=True, reason=reason))
        return self


def test_more_than_three_percent_of_a_minute_is_told_once() -> None:
    link = Link()
    for k in range(9):
        link.lose(1000 * (k + 1), 100)
    assert link.told == []  # 3 % exactly
    link.lose(20_000, 1)
    (notice,) = link.told
    assert (notice.code, notice.at, notice.decided) == ("link_loss", 20_000, 20_000)
    for k in range(100):
        link.lose(21_000 + 1000 * k, 100)
    assert len(link.told) == 1


def test_what_is_older_than_a_minute_does_not_count() -> None:
    link = Link().lose(0, 800)
    link.lose(MINUTE + 800, 800)
    assert link.told == []
    assert Link().lose(0, 800).lose(MINUTE - 800, 800).told


def test_an_episode_ends_below_one_percent() -> None:
    bad = Link().lose(0, 600).lose(1000, 400)
    assert len(bad.told) == 1
    bad.lose(MINUTE + 1000, 700)  # 400 of 30,000 were left: still the same episode
    bad.lose(MINUTE + 1000 + 2000, 1000)
    assert len(bad.told) == 1
    bad.lose(3 * MINUTE + 5000, 1000)
    assert len(bad.told) == 2


def test_an_outage_or_invalid_samples_are_told_elsewhere() -> None:
    for reason in (GapReason.RECONNECT, GapReason.INVALID, GapReason.OVERFLOW):
        assert Link().lose(0, 9000, reason).told == []


def test_a_snapshot_of_the_loss_goes_on_alike() -> None:
    first, second = Link().lose(0, 850), Link()
    second.loss.restore(first.loss.snapshot())
    assert second.lose(2000, 100).told == first.lose(2000, 100).told != []
    third = Link()
    third.loss.restore(second.loss.snapshot())
    assert third.lose(3000, 100).told == []
