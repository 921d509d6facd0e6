"""Waiting for a lost link: short at first, never too long."""

from firmware_bridge.links.reconnect import Backoff


def test_it_doubles_up_to_ten_seconds_and_begins_anew() -> None:
    backoff = Backoff()
    waits = [backoff.next_s() for _ in range(8)]
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.next_s() == 0.25
