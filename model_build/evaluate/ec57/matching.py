"""Pairing of reference and test beats by the rules of EC57, in the reading of WFDB's `bxb`.

Two beats can pair if they lie within the match window; of two candidates the closer one wins,
unless the farther one's rival has a better partner of its own. Where a beat stays alone its
partner is O (no beat), X (the other annotator had declared a shutdown), or, for a test beat in
reference ventricular fibrillation, nothing: it is not counted.

Only the order in which `bxb` looks at the beats defines the result, so the comparison is a walk
along both files with a look-ahead of one beat. The oddities of that walk are kept (figures are
compared with published ones) and named where they occur.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57.classes import NO_BEAT, SHUTDOWN, UNCOUNTED, ClassTable
from model_build.evaluate.ec57.marks import check_order, is_unreadable

NEVER: Final = 2**62
"""Later than any sample; a Python integer, so that differences cannot overflow."""


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of samples, both ends inside."""

    onset: int
    end: int

    def holds(self, at: int) -> bool:
        """Tell whether the sample lies inside."""
        return self.onset <= at <= self.end


@dataclass(slots=True)
class BeatStream:
    """One annotator's beats with what stood between them.

    Entry 0 stands before the first beat (time 0, never counted); the last two are `NEVER`, as
    far as the look-ahead can reach. `rr[k]` is the interval that ends at beat k, 0 where there
    is none (first beat; ventricular fibrillation or a shutdown began in it). `known[k]` counts
    fibrillations and shutdowns, and sums shutdown samples, read before beat k.
    """

    at: list[int]
    code: list[int]
    rr: list[int]
    known: list[tuple[int, int, int]]
    fibrillation: list[Span]
    shutdown: list[Span]

    def in_fibrillation(self, at: int, beat: int) -> bool:
        """Tell whether the sample lies in fibrillation; like bxb, remember the latest two only."""
        last = self.known[beat][0]
        return any(span.holds(at) for span in self.fibrillation[max(0, last - 2) : last])

    def in_shutdown(self, at: int, beat: int) -> bool:
        """Tell whether the sample lies in a shutdown; like bxb, remember the latest two only."""
        last = self.known[beat][1]
        return any(span.holds(at) for span in self.shutdown[max(0, last - 2) : last])


@dataclass(frozen=True, slots=True)
class Pairing:
    """Beat pairs in the order found.

    Attributes:
        reference_at: Sample of the reference beat, -1 where there is none. Shape (n,).
        test_at: Sample of the test beat, -1 where there is none. Shape (n,).
        reference_code: Class code (`classes.LABELS`), or `UNCOUNTED`. Shape (n,).
        test_code: The same for the test beat.
        rr_errors: Differences of RR intervals in samples, for pairs that have both. Shape (m,).
        shutdown: Samples of test shutdown.
    """

    reference_at: NDArray[np.int64]
    test_at: NDArray[np.int64]
    reference_code: NDArray[np.int64]
    test_code: NDArray[np.int64]
    rr_errors: NDArray[np.float64]
    shutdown: int


def _unreadable_span(
    stream: BeatStream, onset: int, follower: tuple[int, bool], window: int
) -> Span:
    """Place a shutdown: up to its closing mark or, in AHA's way, between its neighbours.

    AHA files hold one mark in the middle of the interval. It then begins a window after the
    previous beat or end of fibrillation, and ends a window before the next annotation.
    """
    next_at, closes = follower
    if closes:
        return Span(onset, next_at)
    previous = stream.at[-1]
    if stream.fibrillation:
        previous = max(previous, stream.fibrillation[-1].end)
    end = next_at - window
    return Span(min(previous + window, end), end)


def _append_beat(stream: BeatStream, at: int, code: int, shutdown_total: int) -> None:
    previous = stream.at[-1]
    recent = (*stream.fibrillation[-2:], *stream.shutdown[-2:])
    broken = previous == 0 or any(previous <= span.onset < at for span in recent)
    stream.at.append(at)
    stream.code.append(code)
    stream.rr.append(0 if broken or at == NEVER else at - previous)
    stream.known.append((len(stream.fibrillation), len(stream.shutdown), shutdown_total))


def beat_stream(
    annotations: Annotations, codes: Mapping[str, int], window: int, record_end: int | None
) -> BeatStream:
    """Read the beats, fibrillations (`[` to `]`) and shutdowns (`~`) of one annotator.

    Args:
        annotations: The file, in order of time.
        codes: Class code by symbol; what is not in it is no beat.
        window: Match window in samples.
        record_end: Length of the comparison, counted as the end of an open shutdown.

    Returns:
        The stream. Anything between `[` and `]` is skipped, beats too. What has no end lasts to
        the end of the record (bxb forgets the onset of a second such fibrillation).

    Raises:
        ValueError: The annotations are not in order of time.
    """
    check_order(annotations)
    at = annotations.sample.tolist()
    symbol = annotations.symbol
    subtype = annotations.subtype.tolist()
    stream = BeatStream([0], [UNCOUNTED], [0], [(0, 0, 0)], [], [])
    total = 0
    k = 0
    while k < len(at):
        code = codes.get(symbol[k])
        if code is not None:
            _append_beat(stream, at[k], code, total)
        elif symbol[k] == "~" and is_unreadable(subtype[k]):
            if k + 1 == len(at):
                total += record_end - at[k] if record_end else 0
                stream.shutdown.append(Span(at[k], NEVER))
                break
            closes = symbol[k + 1] == "~" and not is_unreadable(subtype[k + 1])
            span = _unreadable_span(stream, at[k], (at[k + 1], closes), window)
            stream.shutdown.append(span)
            total += span.end - span.onset
            k += closes
        elif symbol[k] == "[":
            close = next((m for m in range(k + 1, len(at)) if symbol[m] == "]"), len(at))
            stream.fibrillation.append(Span(at[k], at[close] if close < len(at) else NEVER))
            k = close
        k += 1
    for _ in range(2):
        _append_beat(stream, NEVER, UNCOUNTED, total)
    return stream


class _Walk:
    """The walk along both streams; `pairs` grows by one entry a step."""

    def __init__(self, reference: BeatStream, test: BeatStream) -> None:
        self.reference = reference
        self.test = test
        self.i = 0
        self.j = 0
        self.pairs: list[tuple[int, int, int, int]] = []
        self.rr_errors: list[int] = []

    def _count(self, pair: tuple[int, int, int, int]) -> None:
        self.pairs.append(pair)
        # bxb takes the interval of the pending beat of each file at every step, also when
        # only one of them is being counted.
        expected, found = self.reference.rr[self.i], self.test.rr[self.j]
        if expected > 0 and found > 0:
            self.rr_errors.append(expected - found)

    def pair(self) -> None:
        """Count the two pending beats as one."""
        r, t = self.reference, self.test
        self._count((r.at[self.i], t.at[self.j], r.code[self.i], t.code[self.j]))
        self.i += 1
        self.j += 1

    def extra(self) -> None:
        """Count the pending test beat alone."""
        at = self.test.at[self.j]
        code = NO_BEAT
        if self.reference.in_fibrillation(at, self.i + 1):
            code = UNCOUNTED
        elif self.reference.in_shutdown(at, self.i + 1):
            code = SHUTDOWN
        self._count((-1, at, code, self.test.code[self.j]))
        self.j += 1

    def missed(self) -> None:
        """Count the pending reference beat alone."""
        at = self.reference.at[self.i]
        code = SHUTDOWN if self.test.in_shutdown(at, self.j + 1) else NO_BEAT
        self._count((at, -1, self.reference.code[self.i], code))
        self.i += 1


def _enter(walk: _Walk, start: int, window: int) -> None:
    """Go to the first beats of the test period.

    A last test beat of the learning period may still pair with the first reference beat. If it
    does not, and the first test beat's successor fits the first reference beat better, that test
    beat belongs to a reference beat of the learning period and is passed over.
    """
    ref_at, test_at = walk.reference.at, walk.test.at
    walk.i = bisect_left(ref_at, start)
    walk.j = max(0, bisect_left(test_at, start) - 1)
    expected, last, first = ref_at[walk.i], test_at[walk.j], test_at[walk.j + 1]
    if expected - last < abs(expected - first) and expected - last <= window:
        walk.pair()
        return
    walk.j += 1
    second = test_at[walk.j + 1]
    if first - start <= window and abs(expected - second) < abs(expected - first):
        walk.j += 1


def _step(walk: _Walk, window: int) -> None:
    expected, after_expected = walk.reference.at[walk.i : walk.i + 2]
    found, after_found = walk.test.at[walk.j : walk.j + 2]
    distance = abs(expected - found)
    if found < expected:
        rival = abs(expected - after_found)
        alone = walk.extra
    else:
        rival = abs(found - after_expected)
        alone = walk.missed
    if distance <= window and (distance < rival or abs(after_expected - after_found) < rival):
        walk.pair()
    else:
        alone()


def match_beats(
    reference: Annotations,
    test: Annotations,
    table: ClassTable,
    *,
    start: int,
    record_end: int | None,
    window: int,
) -> Pairing:
    """Pair the beats of two annotators.

    Args:
        reference: The reference annotations.
        test: The test annotations.
        table: Which symbols are beats, and of which class.
        start: First sample of the test period.
        record_end: Last sample of the test period; None: up to the last reference beat.
        window: Farthest two beats of one pair may lie apart, in samples.

    Returns:
        All pairs of the test period.

    Raises:
        ValueError: Annotations are not in order of time.
    """
    expected = beat_stream(reference, table.codes, window, record_end)
    found = beat_stream(test, table.codes, window, record_end)
    walk = _Walk(expected, found)
    _enter(walk, start, window)
    if record_end is None:
        while expected.at[walk.i] != NEVER:
            _step(walk, window)
    else:
        while expected.at[walk.i] <= record_end or found.at[walk.j] <= record_end:
            _step(walk, window)
    pairs = np.array(walk.pairs, dtype=np.int64).reshape(-1, 4)
    return Pairing(
        reference_at=pairs[:, 0],
        test_at=pairs[:, 1],
        reference_code=pairs[:, 2],
        test_code=pairs[:, 3],
        rr_errors=np.array(walk.rr_errors, dtype=np.float64),
        shutdown=found.known[walk.j + 1][2],
    )
