"""The committed list of beats that INT8 ranges are measured on.

One beat a line, `database/record sample`: the detected peak's sample in the record's own rate.
Lines with `#` are comments. The list, not a random draw, is what makes a quantization repeatable.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from model_build.errors import QuantizeError


@dataclass(frozen=True, slots=True, order=True)
class CalibrationBeat:
    """One detected beat: `record` as "mitdb/101", `sample` in the record's own rate."""

    record: str
    sample: int


def read_calibration_list(path: Path) -> tuple[CalibrationBeat, ...]:
    """The beats in the file's order. Raises QuantizeError naming the line that is wrong, or the
    file if it is not there."""
    if not path.is_file():
        raise QuantizeError(
            f"{path} is not there; `model-build quantize --draw-calibration` makes it"
        )
    beats = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not words[1].isdigit():
            raise QuantizeError(f"{path}:{number}: expected 'database/record sample', got {line!r}")
        beats.append(CalibrationBeat(words[0], int(words[1])))
    if not beats:
        raise QuantizeError(f"{path} lists no beats")
    return tuple(beats)


def write_calibration_list(path: Path, beats: Iterable[CalibrationBeat], comment: str) -> None:
    """Write the beats, sorted, under a comment that says how they were chosen."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += [f"{beat.record} {beat.sample}" for beat in sorted(set(beats))]
    path.write_text("\n".join(lines) + "\n")


def calibration_hash(path: Path) -> str:
    """SHA-256 of the list, as the manifest states it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
