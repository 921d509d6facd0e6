"""Published events: their numbering, and their time by the sensor's clock."""

import msgspec

from edge_runtime.events import UserMarked
from edge_runtime.publication import Published, Session, utc_text
from firmware_bridge.stream import ClockAnchor, Gap, GapReason, SampleIndex
from tests.synthetic import opened

SECOND = 1_000_000_000
UTC = 1_795_716_900 * SECOND  # 2026-11-26T18:15:00Z
HOST = 12_345 * SECOND


def mark(at: int) -> UserMarked:
    return UserMarked(at=at, decided=at, text="")


def session() -> Session:
    return Session(opened(500, source="chest"), UTC, HOST)


def test_ids_are_unique_and_count_from_one() -> None:
    one, other = session(), session()
    published = [one.publish(mark(0)), one.publish(mark(1)), other.publish(mark(0))]
    assert [p.number for p in published] == [1, 2, 1]
    assert [p.id for p in published] == [f"{one.id}/1", f"{one.id}/2", f"{other.id}/1"]
    assert one.id != other.id
    assert one.id.startswith("20261126T181500Z-")


def test_time_counts_from_the_start_until_anchors_come() -> None:
    chest = session()
    assert chest.publish(mark(0)).time == "2026-11-26T18:15:00.000Z"
    assert chest.publish(mark(1250)).time == "2026-11-26T18:15:02.500Z"


def test_time_follows_a_sensor_that_is_slow() -> None:
    chest = session()
    for second in range(120):  # 1 % slow: 500 samples take 1.01 s
        host_ns = HOST + int(second * 1.01 * SECOND)
        chest.see_anchor(ClockAnchor(SampleIndex(500 * second), None, host_ns))
    error_s = (chest.utc_ns(100 * 500) - UTC) / SECOND - 101.0
    assert abs(error_s) < 0.002


def test_an_estimated_hole_starts_the_clock_anew() -> None:
    chest = session()
    for second in range(60):
        chest.see_anchor(ClockAnchor(SampleIndex(500 * second), None, HOST + second * SECOND))
    chest.see_gap(Gap("ecg", SampleIndex(30_000), 500, exact=True, reason=GapReason.LOST_PACKET))
    assert abs(chest.utc_ns(30_000) - UTC - 60 * SECOND) < SECOND // 1000
    chest.see_gap(Gap("ecg", SampleIndex(30_500), 5000, exact=False, reason=GapReason.RECONNECT))
    # The hole was really 20 s long: the next anchor says so.
    chest.see_anchor(ClockAnchor(SampleIndex(35_500), None, HOST + 81 * SECOND))
    assert abs(chest.utc_ns(35_500) - UTC - 81 * SECOND) < SECOND // 1000


def test_json_round_trip_keeps_the_event() -> None:
    published = session().publish(mark(7))
    decoded = msgspec.json.decode(msgspec.json.encode(published), type=Published)
    assert decoded == published


def test_utc_text_has_milliseconds() -> None:
    assert utc_text(UTC + 7 * SECOND // 1000) == "2026-11-26T18:15:00.007Z"
    assert utc_text(UTC - 1) == "2026-11-26T18:14:59.999Z"
