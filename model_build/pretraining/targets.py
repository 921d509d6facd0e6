"""What the marks of a lead say about a beat window: a class for each sample, and P or no P."""

from enum import IntEnum
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.windows import LENGTH, R_AT, STEP_S
from model_build.datasets.waves import UNMARKED, Kind, Waves

NONE: Final = 0
"""The class of a sample in no wave; P, QRS and T are 1 to 3, as in `Kind`."""
UNKNOWN: Final = 255
"""A sample about which the marks say nothing: it trains nothing."""
SEGMENTS: Final = ("none", "P", "QRS", "T")

_BRIDGED_S: Final = 0.4
"""Between marks closer than this no beat can have been passed over."""
_PAIRED_S: Final = 0.10
"""A detected peak is that of a marked QRS which it lies in, or this near to."""
_P_BEFORE_S: Final = 0.36
"""The P wave of a beat peaks at most this long before R; beyond it, PR would exceed 0.4 s."""
_P_CLEAR_S: Final = 0.04
"""And at least so long before it."""


class PWave(IntEnum):
    """What is known of a beat's P wave."""

    UNKNOWN = 0
    ABSENT = 1
    PRESENT = 2


def sample_classes(waves: Waves, consecutive: bool, fs: Fraction, n: int) -> NDArray[np.uint8]:
    """The class of each of the `n` samples of a lead at `fs`, uint8 (n,).

    `UNKNOWN` are: what lies outside the marks or, unless they are `consecutive`, between
    marks far apart; the side of a wave whose boundary was not set; U waves.
    """
    classes = np.full(n, UNKNOWN, np.uint8)
    if not len(waves):
        return classes
    first, last = waves.first, waves.last
    reached = np.maximum.accumulate(last)
    apart = first[1:] - reached[:-1] > _BRIDGED_S * fs
    breaks = np.flatnonzero(apart) + 1 if not consecutive else np.zeros(0, np.int64)
    for begin, stop in zip([0, *breaks], [*breaks, len(waves)], strict=True):
        classes[first[begin] : reached[stop - 1] + 1] = NONE
    for k in range(len(waves)):
        if waves.onset[k] == UNMARKED and k > 0:
            classes[last[k - 1] + 1 : waves.peak[k]] = UNKNOWN
        if waves.end[k] == UNMARKED and k + 1 < len(waves):
            classes[waves.peak[k] + 1 : first[k + 1]] = UNKNOWN
    for k in range(len(waves)):
        u_wave = waves.kind[k] == Kind.U
        classes[first[k] : last[k] + 1] = UNKNOWN if u_wave else waves.kind[k]
    return classes


def windowed(classes: NDArray[np.uint8], at: NDArray[np.int64], fs: Fraction) -> NDArray[np.uint8]:
    """The classes (n,) of a lead at `fs` in the windows of the peaks `at` (k,): uint8 (k, 160)."""
    offsets = (np.arange(LENGTH) - R_AT) * STEP_S * float(fs)
    index = np.round(at[:, None] + offsets).astype(np.int64)
    inside = (index >= 0) & (index < len(classes))
    return np.where(inside, classes[np.clip(index, 0, len(classes) - 1)], np.uint8(UNKNOWN))


def p_of_waves(
    waves: Waves, classes: NDArray[np.uint8], at: NDArray[np.int64], fs: Fraction
) -> NDArray[np.uint8]:
    """`PWave` of the peaks `at` (k,) of a lead whose samples are of `classes`.

    Known of peaks of a marked QRS: present if a P wave peaks within reach before it and after the
    QRS before; absent if none does since that, and every sample is known where it would be.
    """
    found = np.full(len(at), PWave.UNKNOWN, np.uint8)
    qrs = np.flatnonzero(waves.kind == Kind.QRS)
    p_peaks = waves.peak[waves.kind == Kind.P]
    near = round(_PAIRED_S * fs)
    for i, peak in enumerate(at.tolist()):
        mine = qrs[(waves.first[qrs] - near <= peak) & (peak <= waves.last[qrs] + near)]
        if not len(mine):
            continue
        onset = int(waves.first[mine[0]])
        reach = peak - round(_P_BEFORE_S * fs)
        before = waves.last[qrs][waves.last[qrs] < onset]
        since = int(before[-1]) if len(before) else 0
        own = p_peaks[(p_peaks > since) & (p_peaks < onset)]
        if np.any(own >= reach):
            found[i] = PWave.PRESENT
        elif not len(own) and reach >= 0 and not np.any(classes[reach:onset] == UNKNOWN):
            found[i] = PWave.ABSENT
    return found


def p_of_peaks(
    p_peaks: NDArray[np.int64], at: NDArray[np.int64], fs: Fraction
) -> NDArray[np.uint8]:
    """`PWave` of the peaks `at` (k,), where only P waves are marked, by their peaks `p_peaks`.

    A P wave within reach before R belongs to it if the beat before is not nearer. Absent is one
    if nothing is marked since the beat before; nothing is known before the first mark and after
    the last.
    """
    found = np.full(len(at), PWave.UNKNOWN, np.uint8)
    if not len(p_peaks) or not len(at):
        return found
    reach = at - round(_P_BEFORE_S * fs)
    # Before the first there is none: as if it were so far away that the reach decides.
    before = np.concatenate((2 * reach[:1] - at[:1], at[:-1]))
    nearer = np.maximum(reach, (before + at) // 2)
    clear = at - round(_P_CLEAR_S * fs)

    def marked(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.searchsorted(p_peaks, end, "right") > np.searchsorted(p_peaks, begin, "left")

    covered = (reach >= p_peaks[0]) & (at <= p_peaks[-1])
    found[covered & ~marked(np.minimum(before, reach), at)] = PWave.ABSENT
    found[marked(nearer, clear)] = PWave.PRESENT
    return found
