"""JSON Schema of everything the daemon says: `python -m edge_runtime.event_schema`.

Made from the event structs, so it cannot say anything else; docs/events.schema.json is its output.
"""

import json
import sys

import msgspec

from edge_runtime.events import SCHEMA_VERSION
from edge_runtime.publication import Published


def event_schema() -> str:
    """The schema of one published event (a JSON line), as indented JSON."""
    schema = msgspec.json.schema(Published)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"ecg-edge event, schema version {SCHEMA_VERSION}",
        **schema,
    }
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(event_schema())
