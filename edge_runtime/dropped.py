"""Counts of everything the daemon had to drop, for status and metrics. Any thread may add."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum


class Drop(StrEnum):
    """What is dropped, and where."""

    SKIPPED_BYTES = "skipped_bytes"
    """From the link: they made no frame."""
    OVERFLOW_SAMPLES = "overflow_samples"
    """At the engine's queue: it was minutes late. A gap in the signal."""
    UNREAD_SAMPLES = "unread_samples"
    """Of a source whose stream the engine refused."""
    STORE_SAMPLES = "store_samples"
    """Given up because the disk refused them for too long."""
    STORE_ROWS = "store_rows"
    """Events that the disk refused for too long."""
    JSON_EVENTS = "json_events"
    """That the reader of standard output did not take in time."""
    PAGE_FRAMES = "page_frames"
    """That an open page did not take in time; it went on with a fresh beginning."""
    UNSENT_MESSAGES = "unsent_messages"
    """For a receiver that could not be reached for too long."""
    EARLY_MARKS = "early_marks"
    """A person's marks before the engine ran."""


class Dropped:
    """Counts since the start, by kind and source ("" where it is nobody's in particular)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[Drop, str]] = Counter()
        self._others: list[Callable[[], Mapping[Drop, int]]] = []

    def add(self, kind: Drop, n: int = 1, source: str = "") -> None:
        """`n` more were dropped."""
        with self._lock:
            self._counts[kind, source] += n

    def watch(self, counts: Callable[[], Mapping[Drop, int]]) -> None:
        """A part that counts for itself, to be asked each time; from any thread."""
        self._others.append(counts)

    def counts(self) -> dict[tuple[Drop, str], int]:
        """What is not zero, in order."""
        with self._lock:
            found = Counter(self._counts)
        for other in self._others:
            found.update({(kind, ""): n for kind, n in other().items()})
        return {key: n for key, n in sorted(found.items()) if n}
