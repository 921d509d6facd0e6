"""Rows of the detector's report, and what gqrs makes of the same noisy records.

"No more FN + FP than gqrs plus 3" can be read in two ways, and both stand in the table: in
percentage points, (100 - Se) + (100 - +P); and in beats, as counts. The counts of gqrs follow
from its Se and +P on the same number of beats.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from model_build.errors import BuildError
from model_build.evaluate.ec57 import BeatMatrix
from model_build.evaluate.ec57.classes import NO_BEAT, SHUTDOWN, V

GQRS_NSTDB: Final = {
    "118e24": (100.0, 99.95),
    "118e18": (100.0, 98.92),
    "118e12": (99.95, 88.66),
    "118e06": (99.27, 70.52),
    "118e00": (96.82, 60.76),
    "118e_6": (95.30, 55.98),
    "119e24": (100.0, 99.64),
    "119e18": (100.0, 98.05),
    "119e12": (100.0, 80.75),
    "119e06": (99.16, 68.09),
    "119e00": (96.51, 56.52),
    "119e_6": (95.30, 51.33),
}
"""Se and +P in percent of WFDB's gqrs by bxb, as the golden files' README gives them."""

ALLOWED: Final = 3
"""How much more than gqrs: percentage points in one reading, beats in the other."""


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    name: str
    beats: int
    missed: int
    extra: int
    v_beats: int = 0
    v_missed: int = 0

    @classmethod
    def of(cls, name: str, matrix: BeatMatrix) -> "Row":
        """Read off a confusion matrix."""
        qrs = matrix.qrs
        v_missed = int(matrix.counts[V, [NO_BEAT, SHUTDOWN]].sum())
        return cls(name, qrs.tp + qrs.fn, qrs.fn, qrs.fp, matrix.reference_total(V), v_missed)

    @classmethod
    def of_percent(cls, name: str, beats: int, se: float, ppv: float) -> "Row":
        """The counts behind two figures of two decimals.

        Raises `BuildError` if they do not give these figures again.
        """
        missed = round(beats * (100 - se) / 100)
        row = cls(name, beats, missed, round((beats - missed) * (100 / ppv - 1)))
        if (f"{row.se:.2f}", f"{row.ppv:.2f}") != (f"{se:.2f}", f"{ppv:.2f}"):
            raise BuildError(f"{name}: no counts of {beats} beats give Se {se}, +P {ppv}")
        return row

    @property
    def se(self) -> float:
        """Sensitivity in percent."""
        return 100 * (self.beats - self.missed) / self.beats

    @property
    def ppv(self) -> float:
        """Positive predictivity in percent."""
        found = self.beats - self.missed
        return 100 * found / (found + self.extra)

    @property
    def wrong(self) -> int:
        """FN + FP in beats."""
        return self.missed + self.extra

    def cells(self) -> str:
        """As a table row."""
        v_se = _percent(self.v_beats - self.v_missed, self.v_beats)
        return (
            f"| {self.name} | {self.beats} | {self.missed} | {self.extra} | {self.se:.2f} "
            f"| {self.ppv:.2f} | {self.v_beats} | {v_se} |"
        )


HEAD: Final = (
    "| | beats | missed | extra | Se % | +P % | V beats | V Se % |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)

_NSTDB_HEAD: Final = (
    "| record | Se % | +P % | gqrs Se % | gqrs +P % | FN % + FP % | gqrs | bound | held "
    "| FN + FP | gqrs | bound | held |\n" + "| --- " * 13 + "|"
)


@dataclass(frozen=True, slots=True)
class Broken:
    """How many noisy records are worse than allowed, by either reading."""

    points: int
    counts: int


def nstdb_table(rows: Iterable[Row]) -> tuple[str, Broken]:
    """Each noisy record beside gqrs, and how many break the bound."""
    lines = [_NSTDB_HEAD]
    points = counts = 0
    for row in rows:
        se, ppv = GQRS_NSTDB[row.name]
        gqrs = Row.of_percent(row.name, row.beats, se, ppv)
        ours, theirs = 200 - row.se - row.ppv, 200 - se - ppv
        in_points, in_counts = ours <= theirs + ALLOWED, row.wrong <= gqrs.wrong + ALLOWED
        points += not in_points
        counts += not in_counts
        lines.append(
            f"| {row.name} | {row.se:.2f} | {row.ppv:.2f} | {se:.2f} | {ppv:.2f} | {ours:.2f} "
            f"| {theirs:.2f} | {theirs + ALLOWED:.2f} | {_held(in_points)} "
            f"| {row.wrong} | {gqrs.wrong} | {gqrs.wrong + ALLOWED} | {_held(in_counts)} |"
        )
    return "\n".join(lines), Broken(points, counts)


def _held(held: bool) -> str:
    return "yes" if held else "no"


def mitdb_beats(page: str) -> Mapping[str, int]:
    """Beats by record as the page's mitdb table states them."""
    rows = re.finditer(r"^\| (\d{3}) \| (\d+) \|", page, re.MULTILINE)
    return {row[1]: int(row[2]) for row in rows}


def nstdb_rows(page: str) -> list[Row]:
    """The noisy records' rows, from the figures that stand in the page.

    118e* and 119e* have the beats of mitdb's 118 and 119. Raises `BuildError` where a record is
    not there.
    """
    beats = mitdb_beats(page)
    found = []
    for name in GQRS_NSTDB:
        figures = re.search(rf"^\| {name} \| ([\d.]+) \| ([\d.]+) \|", page, re.MULTILINE)
        if figures is None or name[:3] not in beats:
            raise BuildError(f"the page holds no figures of {name}")
        found.append(Row.of_percent(name, beats[name[:3]], float(figures[1]), float(figures[2])))
    return found
