"""The path on real ECG: where peaks and beats lie, and that chunks do not matter there either."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.signal.observations import BeatsReady, Observation, PeakFound, QualityChanged
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.polarity import INVERTED
from edge_runtime.signal.spec import read_spec
from firmware_bridge.records import iter_record, read_annotations
from firmware_bridge.stream import SampleChunk, SampleIndex, StreamOpened
from tests.edge_runtime.signal.test_path import flat

pytestmark = pytest.mark.data

BEATS = set("NLRBAaJSVrFejnE/fQ")


def observe(
    record: Path, sizes: list[int], limit: int, sign: float = 1.0
) -> tuple[SignalPath, list[Observation]]:
    """Both leads of the first `limit` samples, in chunks of `sizes` over and over."""
    items = iter_record(record, chunk_samples=limit)
    opened, first = next(items), next(items)
    assert isinstance(opened, StreamOpened)
    assert isinstance(first, SampleChunk)
    path = SignalPath(opened, read_spec(), PathConfig(mains_hz=60, lead=0))
    seen: list[Observation] = []
    at, turn = 0, 0
    while at < limit:
        end = min(limit, at + sizes[turn % len(sizes)])
        samples = (sign * first.samples[at:end]).astype(np.float32)
        seen += path.feed(SampleChunk(first.signal, SampleIndex(at), samples))
        at, turn = end, turn + 1
    return path, seen + path.finish()


@pytest.mark.parametrize("name", ["100", "208", "119"])
def test_peaks_lie_on_the_annotated_beats(data_dir: Path, name: str) -> None:
    limit = 360 * 300
    path, seen = observe(data_dir / "mitdb" / name, [3600], limit)
    annotated = read_annotations(data_dir / "mitdb" / f"{name}.atr")
    truth = annotated.sample[[symbol in BEATS for symbol in annotated.symbol]]
    truth = truth[(truth > 360) & (truth < limit - 360)]
    peaks = np.array([p.at for p in seen if isinstance(p, PeakFound)])
    nearest = peaks[np.abs(peaks[:, None] - truth).argmin(axis=0)] - truth
    assert np.mean(np.abs(nearest) <= 0.15 * 360) > 0.99
    assert abs(np.median(nearest)) <= 0.012 * 360
    late = [p.decided - p.at for p in seen if isinstance(p, PeakFound)]
    assert max(late) <= path.latency <= 0.4 * 360
    masked = sum(int((~b.block.valid).sum()) for b in seen if isinstance(b, BeatsReady))
    assert masked <= 3


def test_no_chunking_changes_anything(data_dir: Path) -> None:
    record = data_dir / "mitdb" / "208"
    expected = flat(observe(record, [3600], 360 * 120)[1])
    assert flat(observe(record, [1, 7, 7, 997, 36, 2500], 360 * 120)[1]) == expected
    assert flat(observe(record, [360 * 120], 360 * 120)[1]) == expected


def test_an_inverted_recording_is_noticed(data_dir: Path) -> None:
    record = data_dir / "mitdb" / "103"
    for sign, expected in ((1.0, False), (-1.0, True)):
        seen = observe(record, [3600], 360 * 300, sign)[1]
        told = [c for c in seen if isinstance(c, QualityChanged) and c.reason == INVERTED]
        assert bool(told) is expected
