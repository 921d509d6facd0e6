"""A store that holds the golden vectors' minutes of real ECG, as if they had been monitored."""

from pathlib import Path

from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden import read_golden
from edge_runtime.publication import Session
from edge_runtime.store.store import Store
from firmware_bridge.stream import StreamOpened
from tests.edge_runtime.store.making import PROVENANCE


def store_golden_signal(directory: Path) -> float:
    """Seconds of signal that are stored."""
    excerpt = Excerpt.from_arrays(read_golden(load_bundle_set().beats))
    store = Store(directory, PROVENANCE, {})
    items = excerpt.items()
    first = next(items)
    assert isinstance(first, StreamOpened)
    session = Session.begin(first)
    store.begin(session)
    for item in items:
        store.record(session.id, item)
    store.end(session.id, "done")
    store.close()
    return len(excerpt.counts) / float(excerpt.rate_hz)
