"""CSV: a row for each sample, `nan` where there is none. Events go beside it, one JSON a line."""

from collections.abc import Iterator
from typing import Final

import msgspec

from edge_runtime.exports.recording import Recording

_DECIMALS: Final = 6
"""A nanovolt, in mV: well below half a count of any sensor."""


def csv_rows(recording: Recording) -> Iterator[str]:
    """Lines of the file: a head, then time in seconds from the session's start, and every lead."""
    unit = recording.signal.unit
    yield ",".join(["time [s]", *(f"{lead} [{unit}]" for lead in recording.signal.leads)]) + "\n"
    for at, block in recording.blocks():
        lines = []
        times = recording.seconds(at, len(block)).tolist()
        for time_s, row in zip(times, block.tolist(), strict=True):
            values = ",".join(f"{value:.{_DECIMALS}f}" for value in row)
            lines.append(f"{time_s:.6f},{values}\n")
        yield "".join(lines)


def event_lines(recording: Recording) -> Iterator[bytes]:
    """The events as JSON lines, in the store's own form."""
    for one in recording.events:
        yield msgspec.json.encode(one) + b"\n"
