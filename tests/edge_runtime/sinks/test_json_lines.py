"""JSON lines: one event a line, and a reader that may go away."""

import io
import json
import logging
import os
import re

import msgspec
import pytest

from edge_runtime.events import UserMarked
from edge_runtime.publication import Published, Session
from edge_runtime.sinks.json_lines import JsonLines, LiveJsonLines, unbuffered
from tests.synthetic import opened


def published(n: int) -> list[Published]:
    session = Session(opened(500, source="chest"), 0, 0)
    return [session.publish(UserMarked(at=k, decided=k, text="Ä\n")) for k in range(n)]


def test_each_event_is_one_line_in_the_stores_own_form() -> None:
    stream = io.BytesIO()
    events = published(3)
    JsonLines(stream).see(events)
    lines = stream.getvalue().splitlines()
    assert [msgspec.json.decode(line, type=Published) for line in lines] == events
    assert json.loads(lines[0])["event"]["type"] == "user_marked"


def test_each_batch_is_flushed() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb") as stream:
        JsonLines(stream).see(published(1))
        assert json.loads(source.readline())["number"] == 1


def test_nothing_to_say_writes_nothing() -> None:
    stream = io.BytesIO()
    JsonLines(stream).see([])
    assert stream.getvalue() == b""


def test_a_reader_that_goes_away_silences_it() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "wb", buffering=0)
    lines = JsonLines(stream)
    lines.see(published(1))
    lines.see(published(1))
    stream.close()


LAST = b'{"summary":[]}\n'


def full_pipe() -> tuple[int, int]:
    """A pipe (reader, writer) that takes nothing more until it is read."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b" " * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


def test_live_lines_come_in_order_and_end_with_the_last() -> None:
    reader, writer = os.pipe()
    lines = LiveJsonLines(unbuffered(writer))
    for one in published(100):
        lines.see([one])
    assert lines.close(LAST, 30)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        *events, last = map(json.loads, source)
    assert [event["number"] for event in events] == list(range(1, 101))
    assert last == {"summary": []}


def test_a_reader_that_is_late_loses_the_oldest_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader, writer = full_pipe()
    lost: list[int] = []
    lines = LiveJsonLines(unbuffered(writer), kept=5, lost=lost.append)
    for one in published(1000):
        lines.see([one])  # would hang here if it wrote
    with os.fdopen(reader, "rb") as source, caplog.at_level(logging.WARNING):
        # Whatever the thread has in its hands is written once the reader reads.
        assert not lines.close(LAST, 0.0)
        content = bytearray()
        while not content.endswith(LAST):
            content += source.read1()
    assert lines.close(LAST, 30)
    os.close(writer)
    numbers = [json.loads(line)["number"] for line in content.split(b"\n")[:-2]]
    assert numbers[-5:] == [996, 997, 998, 999, 1000]
    assert len(numbers) == 1000 - sum(lost) < 1000
    told = [record.getMessage() for record in caplog.records]
    assert "standard output is not read: the last events are left out" in told[0]
    # Once, or as often as a busy machine let the loss be noticed in between.
    counts = [re.findall(r"was not read in time: (\d+) events left out", one) for one in told[1:]]
    assert sum(int(count) for (count,) in counts) == 1000 - len(numbers)


def test_live_lines_know_when_the_reader_has_left() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    lines = LiveJsonLines(unbuffered(writer))
    assert not lines.ended
    lines.see(published(1))
    assert lines.close(LAST, 30)
    assert lines.ended
    lines.see(published(1))
    os.close(writer)


def test_a_full_disk_is_told_and_ends_the_lines_only(caplog: pytest.LogCaptureFixture) -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - a device
        lines = LiveJsonLines(full)
        lines.see(published(1))
        assert lines.close(LAST, 30)
    assert lines.ended
    assert "cannot be written: No space left on device" in caplog.text


def test_a_stream_that_does_not_block_is_waited_for() -> None:
    reader, writer = full_pipe()
    os.set_blocking(writer, False)
    lines = LiveJsonLines(unbuffered(writer))
    lines.see(published(1))
    with os.fdopen(reader, "rb") as source:
        content = source.read1(1 << 20)
        assert lines.close(LAST, 30)
        os.close(writer)
        content += source.read()
    assert content.endswith(b"\n" + LAST)
