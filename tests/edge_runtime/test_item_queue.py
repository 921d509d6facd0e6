"""The queue between link and engine: order, merging, and overflow that is accounted for."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.item_queue import ItemQueue
from firmware_bridge.conformance import check_stream
from firmware_bridge.stream import Gap, GapReason, SampleChunk, SampleIndex, StreamItem, Tick
from tests.synthetic import opened


def chunk(first: int, n: int, signal: str = "ecg") -> SampleChunk:
    """Samples that carry their own number, so that loss and shifts show."""
    numbers = np.arange(first, first + n, dtype=np.float32)[:, None]
    return SampleChunk(signal, SampleIndex(first), numbers)


def drained(queue: ItemQueue[StreamItem]) -> Iterator[tuple[str, StreamItem]]:
    queue.close()
    while (entry := queue.get()) is not None:
        yield entry


def numbers(items: list[StreamItem]) -> list[int]:
    """Every sample by its number, every hole as the numbers it misses."""
    found: list[int] = []
    for item in items:
        if isinstance(item, SampleChunk):
            found += item.samples[:, 0].astype(int).tolist()
        elif isinstance(item, Gap):
            found += range(item.first, item.first + item.n_missing)
    return found


def test_first_in_first_out() -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(1000)
    items: list[StreamItem] = [chunk(0, 5), Tick(SampleIndex(5)), chunk(5, 5)]
    for item in items:
        queue.put("a", item)
    assert len(queue) == 3
    assert [item for _, item in drained(queue)] == items
    assert queue.counts.merged == 0


def test_a_late_reader_gets_few_long_chunks() -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(10_000)
    for k in range(500):
        queue.put("a", chunk(10 * k, 10))
    items = [item for _, item in drained(queue)]
    assert len(items) < 100
    assert queue.counts.merged == 500 - len(items)
    assert numbers(items) == list(range(5000))


def test_chunks_of_other_sources_and_signals_and_across_items_do_not_merge() -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(10_000)
    for k in range(70):
        queue.put("a", chunk(10 * k, 10))
    before = len(queue)
    queue.put("b", chunk(700, 10))
    queue.put("a", chunk(700, 10))
    queue.put("a", Tick(SampleIndex(710)))
    queue.put("a", chunk(710, 10))
    queue.put("a", chunk(720, 10, "ppg"))
    queue.put("a", chunk(740, 10, "ppg"))
    queue.put("a", SampleChunk("ppg", SampleIndex(750), np.zeros((10, 2), np.float32)))
    assert len(queue) == before + 7


def test_overflow_is_one_exact_gap_and_the_stream_goes_on_behind_it() -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(100)
    for k in range(15):
        queue.put("a", chunk(10 * k, 10))
    first = queue.get()
    queue.put("a", chunk(150, 10))
    items = [first[1] if first else None, *(item for _, item in drained(queue))]
    gaps = [item for item in items if isinstance(item, Gap)]
    assert gaps == [Gap("ecg", SampleIndex(100), 50, exact=True, reason=GapReason.OVERFLOW)]
    assert queue.counts.overflowed_samples == 50
    check_stream([opened(leads=("I",)), *(item for item in items if item is not None)])


def test_the_reader_wakes_for_an_item_and_at_the_end() -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(100)
    seen: list[object] = []

    def read() -> None:
        while (entry := queue.get()) is not None:
            seen.append(entry)

    reader = threading.Thread(target=read)
    reader.start()
    queue.put("a", Tick(SampleIndex(1)))
    queue.close()
    reader.join(5)
    assert seen == [("a", Tick(SampleIndex(1)))]
    assert queue.get() is None


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from("ab"), st.integers(1, 400)),
            st.tuples(st.just("get"), st.just(""), st.integers(1, 20)),
            st.tuples(st.just("tick"), st.sampled_from("ab"), st.just(0)),
        ),
        max_size=300,
    ),
    room=st.integers(50, 4000),
)
def test_every_sample_is_delivered_once_in_order_or_is_in_a_gap(
    steps: list[tuple[str, str, int]], room: int
) -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(room)
    out: dict[str, list[StreamItem]] = {"a": [], "b": []}
    put = {"a": 0, "b": 0}
    waiting = 0
    for kind, source, n in steps:
        if kind == "put":
            refused_before = queue.counts.overflowed_samples
            queue.put(source, chunk(put[source], n))
            put[source] += n
            fits = waiting + n <= room
            assert queue.counts.overflowed_samples - refused_before == (0 if fits else n)
            waiting += n if fits else 0
        elif kind == "tick":
            queue.put(source, Tick(SampleIndex(put[source])))
        else:
            for _ in range(min(n, len(queue))):
                entry = queue.get()
                assert entry is not None
                out[entry[0]].append(entry[1])
                waiting -= len(entry[1].samples) if isinstance(entry[1], SampleChunk) else 0
    for source, item in drained(queue):
        out[source].append(item)
    for source, items in out.items():
        assert numbers(items) == list(range(put[source]))
    missing = [item for items in out.values() for item in items if isinstance(item, Gap)]
    assert sum(gap.n_missing for gap in missing) == queue.counts.overflowed_samples


@pytest.mark.parametrize("n", [1, 1000])
def test_what_was_put_is_not_changed(n: int) -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(10_000_000)
    first = chunk(0, n)
    for k in range(80):
        queue.put("a", chunk(k * n, n) if k else first)
    assert first.samples[:, 0].astype(int).tolist() == list(range(n))


def test_chunks_of_several_sources_may_be_taken_together() -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(1000)
    for source in "abc":
        queue.put(source, chunk(0, 5))
    queue.put("a", chunk(5, 5))
    queue.put("b", Tick(SampleIndex(5)))
    queue.put("c", chunk(5, 5))
    assert queue.get_chunks(4, 9) == []
    assert [source for source, _ in queue.get_chunks(2, 2)] == ["a", "b"]
    # Up to what must not be passed: the next of a source that is among them, or no samples.
    assert [(source, one.first) for source, one in queue.get_chunks(2, 9)] == [("c", 0), ("a", 5)]
    assert queue.get_chunks(1, 9) == []
    assert [source for source, _ in drained(queue)] == ["b", "c"]


def test_chunks_that_were_taken_together_wait_no_more() -> None:
    queue: ItemQueue[StreamItem] = ItemQueue(20)
    for source in "ab":
        queue.put(source, chunk(0, 10))
    assert len(queue.get_chunks(2, 2)) == 2
    queue.put("a", chunk(10, 20))
    assert queue.counts.overflowed_samples == 0
