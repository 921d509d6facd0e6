"""Nothing is dropped without being counted."""

from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errors import PathError
from edge_runtime.supervisor import Inbox
from edge_runtime.threads import Ended, EngineThread
from firmware_bridge.stream import (
    BytesSkipped,
    Gap,
    GapReason,
    SampleIndex,
    StreamItem,
    StreamOpened,
    UserMark,
)
from tests.edge_runtime.daemon_parts import EchoEngine, ListView, stream


def through_the_engine_thread(*items: StreamItem, refused: bool = False) -> Dropped:
    def make(_opened: StreamOpened) -> EchoEngine:
        if refused:
            raise PathError("too slow")
        return EchoEngine()

    dropped, view = Dropped(), ListView()
    thread = EngineThread(make, view.see, None, view.say, lambda _name, _error: None, dropped)
    thread.start()
    for item in items:
        thread.put("chest", item)
    thread.put("chest", Ended("stopped"))
    thread.stop()
    assert thread.join(10)
    return dropped


def test_a_stream_that_is_read_drops_nothing() -> None:
    assert through_the_engine_thread(*stream("chest")).counts() == {}


def test_bytes_that_made_no_frame_and_samples_that_came_too_fast() -> None:
    overflow = Gap("ecg", SampleIndex(1000), 77, exact=True, reason=GapReason.OVERFLOW)
    lost = Gap("ecg", SampleIndex(1077), 5, exact=True, reason=GapReason.LOST_PACKET)
    skipped = BytesSkipped(SampleIndex(1000), 2, 31, "bad CRC (2)")
    dropped = through_the_engine_thread(*stream("chest"), overflow, lost, skipped, skipped)
    assert dropped.counts() == {
        (Drop.OVERFLOW_SAMPLES, "chest"): 77,
        (Drop.SKIPPED_BYTES, "chest"): 62,
    }


def test_samples_of_a_source_that_is_refused() -> None:
    dropped = through_the_engine_thread(*stream("chest", n_chunks=20), refused=True)
    assert dropped.counts() == {(Drop.UNREAD_SAMPLES, "chest"): 1000}


def test_a_mark_before_the_engine_runs() -> None:
    dropped = Dropped()
    inbox = Inbox(dropped)
    inbox.put("chest", UserMark(SampleIndex(0), "dizzy"))
    inbox.open(lambda _source, _item: None, lambda _source: None)
    inbox.put("chest", UserMark(SampleIndex(0), "dizzy"))
    assert dropped.counts() == {(Drop.EARLY_MARKS, "chest"): 1}


def test_parts_that_count_for_themselves_are_asked() -> None:
    dropped, rows = Dropped(), {Drop.STORE_ROWS: 0, Drop.STORE_SAMPLES: 0}
    dropped.watch(lambda: rows)
    assert dropped.counts() == {}
    rows[Drop.STORE_ROWS] = 3
    assert dropped.counts() == {(Drop.STORE_ROWS, ""): 3}
    assert dropped.counts() == {(Drop.STORE_ROWS, ""): 3}
