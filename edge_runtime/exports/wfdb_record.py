"""A WFDB record (one segment, the source's own counts) with the events as annotations."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge_runtime.exports.recording import Recording
from edge_runtime.sinks.wfdb_annotations import AnnotationWriter
from edge_runtime.store.raw import NARROW, WIDE, RawPlace, to_counts, wide_enough
from firmware_bridge.records import Header, SignalWriter

ANNOTATOR = "edge"


def write_wfdb(recording: Recording, path: Path) -> None:
    """PATH.hea, PATH.dat and PATH.edge. Raises RecordError.

    Annotations count from the export's first sample, as WFDB's do.
    """
    signal = recording.signal
    narrow = all(wide_enough(NARROW, to_counts(signal, block)) for _, block in recording.blocks())
    fmt = NARROW if narrow else WIDE
    place = RawPlace(path.parent, signal, recording.started_utc_ns)
    started = datetime.fromtimestamp(recording.utc_ns(recording.first) / 1e9, UTC)
    header = Header(
        path.name,
        signal.rate_hz,
        None,
        place.specs(fmt, f"{path.name}.dat"),
        base_time=started.time(),
        base_date=started.date(),
        comments=(
            "not a medical device; not reviewed by anybody",
            *([] if recording.wearer is None else [f"wearer: {recording.wearer}"]),
        ),
    )
    with SignalWriter(path, header) as writer:
        for _, block in recording.blocks():
            writer.write(to_counts(signal, block).astype(np.int64))
    annotations = AnnotationWriter(first=-recording.first)
    for one in recording.events:
        annotations.see(one.event)
    annotations.write(path.parent, path.name, ANNOTATOR)
