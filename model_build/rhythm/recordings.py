"""Who trains and scores rhythms, and what is known of each second of their recordings.

Archives differ in what they know. cinc2017 names a recording as a whole, sinus rhythm apart from
"other"; rhythm annotations call a heart with many ectopic beats sinus as well; svdb annotates no
rhythm. So a target is a set of classes, any of which is right.
"""

import ast
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import Annotations, read_annotations, read_header
from model_build.datasets import mitdb, svdb
from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.datasets.recording import Recording
from model_build.datasets.splits import require_separate
from model_build.datasets.subjects import subject
from model_build.recipe import View


class Rhythms(IntFlag):
    """The classes that may be right; the bit of a class is its position in `CLASSES`."""

    UNKNOWN = 0
    SINUS = 1
    AF = 2
    FLUTTER = 4
    OTHER = 8
    NOISE = 16


CLASSES: Final = ("N", "AFIB", "AFL", "OTHER", "NOISE")
"""Order of the network's outputs. The first four are `events.Rhythm`; the last is too noisy."""

BEATING: Final = Rhythms.SINUS | Rhythms.OTHER
"""What archives know that do not tell sinus rhythm with ectopic beats from "other"."""
_OF_MARK: Final = {
    "(AFIB": Rhythms.AF, "(AFL": Rhythms.FLUTTER, "(N": BEATING, "(SBR": BEATING,
    "(VFL": Rhythms.UNKNOWN,
}  # fmt: skip
"""Any other mark (B, T, VT, SVTA, NOD, ...) is `OTHER`."""

_CINC2017: Final = {
    "normal": Rhythms.SINUS, "atrial_fibrillation": Rhythms.AF, "other": Rhythms.OTHER,
    "noisy": Rhythms.NOISE,
}  # fmt: skip
_SNOMED: Final = {"164889003": Rhythms.AF, "164890007": Rhythms.FLUTTER}
_LIMB_LEADS: Final = ("I", "II")


SYNTHETIC: Final = "synthetic"
"""The group of recordings in which a view plays rhythms (`model_build.rhythm.synthetic`)."""


@dataclass(frozen=True, slots=True)
class RhythmRecording:
    """One lead of a record.

    `changes`: (second, what is right from there on), in order; the first at 0. `whole`: the
    recording has one label, and nobody says where in it that shows. `folded`: by subject, not so
    archives that only train. `view`: alters it first, so that `changes` are not the archive's; None
    leaves it as it is (`synthetic`).
    """

    database: str
    record: str
    subject: str
    path: Path
    channel: int
    mains_hz: int
    changes: tuple[tuple[float, Rhythms], ...]
    whole: bool
    folded: bool
    view: View | None = None

    @property
    def key(self) -> str:
        """Its name in messages and caches, "database/record:channel"."""
        return f"{self.database}/{self.record}:{self.channel}"

    @property
    def group(self) -> str:
        """What it is drawn and reported as: its archive, or "synthetic"."""
        return self.database if self.view is None else SYNTHETIC

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.uint8]:
        """`Rhythms` at each of `seconds` (k,); before the first mark it is unknown."""
        starts = np.array([start for start, _ in self.changes])
        values = np.array([0, *(int(rhythm) for _, rhythm in self.changes)], np.uint8)
        found: NDArray[np.uint8] = values[np.searchsorted(starts, seconds, side="right")]
        return found


def training(directory: Path) -> list[RhythmRecording]:
    """Every recording that trains: people of DS2 are not among them."""
    found = [
        *_annotated(mitdb.training(directory), 60),
        *_svdb(directory),
        *_cpsc2021(directory),
        *_cinc2017(directory),
        *_ptbxl(directory),
        *_ludb(directory),
        *_challenge(directory, "cinc2020"),
        *_challenge(directory, "cinc2021"),
    ]
    require_separate(recording.subject for recording in found)
    return found


def test(directory: Path) -> list[RhythmRecording]:
    """DS2. Only `model-build evaluate --open-test` asks for it."""
    return list(_annotated(mitdb.test(directory), 60))


def _annotated(recordings: list[Recording], mains_hz: int) -> Iterator[RhythmRecording]:
    for one in recordings:
        marks = read_annotations(f"{one.path}.{one.annotator}")
        fs = float(read_header(one.path).fs_fraction)
        yield RhythmRecording(
            one.database, one.record, one.subject, one.path, 0, mains_hz,
            changes_of(marks, fs), whole=False, folded=True,
        )  # fmt: skip


def changes_of(marks: Annotations, fs: float) -> tuple[tuple[float, Rhythms], ...]:
    """The rhythm annotations as (second, `Rhythms`); before the first nothing is known."""
    pairs = zip(marks.sample.tolist(), marks.symbol, marks.aux, strict=True)
    return tuple(
        (sample / fs, _OF_MARK.get(aux.rstrip("\0"), Rhythms.OTHER))
        for sample, symbol, aux in pairs
        if symbol == "+" and aux.startswith("(")
    )


def _svdb(directory: Path) -> Iterator[RhythmRecording]:
    for one in svdb.training(directory):
        yield RhythmRecording(
            one.database, one.record, one.subject, one.path, 0, 60, ((0.0, BEATING),),
            whole=False, folded=True,
        )  # fmt: skip


def _cpsc2021(directory: Path) -> Iterator[RhythmRecording]:
    folder = ensure(directory, "cpsc2021")
    for record in database("cpsc2021").records:
        marks = read_annotations(folder / f"{record}.atr")
        header = read_header(folder / record)
        # Only what is not sinus rhythm is marked, from its onset to its end.
        changes = ((0.0, BEATING), *changes_of(marks, float(header.fs_fraction)))
        for channel in range(len(header.signals)):
            yield RhythmRecording(
                "cpsc2021", record, subject("cpsc2021", record), folder / record, channel, 50,
                changes, whole=False, folded=True,
            )  # fmt: skip


def _cinc2017(directory: Path) -> Iterator[RhythmRecording]:
    folder = ensure(directory, "cinc2017")
    for group, records in database("cinc2017").groups.items():
        for record in records:
            yield RhythmRecording(
                "cinc2017", record, subject("cinc2017", record), folder / record, 0, 60,
                ((0.0, _CINC2017[group]),), whole=True, folded=True,
            )  # fmt: skip


def _short(
    name: str, record: str, path: Path, rhythm: Rhythms, mains_hz: int = 50
) -> Iterator[RhythmRecording]:
    for channel, spec in enumerate(read_header(path).signals):
        if spec.name.upper() in _LIMB_LEADS:
            yield RhythmRecording(
                name, record, subject(name, record), path, channel, mains_hz, ((0.0, rhythm),),
                whole=True, folded=False,
            )  # fmt: skip


def _ptbxl(directory: Path) -> Iterator[RhythmRecording]:
    folder = ensure(directory, "ptbxl")
    pinned = set(database("ptbxl").records)
    with (directory / "ptbxl" / "ptbxl_database.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            record = row["filename_hr"].rpartition("/")[2]
            if record in pinned:
                codes = set(ast.literal_eval(row["scp_codes"]))
                yield from _short("ptbxl", record, folder / record, _of_scp(codes))


def _of_scp(codes: set[str]) -> Rhythms:
    if codes & {"AFIB", "AFLT"}:
        return Rhythms.FLUTTER if "AFLT" in codes else Rhythms.AF
    if "NORM" in codes and not codes & {"PVC", "PAC", "SARRH", "STACH", "SBRAD", "BIGU", "TRIGU"}:
        return Rhythms.SINUS
    return Rhythms.OTHER if codes & {"PACE", "SVTAC", "PSVT", "SVARR"} else BEATING


def _ludb(directory: Path) -> Iterator[RhythmRecording]:
    folder = ensure(directory, "ludb")
    for record in database("ludb").records:
        words = " ".join(read_header(folder / record).comments).lower()
        rhythm = BEATING
        if "atrial flutter" in words:
            rhythm = Rhythms.FLUTTER
        elif "atrial fibrillation" in words:
            rhythm = Rhythms.AF
        yield from _short("ludb", record, folder / record, rhythm)


def _challenge(directory: Path, name: str) -> Iterator[RhythmRecording]:
    folder = ensure(directory, name)
    for record in database(name).records:
        comments = read_header(folder / record).comments
        (line,) = (c for c in comments if c.lstrip("# ").startswith("Dx"))
        codes = {code.strip() for code in line.partition(":")[2].split(",")}
        rhythm = next((r for code, r in _SNOMED.items() if code in codes), BEATING)
        yield from _short(name, record, folder / record, rhythm)
