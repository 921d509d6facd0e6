"""Beat-by-beat scores: the confusion matrix and what EC57 derives from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57.classes import (
    LABELS,
    NO_BEAT,
    SHUTDOWN,
    ClassTable,
    Escapes,
    F,
    N,
    Q,
    S,
    V,
    class_table,
)
from model_build.evaluate.ec57.marks import in_samples
from model_build.evaluate.ec57.matching import Pairing, match_beats
from model_build.evaluate.ec57.rates import Rates, mean_defined, quotient

LEARNING_S: Final = 300.0
"""EC57: the first five minutes of a record are for the detector to learn, and are not scored."""
WINDOW_S: Final = 0.15
"""EC57: beats of one pair lie at most 150 ms apart."""

_BEATS: Final = [N, S, V, F, Q]
_NONE: Final = [NO_BEAT, SHUTDOWN]


@dataclass(frozen=True, slots=True, eq=False)
class BeatMatrix:
    """The confusion matrix of one record, or of several pooled.

    Attributes:
        counts: Beat pairs, shape (7, 7), read-only: reference class by test class in the order
            of `classes.LABELS` (N S V F Q O X). O is a missing beat, X one missed in a shutdown.
        table: The class table used.
        rr_squares: Sum of squared RR interval errors, ms².
        rr_pairs: Number of RR intervals compared.
        shutdown_s: Test shutdown, whole seconds.
        learning_s: Start of the test period.
        window_s: Match window.
    """

    counts: NDArray[np.int64]
    table: ClassTable
    rr_squares: float
    rr_pairs: int
    shutdown_s: int
    learning_s: float
    window_s: float

    def _sum(self, rows: Sequence[int], columns: Sequence[int]) -> int:
        return int(self.counts[np.ix_(rows, columns)].sum())

    def reference_total(self, row: int) -> int:
        """Return how many reference beats of the class were compared, found or not."""
        return int(self.counts[row].sum())

    @property
    def qrs(self) -> Rates:
        """QRS detection: any beat found where there is any beat."""
        return Rates(
            tp=self._sum(_BEATS, _BEATS),
            fn=self._sum(_BEATS, _NONE),
            fp=self._sum(_NONE, _BEATS),
        )

    def _one_class(self, code: int, false_from: Sequence[int]) -> Rates:
        tp = int(self.counts[code, code])
        return Rates(tp, self.reference_total(code) - tp, self._sum(false_from, [code]))

    @property
    def veb(self) -> Rates:
        """V as bxb counts: F or Q taken for V is no false positive."""
        return self._one_class(V, [N, S, NO_BEAT, SHUTDOWN])

    @property
    def veb_counting_f(self) -> Rates:
        """V with F taken for V counted as false positive: not bxb's figure, never mixed with it."""
        return self._one_class(V, [N, S, F, NO_BEAT, SHUTDOWN])

    @property
    def sveb(self) -> Rates:
        """S as bxb counts: F taken for S is a false positive, Q taken for S is not."""
        return self._one_class(S, [N, V, F, NO_BEAT, SHUTDOWN])

    @property
    def normal(self) -> Rates:
        """N by the rule of S: Q taken for N is no false positive. EC57 has no such figure."""
        return self._one_class(N, [S, V, F, NO_BEAT, SHUTDOWN])

    @property
    def fusion(self) -> Rates:
        """F by the rule of S. EC57 has no such figure."""
        return self._one_class(F, [N, S, V, NO_BEAT, SHUTDOWN])

    @property
    def macro_f1(self) -> float | None:
        """Mean F1 of N, S and V (`veb` as bxb counts); None if one of them is undefined."""
        scores = [rates.f1 for rates in (self.normal, self.sveb, self.veb)]
        defined = [score for score in scores if score is not None]
        return sum(defined) / 3 if len(defined) == 3 else None

    @property
    def rr_error_ms(self) -> float | None:
        """Root mean square of the RR interval error, ms."""
        mean_square = quotient(self.rr_squares, self.rr_pairs)
        return None if mean_square is None else math.sqrt(mean_square)

    def as_json(self) -> dict[str, object]:
        """Return the matrix, the rates and how they were counted, ready for `json`."""
        return {
            "labels": list(LABELS),
            "counts": self.counts.tolist(),
            "qrs": self.qrs.as_json(),
            "veb": self.veb.as_json(),
            "sveb": self.sveb.as_json(),
            "n": self.normal.as_json(),
            "f": self.fusion.as_json(),
            "macro_f1_nsv": self.macro_f1,
            "veb_counting_f": self.veb_counting_f.as_json(),
            "rr_error_ms": self.rr_error_ms,
            "shutdown_s": self.shutdown_s,
            "escapes": self.table.escapes,
            "learning_s": self.learning_s,
            "window_s": self.window_s,
        }


def pair_beats(
    reference: Annotations,
    test: Annotations,
    fs: float,
    record_end: int | None,
    *,
    learning_s: float = LEARNING_S,
    window_s: float = WINDOW_S,
    escapes: Escapes = "n",
) -> Pairing:
    """Pair the beats; arguments as for `compare_beats`. Shows which beat was missed where."""
    return match_beats(
        reference,
        test,
        class_table(escapes),
        start=in_samples(learning_s, fs),
        record_end=record_end,
        window=in_samples(window_s, fs),
    )


def compare_beats(
    reference: Annotations,
    test: Annotations,
    fs: float,
    record_end: int | None,
    *,
    learning_s: float = LEARNING_S,
    window_s: float = WINDOW_S,
    escapes: Escapes = "n",
) -> BeatMatrix:
    """Compare a test annotator with the reference, beat by beat.

    Args:
        reference: Reference annotations.
        test: Test annotations on the same sample clock.
        fs: Samples per second of that clock, Hz.
        record_end: Length of the record in samples; None: compare up to the last reference beat.
        learning_s: Where the comparison starts.
        window_s: How far apart two beats of one pair may lie.
        escapes: Escape beats as N ("n") or as S ("s", as `bxb -L` has it).

    Returns:
        The confusion matrix with its rates.

    Raises:
        ValueError: Annotations out of order, or the record ends before the comparison starts.
    """
    if record_end is not None and record_end < in_samples(learning_s, fs):
        raise ValueError(
            f"the record ends at {record_end / fs:g} s, before the comparison starts "
            f"at {learning_s:g} s; shorten the learning period"
        )
    pairing = pair_beats(
        reference,
        test,
        fs,
        record_end,
        learning_s=learning_s,
        window_s=window_s,
        escapes=escapes,
    )
    return tally(pairing, fs, class_table(escapes), learning_s, window_s)


def tally(
    pairing: Pairing, fs: float, table: ClassTable, learning_s: float, window_s: float
) -> BeatMatrix:
    """Count pairs into a matrix."""
    size = len(LABELS)
    # One row and column more, for what is paired but not counted.
    cells = pairing.reference_code * (size + 1) + pairing.test_code
    full = np.bincount(cells, minlength=(size + 1) ** 2).reshape(size + 1, size + 1)
    counts = full[:size, :size].astype(np.int64)
    counts.flags.writeable = False
    # bxb knows a second as a whole number of samples.
    second = in_samples(1.0, fs)
    squares = float(np.sum(pairing.rr_errors**2)) * (1000.0 / second) ** 2
    return BeatMatrix(
        counts=counts,
        table=table,
        rr_squares=squares,
        rr_pairs=len(pairing.rr_errors),
        shutdown_s=(in_samples(0.5, fs) + pairing.shutdown) // second,
        learning_s=learning_s,
        window_s=window_s,
    )


def pool(matrices: Sequence[BeatMatrix]) -> BeatMatrix:
    """Add up the matrices of several records (EC57's gross statistics follow from the sum).

    Raises:
        ValueError: There are none, or they were not counted by the same rules.
    """
    if not matrices:
        raise ValueError("no record to pool")
    first = matrices[0]
    for one in matrices:
        if (one.table, one.learning_s, one.window_s) != (
            first.table,
            first.learning_s,
            first.window_s,
        ):
            raise ValueError("records counted by different rules cannot be pooled")
    counts = np.stack([one.counts for one in matrices]).sum(axis=0, dtype=np.int64)
    counts.flags.writeable = False
    return BeatMatrix(
        counts=counts,
        table=first.table,
        rr_squares=math.fsum(one.rr_squares for one in matrices),
        rr_pairs=sum(one.rr_pairs for one in matrices),
        shutdown_s=sum(one.shutdown_s for one in matrices),
        learning_s=first.learning_s,
        window_s=first.window_s,
    )


def averages(matrices: Sequence[BeatMatrix]) -> dict[str, dict[str, float | None]]:
    """Return EC57's average statistics: means over the records where a rate is defined."""
    kinds = {
        "qrs": [one.qrs for one in matrices],
        "veb": [one.veb for one in matrices],
        "sveb": [one.sveb for one in matrices],
        "veb_counting_f": [one.veb_counting_f for one in matrices],
    }
    return {
        kind: {
            "se": mean_defined([one.se for one in rates]),
            "ppv": mean_defined([one.ppv for one in rates]),
            "f1": mean_defined([one.f1 for one in rates]),
        }
        for kind, rates in kinds.items()
    }
