"""What the scorer reads of annotations besides beats, and time in samples."""

import math

import numpy as np

from firmware_bridge.records import Annotations

# Both signal-quality bits of a `~` annotation's subtype set: no signal is readable.
_UNREADABLE = 0x30


def is_unreadable(subtype: int) -> bool:
    """Tell whether a `~` annotation of this subtype begins a shutdown (all signals unreadable)."""
    return subtype & _UNREADABLE == _UNREADABLE


def in_samples(seconds: float, fs: float) -> int:
    """Convert a time to the nearest sample, halves upward, as WFDB's `strtim` does."""
    return math.floor(seconds * fs + 0.5)


def check_order(annotations: Annotations) -> None:
    """Raise ValueError if the annotations are not in order of time."""
    later = np.diff(annotations.sample)
    if later.size and bool(np.any(later < 0)):
        at = int(annotations.sample[int(np.argmax(later < 0)) + 1])
        raise ValueError(f"annotations are not in order of time (at sample {at}); sort them first")
