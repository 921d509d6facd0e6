"""The published schema is that of the code, and changes are additive only."""

import json
from pathlib import Path

from edge_runtime.event_schema import event_schema

COMMITTED = Path(__file__).parents[2] / "docs" / "events.schema.json"


def test_the_committed_schema_is_the_codes() -> None:
    """After a change: python -m edge_runtime.event_schema > docs/events.schema.json."""
    assert json.loads(COMMITTED.read_text()) == json.loads(event_schema())


def test_every_event_is_tagged_and_has_both_times() -> None:
    definitions = json.loads(event_schema())["$defs"]
    events = [d for d in definitions.values() if "type" in d.get("properties", {})]
    assert len(events) >= 14
    for event in events:
        assert {"type", "at", "decided"} <= set(event["required"])
