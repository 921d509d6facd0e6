"""A store with three minutes of beats that raise alarms."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from edge_runtime.engine import EngineSettings
from edge_runtime.events import Event
from edge_runtime.publication import Session
from edge_runtime.store.store import Store
from tests.edge_runtime.real_path import real_engine
from tests.edge_runtime.store.making import PROVENANCE
from tests.synthetic import chunks, ecg, opened, steady

FS = 250


def store_alarms(folder: Path) -> list[Event]:
    """A minute at 75, a minute at 115 with ectopy, a pause, an asystole, just now; the events."""
    r_s = [*steady(75, 0.5, 60), *steady(115, 60, 120), *steady(75, 122.5, 160)]
    labels = "".join("V" if k % 7 in {3, 4} and 60 < t < 120 else "N" for k, t in enumerate(r_s))
    stream = opened(FS)
    engine = real_engine(stream, r_s, labels, EngineSettings(mains_hz=None))
    store = Store(folder, PROVENANCE, {})
    now_ns = int(datetime.now(UTC).timestamp() * 1e9) - 200_000_000_000
    session = Session(stream, now_ns, host_ns=0)
    store.begin(session)
    events = engine.feed(stream)
    for chunk in chunks(ecg(r_s, 175, Fraction(FS), labels=labels), FS * 10):
        events += engine.feed(chunk)
    store.record_events([session.publish(event) for event in events])
    store.close()
    return events
