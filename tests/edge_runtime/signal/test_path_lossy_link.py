"""A link that loses a packet every second must not lose the beats beside the holes."""

from collections.abc import Iterator

import numpy as np

from edge_runtime.signal.observations import PeakFound
from edge_runtime.signal.path import SignalPath
from edge_runtime.signal.spec import read_spec
from firmware_bridge.stream import SampleChunk, SampleIndex, StreamItem
from tests import synthetic

RATE = 500
PACKET = 10
NEAR = 0.05 * RATE
"""A beat in the hole itself may be lost or lie at its edge; all others must be found."""


def test_peaks_survive_a_lost_packet_every_second() -> None:
    beats = np.arange(0.6, 119.0, 0.83) * RATE
    path = SignalPath(synthetic.opened(rate_hz=RATE), read_spec())
    items = lossy(synthetic.ecg(beats / RATE, 120.0, RATE))
    found = np.array([o.at for item in items for o in path.feed(item) if isinstance(o, PeakFound)])
    learnt = beats[beats > 5 * RATE]
    distance = np.abs(found[found > 5 * RATE, None] - learnt)
    in_second = learnt % RATE
    away = (in_second > PACKET + NEAR) & (in_second < RATE - NEAR)
    assert (distance.min(axis=0) < NEAR)[away].mean() > 0.99
    assert (distance.min(axis=1) < NEAR).mean() > 0.97


def lossy(signal: np.ndarray) -> Iterator[StreamItem]:
    for first in range(0, len(signal), PACKET):
        if first and first % RATE == 0:
            yield synthetic.gap(first, PACKET)
        else:
            yield SampleChunk("ecg", SampleIndex(first), signal[first : first + PACKET].copy())
