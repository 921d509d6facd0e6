"""JSON lines: one event a line, and a reader that may go away."""

import io
import json
import os

import msgspec

from edge_runtime.events import UserMarked
from edge_runtime.publication import Published, Session
from edge_runtime.sinks.json_lines import JsonLines
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
