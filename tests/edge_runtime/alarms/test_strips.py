"""Strips: 15 s to either side, in the source's own counts, where raw retention does not go."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.alarms.strips import FOLDER, StripStore, strip_name, strips_of
from edge_runtime.events import AlarmRaised, QualityLevel, Trace
from edge_runtime.publication import Published, Session
from firmware_bridge.records import read_header, read_physical
from firmware_bridge.stream import Gap, GapReason, SampleChunk, SampleIndex
from tests.edge_runtime.alarms.making import raised
from tests.edge_runtime.daemon_parts import ListStore
from tests.edge_runtime.store.making import RATE, session


def alarm_at(at: int, number: int = 1) -> AlarmRaised:
    trace = Trace(
        beats=[],
        quality=QualityLevel.GOOD,
        quality_reason="",
        strip_first=max(0, at - 15 * RATE),
        strip_end=at + 15 * RATE,
    )
    return msgspec.structs.replace(raised(number), at=at, decided=at, trace=trace)


@dataclasses.dataclass
class Writer:
    """A strip store with a session, fed with a ramp that a strip can be told by."""

    folder: Path
    inner: ListStore = dataclasses.field(default_factory=ListStore)

    def __post_init__(self) -> None:
        self.session: Session = session()
        self.store = StripStore(self.inner, self.folder)
        self.store.begin(self.session)

    def signal(self, first: int, end: int) -> None:
        for at in range(first, end, 50):
            t = np.arange(at, min(at + 50, end))
            samples = np.stack([t / 1000, -t / 1000], axis=1).astype(np.float32)
            chunk = SampleChunk("ecg", SampleIndex(at), samples)
            self.store.record(self.session.id, chunk)

    def alarm(self, alarm: AlarmRaised) -> None:
        published = Published(
            id="x", source="chest", session=self.session.id, number=1, time="", event=alarm
        )
        self.store.record_events([published])

    def strip(self, number: int = 1) -> Path:
        return self.folder / FOLDER / self.session.id / strip_name(number)


def test_a_strip_is_written_once_its_last_sample_has_come(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.signal(0, 3000)
    writer.alarm(alarm_at(2900))
    writer.signal(3000, 4350)
    assert not list(strips_of(tmp_path, writer.session.id))
    writer.signal(4350, 4400)
    assert list(strips_of(tmp_path, writer.session.id)) == [writer.strip()]
    mv = read_physical(writer.strip())
    assert mv.shape == (30 * RATE, 2)
    expected = np.arange(1400, 4400) / 1000
    assert mv[:, 0] == pytest.approx(expected, abs=0.003)
    assert mv[:, 1] == pytest.approx(-expected, abs=0.001)
    assert "samples 1400 to 4400" in read_header(writer.strip()).comments[1]


def test_everything_is_passed_on(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.signal(0, 100)
    writer.alarm(alarm_at(50))
    writer.store.tick()
    writer.store.end(writer.session.id, "over")
    writer.store.close()
    inner = writer.inner
    assert inner.begun == [writer.session.id]
    assert inner.indices(writer.session.id) == [0, 50]
    assert (len(inner.events), inner.ticks, inner.closed) == (1, 1, True)
    assert inner.ended == [(writer.session.id, "over")]


def test_at_the_end_a_strip_holds_what_there_is(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.signal(0, 2000)
    writer.alarm(alarm_at(1900))
    writer.store.end(writer.session.id, "unplugged")
    assert read_physical(writer.strip()).shape == (1600, 2)


def test_a_gap_in_a_strip_is_invalid_samples(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.signal(0, 1000)
    gap = Gap("ecg", SampleIndex(1000), 200, exact=True, reason=GapReason.LOST_PACKET)
    writer.store.record(writer.session.id, gap)
    writer.alarm(alarm_at(1300))
    writer.signal(1200, 2800)
    mv = read_physical(writer.strip())
    assert np.isnan(mv[1000:1200]).all()
    assert np.isfinite(mv[:1000]).all()


def test_what_is_older_than_the_memory_is_left_out(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.signal(0, 200 * RATE)
    writer.alarm(alarm_at(90 * RATE))
    writer.signal(200 * RATE, 200 * RATE + 50)
    mv = read_physical(writer.strip())
    assert len(mv) < 30 * RATE


def test_a_disk_that_refuses_a_strip_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    writer = Writer(tmp_path)
    writer.alarm(alarm_at(0))
    writer.signal(0, 2000)
    assert "strip of alarm 1 is not kept" in caplog.text
    assert len(writer.inner.items) == 40
