"""Record files: WFDB headers, signals and annotations, and CSV, with numpy alone.

Words are those of WFDB (https://wfdb.io/spec): `record`, `annotation`, `fs`, `adc_gain`, ...
Every problem with a file is a `firmware_bridge.errors.RecordError` that says what to do.
"""

from firmware_bridge.records.annotations import (
    Annotations,
    read_annotations,
    write_annotations,
)
from firmware_bridge.records.formats import INVALID_COUNT
from firmware_bridge.records.header import Header, Segment, SignalSpec, read_header
from firmware_bridge.records.signals import Record, read_counts, read_physical

__all__ = [
    "INVALID_COUNT",
    "Annotations",
    "Header",
    "Record",
    "Segment",
    "SignalSpec",
    "read_annotations",
    "read_counts",
    "read_header",
    "read_physical",
    "write_annotations",
]
