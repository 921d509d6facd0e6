"""One recording as training sees it: where it lies, who is in it, and what its marks allow."""

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from pathlib import Path
from typing import Final

from edge_runtime.rules.beat_label import ARTEFACT


class Target(IntFlag):
    """The classes that a beat's label leaves possible; the loss asks for their joint probability.

    The bit of a class is its position in `CLASSES`.
    """

    IGNORE = 0
    N = 1
    S = 2
    V = 4
    F = 8
    X = 16
    NOT_S = N | V | F | X


CLASSES: Final = ("N", "S", "V", "F", ARTEFACT)
"""Order of the student's outputs; the last says that a detected peak is no beat."""


class Group(StrEnum):
    """Kinds of recordings that a recipe weighs apart."""

    BEATS = "beats"
    AF_BEATS = "af_beats"
    NORMAL_RECORD = "normal_record"
    AF_RECORD = "af_record"


@dataclass(frozen=True, slots=True)
class Recording:
    """A record of an archive. Without an annotator every detected beat has `blanket` as target."""

    database: str
    record: str
    subject: str
    path: Path
    group: Group
    annotator: str | None
    blanket: Target = Target.IGNORE

    @property
    def key(self) -> str:
        """Its name in messages and caches, "database/record"."""
        return f"{self.database}/{self.record}"
