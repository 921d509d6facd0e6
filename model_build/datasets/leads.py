"""One lead of a record as delineation and pre-training see it: no beat labels, perhaps waves.

Everything here stands outside the folds: none of these archives scores beats. Of mitdb and svdb
there is no signal among them, and nobody who is tested (`splits.require_separate`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from firmware_bridge.records import read_header
from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.datasets.subjects import subject

_MAINS_HZ: Final = {
    "ludb": 50, "qtdb": 60, "ptbxl": 50, "cinc2015": 60, "cinc2017": 60, "cinc2020": 50,
    "cinc2021": 50, "cpsc2021": 50,
}  # fmt: skip
"""Of the grid where most of the archive was recorded."""
_NO_ECG: Final = ("PLETH", "ABP", "RESP")
"""Other signals of bedside monitors (cinc2015)."""
_END_S: Final = {"cinc2015": 300.0}
"""The alarm's time: nothing after it is read."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Lead number `channel` of a record.

    `waves` is the extension of the file with this lead's wave boundaries, None where there is
    none; `consecutive` tells that between its first and last mark no wave is left out. `mains_hz`
    is the notch it is looked at through; what lies after `end_s` is not to be read.
    """

    database: str
    record: str
    subject: str
    path: Path
    channel: int
    mains_hz: int
    waves: str | None = None
    consecutive: bool = False
    end_s: float | None = None

    @property
    def key(self) -> str:
        """Its name in messages, "database/record:channel"."""
        return f"{self.database}/{self.record}:{self.channel}"


def recorded(directory: Path, name: str, records: Iterable[str]) -> Iterator[Lead]:
    """Every ECG lead of these records of archive `name`, without waves."""
    folder = ensure(directory, name, records)
    for record in records:
        for channel, spec in enumerate(read_header(folder / record).signals):
            if spec.name.upper() not in _NO_ECG:
                yield Lead(
                    name, record, subject(name, record), folder / record, channel,
                    _MAINS_HZ[name], end_s=_END_S.get(name),
                )  # fmt: skip


def unlabelled(directory: Path, name: str) -> list[Lead]:
    """Every ECG lead of every pinned record of archive `name`: signal only.

    What no header describes cannot be had by this: bidmc (tables) and ephnogram (MATLAB 5).
    """
    return list(recorded(directory, name, database(name).records))
