"""Channels of real records exchanged, or one turned over, half way: how often that is noticed."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.signal.exchange import ExchangeWatch
from firmware_bridge.records import open_record, read_annotations
from model_build.datasets import mitdb, svdb

pytestmark = pytest.mark.data
BEATS = set("NLRBAaJSVrFejnE/fQ")


@pytest.mark.slow
def test_the_channels_of_a_record_exchanged_half_way(data_dir: Path) -> None:
    n = turned = found = 0
    for one in (*mitdb.training(data_dir), *svdb.training(data_dir)):
        record = open_record(one.path)
        signal = record.read(0, record.n_frames).astype(np.float64)
        if signal.shape[1] < 2:
            continue
        n += 1
        notes = read_annotations(f"{one.path}.{one.annotator}")
        marked = zip(notes.sample.tolist(), notes.symbol, strict=True)
        peaks = np.array([at for at, symbol in marked if symbol in BEATS], np.int64)
        half = len(signal) // 2
        for change in ("none", "exchange", "turn"):
            x = signal.copy()
            if change == "exchange":
                x[half:] = x[half:, ::-1]
            if change == "turn":
                x[half:, 0] *= -1
            watch = ExchangeWatch(record.signal.rate_hz, 2)
            watch.feed(0, x)
            seen = watch.observe(peaks, np.ones(len(peaks), bool))
            told = [(one.lead, one.other) for one in seen]
            if change == "none":
                assert told == [], one.key
            found += change == "exchange" and (0, 1) in told
            turned += change == "turn" and (0, None) in told
    # docs/quality.md states these.
    assert (n, found, turned) == (79, 60, 76)
