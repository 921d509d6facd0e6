"""Run-by-run comparison: couplets, short runs (3 to 5 beats) and long ones (6 and more).

By the rules of EC57 as WFDB's `rxr` reads them. For sensitivity each run of the reference is
compared with the longest test run within a window that begins 150 ms before its first beat and
ends 150 ms after its last; for positive predictivity the roles are exchanged. Ventricular runs
hold V and F; ventricular fibrillation is a run of maximum length. Supraventricular runs hold S
(escape beats always among them); atrial fibrillation and flutter are runs of maximum length, and
the normal beats in them are S.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57.beats import LEARNING_S, WINDOW_S
from model_build.evaluate.ec57.classes import ESCAPES_AS_S, LABELS
from model_build.evaluate.ec57.marks import check_order, in_samples, is_unreadable
from model_build.evaluate.ec57.rates import EventRates

RunKind: TypeAlias = Literal["ventricular", "supraventricular"]

LONGEST: Final = 6
"""Runs are counted up to this length; a longer one counts as this."""

Labelled: TypeAlias = tuple[int, str]
"""Sample and label: a beat class, [ ] (fibrillation), { } (AF), U C (unreadable), O (other)."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """What makes, ends and fills a run of one kind."""

    beats: str
    opens: str
    closes: str
    # What ends an open episode of the other annotator early.
    cuts: str

    @property
    def ends(self) -> str:
        """Labels after which a run is over: other beats and unreadable signal."""
        return "".join(label for label in "NSVFQU" if label not in self.beats)


_KINDS: Final[dict[RunKind, _Rules]] = {
    "ventricular": _Rules(beats="VF", opens="[", closes="]", cuts="]{U"),
    "supraventricular": _Rules(beats="S", opens="{", closes="}", cuts="}[U"),
}


@dataclass(frozen=True, slots=True, eq=False)
class RunMatrix:
    """Run lengths against run lengths, for one kind of run.

    Attributes:
        sensitivity: Runs of the reference, shape (7, 7), read-only: length by the longest test
            run at that place.
        predictivity: Runs of the test annotator, shape (7, 7), read-only: longest reference run
            at that place by length.
        kind: Which runs.
    """

    sensitivity: NDArray[np.int64]
    predictivity: NDArray[np.int64]
    kind: RunKind

    def _rates(self, shortest: int, longest: int) -> EventRates:
        """Count runs of these lengths; found is what is at least `shortest` long elsewhere."""
        of_reference = self.sensitivity[shortest : longest + 1]
        of_test = self.predictivity[:, shortest : longest + 1]
        return EventRates(
            tps=int(of_reference[:, shortest:].sum()),
            fn=int(of_reference[:, :shortest].sum()),
            tpp=int(of_test[shortest:].sum()),
            fp=int(of_test[:shortest].sum()),
        )

    @property
    def couplets(self) -> EventRates:
        """Runs of two."""
        return self._rates(2, 2)

    @property
    def short(self) -> EventRates:
        """Runs of three to five."""
        return self._rates(3, LONGEST - 1)

    @property
    def long(self) -> EventRates:
        """Runs of six and more, and fibrillation."""
        return self._rates(LONGEST, LONGEST)

    def as_json(self) -> dict[str, object]:
        """Return both matrices and the rates, ready for `json`."""
        return {
            "kind": self.kind,
            "couplets": self.couplets.as_json(),
            "short": self.short.as_json(),
            "long": self.long.as_json(),
            "sensitivity": self.sensitivity.tolist(),
            "predictivity": self.predictivity.tolist(),
        }


class _Rhythm:
    """What is going on while an annotation file is read: fibrillation, AF, unreadable signal."""

    def __init__(self) -> None:
        self.in_vf = False
        self.in_af = False
        self.unreadable = False

    def begin_vf(self) -> str:
        if self.in_vf:
            return "O"
        self.in_vf, self.in_af = True, False
        return "["

    def end_vf(self) -> str:
        if not self.in_vf:
            return "O"
        self.in_vf = False
        return "]"

    def change(self, text: str) -> str:
        if text.startswith("(AF"):
            if self.in_af:
                return "O"
            self.in_vf, self.in_af = False, True
            return "{"
        if text.startswith("(VF"):
            return self.begin_vf()
        # A rhythm change without text says nothing.
        if text and self.in_af:
            self.in_af = False
            return "}"
        return self.end_vf() if text else "O"

    def quality(self, subtype: int) -> str:
        before, self.unreadable = self.unreadable, is_unreadable(subtype)
        if self.unreadable:
            return "O" if before else "U"
        return "C" if before else "O"


def label_runs(annotations: Annotations) -> list[Labelled]:
    """Label every annotation for the comparison of runs; raise ValueError if out of order."""
    check_order(annotations)
    rhythm = _Rhythm()
    labelled = []
    subtypes = annotations.subtype.tolist()
    for k, (at, symbol) in enumerate(
        zip(annotations.sample.tolist(), annotations.symbol, strict=True)
    ):
        code = ESCAPES_AS_S.codes.get(symbol)
        if code is not None:
            label = LABELS[code]
            label = "S" if label == "N" and rhythm.in_af else label
        elif symbol == "[":
            label = rhythm.begin_vf()
        elif symbol == "]":
            label = rhythm.end_vf()
        elif symbol == "+":
            label = rhythm.change(annotations.aux[k])
        elif symbol == "~":
            label = rhythm.quality(subtypes[k])
        else:
            label = "O"
        labelled.append((at, label))
    return labelled


def _enter(labelled: list[Labelled], rules: _Rules, start: int) -> tuple[int, int]:
    """Return the first position at or after the start, and the length of a run open there."""
    length = 0
    for k, (at, label) in enumerate(labelled):
        if at >= start:
            return k, length
        if label == rules.opens:
            length = LONGEST
        elif label in "]}":
            length = 0
    return len(labelled), length


def _find_runs(
    labelled: list[Labelled], rules: _Rules, start: int, end: int | None, window: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (length, first, last sample of the search window) of each run in the period."""
    k, length = _enter(labelled, rules, start)
    first = start - window
    last = start + window if length else 0
    for at, label in labelled[k:]:
        if end is not None and at > end:
            return  # rxr does not count a run that is still open here
        if length == 0 and (label in rules.beats or label == rules.opens):
            first = at - window
        if label in rules.beats:
            length = min(length + 1, LONGEST)
            last = at + window
        elif label == rules.opens:
            length = length or LONGEST
        elif length and label == rules.closes:
            # More beats may follow the end of fibrillation at once.
            last = at + window
        elif length and label in rules.ends:
            yield length, first, last
            length = 0
    if length:
        yield length, first, last


class _OtherRuns:
    """The other annotator's file, read forward only: windows come in order of time."""

    def __init__(self, labelled: list[Labelled], rules: _Rules) -> None:
        # What stands before the first annotation.
        self.labelled = [(0, "O"), *labelled]
        self.rules = rules
        self.k = 0
        self.episode_end = 0
        self.open_end = False

    def longest(self, first: int, last: int) -> int:
        """Return the length of the longest run within the window."""
        if self.open_end or self.episode_end > first:
            return LONGEST
        while self.k < len(self.labelled) and self.labelled[self.k][0] < first:
            if self.labelled[self.k][1] == self.rules.opens and self._episode_reaches(first):
                return LONGEST
            self.k += 1
        return self._longest_until(last)

    def _episode_reaches(self, first: int) -> bool:
        """Go to the end of the episode; tell whether it lies after `first`."""
        self.k += 1
        while self.k < len(self.labelled) and self.labelled[self.k][1] not in self.rules.cuts:
            self.k += 1
        if self.k == len(self.labelled):
            self.open_end = True
            return True
        end = self.labelled[self.k][0]
        if end > first:
            self.episode_end = end
        return end > first

    def _longest_until(self, last: int) -> int:
        longest = length = 0
        while self.k < len(self.labelled) and self.labelled[self.k][0] <= last:
            at, label = self.labelled[self.k]
            if label in self.rules.beats:
                length = min(length + 1, LONGEST)
                longest = max(longest, length)
            elif label == self.rules.opens:
                self._episode_reaches(at - 1)
                return LONGEST
            elif label in self.rules.ends or label in "[{":
                length = 0
            self.k += 1
        return longest


def _matrix(
    own: list[Labelled],
    other: list[Labelled],
    rules: _Rules,
    period: tuple[int, int | None],
    window: int,
) -> NDArray[np.int64]:
    """Count own run length by other run length, shape (7, 7)."""
    counts = np.zeros((LONGEST + 1, LONGEST + 1), dtype=np.int64)
    cursor = _OtherRuns(other, rules)
    for length, first, last in _find_runs(own, rules, *period, window):
        counts[length, cursor.longest(first, last)] += 1
    return counts


def compare_runs(
    reference: Annotations,
    test: Annotations,
    fs: float,
    record_end: int | None,
    kind: RunKind,
    *,
    learning_s: float = LEARNING_S,
    window_s: float = WINDOW_S,
) -> RunMatrix:
    """Compare the runs of two annotators.

    Args:
        reference: Reference annotations.
        test: Test annotations on the same sample clock.
        fs: Samples per second of that clock, Hz.
        record_end: Length of the record in samples; None: compare to the end of the files.
        kind: Ventricular or supraventricular runs.
        learning_s: Where the comparison starts.
        window_s: By how much the search for a run's counterpart reaches beyond the run.

    Returns:
        The matrices with their rates.

    Raises:
        ValueError: Annotations are not in order of time.
    """
    period = (in_samples(learning_s, fs), record_end)
    window = in_samples(window_s, fs)
    rules = _KINDS[kind]
    expected, found = label_runs(reference), label_runs(test)
    sensitivity = _matrix(expected, found, rules, period, window)
    predictivity = _matrix(found, expected, rules, period, window).T.copy()
    sensitivity.flags.writeable = predictivity.flags.writeable = False
    return RunMatrix(sensitivity, predictivity, kind)
