"""Record files: WFDB headers, signals and annotations, EDF and CSV, with numpy alone.

Words are those of WFDB (https://wfdb.io/spec): `record`, `annotation`, `fs`, `adc_gain`, ...
Every problem with a file is a `firmware_bridge.errors.RecordError` that says what to do.
"""

from firmware_bridge.records.annotations import (
    Annotations,
    Label,
    read_annotations,
    write_annotations,
)
from firmware_bridge.records.delimited import CsvRecord, read_csv
from firmware_bridge.records.formats import INVALID_COUNT
from firmware_bridge.records.header import Header, Segment, SignalSpec, read_header
from firmware_bridge.records.signals import Record, read_counts, read_physical
from firmware_bridge.records.source import PlayedRecord, iter_record, open_record
from firmware_bridge.records.verify import verify_record
from firmware_bridge.records.writing import (
    SignalWriter,
    write_header,
    write_segments,
    write_signals,
)

__all__ = [
    "INVALID_COUNT",
    "Annotations",
    "CsvRecord",
    "Header",
    "Label",
    "PlayedRecord",
    "Record",
    "Segment",
    "SignalSpec",
    "SignalWriter",
    "iter_record",
    "open_record",
    "read_annotations",
    "read_counts",
    "read_csv",
    "read_header",
    "read_physical",
    "verify_record",
    "write_annotations",
    "write_header",
    "write_segments",
    "write_signals",
]
